//! PIN blocks of format 4 (ISO 9564-1:2017): 16 bytes under AES, the PAN bound in between two
//! encipherments, so that a block of another PAN does not open.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Pin, read};
use crate::aes::Block;
use crate::decimal::packed;
use crate::modes::exclusive_or;
use crate::{AesKey, CryptoError};

/// A clear PIN field: as secret as the PIN in it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PinField(Block);

impl PinField {
    /// Control nibble 4, length, digits, A up to the eighth byte, then eight random bytes.
    pub fn new(pin: &Pin, random: [u8; 8]) -> Self {
        let digits = pin.reveal().iter().map(|digit| digit & 0x0F).chain(std::iter::repeat(0xA));
        let nibbles = [4, pin.len].into_iter().chain(digits).take(16);
        let fixed: [u8; 8] = packed(nibbles);
        let mut field = Self([0; 16]);
        field.0.iter_mut().zip(fixed.into_iter().chain(random)).for_each(|(room, byte)| *room = byte);
        field
    }

    /// From what came out of the second decipherment; whether it is a PIN field, [`PinField::pin`] says.
    pub fn of_clear(raw: Block) -> Self {
        Self(raw)
    }

    /// The clear bytes.
    pub fn reveal(&self) -> &Block {
        &self.0
    }

    /// The PIN; whatever is wrong with the field is one error.
    pub fn pin(&self) -> Result<Pin, CryptoError> {
        let (fixed, _) = self.0.split_first_chunk().ok_or(CryptoError::PinBlock)?;
        read(fixed, 4, |fill| fill.ct_eq(&0xA))
    }
}

impl fmt::Debug for PinField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinField([redacted])")
    }
}

/// The PAN field: how many digits beyond twelve, then the digits, at least twelve. ASCII digits, 1 to 19.
fn pan_field(pan: &[u8]) -> Result<[u8; 16], CryptoError> {
    if pan.is_empty() || pan.len() > 19 || !pan.iter().all(u8::is_ascii_digit) {
        return Err(CryptoError::Pan);
    }
    let beyond = u8::try_from(pan.len().saturating_sub(12)).map_err(|_| CryptoError::Pan)?;
    let zeros = std::iter::repeat_n(b'0', 12usize.saturating_sub(pan.len()));
    Ok(packed([beyond].into_iter().chain(zeros).chain(pan.iter().copied())))
}

/// Exclusive-ors the PAN's field into what lies between the two encipherments, or out of it.
pub fn bind(between: Block, pan: &[u8]) -> Result<Block, CryptoError> {
    Ok(exclusive_or(between, &pan_field(pan)?))
}

/// Enciphers a PIN for a PAN. The same random bytes must not be used again.
pub fn encipher(key: &AesKey, pin: &Pin, pan: &[u8], random: [u8; 8]) -> Result<[u8; 16], CryptoError> {
    let account = pan_field(pan)?;
    let between = key.encrypt_block(PinField::new(pin, random).0);
    Ok(key.encrypt_block(exclusive_or(between, &account)))
}

/// Deciphers a block of 16 bytes. A wrong key, a wrong PAN and a garbled block are one error.
pub fn decipher(key: &AesKey, block: &[u8], pan: &[u8]) -> Result<Pin, CryptoError> {
    let account = pan_field(pan)?;
    let block = <[u8; 16]>::try_from(block).map_err(|_| CryptoError::PinBlock)?;
    let between = exclusive_or(key.decrypt_block(block), &account);
    PinField(key.decrypt_block(between)).pin()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_standards_block_comes_out() {
        // X9.24-3:2017 supplement, KSN 123456789012345600000001.
        let key = AesKey::from_hex("AF8CB133A78F8DC2D1359F18527593FB").unwrap();
        let random = hex::decode("2F69ADDE2E9E7ACE").unwrap().try_into().unwrap();
        let pin = Pin::new(b"1234").unwrap();
        let block = encipher(&key, &pin, b"4111111111111111", random).unwrap();
        assert_eq!(hex::encode_upper(block), "A912150391AB65A67E52883D81CE2D15");
        assert_eq!(decipher(&key, &block, b"4111111111111111").unwrap(), pin);
    }

    #[test]
    fn another_pan_another_length_and_a_pan_that_is_none_are_refused() {
        let key = AesKey::from_bytes(&[3; 32]).unwrap();
        let block = encipher(&key, &Pin::new(b"1234").unwrap(), b"4111111111111111", [9; 8]).unwrap();
        assert_eq!(decipher(&key, &block, b"4111111111111112"), Err(CryptoError::PinBlock));
        assert_eq!(decipher(&key, &block[..8], b"4111111111111111"), Err(CryptoError::PinBlock));
        for pan in [&b""[..], b"00577354214902796664", b"41111x1111111111"] {
            assert_eq!(decipher(&key, &block, pan), Err(CryptoError::Pan));
        }
        assert_eq!(format!("{:?}", PinField([0; 16])), "PinField([redacted])");
    }

    proptest! {
        #[test]
        fn what_was_enciphered_deciphers(raw: [u8; 24], digits in "[0-9]{4,12}", pan in "[0-9]{1,19}", random: [u8; 8]) {
            let (key, pin) = (AesKey::from_bytes(&raw).unwrap(), Pin::new(digits.as_bytes()).unwrap());
            let block = encipher(&key, &pin, pan.as_bytes(), random).unwrap();
            prop_assert_eq!(decipher(&key, &block, pan.as_bytes()).unwrap(), pin);
        }

        #[test]
        fn any_block_is_a_pin_or_one_error(raw: [u8; 16], block: [u8; 16]) {
            let key = AesKey::from_bytes(&raw).unwrap();
            let read = decipher(&key, &block, b"4111111111111111");
            prop_assert!(read.is_ok() || read == Err(CryptoError::PinBlock));
        }
    }
}
