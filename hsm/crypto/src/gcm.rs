//! AES-256-GCM over a buffer in place, so that no second copy of the clear text is made.

use std::fmt;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};

use crate::CryptoError;

/// Bytes of a nonce. A nonce must never be used twice under one key; random ones are safe up to 2^32
/// seals of one key (SP 800-38D 8.3).
pub const NONCE: usize = 12;
/// Bytes of a tag.
pub const TAG: usize = 16;

/// An AES-256 key that only seals and opens, with its schedule.
#[derive(Clone)]
pub struct GcmKey(Aes256Gcm);

impl GcmKey {
    /// From 32 bytes.
    pub fn new(raw: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(raw.into()))
    }

    /// Encrypts the buffer in place and gives the tag over it and `associated`.
    pub fn seal(&self, nonce: &[u8; NONCE], associated: &[u8], buffer: &mut [u8]) -> Result<[u8; TAG], CryptoError> {
        let tag = self.0.encrypt_inout_detached(nonce.into(), associated, buffer.into()).map_err(|_| CryptoError::TooLong)?;
        Ok(tag.into())
    }

    /// Decrypts the buffer in place if the tag is right; the buffer is of no use otherwise.
    pub fn open(&self, nonce: &[u8; NONCE], associated: &[u8], buffer: &mut [u8], tag: &[u8; TAG]) -> Result<(), CryptoError> {
        self.0.decrypt_inout_detached(nonce.into(), associated, buffer.into(), tag.into()).map_err(|_| CryptoError::NotAuthentic)
    }
}

impl fmt::Debug for GcmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GcmKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealing_agrees_with_the_specification() {
        // McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16 (in SP 800-38D's
        // validation set).
        let key: [u8; 32] =
            hex::decode("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308").unwrap().try_into().unwrap();
        let nonce: [u8; 12] = hex::decode("cafebabefacedbaddecaf888").unwrap().try_into().unwrap();
        let associated = hex::decode("feedfacedeadbeeffeedfacedeadbeefabaddad2").unwrap();
        let clear = hex::decode(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        )
        .unwrap();
        let mut buffer = clear.clone();
        let key = GcmKey::new(&key);
        let tag = key.seal(&nonce, &associated, &mut buffer).unwrap();
        assert_eq!(hex::encode(tag), "76fc6ece0f4e1768cddf8853bb2d551b");
        assert!(hex::encode(&buffer).starts_with("522dc1f099567d07f47f37a32a84427d"));
        key.open(&nonce, &associated, &mut buffer, &tag).unwrap();
        assert_eq!(buffer, clear);
    }

    #[test]
    fn any_change_is_noticed() {
        let key = GcmKey::new(&[7; 32]);
        let mut buffer = *b"a card";
        let tag = key.seal(&[1; 12], b"about", &mut buffer).unwrap();
        let open = |key: &GcmKey, nonce: &[u8; 12], about: &[u8], sealed: &[u8], tag: &[u8; 16]| {
            key.open(nonce, about, &mut sealed.to_vec(), tag)
        };
        let mut changed = buffer;
        changed[0] ^= 1;
        assert_eq!(open(&key, &[1; 12], b"about", &buffer, &tag), Ok(()));
        assert_eq!(open(&key, &[1; 12], b"about", &changed, &tag), Err(CryptoError::NotAuthentic));
        assert_eq!(open(&key, &[1; 12], b"other", &buffer, &tag), Err(CryptoError::NotAuthentic));
        assert_eq!(open(&key, &[2; 12], b"about", &buffer, &tag), Err(CryptoError::NotAuthentic));
        assert_eq!(open(&GcmKey::new(&[8; 32]), &[1; 12], b"about", &buffer, &tag), Err(CryptoError::NotAuthentic));
        assert_eq!(format!("{key:?}"), "GcmKey([redacted])");
    }
}
