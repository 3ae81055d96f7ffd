//! Keys in the memory of this process, behind the same operations: for tests and simulators, where a
//! token would be in the way. Not for anything that is worth protecting.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crypto::gcm::{GcmKey, NONCE, TAG};
use crypto::{TdesKey, mac, modes};
use zeroize::Zeroizing;

use crate::pool::{Pool, PoolSettings};
use crate::token::{Fault, Held as HeldKey, Key, KeyKind, Part, Place, Token, Way, draw};
use crate::{Capabilities, ClearKey, Hsm, HsmError, KeyInfo, KeyName, KeyRole};

/// Opens an empty software HSM. Its keys are gone when the last clone is dropped.
pub async fn open(settings: PoolSettings) -> Result<Hsm, HsmError> {
    let keys = Arc::new(RwLock::new(BTreeMap::new()));
    let pool = Pool::start(settings, move || Ok(Software { keys: keys.clone() })).await?;
    let capabilities = Capabilities { backend: "software", pin_stays_inside: false, keys_stay_inside: false };
    Ok(Hsm::composed(pool, capabilities))
}

struct Software {
    keys: Arc<RwLock<BTreeMap<KeyName, Held>>>,
}

struct Held {
    info: KeyInfo,
    clear: ClearKey,
    whole: Key,
    companion: Option<TdesKey>,
    gcm: Option<GcmKey>,
}

impl Software {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<KeyName, Held>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<KeyName, Held>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn key<R>(&self, held: &HeldKey, with: impl FnOnce(&Key) -> Result<R, Fault>) -> Result<R, Fault> {
        let Place::Named(name, part) = held.place else { return Err(HsmError::Unsupported("derive keys inside").into()) };
        let keys = self.read();
        let held = keys.get(&name).ok_or(HsmError::UnknownKey(name))?;
        match (part, &held.companion) {
            (Part::Whole, _) => with(&held.whole),
            (Part::Companion, Some(key)) => with(&Key::Tdes(key.clone())),
            (Part::Companion, None) => Err(HsmError::IncompleteKey(name).into()),
        }
    }

    fn gcm<R>(&self, name: &KeyName, with: impl FnOnce(&GcmKey) -> R) -> Result<R, Fault> {
        let keys = self.read();
        let held = keys.get(name).ok_or(HsmError::UnknownKey(*name))?;
        let key = held.gcm.as_ref().ok_or(HsmError::WrongRole { key: *name, role: held.info.role })?;
        Ok(with(key))
    }
}

impl Token for Software {
    fn info(&mut self, key: &KeyName) -> Result<KeyInfo, Fault> {
        Ok(self.read().get(key).ok_or(HsmError::UnknownKey(*key))?.info)
    }

    fn ecb(&mut self, key: &HeldKey, way: Way, data: &mut [u8]) -> Result<(), Fault> {
        self.key(key, |key| match (key, way) {
            (Key::Tdes(key), Way::Encrypt) => Ok(modes::ecb_encrypt(key, data)?),
            (Key::Tdes(key), Way::Decrypt) => Ok(modes::ecb_decrypt(key, data)?),
            (Key::Aes(key), Way::Encrypt) => Ok(modes::ecb_encrypt(key, data)?),
            (Key::Aes(key), Way::Decrypt) => Ok(modes::ecb_decrypt(key, data)?),
            (Key::Held(_), _) => Err(HsmError::Unsupported("hold keys elsewhere").into()),
        })
    }

    fn cbc(&mut self, key: &HeldKey, way: Way, start: &[u8], data: &mut [u8]) -> Result<(), Fault> {
        let tdes = || <&[u8; 8]>::try_from(start).map_err(|_| crypto::CryptoError::DataLength);
        let aes = || <&[u8; 16]>::try_from(start).map_err(|_| crypto::CryptoError::DataLength);
        self.key(key, |key| match (key, way) {
            (Key::Tdes(key), Way::Encrypt) => Ok(modes::cbc_encrypt(key, tdes()?, data)?),
            (Key::Tdes(key), Way::Decrypt) => Ok(modes::cbc_decrypt(key, tdes()?, data)?),
            (Key::Aes(key), Way::Encrypt) => Ok(modes::cbc_encrypt(key, aes()?, data)?),
            (Key::Aes(key), Way::Decrypt) => Ok(modes::cbc_decrypt(key, aes()?, data)?),
            (Key::Held(_), _) => Err(HsmError::Unsupported("hold keys elsewhere").into()),
        })
    }

    fn cmac(&mut self, key: &HeldKey, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.key(key, |key| match key {
            Key::Tdes(key) => Ok(Zeroizing::new(mac::cmac_tdes(key, data).to_vec())),
            Key::Aes(key) => Ok(Zeroizing::new(mac::cmac_aes(key, data).to_vec())),
            Key::Held(_) => Err(HsmError::Unsupported("hold keys elsewhere").into()),
        })
    }

    fn seal(&mut self, key: &KeyName, associated: &[u8], clear: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut nonce = [0; NONCE];
        self.random(&mut nonce)?;
        let mut buffer = Vec::with_capacity(clear.len() + TAG);
        buffer.extend_from_slice(clear);
        let tag = self.gcm(key, |key| key.seal(&nonce, associated, &mut buffer))??;
        buffer.extend(tag);
        Ok([&nonce[..], &buffer].concat())
    }

    fn open(&mut self, key: &KeyName, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(HsmError::NotAuthentic)?;
        let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(HsmError::NotAuthentic)?;
        let mut buffer = Zeroizing::new(body.to_vec());
        self.gcm(key, |key| key.open(nonce, associated, &mut buffer, tag))??;
        Ok(buffer)
    }

    fn random(&mut self, room: &mut [u8]) -> Result<(), Fault> {
        getrandom::fill(room).map_err(|_| Fault::Error(HsmError::Unavailable("no randomness from the system")))
    }

    fn generate(&mut self, name: &KeyName, kind: KeyKind) -> Result<KeyInfo, Fault> {
        let drawn = draw(self, kind)?;
        self.import(name, &drawn)
    }

    fn import(&mut self, name: &KeyName, key: &ClearKey) -> Result<KeyInfo, Fault> {
        let info = key.info(*name);
        let gcm = match (info.role, <&[u8; 32]>::try_from(key.reveal())) {
            (KeyRole::Kek, Ok(raw)) => Some(GcmKey::new(raw)),
            _ => None,
        };
        let whole = Key::clear(info.algorithm, key.reveal())?;
        let held = Held { info, clear: key.clone(), whole, companion: key.companion()?, gcm };
        let mut keys = self.write();
        if keys.contains_key(name) {
            return Err(HsmError::KeyExists(*name).into());
        }
        keys.insert(*name, held);
        Ok(info)
    }

    fn take_out(&mut self, key: &KeyName) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let keys = self.read();
        let held = keys.get(key).ok_or(HsmError::UnknownKey(*key))?;
        if !held.info.exportability.may_leave() {
            return Err(HsmError::NotExportable(*key).into());
        }
        Ok(Zeroizing::new(held.clear.reveal().to_vec()))
    }

    fn destroy(&mut self, name: &KeyName) -> Result<(), Fault> {
        self.write().remove(name).map(|_| ()).ok_or(Fault::Error(HsmError::UnknownKey(*name)))
    }

    fn list(&mut self) -> Result<Vec<KeyInfo>, Fault> {
        Ok(self.read().values().map(|held| held.info).collect())
    }

    fn refresh(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn recover(&mut self, _: &'static str) -> Result<(), HsmError> {
        Ok(())
    }

    fn close(&mut self) {}
}
