//! AES keys of 128, 192 or 256 bits, and the block operation.

use std::fmt;

use ::aes::{Aes128, Aes192, Aes256};
use cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use zeroize::Zeroizing;

use crate::CryptoError;

/// One block of AES, 16 bytes.
pub type Block = [u8; 16];

/// An AES key with its schedule (FIPS 197).
#[derive(Clone)]
pub struct AesKey {
    bytes: Zeroizing<[u8; 32]>,
    len: usize,
    schedule: Schedule,
}

// `aes` wipes the schedules on drop.
#[derive(Clone)]
pub(crate) enum Schedule {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}

impl AesKey {
    /// From 16, 24 or 32 bytes.
    pub fn from_bytes(raw: &[u8]) -> Result<Self, CryptoError> {
        let schedule = match raw.len() {
            16 => Aes128::new_from_slice(raw).map(Schedule::Aes128),
            24 => Aes192::new_from_slice(raw).map(Schedule::Aes192),
            _ => Aes256::new_from_slice(raw).map(Schedule::Aes256),
        }
        .map_err(|_| CryptoError::KeyLength)?;
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.iter_mut().zip(raw).for_each(|(room, byte)| *room = *byte);
        Ok(Self { bytes, len: raw.len(), schedule })
    }

    /// As [`AesKey::from_bytes`], from hexadecimal characters.
    pub fn from_hex(text: &str) -> Result<Self, CryptoError> {
        let raw = Zeroizing::new(hex::decode(text).map_err(|_| CryptoError::KeyHex)?);
        Self::from_bytes(&raw)
    }

    /// The clear bytes: for import into a token and for derivation, nowhere else.
    pub fn reveal(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes[..])
    }

    /// Bytes of the key: 16, 24 or 32.
    #[allow(clippy::len_without_is_empty)] // no key is empty
    pub fn len(&self) -> usize {
        self.len
    }

    /// The schedule, for modes that the ciphers' own crates provide.
    pub(crate) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Encrypts one block.
    pub fn encrypt_block(&self, mut block: Block) -> Block {
        match &self.schedule {
            Schedule::Aes128(key) => key.encrypt_block((&mut block).into()),
            Schedule::Aes192(key) => key.encrypt_block((&mut block).into()),
            Schedule::Aes256(key) => key.encrypt_block((&mut block).into()),
        }
        block
    }

    /// Decrypts one block.
    pub fn decrypt_block(&self, mut block: Block) -> Block {
        match &self.schedule {
            Schedule::Aes128(key) => key.decrypt_block((&mut block).into()),
            Schedule::Aes192(key) => key.decrypt_block((&mut block).into()),
            Schedule::Aes256(key) => key.decrypt_block((&mut block).into()),
        }
        block
    }
}

impl PartialEq for AesKey {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && crate::same(self.reveal(), other.reveal())
    }
}

impl Eq for AesKey {}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_length_encrypts_as_fips_197_says() {
        // FIPS 197 appendix C.
        let clear: Block = hex::decode("00112233445566778899AABBCCDDEEFF").unwrap().try_into().unwrap();
        let bytes: Vec<u8> = (0u8..32).collect();
        for (len, sealed) in [
            (16, "69C4E0D86A7B0430D8CDB78070B4C55A"),
            (24, "DDA97CA4864CDFE06EAF70A0EC0D7191"),
            (32, "8EA2B7CA516745BFEAFC49904B496089"),
        ] {
            let key = AesKey::from_bytes(&bytes[..len]).unwrap();
            assert_eq!(hex::encode_upper(key.encrypt_block(clear)), sealed);
            assert_eq!(key.decrypt_block(key.encrypt_block(clear)), clear);
        }
        assert_eq!(AesKey::from_bytes(&bytes[..20]), Err(CryptoError::KeyLength));
    }

    #[test]
    fn a_key_never_shows_in_debug() {
        assert_eq!(format!("{:?}", AesKey::from_bytes(&[0x11; 16]).unwrap()), "AesKey([redacted])");
    }
}
