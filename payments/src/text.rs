//! Bounded printable text that is copied, not allocated: the stuff identifiers are made of.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Printable ASCII of at most `N` bytes, kept in place. Trailing blanks are not part of the value,
/// since fixed-length wire fields pad with them (ISO 8583 `ans`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

/// Why a text was refused. Carries positions, never the content: a field may have held card data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// More bytes than the type holds.
    #[error("text of {got} bytes, at most {max} fit")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// A byte outside 0x20..=0x7E.
    #[error("byte {offset} is not printable ASCII")]
    NotPrintable {
        /// Index of the first offending byte.
        offset: usize,
    },
    /// A byte outside '0'..='9' where only digits may stand.
    #[error("byte {offset} is not a digit")]
    NotDigit {
        /// Index of the first offending byte.
        offset: usize,
    },
    /// The wrong number of characters where the length is fixed.
    #[error("{got} characters, wanted {want}")]
    Length {
        /// Characters given.
        got: usize,
        /// Characters wanted.
        want: usize,
    },
    /// Right characters, but a value that the type excludes (month 13, STAN 000000).
    #[error("value out of range")]
    OutOfRange,
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Self = Self { bytes: [0; N], len: 0 };

    /// Takes printable ASCII; trailing blanks are dropped.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Self::from_bytes(text.as_bytes())
    }

    /// As [`Text::new`], from bytes off the wire.
    pub fn from_bytes(raw: &[u8]) -> Result<Self, TextError> {
        if let Some(offset) = raw.iter().position(|b| !(0x20..=0x7E).contains(b)) {
            return Err(TextError::NotPrintable { offset });
        }
        let end = raw.iter().rposition(|b| *b != b' ').map_or(0, |at| at + 1);
        let trimmed = raw.get(..end).unwrap_or_default();
        let mut bytes = [0; N];
        match (bytes.get_mut(..trimmed.len()), u8::try_from(trimmed.len())) {
            (Some(room), Ok(len)) => {
                room.copy_from_slice(trimmed);
                Ok(Self { bytes, len })
            }
            _ => Err(TextError::TooLong { got: trimmed.len(), max: N }),
        }
    }

    /// A constant of the code. Panics at compile time when it does not fit.
    pub const fn literal(text: &str) -> Self {
        let raw = text.as_bytes();
        let mut bytes = [0; N];
        let mut at = 0;
        while at < raw.len() {
            bytes[at] = raw[at];
            at += 1;
        }
        Self { bytes, len: at as u8 }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> std::str::FromStr for Text<N> {
    type Err = TextError;
    fn from_str(s: &str) -> Result<Self, TextError> {
        Self::new(s)
    }
}

impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// Checks that every byte is a digit.
pub(crate) fn digits(raw: &[u8]) -> Result<(), TextError> {
    match raw.iter().position(|b| !b.is_ascii_digit()) {
        Some(offset) => Err(TextError::NotDigit { offset }),
        None => Ok(()),
    }
}

/// Reads an unsigned number out of digits; empty is 0.
pub(crate) fn number(raw: &[u8]) -> Result<u64, TextError> {
    digits(raw)?;
    raw.iter().try_fold(0u64, |sum, b| sum.checked_mul(10)?.checked_add(u64::from(b - b'0'))).ok_or(TextError::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_blanks_are_not_part_of_the_value() {
        assert_eq!(Text::<8>::new("TERM1   ").unwrap(), Text::<8>::new("TERM1").unwrap());
        assert_eq!(Text::<4>::new("ABCDE"), Err(TextError::TooLong { got: 5, max: 4 }));
        assert_eq!(Text::<4>::new("A\nB"), Err(TextError::NotPrintable { offset: 1 }));
    }
}
