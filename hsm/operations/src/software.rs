//! Keys in the memory of this process, behind the same operations: for tests and simulators, where a
//! token would be in the way. Not for anything that is worth protecting.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crypto::gcm::{GcmKey, NONCE, TAG};
use crypto::tdes::Block;
use crypto::{CryptoError, TdesKey, mac};
use zeroize::Zeroizing;

use crate::pool::{Pool, PoolSettings};
use crate::token::{Fault, Part, Token};
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
    whole: Cipher,
    companion: Option<TdesKey>,
}

enum Cipher {
    Tdes(TdesKey),
    Gcm(GcmKey),
}

impl Software {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<KeyName, Held>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<KeyName, Held>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn tdes<R>(&self, name: &KeyName, part: Part, with: impl FnOnce(&TdesKey) -> R) -> Result<R, Fault> {
        let keys = self.read();
        let held = keys.get(name).ok_or(HsmError::UnknownKey(*name))?;
        match (part, &held.whole, &held.companion) {
            (Part::Whole, Cipher::Tdes(key), _) | (Part::Companion, _, Some(key)) => Ok(with(key)),
            _ => Err(HsmError::WrongRole { key: *name, role: held.info.role }.into()),
        }
    }

    fn gcm<R>(&self, name: &KeyName, with: impl FnOnce(&GcmKey) -> R) -> Result<R, Fault> {
        let keys = self.read();
        match keys.get(name) {
            Some(Held { whole: Cipher::Gcm(key), .. }) => Ok(with(key)),
            Some(held) => Err(HsmError::WrongRole { key: *name, role: held.info.role }.into()),
            None => Err(HsmError::UnknownKey(*name).into()),
        }
    }
}

impl Token for Software {
    fn role(&mut self, key: &KeyName) -> Result<KeyRole, Fault> {
        Ok(self.read().get(key).ok_or(HsmError::UnknownKey(*key))?.info.role)
    }

    fn decrypt_block(&mut self, key: &KeyName, block: &Block) -> Result<Zeroizing<Block>, Fault> {
        self.tdes(key, Part::Whole, |key| Zeroizing::new(key.decrypt_block(*block)))
    }

    fn encrypt_block(&mut self, key: &KeyName, part: Part, block: &Block) -> Result<Zeroizing<Block>, Fault> {
        self.tdes(key, part, |key| Zeroizing::new(key.encrypt_block(*block)))
    }

    fn chain(&mut self, key: &KeyName, data: &[u8]) -> Result<Block, Fault> {
        // Whole blocks, so padding 1 adds nothing.
        self.tdes(key, Part::Companion, |key| mac::cbc_mac(key, data, mac::Padding::Zeros))
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

    fn generate(&mut self, name: &KeyName, role: KeyRole) -> Result<KeyInfo, Fault> {
        let mut raw = Zeroizing::new(vec![0; role.algorithm().key_bytes()]);
        loop {
            self.random(&mut raw)?;
            match ClearKey::with_odd_parity(role, &raw) {
                Err(HsmError::KeyRefused(CryptoError::WeakKey | CryptoError::RepeatedParts)) => {}
                drawn => return self.import(name, &drawn?),
            }
        }
    }

    fn import(&mut self, name: &KeyName, key: &ClearKey) -> Result<KeyInfo, Fault> {
        let role = key.role();
        let info = KeyInfo { name: *name, role, algorithm: role.algorithm(), kcv: key.kcv() };
        let whole = match <&[u8; 32]>::try_from(key.reveal()) {
            Ok(raw) => Cipher::Gcm(GcmKey::new(raw)),
            Err(_) => Cipher::Tdes(TdesKey::unchecked(key.reveal())?),
        };
        let held = Held { info: info.clone(), whole, companion: key.companion()? };
        let mut keys = self.write();
        if keys.contains_key(name) {
            return Err(HsmError::KeyExists(*name).into());
        }
        keys.insert(*name, held);
        Ok(info)
    }

    fn destroy(&mut self, name: &KeyName) -> Result<(), Fault> {
        self.write().remove(name).map(|_| ()).ok_or(Fault::Error(HsmError::UnknownKey(*name)))
    }

    fn list(&mut self) -> Result<Vec<KeyInfo>, Fault> {
        Ok(self.read().values().map(|held| held.info.clone()).collect())
    }

    fn refresh(&mut self) -> Result<(), Fault> {
        Ok(())
    }

    fn recover(&mut self, _: &'static str) -> Result<(), HsmError> {
        Ok(())
    }

    fn close(&mut self) {}
}
