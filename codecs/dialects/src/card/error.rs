//! Why a message was refused or could not be made; whose fault it is stands with each.

use iso8583::{DecodeError, Kind, Place};
use payments::ResponseCode;

/// Why a card message was refused, or could not be made. Never holds content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer: the bytes are not a message of the spec.
    #[error("{kind} at byte {offset} (field {place})")]
    Wire {
        /// What is wrong.
        kind: Kind,
        /// Where.
        place: Place,
        /// First offending byte.
        offset: usize,
    },
    /// The peer: a field that this message must have is not there.
    #[error("field {0} is missing")]
    Missing(u8),
    /// The peer: the field is well formed, but its value is not one (a currency that does not exist,
    /// STAN 000000).
    #[error("field {0} has an impossible value")]
    Invalid(u8),
    /// The peer: two fields say different things.
    #[error("fields {0} and {1} contradict each other")]
    Contradiction(u8, u8),
    /// The peer: an MTI that does not belong here.
    #[error("the message type is not supported")]
    UnsupportedMessage,
    /// The peer: a transaction type (DE3) that this message type does not have.
    #[error("the transaction type is not supported")]
    UnsupportedTransaction,
    /// Us: a card message was to be written without its card.
    #[error("card data wanted")]
    NoCard,
    /// Us: a PIN was promised and no translated PIN block came.
    #[error("a translated PIN block wanted")]
    NoPin,
    /// Us: an amount in another currency than its original.
    #[error("amounts in two currencies")]
    Currencies,
    /// Us: an answer to what has none (the MTI is an answer itself).
    #[error("the message has no answer")]
    Unanswerable,
    /// Us: a message of another family (ISO 20022).
    #[error("not a card message")]
    OtherFamily,
}

impl Error {
    /// DE39 of the answer that says so: 12 for what we do not do, 30 for what cannot be read, 96 for
    /// our own trouble.
    pub fn response_code(self) -> ResponseCode {
        match self {
            Self::UnsupportedMessage | Self::UnsupportedTransaction => ResponseCode::INVALID_TRANSACTION,
            Self::Wire { .. } | Self::Missing(_) | Self::Invalid(_) | Self::Contradiction(..) => ResponseCode::FORMAT_ERROR,
            Self::NoCard | Self::NoPin | Self::Currencies | Self::Unanswerable | Self::OtherFamily => ResponseCode::MALFUNCTION,
        }
    }
}

impl From<&DecodeError> for Error {
    fn from(error: &DecodeError) -> Self {
        Self::Wire { kind: error.kind, place: error.place, offset: error.offset }
    }
}
