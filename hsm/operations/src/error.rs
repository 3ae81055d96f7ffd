//! Why an operation did not succeed: whose fault, whether it may be tried again, what the outside may
//! be told. No variant holds a data value.

use std::path::PathBuf;

use crypto::CryptoError;
use payments::ResponseCode;

use crate::keys::{Algorithm, KeyName, KeyRole, ModeOfUse};

/// One variant per reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HsmError {
    /// The HSM cannot be reached or lost its session and could not be recovered.
    #[error("HSM is unavailable: {0}")]
    Unavailable(&'static str),
    /// No answer before the deadline. The operation may still run; it has no effect on money.
    #[error("HSM did not answer in time")]
    Timeout,
    /// The queue is full.
    #[error("HSM queue is full")]
    Busy,
    /// The handle was closed.
    #[error("HSM is closed")]
    Closed,
    /// No key of this name.
    #[error("no key {0} in the HSM")]
    UnknownKey(KeyName),
    /// The key exists for another purpose.
    #[error("key {key} is a {role} and must not be used for this")]
    WrongRole {
        /// The key that was named.
        key: KeyName,
        /// What it is for.
        role: KeyRole,
    },
    /// A key of this name is there already.
    #[error("key {0} exists already")]
    KeyExists(KeyName),
    /// The token lacks the second object of a key; import or generation was cut off.
    #[error("key {0} is incomplete in the token: destroy it and bring it in again")]
    IncompleteKey(KeyName),
    /// Key material of another algorithm or length than the role has.
    #[error("key material is not of the algorithm of a {0}")]
    WrongAlgorithm(KeyRole),
    /// Key material that fails the checks of every import: parity, weak, repeated.
    #[error("key material refused: {0}")]
    KeyRefused(CryptoError),
    /// A mode of use that keys of the role do not have.
    #[error("a {0} has no such mode of use")]
    WrongMode(KeyRole),
    /// The key may not do this of what its role does.
    #[error("key {key} is of mode {} and must not be used this way", .mode.letter())]
    NotAllowed {
        /// The key that was named.
        key: KeyName,
        /// What it may do.
        mode: ModeOfUse,
    },
    /// The key is of a cipher or length that the operation has no use for.
    #[error("key {key} is of {algorithm:?}, which this operation cannot use")]
    KeyAlgorithm {
        /// The key that was named.
        key: KeyName,
        /// What it is.
        algorithm: Algorithm,
    },
    /// The key was taken in or made as one that never leaves.
    #[error("key {0} may not be exported")]
    NotExportable(KeyName),
    /// A key block that does not open, or is malformed.
    #[error("key block refused: {0}")]
    KeyBlock(CryptoError),
    /// A key block that is authentic and says that its key is for something else.
    #[error("key block is not of a {0}")]
    BlockUsage(KeyRole),
    /// A decimalization table that the operator has not allowed: chosen tables tell PINs apart.
    #[error("decimalization table is not among the allowed")]
    TableNotAllowed,
    /// Something else in what was given that no operation takes.
    #[error("input refused: {0}")]
    Input(CryptoError),
    /// The check value is not the one that was told.
    #[error("key check value differs")]
    KcvMismatch,
    /// A clear PIN block that is not one: wrong key, wrong PAN or garbled. The outside must not be able
    /// to tell it from a wrong PIN of the issuer's view.
    #[error("PIN block is not valid")]
    PinBlock,
    /// A PAN that the PIN block format cannot take.
    #[error("PAN does not fit the PIN block format")]
    Pan,
    /// A key serial number that no device sends.
    #[error("KSN is not valid")]
    Ksn,
    /// A wrapped key that does not open: changed, of another purpose or under another key.
    #[error("wrapped key is not authentic")]
    NotAuthentic,
    /// More data than one operation takes.
    #[error("more data than one operation takes")]
    TooLong,
    /// The backend has no such operation.
    #[error("backend cannot {0}")]
    Unsupported(&'static str),
    /// The token refused; the PKCS#11 function and return value, which hold no data.
    #[error("token refused: {0}")]
    Refused(String),
    /// Something that an operator must put right.
    #[error(transparent)]
    Token(#[from] TokenProblem),
}

/// What an operator must put right before the HSM can be used; each says the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// The library is not there or cannot be loaded.
    #[error("PKCS#11 module {0} cannot be loaded: install it (Debian: apt-get install softhsm2) or set hsm.module")]
    Module(PathBuf),
    /// Another library is loaded already; one per process.
    #[error("PKCS#11 module {0} is loaded already: one process uses one module")]
    SecondModule(PathBuf),
    /// The library did not initialise.
    #[error("PKCS#11 module did not initialise ({0}): check SOFTHSM2_CONF and the token directory's owner")]
    Initialise(String),
    /// No token of the label.
    #[error("no token labelled {0:?}: run `switchyard hsm init`, or set hsm.token to a label that exists")]
    NoToken(String),
    /// A token of the label is there, so it is not initialised again.
    #[error("a token labelled {0:?} exists already")]
    TokenExists(String),
    /// The user PIN is wrong.
    #[error("token {0:?} refuses the PIN: put the right one into the file of hsm.pin_file; few wrong ones lock the token")]
    WrongPin(String),
    /// The user PIN is locked.
    #[error("token {0:?} is locked after wrong PINs: its security officer must set a new PIN")]
    PinLocked(String),
    /// The PIN file cannot be used.
    #[error("PIN file {path}: {problem}")]
    PinFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong and the fix.
        problem: &'static str,
    },
    /// A file of the token directory could not be made or written.
    #[error("token directory {path}: {problem}")]
    Directory {
        /// Which path.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },
}

impl HsmError {
    /// A word for metrics and logs.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Closed => "closed",
            Self::UnknownKey(_) => "unknown_key",
            Self::WrongRole { .. } => "wrong_role",
            Self::KeyExists(_) => "key_exists",
            Self::IncompleteKey(_) => "incomplete_key",
            Self::WrongAlgorithm(_) => "wrong_algorithm",
            Self::KeyRefused(_) => "key_refused",
            Self::WrongMode(_) => "wrong_mode",
            Self::NotAllowed { .. } => "not_allowed",
            Self::KeyAlgorithm { .. } => "key_algorithm",
            Self::NotExportable(_) => "not_exportable",
            Self::KeyBlock(_) => "key_block",
            Self::BlockUsage(_) => "block_usage",
            Self::TableNotAllowed => "table_not_allowed",
            Self::Input(_) => "input",
            Self::KcvMismatch => "kcv_mismatch",
            Self::PinBlock => "pin_block",
            Self::Pan => "pan",
            Self::Ksn => "ksn",
            Self::NotAuthentic => "not_authentic",
            Self::TooLong => "too_long",
            Self::Unsupported(_) => "unsupported",
            Self::Refused(_) => "refused",
            Self::Token(_) => "token",
        }
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub fn may_retry(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Timeout | Self::Busy)
    }

    /// What the sender of the message may be told (DE39): 81 for what is wrong with its PIN block or
    /// KSN, 91 while the HSM is down or busy, 96 for what is wrong on our side.
    pub fn response_code(&self) -> ResponseCode {
        match self {
            Self::PinBlock | Self::Pan | Self::Ksn => ResponseCode::PIN_CRYPTO_ERROR,
            Self::Unavailable(_) | Self::Timeout | Self::Busy | Self::Closed => ResponseCode::UNAVAILABLE,
            _ => ResponseCode::MALFUNCTION,
        }
    }
}

impl From<CryptoError> for HsmError {
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::PinBlock | CryptoError::PinLengthOrDigits => Self::PinBlock,
            CryptoError::Pan => Self::Pan,
            CryptoError::KsnLength | CryptoError::KsnCounter => Self::Ksn,
            CryptoError::NotAuthentic => Self::NotAuthentic,
            CryptoError::TooLong => Self::TooLong,
            CryptoError::CheckValue => Self::KcvMismatch,
            CryptoError::KeyLength
            | CryptoError::KeyHex
            | CryptoError::Parity
            | CryptoError::WeakKey
            | CryptoError::RepeatedParts
            | CryptoError::Components
            | CryptoError::Variant => Self::KeyRefused(error),
            CryptoError::BlockLength
            | CryptoError::BlockVersion
            | CryptoError::BlockFormat
            | CryptoError::BlockMac
            | CryptoError::BlockKey => Self::KeyBlock(error),
            CryptoError::Pvki
            | CryptoError::DecimalizationTable
            | CryptoError::ValidationData
            | CryptoError::Offset
            | CryptoError::Expiry
            | CryptoError::ServiceCode
            | CryptoError::Counter
            | CryptoError::PanSequence
            | CryptoError::EmvData
            | CryptoError::DataLength
            | CryptoError::Fill
            | CryptoError::Alphabet
            | CryptoError::DomainTooSmall => Self::Input(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_learns_only_whether_its_pin_or_our_hsm_is_the_trouble() {
        assert_eq!(HsmError::PinBlock.response_code(), ResponseCode::PIN_CRYPTO_ERROR);
        assert_eq!(HsmError::Pan.response_code(), HsmError::PinBlock.response_code());
        assert_eq!(HsmError::Busy.response_code(), ResponseCode::UNAVAILABLE);
        assert_eq!(HsmError::KcvMismatch.response_code(), ResponseCode::MALFUNCTION);
    }
}
