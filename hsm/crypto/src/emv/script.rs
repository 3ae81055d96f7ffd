//! Issuer scripts: commands to the card that carry a MAC, and data under encryption (EMV 4.3 Book 2
//! section 9), among them the change of the PIN.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::mac::{Padding, retail_mac, split_last};
use crate::modes::{cbc_encrypt, ecb_encrypt, exclusive_or};
use crate::pin::{Fill, Format, encode};
use crate::tdes::Block;
use crate::{CryptoError, Pin, TdesKey};

/// How a scheme encrypts the data of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encipherment {
    /// Visa: the length in one byte, the data, padding method 2; each block alone.
    LengthFirst,
    /// Mastercard: padding method 2 only where blocks are not whole; chained.
    PaddedIfNeeded,
    /// EMV: padding method 2 always; chained.
    Padded,
}

/// How a scheme lays the new PIN out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinLayout {
    /// Visa's own: length, digits and F, exclusive-or a part of the card's cryptogram key, and exclusive-or
    /// the current PIN where the card wants it.
    Visa,
    /// Visa's own where the card wants the current PIN, else format 2.
    VisaWithCurrent,
    /// ISO 9564-1 format 2. There is no way to give the current PIN.
    Iso2,
}

/// The MAC of a command: algorithm 3 with padding method 2 over header, what the scheme puts in between
/// (which is not sent), and data.
pub fn command_mac(session: &TdesKey, header: &[u8], between: &[u8], data: &[u8]) -> Block {
    retail_mac(session, &[header, between, data].concat(), Padding::OneThenZeros)
}

/// The data of a command under encryption.
pub fn encrypt_data(session: &TdesKey, how: Encipherment, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(data.len() + 16));
    if how == Encipherment::LengthFirst {
        buffer.push(u8::try_from(data.len()).map_err(|_| CryptoError::TooLong)?);
    }
    buffer.extend_from_slice(data);
    if how != Encipherment::PaddedIfNeeded || !buffer.len().is_multiple_of(8) {
        let (before, last) = split_last(&buffer, Padding::OneThenZeros);
        let whole = before.len();
        buffer.truncate(whole);
        buffer.extend_from_slice(&last);
    }
    match how {
        Encipherment::LengthFirst => ecb_encrypt(session, &mut buffer)?,
        Encipherment::PaddedIfNeeded | Encipherment::Padded => cbc_encrypt(session, &[0; 8], &mut buffer)?,
    }
    Ok(buffer)
}

/// The clear data of a PIN change. As secret as the PIN in it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PinChange(Block);

impl PinChange {
    /// Lays the new PIN out. `cryptogram_key` is the card's master key for cryptograms.
    pub fn new(layout: PinLayout, cryptogram_key: &TdesKey, pin: &Pin, current: Option<&Pin>) -> Result<Self, CryptoError> {
        let plain = |format| encode(format, pin, b"", &Fill::default());
        match (layout, current) {
            (PinLayout::Iso2 | PinLayout::VisaWithCurrent, None) => Ok(Self(*plain(Format::Iso2)?.reveal())),
            (PinLayout::Iso2, Some(_)) => Err(CryptoError::EmvData),
            (PinLayout::Visa | PinLayout::VisaWithCurrent, current) => Ok(Self(visa(cryptogram_key, pin, current)?)),
        }
    }

    /// The clear bytes.
    pub fn reveal(&self) -> &Block {
        &self.0
    }
}

impl fmt::Debug for PinChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinChange([redacted])")
    }
}

fn visa(cryptogram_key: &TdesKey, pin: &Pin, current: Option<&Pin>) -> Result<Block, CryptoError> {
    let [[_, _, _, _, a, b, c, d], ..] = *cryptogram_key.parts();
    // Format 2 without its control nibble is the length and the digits, filled with F.
    let [first, rest @ ..] = *encode(Format::Iso2, pin, b"", &Fill::default())?.reveal();
    let [e, f, g, h, i, j, k] = rest;
    let block = exclusive_or([first & 0x0F, e, f, g, h, i, j, k], &[0, 0, 0, 0, a, b, c, d]);
    let digits = current.map(Pin::reveal).unwrap_or_default().iter().copied();
    Ok(exclusive_or(block, &crate::decimal::packed(digits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TdesKey {
        TdesKey::unchecked(&hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap()).unwrap()
    }

    #[test]
    fn scripts_agree_with_pyemv() {
        // The examples in pyemv's documentation.
        let header = [0x84, 0x24, 0, 0, 8];
        assert_eq!(hex::encode_upper(command_mac(&key(), &header, b"", b"")), "0BFFF5DF3FAA24E1");
        let between = hex::decode("FFFF1234567890123456").unwrap();
        assert_eq!(hex::encode_upper(command_mac(&key(), &header, &between, b"")), "E07B8DF1B4184282");
        let sealed = |how, data: &str| hex::encode_upper(&*encrypt_data(&key(), how, &hex::decode(data).unwrap()).unwrap());
        assert_eq!(sealed(Encipherment::Padded, "249999FFFFFFFFFF"), "5A862D1381CCB94822CFDD706A376178");
        assert_eq!(sealed(Encipherment::PaddedIfNeeded, "241234FFFFFFFFFF"), "9859240AE52820C3");
        assert_eq!(sealed(Encipherment::PaddedIfNeeded, "24").len(), 16);
        let pin = Pin::new(b"1234").unwrap();
        let block = PinChange::new(PinLayout::Visa, &key(), &pin, None).unwrap();
        // Bytes 5 to 8 of the key that pyemv's documentation has here are 89ABCDEF.
        assert_eq!(hex::encode_upper(block.reveal()), "041234FF76543210");
        assert_eq!(format!("{block:?}"), "PinChange([redacted])");
    }

    #[test]
    fn the_current_pin_goes_into_visas_layout_alone() {
        let (pin, current) = (Pin::new(b"1234").unwrap(), Pin::new(b"98765").unwrap());
        let made = |layout| PinChange::new(layout, &key(), &pin, Some(&current));
        let block = made(PinLayout::Visa).unwrap();
        assert_eq!(hex::encode_upper(block.reveal()), "9C6464FF76543210");
        assert_eq!(made(PinLayout::VisaWithCurrent).unwrap().reveal(), block.reveal());
        assert_eq!(made(PinLayout::Iso2).unwrap_err(), CryptoError::EmvData);
    }
}
