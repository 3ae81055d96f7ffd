//! What a token that knows only ciphers must offer; the operations are composed of it in
//! [`crate::compose`]. A backend that has the operations as commands does not come through here.

use crypto::tdes::Block;
use zeroize::Zeroizing;

use crate::{ClearKey, HsmError, KeyInfo, KeyName, KeyRole};

/// Which of the objects of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The key itself.
    Whole,
    /// What [`ClearKey::companion`] made.
    Companion,
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
    /// What a key is for.
    fn role(&mut self, key: &KeyName) -> Result<KeyRole, Fault>;
    /// TDES decryption of one block.
    fn decrypt_block(&mut self, key: &KeyName, block: &Block) -> Result<Zeroizing<Block>, Fault>;
    /// TDES encryption of one block.
    fn encrypt_block(&mut self, key: &KeyName, part: Part, block: &Block) -> Result<Zeroizing<Block>, Fault>;
    /// The last block of TDES-CBC from zeros, under the companion; `data` is whole blocks, one at least.
    fn chain(&mut self, key: &KeyName, data: &[u8]) -> Result<Block, Fault>;
    /// AES-GCM: nonce, sealed data, tag.
    fn seal(&mut self, key: &KeyName, associated: &[u8], clear: &[u8]) -> Result<Vec<u8>, Fault>;
    /// The other way.
    fn open(&mut self, key: &KeyName, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault>;
    /// Random bytes.
    fn random(&mut self, room: &mut [u8]) -> Result<(), Fault>;
    /// A new key that never was outside where the token can make all of it.
    fn generate(&mut self, name: &KeyName, role: KeyRole) -> Result<KeyInfo, Fault>;
    /// A key from clear material.
    fn import(&mut self, name: &KeyName, key: &ClearKey) -> Result<KeyInfo, Fault>;
    /// Removes a key for good.
    fn destroy(&mut self, name: &KeyName) -> Result<(), Fault>;
    /// Every key, in order of its name.
    fn list(&mut self) -> Result<Vec<KeyInfo>, Fault>;
    /// Reads anew what keys there are: others may have changed the token.
    fn refresh(&mut self) -> Result<(), Fault>;
    /// Gets session and login back after [`Fault::Lost`], whose word it is given.
    fn recover(&mut self, what: &'static str) -> Result<(), HsmError>;
    /// Leaves the token in order.
    fn close(&mut self);
}

/// Refuses a key of another role than the operation is for.
pub(crate) fn require(token: &mut dyn Token, key: &KeyName, allowed: &[KeyRole]) -> Result<(), Fault> {
    let role = token.role(key)?;
    if allowed.contains(&role) { Ok(()) } else { Err(HsmError::WrongRole { key: *key, role }.into()) }
}
