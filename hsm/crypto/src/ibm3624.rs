//! IBM 3624 PINs: the natural PIN that a key makes of an account, and the offset by which a customer's
//! PIN differs from it, which an issuer may keep.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::decimal::digits;
use crate::tdes::Block;
use crate::{CryptoError, Pin, TdesKey};

/// What turns the sixteen hexadecimal digits into decimal ones. Chosen tables tell PINs apart, so an HSM
/// takes them from an allow list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecimalizationTable([u8; 16]);

impl DecimalizationTable {
    /// The table of nearly every issuer: letters become the digits from 0.
    pub const STANDARD: Self = Self(*b"0123456789012345");

    /// From 16 ASCII digits: what 0 becomes, what 1 becomes, up to F.
    pub fn new(text: &[u8]) -> Result<Self, CryptoError> {
        let table = <[u8; 16]>::try_from(text).map_err(|_| CryptoError::DecimalizationTable)?;
        if digits(&table, 16) { Ok(Self(table)) } else { Err(CryptoError::DecimalizationTable) }
    }

    fn digit(&self, nibble: u8) -> u8 {
        self.0.get(usize::from(nibble)).map_or(0, |digit| digit & 0x0F)
    }
}

/// The part of a PAN that the key encrypts, filled up to 16 hexadecimal digits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ValidationData([u8; 8]);

impl ValidationData {
    /// `length` digits of the PAN from `start` on, the rest filled with `pad`, an ASCII hexadecimal digit.
    pub fn new(pan: &[u8], start: usize, length: usize, pad: u8) -> Result<Self, CryptoError> {
        if pan.len() > 19 || !pan.iter().all(u8::is_ascii_digit) {
            return Err(CryptoError::Pan);
        }
        let part = start.checked_add(length).and_then(|end| pan.get(start..end));
        let pad = char::from(pad).to_digit(16).and_then(|pad| u8::try_from(pad).ok());
        let (Some(part), Some(pad), 1..=16) = (part, pad, length) else { return Err(CryptoError::ValidationData) };
        Ok(Self(crate::decimal::packed(part.iter().copied().chain(std::iter::repeat(pad)).take(16))))
    }

    /// The block that the key encrypts.
    pub fn reveal(&self) -> &Block {
        &self.0
    }
}

impl fmt::Debug for ValidationData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ValidationData([redacted])")
    }
}

/// The offset of a PIN: 4 to 12 digits. Secret beside its PAN, as a PVV is.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Offset {
    digits: [u8; 12],
    len: usize,
}

impl Offset {
    /// From ASCII digits.
    pub fn new(text: &[u8]) -> Result<Self, CryptoError> {
        if !(4..=12).contains(&text.len()) || !text.iter().all(u8::is_ascii_digit) {
            return Err(CryptoError::Offset);
        }
        let mut offset = Self { digits: [b'0'; 12], len: text.len() };
        offset.digits.iter_mut().zip(text).for_each(|(room, digit)| *room = *digit);
        Ok(offset)
    }

    /// The ASCII digits.
    pub fn reveal(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }
}

impl PartialEq for Offset {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && crate::same(self.reveal(), other.reveal())
    }
}

impl Eq for Offset {}

impl fmt::Debug for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Offset([redacted])")
    }
}

/// The natural PIN of an account, 4 to 12 digits of it: the leftmost of the validation data encrypted
/// under the PIN verification key and turned decimal.
pub fn natural_pin(key: &TdesKey, table: &DecimalizationTable, data: &ValidationData, length: usize) -> Result<Pin, CryptoError> {
    natural_pin_of_sealed(&Zeroizing::new(key.encrypt_block(data.0)), table, length)
}

/// The rest of [`natural_pin`], where a token encrypted the validation data.
pub fn natural_pin_of_sealed(sealed: &Block, table: &DecimalizationTable, length: usize) -> Result<Pin, CryptoError> {
    let nibbles = sealed.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    let mut whole = Zeroizing::new([0; 16]);
    whole.iter_mut().zip(nibbles).for_each(|(room, nibble)| *room = b'0' | table.digit(nibble));
    Pin::new(whole.get(..length).ok_or(CryptoError::PinLengthOrDigits)?)
}

/// The offset that makes a customer's PIN of the natural one, digit by digit modulo ten, of the PIN's
/// length.
pub fn offset(key: &TdesKey, table: &DecimalizationTable, data: &ValidationData, pin: &Pin) -> Result<Offset, CryptoError> {
    offset_of_natural(&natural_pin(key, table, data, pin.reveal().len())?, pin)
}

/// The rest of [`offset`], from a natural PIN of the PIN's length.
pub fn offset_of_natural(natural: &Pin, pin: &Pin) -> Result<Offset, CryptoError> {
    combine(pin.reveal(), natural.reveal(), |pin, natural| 10 + pin - natural, Offset::new)
}

/// The customer's PIN, from the offset that the issuer keeps.
pub fn pin(key: &TdesKey, table: &DecimalizationTable, data: &ValidationData, offset: &Offset) -> Result<Pin, CryptoError> {
    pin_of_natural(&natural_pin(key, table, data, offset.reveal().len())?, offset)
}

/// The rest of [`pin`], from a natural PIN of the offset's length.
pub fn pin_of_natural(natural: &Pin, offset: &Offset) -> Result<Pin, CryptoError> {
    combine(natural.reveal(), offset.reveal(), |natural, offset| natural + offset, Pin::new)
}

/// Whether a PIN is the customer's. An offset of another length than the PIN belongs to another PIN.
pub fn verify(
    key: &TdesKey,
    table: &DecimalizationTable,
    data: &ValidationData,
    entered: &Pin,
    offset: &Offset,
) -> Result<bool, CryptoError> {
    Ok(pin(key, table, data, offset)? == *entered)
}

fn combine<T>(
    left: &[u8],
    right: &[u8],
    with: impl Fn(u8, u8) -> u8,
    make: impl Fn(&[u8]) -> Result<T, CryptoError>,
) -> Result<T, CryptoError> {
    let mut made = Zeroizing::new([0; 12]);
    let pairs = left.iter().zip(right).map(|(left, right)| with(left & 0x0F, right & 0x0F) % 10);
    made.iter_mut().zip(pairs).for_each(|(room, digit)| *room = b'0' | digit);
    make(made.get(..left.len()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> TdesKey {
        TdesKey::unchecked(&hex::decode("5D209843B60234F238852FDC80834A1A").unwrap()).unwrap()
    }

    fn table() -> DecimalizationTable {
        DecimalizationTable::new(b"1234567890123456").unwrap()
    }

    #[test]
    fn offset_and_natural_pin_agree_with_psec() {
        let data = ValidationData::new(b"4030565918797976", 4, 12, b'0').unwrap();
        let entered = Pin::new(b"8871").unwrap();
        assert_eq!(natural_pin(&key(), &table(), &data, 4).unwrap().reveal(), b"4298");
        let made = offset(&key(), &table(), &data, &entered).unwrap();
        assert_eq!(made.reveal(), b"4683");
        assert_eq!(verify(&key(), &table(), &data, &entered, &made), Ok(true));
        assert_eq!(verify(&key(), &table(), &data, &Pin::new(b"8872").unwrap(), &made), Ok(false));
        assert_eq!(verify(&key(), &table(), &data, &Pin::new(b"88710").unwrap(), &made), Ok(false));
        assert_eq!(format!("{made:?} {data:?}"), "Offset([redacted]) ValidationData([redacted])");
    }

    #[test]
    fn tables_offsets_and_data_that_do_not_fit_are_refused() {
        for text in [&b"012345678901234"[..], b"01234567890123456", b"012345678901234A"] {
            assert_eq!(DecimalizationTable::new(text), Err(CryptoError::DecimalizationTable));
        }
        for text in [&b"123"[..], b"1234567890123", b"12A4"] {
            assert_eq!(Offset::new(text), Err(CryptoError::Offset));
        }
        let refused = |pan: &[u8], start, length, pad| ValidationData::new(pan, start, length, pad).unwrap_err();
        assert_eq!(refused(b"4030565918797976", 5, 12, b'0'), CryptoError::ValidationData);
        assert_eq!(refused(b"4030565918797976", usize::MAX, 12, b'0'), CryptoError::ValidationData);
        assert_eq!(refused(b"4030565918797976", 0, 0, b'0'), CryptoError::ValidationData);
        assert_eq!(refused(b"4030565918797976", 0, 16, b'G'), CryptoError::ValidationData);
        assert_eq!(refused(b"40305659187979761234", 0, 16, b'F'), CryptoError::Pan);
    }

    proptest! {
        #[test]
        fn a_pin_verifies_with_its_own_offset(raw: [u8; 16], digits in "[0-9]{4,12}", pan in "[0-9]{16,19}") {
            let (key, entered) = (TdesKey::unchecked(&raw).unwrap(), Pin::new(digits.as_bytes()).unwrap());
            let data = ValidationData::new(pan.as_bytes(), 0, 16, b'F').unwrap();
            let made = offset(&key, &table(), &data, &entered).unwrap();
            prop_assert_eq!(verify(&key, &table(), &data, &entered, &made), Ok(true));
            prop_assert_eq!(pin(&key, &table(), &data, &made).unwrap(), entered);
        }
    }
}
