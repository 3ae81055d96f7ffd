//! PINs and PIN blocks (ISO 9564-1). A clear PIN block is as secret as the PIN in it.

use std::fmt;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{CryptoError, TdesKey};

/// How a PIN is laid out in its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// ISO 9564-1 format 0 (ANSI X9.8): the PIN padded with F, exclusive-or the PAN. 8 bytes.
    Iso0,
}

/// A PIN: 4 to 12 decimal digits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Pin {
    digits: [u8; 12],
    len: u8,
}

impl Pin {
    /// From ASCII digits.
    pub fn new(raw: &[u8]) -> Result<Self, CryptoError> {
        let len = u8::try_from(raw.len()).unwrap_or(u8::MAX);
        if !(4..=12).contains(&len) || !raw.iter().all(u8::is_ascii_digit) {
            return Err(CryptoError::PinLengthOrDigits);
        }
        let mut digits = [0; 12];
        digits.iter_mut().zip(raw).for_each(|(room, digit)| *room = *digit);
        Ok(Self { digits, len })
    }

    /// The ASCII digits.
    pub fn reveal(&self) -> &[u8] {
        self.digits.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.len.ct_eq(&other.len) & self.digits.ct_eq(&other.digits))
    }
}

impl Eq for Pin {}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin([redacted])")
    }
}

/// A PIN block in the clear, 8 bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ClearPinBlock([u8; 8]);

impl ClearPinBlock {
    /// From 8 bytes that came out of a decryption; whether they are a PIN block, decoding says.
    pub fn new(raw: [u8; 8]) -> Self {
        Self(raw)
    }

    /// Decrypts an 8-byte block; one of another length is no PIN block.
    pub fn decrypt(key: &TdesKey, block: &[u8]) -> Result<Self, CryptoError> {
        let block = <[u8; 8]>::try_from(block).map_err(|_| CryptoError::PinBlock)?;
        Ok(Self(key.decrypt_block(block)))
    }

    /// Encrypts.
    pub fn encrypt(&self, key: &TdesKey) -> [u8; 8] {
        key.encrypt_block(self.0)
    }

    /// The clear bytes.
    pub fn reveal(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for ClearPinBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClearPinBlock([redacted])")
    }
}

/// Lays a PIN out as format 0: `0 L PPPP(P..)FF..` exclusive-or `0000` and the 12 rightmost digits of
/// the PAN without its check digit. The PAN is ASCII digits, 13 to 19 of them.
pub fn format0_encode(pin: &Pin, pan: &[u8]) -> Result<ClearPinBlock, CryptoError> {
    let account = account_field(pan)?;
    let mut field = u64::from(pin.len);
    for place in 0..14 {
        let nibble = pin.reveal().get(place).map_or(0xF, |digit| u64::from(digit & 0x0F));
        field = field << 4 | nibble;
    }
    let block = ClearPinBlock((field ^ account).to_be_bytes());
    field.zeroize();
    Ok(block)
}

/// Reads the PIN out of a format 0 block. Everything that can be wrong with the block is one error,
/// found in the same time: which check failed would tell an attacker about the PIN.
pub fn format0_decode(block: &ClearPinBlock, pan: &[u8]) -> Result<Pin, CryptoError> {
    let mut field = u64::from_be_bytes(block.0) ^ account_field(pan)?;
    let nibble = |at: u32| {
        field.to_be_bytes().get(usize::try_from(at / 2).unwrap_or(0)).map_or(0, |byte| (byte >> (4 - 4 * (at % 2))) & 0x0F)
    };
    let len = nibble(1);
    let mut good: Choice = nibble(0).ct_eq(&0) & len.ct_gt(&3) & len.ct_lt(&13);
    let mut pin = Pin { digits: [0; 12], len };
    for place in 0..14u8 {
        let value = nibble(u32::from(place) + 2);
        let within = place.ct_lt(&len);
        let allowed = Choice::conditional_select(&value.ct_eq(&0x0F), &value.ct_lt(&10), within);
        good &= allowed;
        if let Some(room) = pin.digits.get_mut(usize::from(place)) {
            room.conditional_assign(&(b'0' | value), within);
        }
    }
    field.zeroize();
    if bool::from(good) { Ok(pin) } else { Err(CryptoError::PinBlock) }
}

/// The account number field of formats 0 and 3: four zero nibbles and 12 digits.
fn account_field(pan: &[u8]) -> Result<u64, CryptoError> {
    rightmost_without_check_digit(pan, 12)?.iter().try_fold(0u64, |field, digit| Ok(field << 4 | u64::from(digit & 0x0F)))
}

/// The `count` rightmost digits of a PAN without its check digit.
pub(crate) fn rightmost_without_check_digit(pan: &[u8], count: usize) -> Result<&[u8], CryptoError> {
    if pan.len() > 19 || !pan.iter().all(u8::is_ascii_digit) {
        return Err(CryptoError::Pan);
    }
    let (_, body) = pan.split_last().ok_or(CryptoError::Pan)?;
    let start = body.len().checked_sub(count).ok_or(CryptoError::Pan)?;
    body.get(start..).ok_or(CryptoError::Pan)
}

/// Takes a block from one key and account to another: decrypts, checks the format, lays it out anew.
/// What a backend does inside, as a pure function: the oracle of the tests and the simulators' HSM.
pub fn translate(
    source: &TdesKey,
    source_format: Format,
    target: &TdesKey,
    target_format: Format,
    pan: &[u8],
    block: &[u8],
) -> Result<[u8; 8], CryptoError> {
    let clear = ClearPinBlock::decrypt(source, block)?;
    Ok(reformat(&clear, source_format, target_format, pan)?.encrypt(target))
}

/// The clear half of a translation: the block of one format as that of another.
pub fn reformat(block: &ClearPinBlock, source: Format, target: Format, pan: &[u8]) -> Result<ClearPinBlock, CryptoError> {
    let pin = match source {
        Format::Iso0 => format0_decode(block, pan)?,
    };
    match target {
        Format::Iso0 => format0_encode(&pin, pan),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pin(digits: &str) -> Pin {
        Pin::new(digits.as_bytes()).unwrap()
    }

    #[test]
    fn format_0_agrees_with_published_blocks() {
        // X9.24-1:2009 A.4; the others were computed with psec 1.3.0.
        for (digits, pan, block) in [
            ("1234", "4012345678909", "041274EDCBA9876F"),
            ("84002", "6011686296234123", "058416A9D69DCBED"),
            ("05420685", "6232597626104677186", "0805342095B988E7"),
            ("602453064882", "3641262713269418", "0C603631777AEBBE"),
        ] {
            let made = format0_encode(&pin(digits), pan.as_bytes()).unwrap();
            assert_eq!(hex::encode_upper(made.reveal()), block);
            assert_eq!(format0_decode(&made, pan.as_bytes()).unwrap(), pin(digits));
        }
    }

    #[test]
    fn a_pin_or_pan_of_the_wrong_length_or_kind_is_refused() {
        for digits in ["123", "2982827028813", "12A4", ""] {
            assert_eq!(Pin::new(digits.as_bytes()), Err(CryptoError::PinLengthOrDigits));
        }
        // 11 and 12 digits do not leave twelve without the check digit; 20 are no PAN.
        for pan in ["72247858051", "678443090864", "45123X7890123456", "29372057561988824635", ""] {
            assert_eq!(format0_encode(&pin("1234"), pan.as_bytes()).unwrap_err(), CryptoError::Pan);
        }
    }

    #[test]
    fn every_defect_of_a_block_is_the_same_error() {
        // Blocks under a key: control nibble 5, PIN length 3, length 13, a letter in the PIN, a fill
        // that is not F, and a block under another key (constructed cases of the shared vectors).
        let source = TdesKey::from_hex("23CE07EA8A0D94D6FB37106E2A5EE0C8").unwrap();
        let target = TdesKey::unchecked(&hex::decode("57793480E5BCF1EFA21F4F2FCD325DDF").unwrap()).unwrap();
        for block in [
            "64C1572B662FB310",
            "8F49C97301D40F6D",
            "F6C280BD23B3F7E0",
            "67D9659184FC8733",
            "1DF2F0ECE6AE5696",
            "E86C6852D8D3454A",
        ] {
            let block = hex::decode(block).unwrap();
            let refused = translate(&source, Format::Iso0, &target, Format::Iso0, b"5141509087308440", &block);
            assert_eq!(refused, Err(CryptoError::PinBlock));
        }
        assert_eq!(ClearPinBlock::decrypt(&source, &[0; 16]).unwrap_err(), CryptoError::PinBlock);
    }

    #[test]
    fn pins_and_clear_blocks_never_show_in_debug() {
        let block = format0_encode(&pin("1234"), b"4012345678909").unwrap();
        assert_eq!(format!("{:?} {block:?}", pin("1234")), "Pin([redacted]) ClearPinBlock([redacted])");
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes_to_the_same_pin(digits in "[0-9]{4,12}", pan in "[0-9]{13,19}") {
            let made = format0_encode(&pin(&digits), pan.as_bytes()).unwrap();
            prop_assert_eq!(format0_decode(&made, pan.as_bytes()).unwrap(), pin(&digits));
        }

        #[test]
        fn decoding_any_bytes_never_panics_and_what_decodes_encodes_back(raw: [u8; 8], pan in "[0-9]{0,21}") {
            let block = ClearPinBlock::new(raw);
            if let Ok(pin) = format0_decode(&block, pan.as_bytes()) {
                let again = format0_encode(&pin, pan.as_bytes()).unwrap();
                prop_assert_eq!(again.reveal(), &raw);
            }
        }
    }
}
