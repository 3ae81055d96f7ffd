//! PINs and PIN blocks (ISO 9564-1). A clear PIN block is as secret as the PIN in it.

pub mod format4;

use std::fmt;

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{CryptoError, TdesKey};

/// How a PIN is laid out in a block of 8 bytes. Format 4 is not among them: it is enciphered together
/// with the PAN, so that its clear block does not exist ([`format4`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// ISO 9564-1 format 0 (ANSI X9.8): the PIN filled with F, exclusive-or the PAN.
    Iso0,
    /// Format 1: the PIN filled at random, for where the PAN is not known.
    Iso1,
    /// Format 2: the PIN filled with F, towards a chip card only.
    Iso2,
    /// Format 3: the PIN filled with random letters, exclusive-or the PAN.
    Iso3,
}

/// Random bytes that fill the rest of a block, one for each nibble that the shortest PIN leaves. Format 3
/// takes each modulo six: fill only makes blocks of one PIN differ, so the small bias tells nothing.
pub type Fill = [u8; 10];

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

impl Format {
    fn control(self) -> u8 {
        match self {
            Self::Iso0 => 0,
            Self::Iso1 => 1,
            Self::Iso2 => 2,
            Self::Iso3 => 3,
        }
    }

    /// The least fill nibble; the greatest is F.
    fn least_fill(self) -> u8 {
        match self {
            Self::Iso0 | Self::Iso2 => 0xF,
            Self::Iso1 => 0,
            Self::Iso3 => 0xA,
        }
    }

    /// Whether blocks of one PIN differ by their fill.
    pub fn is_random(self) -> bool {
        self.least_fill() < 0xF
    }

    /// What the block is exclusive-ored with.
    fn account(self, pan: &[u8]) -> Result<u64, CryptoError> {
        match self {
            Self::Iso0 | Self::Iso3 => account_field(pan),
            Self::Iso1 | Self::Iso2 => Ok(0),
        }
    }
}

/// Lays a PIN out: control nibble, length, digits, fill, exclusive-or the PAN's field where the format
/// has one. The PAN is ASCII digits, 13 to 19 of them; formats 1 and 2 do not look at it.
pub fn encode(format: Format, pin: &Pin, pan: &[u8], fill: &Fill) -> Result<ClearPinBlock, CryptoError> {
    let account = format.account(pan)?;
    let least = format.least_fill();
    let fill = fill.iter().map(|byte| least + byte % (0x10 - least));
    let digits = pin.reveal().iter().map(|digit| digit & 0x0F).chain(fill).take(14);
    let mut field = digits.fold(u64::from(format.control() << 4 | pin.len), |field, nibble| field << 4 | u64::from(nibble));
    let block = ClearPinBlock((field ^ account).to_be_bytes());
    field.zeroize();
    Ok(block)
}

/// Reads the PIN out of a block. Everything that can be wrong with the block is one error, found in the
/// same time: which check failed would tell an attacker about the PIN.
pub fn decode(format: Format, block: &ClearPinBlock, pan: &[u8]) -> Result<Pin, CryptoError> {
    let mut field = u64::from_be_bytes(block.0) ^ format.account(pan)?;
    let pin = read(&field.to_be_bytes(), format.control(), |fill| !fill.ct_lt(&format.least_fill()));
    field.zeroize();
    pin
}

/// The PIN of a field: control nibble, length, 14 nibbles of digits and fill.
fn read(field: &[u8; 8], control: u8, is_fill: impl Fn(&u8) -> Choice) -> Result<Pin, CryptoError> {
    let mut nibbles = field.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    let first = nibbles.next().unwrap_or_default();
    let len = nibbles.next().unwrap_or_default();
    let mut good: Choice = first.ct_eq(&control) & len.ct_gt(&3) & len.ct_lt(&13);
    let mut pin = Pin { digits: [0; 12], len };
    for (place, value) in (0u8..).zip(nibbles) {
        let within = place.ct_lt(&len);
        good &= Choice::conditional_select(&is_fill(&value), &value.ct_lt(&10), within);
        if let Some(room) = pin.digits.get_mut(usize::from(place)) {
            room.conditional_assign(&(b'0' | value), within);
        }
    }
    if bool::from(good) { Ok(pin) } else { Err(CryptoError::PinBlock) }
}

/// [`encode`] in format 0, which needs no fill.
pub fn format0_encode(pin: &Pin, pan: &[u8]) -> Result<ClearPinBlock, CryptoError> {
    encode(Format::Iso0, pin, pan, &Fill::default())
}

/// [`decode`] in format 0.
pub fn format0_decode(block: &ClearPinBlock, pan: &[u8]) -> Result<Pin, CryptoError> {
    decode(Format::Iso0, block, pan)
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

/// The clear half of a translation: the block of one format as that of another that has no random fill.
pub fn reformat(block: &ClearPinBlock, source: Format, target: Format, pan: &[u8]) -> Result<ClearPinBlock, CryptoError> {
    if target.is_random() {
        return Err(CryptoError::Fill);
    }
    reformat_with(block, source, target, pan, &Fill::default())
}

/// The clear half of a translation to any format of 8 bytes.
pub fn reformat_with(
    block: &ClearPinBlock,
    source: Format,
    target: Format,
    pan: &[u8],
    fill: &Fill,
) -> Result<ClearPinBlock, CryptoError> {
    encode(target, &decode(source, block, pan)?, pan, fill)
}

#[cfg(test)]
mod tests;
