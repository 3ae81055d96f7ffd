//! Typed access to the elements that most messages have, and access by path.

use std::borrow::Cow;

use crate::error::{EncodeError, Fault, Place};
use crate::inside::{self, Parent};
use crate::message::Message;
use crate::path::DEEPEST_PATH;
use crate::spec::Spec;

/// Why an element could not be taken as what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AccessError {
    /// It is not there.
    #[error("field {0} is missing")]
    Missing(u8),
    /// It is not a number that fits.
    #[error("field {0} is not a number")]
    NotANumber(u8),
    /// It is not text.
    #[error("field {0} is not text")]
    NotText(u8),
}

/// Data elements that every version of ISO 8583 numbers alike.
mod de {
    pub(super) const PAN: u8 = 2;
    pub(super) const PROCESSING_CODE: u8 = 3;
    pub(super) const AMOUNT: u8 = 4;
    pub(super) const TRANSMISSION: u8 = 7;
    pub(super) const STAN: u8 = 11;
    pub(super) const ACQUIRER: u8 = 32;
    pub(super) const RRN: u8 = 37;
    pub(super) const RESPONSE_CODE: u8 = 39;
    pub(super) const TERMINAL: u8 = 41;
    pub(super) const ACCEPTOR: u8 = 42;
}

impl Message {
    /// DE2, primary account number: 12 to 19 digits. Card data: keep it out of logs.
    pub fn pan(&self) -> Result<&str, AccessError> {
        self.text(de::PAN)
    }

    /// DE3, processing code.
    pub fn processing_code(&self) -> Result<&str, AccessError> {
        self.text(de::PROCESSING_CODE)
    }

    /// DE4, amount of the transaction in minor units of DE49 (1987 and 1993).
    pub fn amount(&self) -> Result<u64, AccessError> {
        self.number(de::AMOUNT)
    }

    /// DE7, transmission date and time, `MMDDhhmmss`.
    pub fn transmission(&self) -> Result<&str, AccessError> {
        self.text(de::TRANSMISSION)
    }

    /// DE11, systems trace audit number.
    pub fn stan(&self) -> Result<u64, AccessError> {
        self.number(de::STAN)
    }

    /// DE32, acquiring institution.
    pub fn acquirer(&self) -> Result<&str, AccessError> {
        self.text(de::ACQUIRER)
    }

    /// DE37, retrieval reference number.
    pub fn rrn(&self) -> Result<&str, AccessError> {
        self.text(de::RRN)
    }

    /// DE39, response or action code.
    pub fn response_code(&self) -> Result<&str, AccessError> {
        self.text(de::RESPONSE_CODE)
    }

    /// DE41, card acceptor terminal.
    pub fn terminal(&self) -> Result<&str, AccessError> {
        self.text(de::TERMINAL)
    }

    /// DE42, card acceptor.
    pub fn acceptor(&self) -> Result<&str, AccessError> {
        self.text(de::ACCEPTOR)
    }

    /// A field as text.
    pub fn text(&self, number: u8) -> Result<&str, AccessError> {
        let content = self.get(number).ok_or(AccessError::Missing(number))?;
        std::str::from_utf8(content).map_err(|_| AccessError::NotText(number))
    }

    /// A field of digits as a number.
    pub fn number(&self, number: u8) -> Result<u64, AccessError> {
        let content = self.get(number).ok_or(AccessError::Missing(number))?;
        let add = |sum: u64, byte: &u8| match byte {
            b'0'..=b'9' => sum.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
            _ => None,
        };
        let digits = Some(content).filter(|content| !content.is_empty());
        digits.and_then(|digits| digits.iter().try_fold(0, add)).ok_or(AccessError::NotANumber(number))
    }

    /// The content at a path: `4`, `127.2` (a subfield), `48.01` (a tag), `55.9F26` (a data object,
    /// inside constructed ones as `55.E1.9F26`). `spec` tells the structure. `None` where there is
    /// nothing at that path, or where it stands behind a fault that was let through.
    pub fn path(&self, spec: &Spec, path: &str) -> Option<Cow<'_, [u8]>> {
        let (number, rest) = path.split_once('.').map_or((path, None), |(number, rest)| (number, Some(rest)));
        let number = number.parse().ok()?;
        let content = self.get(number)?;
        match rest {
            None => Some(Cow::Borrowed(content)),
            Some(rest) => inside::find(Parent::Field(spec.field(number)?), content, rest),
        }
    }

    /// Sets the content at a path, canonical, as [`Message::path`] gives it. The field around it is
    /// made where it is not there; what else stands in it keeps its bytes and its place. The parts of a
    /// data element may be set one after the other, first to last; a subfield that has parts itself
    /// must be whole before one of them is changed.
    ///
    /// # Errors
    /// A path that the spec does not have, content that does not fit there, or a field whose other
    /// content cannot be read. The message is then as it was.
    pub fn set_path(&mut self, spec: &Spec, path: &str, content: impl AsRef<[u8]>) -> Result<&mut Self, EncodeError> {
        let (number, rest) = path.split_once('.').map_or((path, None), |(number, rest)| (number, Some(rest)));
        let number: u8 = number.parse().unwrap_or(0);
        let field = spec.field(number).ok_or_else(|| Spec::undefined(number))?;
        match rest {
            None => Ok(self.set(number, content)),
            Some(rest) => {
                let before = self.get(number).unwrap_or_default();
                let put = inside::put(Parent::Field(field), before, rest, content.as_ref(), DEEPEST_PATH);
                let put = zeroize::Zeroizing::new(put.map_err(|fault| at_field(number, fault))?);
                Ok(self.set(number, put.as_slice()))
            }
        }
    }
}

fn at_field(number: u8, fault: Fault) -> EncodeError {
    let Fault { kind, at: offset, wanted, got, path } = fault;
    EncodeError { kind, place: Place::Field(number), path, offset, wanted, got }
}
