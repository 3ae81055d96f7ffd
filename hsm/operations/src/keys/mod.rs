//! Keys as the rest of the house speaks of them: names, roles, check values; and clear key material on
//! its way into the HSM.

mod clear;
mod name;
mod role;

use std::fmt;
use std::str::FromStr;

pub use clear::ClearKey;
pub(crate) use clear::left_twice;
pub use name::{KeyName, KeyNameError};
pub(crate) use role::Use;
pub use role::{Algorithm, Exportability, KeyRole, ModeOfUse};

/// Key check value, 3 bytes: of zeros encrypted, for TDES and for AES (`CKA_CHECK_VALUE`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kcv(pub [u8; 3]);

impl fmt::Display for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

impl fmt::Debug for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Kcv {
    type Err = hex::FromHexError;
    /// From six hexadecimal characters.
    fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
        let mut raw = [0; 3];
        hex::decode_to_slice(text, &mut raw)?;
        Ok(Self(raw))
    }
}

/// What is known of a key without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub name: KeyName,
    /// What it is for.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// What it may do of what its role does.
    pub mode: ModeOfUse,
    /// Whether it may leave in a key block.
    pub exportability: Exportability,
    /// Its check value.
    pub kcv: Kcv,
}
