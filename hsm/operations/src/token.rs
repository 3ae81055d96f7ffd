//! What a token that knows only ciphers must offer; the operations are composed of it in
//! [`crate::compose`]. A backend that has the operations as commands does not come through here.

use crypto::{AesKey, TdesKey};
use zeroize::Zeroizing;

use crate::keys::Use;
use crate::{Algorithm, ClearKey, HsmError, KeyInfo, KeyName, KeyRole};

/// Which of the objects of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The key itself.
    Whole,
    /// What [`ClearKey::companion`] made.
    Companion,
}

/// A key in the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub place: Place,
    pub algorithm: Algorithm,
}

/// Where in the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A key of ours.
    Named(KeyName, Part),
    /// Derived in the token and gone at the end of the call: so many-th of it.
    Derived(usize),
}

/// A key for the length of one call: in the token, or in the memory of this process where the token cannot
/// make it.
#[derive(Clone)]
pub(crate) enum Key {
    Held(Held),
    Tdes(TdesKey),
    Aes(AesKey),
}

impl Key {
    /// In memory, of any parity.
    pub(crate) fn clear(algorithm: Algorithm, raw: &[u8]) -> Result<Self, crypto::CryptoError> {
        if algorithm.is_tdes() { TdesKey::unchecked(raw).map(Self::Tdes) } else { AesKey::from_bytes(raw).map(Self::Aes) }
    }

    pub(crate) fn is_tdes(&self) -> bool {
        match self {
            Self::Held(held) => held.algorithm.is_tdes(),
            Self::Tdes(_) => true,
            Self::Aes(_) => false,
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key([redacted])")
    }
}

impl KeyInfo {
    /// The key itself.
    pub(crate) fn whole(&self) -> Key {
        self.part(Part::Whole)
    }

    /// What was made of it when it was taken in.
    pub(crate) fn companion(&self) -> Key {
        self.part(Part::Companion)
    }

    fn part(&self, part: Part) -> Key {
        Key::Held(Held { place: Place::Named(self.name, part), algorithm: self.algorithm })
    }
}

/// Which way a cipher goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Encrypt,
    Decrypt,
}

/// Why a token did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Session, login or handle are gone: recover and try once more.
    Lost(&'static str),
    /// Everything else; trying again does not help.
    Error(HsmError),
}

impl From<HsmError> for Fault {
    fn from(error: HsmError) -> Self {
        Self::Error(error)
    }
}

impl From<crypto::CryptoError> for Fault {
    fn from(error: crypto::CryptoError) -> Self {
        Self::Error(error.into())
    }
}

/// One thread's access to a token. Calls block.
pub(crate) trait Token {
    /// What is known of a key.
    fn info(&mut self, key: &KeyName) -> Result<KeyInfo, Fault>;
    /// Each block of `data` alone, in place; whole blocks, one at least.
    fn ecb(&mut self, key: &Held, way: Way, data: &mut [u8]) -> Result<(), Fault>;
    /// Cipher block chaining in place, from a block `start`; whole blocks, one at least.
    fn cbc(&mut self, key: &Held, way: Way, start: &[u8], data: &mut [u8]) -> Result<(), Fault>;
    /// The whole CMAC: 8 bytes of TDES, 16 of AES.
    fn cmac(&mut self, key: &Held, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault>;
    /// A key of the first bytes of `data` encrypted block by block. Where the token does not do this inside,
    /// the key is in the memory of this process.
    fn derive(&mut self, key: &Held, data: &[u8], algorithm: Algorithm) -> Result<Key, Fault> {
        let mut raw = Zeroizing::new(data.to_vec());
        self.ecb(key, Way::Encrypt, &mut raw)?;
        Ok(Key::clear(algorithm, raw.get(..algorithm.key_bytes()).unwrap_or_default())?)
    }
    /// AES-GCM: nonce, sealed data, tag.
    fn seal(&mut self, key: &KeyName, associated: &[u8], clear: &[u8]) -> Result<Vec<u8>, Fault>;
    /// The other way.
    fn open(&mut self, key: &KeyName, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault>;
    /// Random bytes.
    fn random(&mut self, room: &mut [u8]) -> Result<(), Fault>;
    /// A new key that never was outside where the token can make all of it.
    fn generate(&mut self, name: &KeyName, kind: KeyKind) -> Result<KeyInfo, Fault>;
    /// A key from clear material.
    fn import(&mut self, name: &KeyName, key: &ClearKey) -> Result<KeyInfo, Fault>;
    /// The clear value of a key that may leave, for its key block alone.
    fn take_out(&mut self, key: &KeyName) -> Result<Zeroizing<Vec<u8>>, Fault>;
    /// Removes a key for good.
    fn destroy(&mut self, name: &KeyName) -> Result<(), Fault>;
    /// Every key, in order of its name.
    fn list(&mut self) -> Result<Vec<KeyInfo>, Fault>;
    /// Reads anew what keys there are: others may have changed the token.
    fn refresh(&mut self) -> Result<(), Fault>;
    /// Gets session and login back after [`Fault::Lost`], whose word it is given.
    fn recover(&mut self, what: &'static str) -> Result<(), HsmError>;
    /// Lets go what was derived for the call that ends here.
    fn end(&mut self) {}
    /// Leaves the token in order.
    fn close(&mut self);
}

/// What a new key is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyKind {
    pub role: KeyRole,
    pub algorithm: Algorithm,
    pub exportability: crate::Exportability,
}

/// Draws until the bytes are a key that an import accepts. For what a token cannot make whole.
pub(crate) fn draw(token: &mut dyn Token, kind: KeyKind) -> Result<ClearKey, Fault> {
    use crypto::CryptoError::{RepeatedParts, WeakKey};
    let mut raw = Zeroizing::new(vec![0; kind.algorithm.key_bytes()]);
    loop {
        token.random(&mut raw)?;
        match ClearKey::odd(kind.role, kind.algorithm, &raw) {
            Err(HsmError::KeyRefused(WeakKey | RepeatedParts)) => {}
            drawn => return Ok(drawn?.with_exportability(kind.exportability)),
        }
    }
}

/// Refuses a key of another role than the operation is for, and one that may not be used this way.
pub(crate) fn require(token: &mut dyn Token, key: &KeyName, allowed: &[KeyRole], wanted: Use) -> Result<KeyInfo, Fault> {
    let info = token.info(key)?;
    if !allowed.contains(&info.role) {
        return Err(HsmError::WrongRole { key: *key, role: info.role }.into());
    }
    if !info.mode.allows(wanted) {
        return Err(HsmError::NotAllowed { key: *key, mode: info.mode }.into());
    }
    Ok(info)
}
