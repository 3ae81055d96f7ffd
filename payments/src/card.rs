//! Card data. Types here redact `Debug`, have no `Display` and no `Serialize`, and wipe on drop.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::text::{TextError, digits};

/// Primary account number, 8 to 19 digits (ISO/IEC 7812-1). The check digit is not demanded here:
/// networks carry test and private ranges without one; [`Pan::luhn_valid`] tells.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Pan {
    digits: [u8; 19],
    len: u8,
}

impl Pan {
    /// From ASCII digits.
    pub fn new(raw: &[u8]) -> Result<Self, TextError> {
        digits(raw)?;
        if !(8..=19).contains(&raw.len()) {
            return Err(TextError::Length { got: raw.len(), want: 19 });
        }
        let mut pan = Self { digits: [0; 19], len: 0 };
        for (room, digit) in pan.digits.iter_mut().zip(raw) {
            *room = *digit;
            pan.len += 1;
        }
        Ok(pan)
    }

    /// The clear ASCII digits. Only codecs, the vault and payment cryptography may ask.
    pub fn reveal(&self) -> &[u8] {
        self.digits.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The first six digits (the BIN that may be shown).
    pub fn first_six(&self) -> [u8; 6] {
        let mut first = [b'0'; 6];
        first.iter_mut().zip(self.reveal()).for_each(|(room, digit)| *room = *digit);
        first
    }

    /// The last four digits; fewer of a number so short that with the first six less than three digits of it
    /// would stay hidden, zeros in their places.
    pub fn last_four(&self) -> [u8; 4] {
        let shown = usize::from(self.len).saturating_sub(9).min(4);
        let mut last = [b'0'; 4];
        last.iter_mut().rev().zip(self.reveal().iter().rev()).take(shown).for_each(|(room, digit)| *room = *digit);
        last
    }

    /// Whether an issuer can have issued it (ISO/IEC 7812-1): 10 digits or more, the last one the check digit.
    /// Clearing files take no other.
    pub fn well_formed(&self) -> bool {
        self.reveal().len() >= 10 && self.luhn_valid()
    }

    /// Whether the last digit is the Luhn check digit (ISO/IEC 7812-1 annex B).
    pub fn luhn_valid(&self) -> bool {
        let sum: u32 = self
            .reveal()
            .iter()
            .rev()
            .enumerate()
            .map(|(place, digit)| {
                let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
                value / 10 + value % 10
            })
            .sum();
        sum.is_multiple_of(10)
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pan([redacted])")
    }
}

/// Expiry as DE14 has it: YYMM. Sensitive beside a PAN, so it redacts itself too.
#[derive(Clone, Copy, PartialEq, Eq, Zeroize)]
pub struct Expiry([u8; 4]);

impl Expiry {
    /// From YYMM, ASCII digits with a month of 01 to 12.
    pub fn new(raw: &[u8]) -> Result<Self, TextError> {
        let value: [u8; 4] = raw.try_into().map_err(|_| TextError::Length { got: raw.len(), want: 4 })?;
        digits(&value)?;
        match &value[2..] {
            b"01" | b"02" | b"03" | b"04" | b"05" | b"06" | b"07" | b"08" | b"09" | b"10" | b"11" | b"12" => Ok(Self(value)),
            _ => Err(TextError::OutOfRange),
        }
    }

    /// The four ASCII digits YYMM.
    pub fn reveal(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Debug for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expiry([redacted])")
    }
}

/// Card sequence number, DE23, 0 to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CardSequence(u16);

impl CardSequence {
    /// From a number up to 999.
    pub fn new(number: u16) -> Result<Self, TextError> {
        if number > 999 { Err(TextError::OutOfRange) } else { Ok(Self(number)) }
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// Track 2 equivalent data, DE35, at most 37 characters (ISO/IEC 7813). Never durable.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Track2(Box<[u8]>);

impl Track2 {
    /// From the wire characters: digits, one separator `=` or `D`.
    pub fn new(raw: &[u8]) -> Result<Self, TextError> {
        if raw.len() > 37 {
            return Err(TextError::TooLong { got: raw.len(), max: 37 });
        }
        match raw.iter().position(|b| !b.is_ascii_digit() && *b != b'=' && *b != b'D') {
            Some(offset) => Err(TextError::NotDigit { offset }),
            None => Ok(Self(raw.into())),
        }
    }

    /// The clear characters.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Track2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Track2([redacted])")
    }
}

/// An encrypted PIN block, DE52: 8 bytes for TDES formats, 16 for ISO 9564 format 4. Never durable,
/// never logged, even though it is encrypted (PCI PIN).
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct PinBlock {
    bytes: [u8; 16],
    len: u8,
}

impl PinBlock {
    /// From 8 or 16 bytes.
    pub fn new(raw: &[u8]) -> Result<Self, TextError> {
        let mut bytes = [0; 16];
        match raw.len() {
            8 | 16 => bytes.iter_mut().zip(raw).for_each(|(room, byte)| *room = *byte),
            got => return Err(TextError::Length { got, want: 8 }),
        }
        Ok(Self { bytes, len: if raw.len() == 16 { 16 } else { 8 } })
    }

    /// The encrypted bytes, for the HSM and the codec.
    pub fn reveal(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for PinBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinBlock([redacted])")
    }
}

/// What the engine, the ledger and logs may know of a card.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRef {
    /// The vault's token: a keyed HMAC of the PAN (never a bare hash), 16 bytes.
    #[serde(with = "hex::serde")]
    pub token: [u8; 16],
    /// The first six digits, ASCII.
    pub first_six: crate::Text<6>,
    /// The last four digits, ASCII.
    pub last_four: crate::Text<4>,
    /// PAN, expiry and sequence number, sealed by the vault (AEAD); opened again only with a logged
    /// reason, for a reversal, an advice or a clearing record.
    #[serde(with = "hex::serde")]
    pub sealed: Vec<u8>,
}

impl fmt::Debug for CardRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CardRef({}******{})", self.first_six, self.last_four)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_data_never_shows_in_debug() {
        let pan = Pan::new(b"5413330089020011").unwrap();
        let shown = format!("{pan:?} {:?} {:?}", Track2::new(b"5413330089020011=2512").unwrap(), Expiry::new(b"2512").unwrap());
        assert!(!shown.contains("5413"), "{shown}");
        assert!(!shown.contains("2512"), "{shown}");
        assert_eq!((&pan.first_six(), &pan.last_four()), (b"541333", b"0011"));
        // Three digits stay hidden, of a short number too.
        assert_eq!(&Pan::new(b"54133377").unwrap().last_four(), b"0000");
        assert_eq!(&Pan::new(b"54133377731").unwrap().last_four(), b"0031");
    }

    #[test]
    fn luhn_tells_a_wrong_digit() {
        assert!(Pan::new(b"5413330089020011").unwrap().luhn_valid());
        assert!(!Pan::new(b"5413330089020012").unwrap().luhn_valid());
        assert!(Pan::new(b"5413330089020011").unwrap().well_formed());
        let short = Pan::new(b"541333001").unwrap();
        assert!(short.luhn_valid() && !short.well_formed(), "nine digits are no card number, whatever the last one is");
    }
}
