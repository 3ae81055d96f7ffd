//! Key blocks: a key under a protection key, bound to a header in the clear that says what the key is for
//! (ASC X9 TR-31:2018, ANSI X9.143:2021; version E as in ISO 20038:2017).
//!
//! | version | protection key | derived keys | encryption, MAC |
//! |---|---|---|---|
//! | A, C | TDES | variants 45 and 4D | CBC from the header; CBC-MAC over header and encrypted key |
//! | B | TDES | by CMAC | CBC from the MAC; CMAC over header and clear key |
//! | D | AES | by CMAC | CBC from the MAC; CMAC over header and clear key |
//! | E | AES | by CMAC | CTR from the MAC; CMAC over header and clear key |

mod header;
mod protection;

pub use header::{Header, OptionalBlock, Version};
pub use protection::{BlockKeys, ProtectionKey};

use std::fmt;

use zeroize::Zeroizing;

use crate::{AesKey, CryptoError, TdesKey};

/// Random bytes for the padding behind a key.
pub type Padding = [u8; 48];

/// A key out of a block, in the clear: of any length, since a block may hold HMAC keys and single DES.
#[derive(Clone)]
pub struct ClearKey(Zeroizing<Vec<u8>>);

impl ClearKey {
    /// From the bytes of a key, 1 to 8191.
    pub fn new(raw: &[u8]) -> Result<Self, CryptoError> {
        if (1..=MOST_KEY_BYTES).contains(&raw.len()) {
            Ok(Self(Zeroizing::new(raw.to_vec())))
        } else {
            Err(CryptoError::KeyLength)
        }
    }

    /// The clear bytes: for import into a token and for derivation, nowhere else.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// As a TDES key that is taken in: odd parity, no weak part, no equal parts.
    pub fn tdes(&self) -> Result<TdesKey, CryptoError> {
        TdesKey::from_bytes(&self.0)
    }

    /// As an AES key.
    pub fn aes(&self) -> Result<AesKey, CryptoError> {
        AesKey::from_bytes(&self.0)
    }
}

impl PartialEq for ClearKey {
    fn eq(&self, other: &Self) -> bool {
        crate::same(&self.0, &other.0)
    }
}

impl Eq for ClearKey {}

impl fmt::Debug for ClearKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClearKey([redacted])")
    }
}

/// What two bytes of length in bits can say.
const MOST_KEY_BYTES: usize = 0xFFFF / 8;
/// The longest block: four digits of length.
const MOST_CHARACTERS: usize = 9999;

/// Takes a block apart. Nothing of it is believed before its MAC is right; the MAC is compared in constant
/// time.
pub fn unwrap(protection: &ProtectionKey, block: &str) -> Result<(Header, ClearKey), CryptoError> {
    let version = Header::read(block)?.0.version();
    unwrap_with(&protection.keys(version)?, block)
}

/// As [`unwrap`], with the two keys of the protection key.
pub fn unwrap_with(keys: &BlockKeys, block: &str) -> Result<(Header, ClearKey), CryptoError> {
    let (header, after) = Header::read(block)?;
    let version = header.version();
    keys.require(version)?;
    let (clear_part, rest) = block.split_at_checked(after).ok_or(CryptoError::BlockLength)?;
    let middle = rest.len().checked_sub(version.mac_len() * 2).ok_or(CryptoError::BlockLength)?;
    let (sealed, mac) = rest.split_at_checked(middle).ok_or(CryptoError::BlockFormat)?;
    let read = |text| hex::decode(text).map_err(|_| CryptoError::BlockFormat);
    let (mut data, mac) = (Zeroizing::new(read(sealed)?), read(mac)?);
    if data.is_empty() || !data.len().is_multiple_of(version.cipher_block()) {
        return Err(CryptoError::BlockLength);
    }
    keys.open(clear_part.as_bytes(), &mut data, &mac)?;
    let (bits, behind) = data.split_first_chunk().ok_or(CryptoError::BlockKey)?;
    let bits = usize::from(u16::from_be_bytes(*bits));
    if bits == 0 || !bits.is_multiple_of(8) {
        return Err(CryptoError::BlockKey);
    }
    let key = behind.get(..bits / 8).ok_or(CryptoError::BlockKey)?;
    Ok((header, ClearKey::new(key)?))
}

/// Makes a block. TDES and AES keys are filled up to the longest of their algorithm with random bytes, so
/// that the block does not tell the length of the key.
pub fn wrap(protection: &ProtectionKey, header: &Header, key: &ClearKey, random: &Padding) -> Result<String, CryptoError> {
    wrap_with(&protection.keys(header.version())?, header, key, random)
}

/// As [`wrap`], with the two keys of the protection key.
pub fn wrap_with(keys: &BlockKeys, header: &Header, key: &ClearKey, random: &Padding) -> Result<String, CryptoError> {
    let version = header.version();
    keys.require(version)?;
    let raw = key.reveal();
    let bits = u16::try_from(raw.len() * 8).map_err(|_| CryptoError::KeyLength)?;
    let whole = (2 + raw.len().max(header.masked_len())).next_multiple_of(version.cipher_block());
    let mut data = Zeroizing::new(Vec::with_capacity(whole));
    data.extend_from_slice(&bits.to_be_bytes());
    data.extend_from_slice(raw);
    let padding = random.get(..whole - data.len()).ok_or(CryptoError::KeyLength)?;
    data.extend_from_slice(padding);
    let mut block = header.write(whole * 2 + version.mac_len() * 2)?;
    let mac = keys.close(block.as_bytes(), &mut data)?;
    block.push_str(&hex::encode_upper(&*data));
    block.push_str(&hex::encode_upper(&mac));
    Ok(block)
}

#[cfg(test)]
mod tests;
