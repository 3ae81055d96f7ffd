//! What error codes mean to callers. Codes depend on the command; what a code says of a PIN block is one
//! error whatever was wrong with it.

use crypto::CryptoError;

use super::codec::{ErrorCode, Failure};
use crate::HsmError;

/// The family of a command: the low codes mean something else in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// PIN blocks.
    Pin,
    /// Everything else.
    Other,
}

impl Family {
    pub(super) fn of(code: [u8; 2]) -> Self {
        match &code {
            b"CA" | b"CC" | b"G0" | b"DC" | b"EC" | b"DA" | b"EA" => Self::Pin,
            _ => Self::Other,
        }
    }
}

/// The reason behind a failure, as [`HsmError`] has it.
pub(super) fn reason(family: Family, failure: Failure) -> HsmError {
    let code = match failure {
        Failure::Malformed => return HsmError::Refused("HSM sent an answer that is none of the command".to_owned()),
        Failure::Refused(code) => code,
    };
    if code.is_unwell() {
        return HsmError::Unavailable("HSM reports a fault of its own");
    }
    match (&code.0, family) {
        (b"20" | b"24", Family::Pin) => HsmError::PinBlock,
        (b"22", _) => HsmError::Pan,
        (b"23", _) => HsmError::Unsupported("take this PIN block format"),
        (b"69", _) => HsmError::Unsupported("take this PIN block format: it is disabled"),
        (b"67" | b"68", _) => HsmError::Unsupported("do this: the command is disabled or not licensed"),
        (b"10" | b"11", _) => HsmError::KeyRefused(CryptoError::Parity),
        (b"25", _) => HsmError::KeyRefused(CryptoError::DecimalizationTable),
        (b"27" | b"A5" | b"A7", _) => HsmError::KeyRefused(CryptoError::KeyLength),
        (b"A6", _) => HsmError::KeyRefused(CryptoError::Variant),
        (b"75", _) => HsmError::KeyRefused(CryptoError::RepeatedParts),
        (b"80", _) => HsmError::TooLong,
        (b"A4", _) => HsmError::NotAuthentic,
        _ => HsmError::Refused(format!("error code {code}")),
    }
}

/// Whether a verification said no: 01, which for other commands is an advice or an error.
pub(super) fn said_no(failure: Failure) -> bool {
    failure == Failure::Refused(ErrorCode::FAILED)
}

#[cfg(test)]
mod tests {
    use payments::ResponseCode;

    use super::*;

    fn of(code: &[u8; 2]) -> HsmError {
        reason(Family::Pin, Failure::Refused(ErrorCode(*code)))
    }

    #[test]
    fn whatever_is_wrong_with_a_pin_block_is_one_error() {
        assert_eq!(of(b"20"), of(b"24"));
        assert_eq!(of(b"20"), HsmError::PinBlock);
        assert_eq!(of(b"22").response_code(), of(b"20").response_code());
        assert_eq!(of(b"20").response_code(), ResponseCode::PIN_CRYPTO_ERROR);
    }

    #[test]
    fn each_code_has_its_reason() {
        assert_eq!(of(b"10"), HsmError::KeyRefused(CryptoError::Parity));
        assert_eq!(of(b"27"), HsmError::KeyRefused(CryptoError::KeyLength));
        assert_eq!(of(b"75"), HsmError::KeyRefused(CryptoError::RepeatedParts));
        assert_eq!(of(b"25"), HsmError::KeyRefused(CryptoError::DecimalizationTable));
        assert_eq!(of(b"A4"), HsmError::NotAuthentic);
        assert!(of(b"41").may_retry() && of(b"13").may_retry());
        assert_eq!(of(b"15"), HsmError::Refused("error code 15".to_owned()));
        // Nonsense of the peer does not reach a log.
        assert_eq!(of(b"\n\xFF"), HsmError::Refused("error code ??".to_owned()));
        assert!(said_no(Failure::Refused(ErrorCode(*b"01"))) && !said_no(Failure::Refused(ErrorCode(*b"02"))));
    }
}
