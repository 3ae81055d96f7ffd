//! A worker's session: ciphers on cached handles, key management, and getting back what was lost.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crypto::gcm::{NONCE, TAG};
use cryptoki::context::{Function, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::Ulong;
use zeroize::Zeroizing;

use super::directory::{self, Directory, Entry};
use super::faults::{fault, refused};
use super::raw::Raw;
use super::{Settings, library, softhsm};
use crate::token::{Fault, Held, Key, KeyKind, Part, Place, Token, Way};
use crate::{Algorithm, ClearKey, HsmError, KeyInfo, KeyName, TokenProblem};

/// After a recovery that failed, operations are refused for this long without asking the token again:
/// each try may cost a login.
const REFUSED: Duration = Duration::from_secs(1);

/// What the workers share.
pub(super) struct Shared {
    settings: Settings,
    state: Mutex<State>,
    /// That of the directory in `state`, to look without the lock.
    version: AtomicU64,
}

#[derive(Default)]
pub(super) struct State {
    /// Kept open, and logged in, for as long as the HSM is open: the login holds for every session.
    anchor: Option<Session>,
    directory: Directory,
    refused_until: Option<Instant>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        Arc::new(Self { settings, state: Mutex::default(), version: AtomicU64::new(0) })
    }

    /// Shares what was read from the token.
    fn publish(&self, state: &mut State, keys: BTreeMap<KeyName, Entry>) {
        let version = state.directory.version + 1;
        state.directory = Directory { version, keys: Arc::new(keys) };
        self.version.store(version, Ordering::Release);
    }

    /// Also serialises whatever makes, finds or removes objects: SoftHSM before 2.7 races there.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker's access.
pub(super) struct Pkcs11Token {
    // Dropped, and so closed, before the anchor in `shared`.
    pub(super) session: Session,
    library: Pkcs11,
    raw: Arc<Raw>,
    pub(super) shared: Arc<Shared>,
    directory: Directory,
    /// Derived for the call that runs.
    derived: Vec<ObjectHandle>,
    /// The objects in use by this worker, session copies where they could be made.
    hot: BTreeMap<KeyName, Hot>,
}

#[derive(Clone, Copy)]
struct Hot {
    info: KeyInfo,
    whole: ObjectHandle,
    companion: Option<ObjectHandle>,
    /// Whether the objects are copies, to be destroyed when the key changes.
    copies: bool,
}

impl Pkcs11Token {
    pub(super) fn open(shared: Arc<Shared>) -> Result<Self, HsmError> {
        let (library, raw) = library::load(&shared.settings.module)?;
        let (session, directory) = {
            let mut state = shared.lock();
            let slot = establish(&library, &shared, &mut state)?;
            let session = library.open_rw_session(slot).map_err(refused)?;
            (session, state.directory.clone())
        };
        Ok(Self { session, library, raw, shared, directory, derived: Vec::new(), hot: BTreeMap::new() })
    }

    /// The objects of a key. Taking up a key for the first time may copy it.
    fn hot(&mut self, name: &KeyName) -> Result<Hot, Fault> {
        if let Some(hot) = self.hot.get(name) {
            return Ok(*hot);
        }
        let entry = match self.directory.keys.get(name) {
            Some(entry) if entry.complete() => entry.clone(),
            Some(_) => return Err(HsmError::IncompleteKey(*name).into()),
            None => return Err(HsmError::UnknownKey(*name).into()),
        };
        let copied = if self.shared.settings.session_copies { self.copy(&entry)? } else { None };
        let (whole, companion) = copied.unwrap_or((entry.whole, entry.companion));
        let hot = Hot { info: entry.info, whole, companion, copies: copied.is_some() };
        self.hot.insert(*name, hot);
        Ok(hot)
    }

    /// Session copies of a key's objects; none where the token does not let copy.
    fn copy(&self, entry: &Entry) -> Result<Option<(ObjectHandle, Option<ObjectHandle>)>, Fault> {
        let _state = self.shared.lock();
        let copy = |handle| match self.session.copy_object(handle, &[Attribute::Token(false)]) {
            Ok(copy) => Ok(Some(copy)),
            Err(error) => match fault(error) {
                Fault::Error(error) => {
                    tracing::info!(target: "hsm", key = %entry.info.name, %error, "no session copy of this key");
                    Ok(None)
                }
                lost => Err(lost),
            },
        };
        let Some(whole) = copy(entry.whole)? else { return Ok(None) };
        match entry.companion {
            None => Ok(Some((whole, None))),
            Some(companion) => Ok(copy(companion)?.map(|companion| (whole, Some(companion)))),
        }
    }

    /// Takes note of keys that came, went or changed since this worker looked.
    fn look(&mut self) {
        if self.shared.version.load(Ordering::Acquire) == self.directory.version {
            return;
        }
        let directory = self.shared.lock().directory.clone();
        let before = std::mem::replace(&mut self.directory, directory);
        let gone: Vec<KeyName> = self
            .hot
            .keys()
            .filter(|name| {
                let handles = |directory: &Directory| directory.keys.get(*name).map(|entry| (entry.whole, entry.companion));
                handles(&before) != handles(&self.directory)
            })
            .copied()
            .collect();
        for name in gone {
            self.drop_hot(&name);
        }
    }

    fn drop_hot(&mut self, name: &KeyName) {
        if let Some(hot) = self.hot.remove(name).filter(|hot| hot.copies) {
            let _state = self.shared.lock();
            for handle in [Some(hot.whole), hot.companion].into_iter().flatten() {
                // A copy that is gone already is what was wanted.
                let _ = self.session.destroy_object(handle);
            }
        }
    }

    /// Reads the token anew and shares what was found.
    pub(super) fn reread(&mut self) -> Result<(), Fault> {
        {
            let mut state = self.shared.lock();
            let keys = directory::read(&self.session).map_err(fault)?;
            self.shared.publish(&mut state, keys);
        }
        self.look();
        Ok(())
    }

    pub(super) fn known(&self, name: &KeyName) -> Result<KeyInfo, Fault> {
        Ok(self.directory.keys.get(name).ok_or(HsmError::UnknownKey(*name))?.info)
    }

    /// The object of a key on its way through an operation.
    fn object(&mut self, key: &Held) -> Result<ObjectHandle, Fault> {
        match key.place {
            Place::Named(name, Part::Whole) => Ok(self.hot(&name)?.whole),
            Place::Named(name, Part::Companion) => Ok(self.hot(&name)?.companion.ok_or(HsmError::IncompleteKey(name))?),
            Place::Derived(number) => Ok(self.derived.get(number).copied().ok_or(Fault::Lost("derived key is gone"))?),
        }
    }

    /// The token's own object of a key, for what copies do not do.
    pub(super) fn original(&self, name: &KeyName) -> Result<(KeyInfo, ObjectHandle), Fault> {
        let entry = self.directory.keys.get(name).ok_or(HsmError::UnknownKey(*name))?;
        Ok((entry.info, entry.whole))
    }
}

impl Token for Pkcs11Token {
    fn info(&mut self, key: &KeyName) -> Result<KeyInfo, Fault> {
        self.look();
        Ok(self.hot(key)?.info)
    }

    fn ecb(&mut self, key: &Held, way: Way, data: &mut [u8]) -> Result<(), Fault> {
        self.cbc(key, way, &[], data)
    }

    fn cbc(&mut self, key: &Held, way: Way, start: &[u8], data: &mut [u8]) -> Result<(), Fault> {
        let object = self.object(key)?;
        self.raw.cipher(&self.session, object, key.algorithm, way, start, data).map_err(fault)
    }

    fn cmac(&mut self, key: &Held, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let object = self.object(key)?;
        let mut room = Zeroizing::new([0; 16]);
        let len = self.raw.cmac(&self.session, object, key.algorithm, data, &mut room).map_err(fault)?;
        Ok(Zeroizing::new(room.get(..len).unwrap_or_default().to_vec()))
    }

    /// Inside, where the data is just the key's length. Of longer data the standard and SoftHSM differ in what
    /// end they take: keys of 24 bytes from AES are made in memory.
    fn derive(&mut self, key: &Held, data: &[u8], algorithm: Algorithm) -> Result<Key, Fault> {
        if data.len() != algorithm.key_bytes() {
            let mut raw = Zeroizing::new(data.to_vec());
            self.ecb(key, Way::Encrypt, &mut raw)?;
            return Ok(Key::clear(algorithm, raw.get(..algorithm.key_bytes()).unwrap_or_default())?);
        }
        let from = self.object(key)?;
        let made = {
            let _state = self.shared.lock();
            self.raw.derive(&self.session, (from, key.algorithm), data, algorithm).map_err(fault)?
        };
        self.derived.push(made);
        Ok(Key::Held(Held { place: Place::Derived(self.derived.len() - 1), algorithm }))
    }

    fn seal(&mut self, key: &KeyName, associated: &[u8], clear: &[u8]) -> Result<Vec<u8>, Fault> {
        let handle = self.hot(key)?.whole;
        let mut nonce = [0; NONCE];
        self.random(&mut nonce)?;
        let mut parameter = nonce;
        let mechanism = gcm(&mut parameter, associated)?;
        let sealed = self.session.encrypt(&mechanism, handle, clear).map_err(fault)?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn open(&mut self, key: &KeyName, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let handle = self.hot(key)?.whole;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(HsmError::NotAuthentic)?;
        if sealed.len() < TAG {
            return Err(HsmError::NotAuthentic.into());
        }
        let mut parameter = *nonce;
        let mechanism = gcm(&mut parameter, associated)?;
        match self.session.decrypt(&mechanism, handle, sealed) {
            Ok(clear) => Ok(Zeroizing::new(clear)),
            Err(Error::Pkcs11(RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange, _)) => {
                Err(HsmError::NotAuthentic.into())
            }
            // SoftHSM has a general error for a wrong tag; a session that is well says which it was.
            Err(Error::Pkcs11(RvError::GeneralError | RvError::FunctionFailed, Function::Decrypt))
                if logged_in(&self.session) =>
            {
                Err(HsmError::NotAuthentic.into())
            }
            Err(error) => Err(fault(error)),
        }
    }

    fn random(&mut self, room: &mut [u8]) -> Result<(), Fault> {
        self.session.generate_random_slice(room).map_err(fault)
    }

    fn generate(&mut self, name: &KeyName, kind: KeyKind) -> Result<KeyInfo, Fault> {
        self.make(name, kind)
    }

    fn import(&mut self, name: &KeyName, key: &ClearKey) -> Result<KeyInfo, Fault> {
        self.take_in(name, key)
    }

    fn take_out(&mut self, key: &KeyName) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.wrapped_out(key)
    }

    fn destroy(&mut self, name: &KeyName) -> Result<(), Fault> {
        self.remove(name)
    }

    fn list(&mut self) -> Result<Vec<KeyInfo>, Fault> {
        self.reread()?;
        Ok(self.directory.keys.values().map(|entry| entry.info).collect())
    }

    fn refresh(&mut self) -> Result<(), Fault> {
        self.reread()
    }

    fn recover(&mut self, what: &'static str) -> Result<(), HsmError> {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        if state.refused_until.is_some_and(|until| Instant::now() < until) {
            return Err(HsmError::Unavailable("token did not come back, next try in a second"));
        }
        // Below the refusal, so that an outage is one line a second and not one per operation.
        tracing::warn!(target: "hsm", what, "HSM session lost, recovering");
        let recovered =
            establish(&self.library, &shared, &mut state).and_then(|slot| self.library.open_rw_session(slot).map_err(refused));
        match recovered {
            Ok(session) => {
                // The old one is not closed: another session may have its number by now.
                std::mem::forget(std::mem::replace(&mut self.session, session));
                self.directory = state.directory.clone();
                self.hot.clear();
                self.derived.clear();
                state.refused_until = None;
                tracing::warn!(target: "hsm", "HSM session recovered");
                Ok(())
            }
            Err(error) => {
                state.refused_until = Some(Instant::now() + REFUSED);
                tracing::error!(target: "hsm", %error, "HSM session not recovered");
                Err(HsmError::Unavailable("session could not be recovered"))
            }
        }
    }

    fn end(&mut self) {
        if self.derived.is_empty() {
            return;
        }
        let _state = self.shared.lock();
        for handle in self.derived.drain(..) {
            // One that is gone already is what was wanted.
            let _ = self.session.destroy_object(handle);
        }
    }

    fn close(&mut self) {
        for name in self.hot.keys().copied().collect::<Vec<_>>() {
            self.drop_hot(&name);
        }
    }
}

/// Makes sure that there is a session that is logged in, and that the directory is that of the token.
fn establish(library: &Pkcs11, shared: &Shared, state: &mut State) -> Result<Slot, HsmError> {
    let settings = &shared.settings;
    let no_token = || TokenProblem::NoToken(settings.token.clone());
    let slot = library::slot_of(library, &settings.token).map_err(refused)?.ok_or_else(no_token)?;
    if !state.anchor.as_ref().is_some_and(logged_in) {
        let anchor = library.open_rw_session(slot).map_err(refused)?;
        let pin = softhsm::read_pin(&settings.pin_file)?;
        match anchor.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
                return Err(TokenProblem::WrongPin(settings.token.clone()).into());
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => {
                return Err(TokenProblem::PinLocked(settings.token.clone()).into());
            }
            Err(error) => return Err(refused(error)),
        }
        let keys = directory::read(&anchor).map_err(refused)?;
        shared.publish(state, keys);
        // A lost one is not closed: another session may have its number by now.
        std::mem::forget(state.anchor.replace(anchor));
    }
    Ok(slot)
}

/// Whether a session is open and the user logged in.
fn logged_in(session: &Session) -> bool {
    session.get_session_info().is_ok_and(|info| info.session_state() == SessionState::RwUser)
}

fn gcm<'a>(nonce: &'a mut [u8; NONCE], associated: &'a [u8]) -> Result<Mechanism<'a>, Fault> {
    let parameters = GcmParams::new(nonce, associated, Ulong::new(128)).map_err(fault)?;
    Ok(Mechanism::AesGcm(parameters))
}
