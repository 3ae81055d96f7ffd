//! The key that protects key blocks, and the two that each version derives of it, one to encrypt and one
//! to authenticate (TR-31:2018 5.3, X9.143:2021 section 7).

use std::fmt;

use zeroize::Zeroizing;

use super::Version;
use crate::modes::{cbc_decrypt, cbc_encrypt, ctr};
use crate::{AesKey, CryptoError, TdesKey, mac};

/// A key block protection key, of the cipher that its version wants.
#[derive(Clone, PartialEq, Eq)]
pub enum ProtectionKey {
    /// For versions A, B and C.
    Tdes(TdesKey),
    /// For versions D and E.
    Aes(AesKey),
}

impl fmt::Debug for ProtectionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProtectionKey([redacted])")
    }
}

/// What a derived key is for (X9.143:2021 table 12).
#[derive(Clone, Copy)]
enum Use {
    Encryption,
    Authentication,
    StreamEncryption,
}

impl ProtectionKey {
    /// For blocks of a version: TDES of 16 or 24 bytes, AES of 16, 24 or 32.
    pub fn new(version: Version, raw: &[u8]) -> Result<Self, CryptoError> {
        match version {
            Version::A | Version::B | Version::C => TdesKey::unchecked(raw).map(Self::Tdes),
            Version::D | Version::E => AesKey::from_bytes(raw).map(Self::Aes),
        }
    }

    /// The two keys that a version makes of it.
    pub(super) fn keys(&self, version: Version) -> Result<BlockKeys, CryptoError> {
        match (self, version) {
            (Self::Tdes(key), Version::A | Version::C) => {
                let (encryption, authentication) = (variant(key, 0x45)?, variant(key, 0x4D)?);
                Ok(BlockKeys { version, keys: Keys::Tdes { encryption, authentication } })
            }
            (Self::Tdes(key), Version::B) => {
                BlockKeys::derive(version, key.len(), |data| Ok(Zeroizing::new(mac::cmac_tdes(key, data).to_vec())))
            }
            (Self::Aes(key), Version::D | Version::E) => {
                BlockKeys::derive(version, key.len(), |data| Ok(Zeroizing::new(mac::cmac_aes(key, data).to_vec())))
            }
            _ => Err(CryptoError::KeyLength),
        }
    }
}

/// The two keys of a version's blocks: for whoever has the protection key in a token that makes CMACs with
/// it and does not give it out.
#[derive(Clone)]
pub struct BlockKeys {
    version: Version,
    keys: Keys,
}

#[derive(Clone)]
enum Keys {
    Tdes { encryption: TdesKey, authentication: TdesKey },
    Aes { encryption: AesKey, authentication: AesKey },
}

impl fmt::Debug for BlockKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockKeys([redacted])")
    }
}

impl BlockKeys {
    /// Of a protection key of `len` bytes, of which `cmac` makes CMACs: TDES for version B, AES for D and E.
    /// Versions A and C change the protection key itself, so that this cannot make theirs
    /// ([`CryptoError::BlockVersion`]).
    pub fn derive<E: From<CryptoError>>(
        version: Version,
        len: usize,
        mut cmac: impl FnMut(&[u8; 8]) -> Result<Zeroizing<Vec<u8>>, E>,
    ) -> Result<Self, E> {
        let (algorithm, encrypts) = match (version, len) {
            (Version::A | Version::C, _) => return Err(CryptoError::BlockVersion.into()),
            (Version::B, 16) => (0, Use::Encryption),
            (Version::B, 24) => (1, Use::Encryption),
            (Version::D, 16) => (2, Use::Encryption),
            (Version::D, 24) => (3, Use::Encryption),
            (Version::D, 32) => (4, Use::Encryption),
            (Version::E, 16) => (2, Use::StreamEncryption),
            (Version::E, 24) => (3, Use::StreamEncryption),
            (Version::E, 32) => (4, Use::StreamEncryption),
            _ => return Err(CryptoError::KeyLength.into()),
        };
        let mut make = |purpose| {
            let mut raw = Zeroizing::new(Vec::with_capacity(48));
            for number in [1, 2, 3] {
                if raw.len() < len {
                    raw.extend_from_slice(&cmac(&derivation(number, purpose, algorithm, len))?);
                }
            }
            raw.truncate(len);
            Ok::<_, E>(raw)
        };
        let (encryption, authentication) = (make(encrypts)?, make(Use::Authentication)?);
        let keys = match version {
            Version::D | Version::E => {
                Keys::Aes { encryption: AesKey::from_bytes(&encryption)?, authentication: AesKey::from_bytes(&authentication)? }
            }
            Version::A | Version::B | Version::C => {
                Keys::Tdes { encryption: TdesKey::unchecked(&encryption)?, authentication: TdesKey::unchecked(&authentication)? }
            }
        };
        Ok(Self { version, keys })
    }

    /// Refuses blocks of another version than the keys were made for.
    pub(super) fn require(&self, version: Version) -> Result<(), CryptoError> {
        if self.version == version { Ok(()) } else { Err(CryptoError::KeyLength) }
    }

    /// Decrypts in place and checks the MAC, in the order of the version.
    pub(super) fn open(&self, header: &[u8], data: &mut [u8], received: &[u8]) -> Result<(), CryptoError> {
        let right = match (&self.keys, self.version) {
            (Keys::Tdes { encryption, authentication }, Version::B) => {
                cbc_decrypt(encryption, start(received)?, data)?;
                mac::cmac_tdes(authentication, &joined(header, data)).to_vec()
            }
            (Keys::Tdes { encryption, authentication }, _) => {
                let right = variant_mac(authentication, header, data)?;
                cbc_decrypt(encryption, start(header)?, data)?;
                right
            }
            (Keys::Aes { encryption, authentication }, version) => {
                let from = received.try_into().map_err(|_| CryptoError::BlockLength)?;
                match version {
                    Version::E => ctr(encryption, from, data),
                    _ => cbc_decrypt(encryption, from, data)?,
                }
                mac::cmac_aes(authentication, &joined(header, data)).to_vec()
            }
        };
        if crate::same(&right, received) { Ok(()) } else { Err(CryptoError::BlockMac) }
    }

    /// Encrypts in place and gives the MAC.
    pub(super) fn close(&self, header: &[u8], data: &mut [u8]) -> Result<Vec<u8>, CryptoError> {
        match (&self.keys, self.version) {
            (Keys::Tdes { encryption, authentication }, Version::B) => {
                let mac = mac::cmac_tdes(authentication, &joined(header, data));
                cbc_encrypt(encryption, &mac, data)?;
                Ok(mac.to_vec())
            }
            (Keys::Tdes { encryption, authentication }, _) => {
                cbc_encrypt(encryption, start(header)?, data)?;
                variant_mac(authentication, header, data)
            }
            (Keys::Aes { encryption, authentication }, version) => {
                let mac = mac::cmac_aes(authentication, &joined(header, data));
                match version {
                    Version::E => ctr(encryption, &mac, data),
                    _ => cbc_encrypt(encryption, &mac, data)?,
                }
                Ok(mac.to_vec())
            }
        }
    }
}

/// The first block of the text that a chain starts from.
fn start(text: &[u8]) -> Result<&[u8; 8], CryptoError> {
    text.first_chunk().ok_or(CryptoError::BlockLength)
}

fn joined(header: &[u8], data: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([header, data].concat())
}

/// Versions A and C: every byte exclusive-or one.
fn variant(key: &TdesKey, mask: u8) -> Result<TdesKey, CryptoError> {
    let mut raw = Zeroizing::new(key.reveal().to_vec());
    raw.iter_mut().for_each(|byte| *byte ^= mask);
    TdesKey::unchecked(&raw)
}

/// Versions A and C: MAC algorithm 1 over header and encrypted key, 4 bytes.
fn variant_mac(authentication: &TdesKey, header: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let whole = mac::cbc_mac(authentication, &joined(header, sealed), mac::Padding::Zeros);
    Ok(whole.first_chunk::<4>().ok_or(CryptoError::BlockLength)?.to_vec())
}

/// What versions B, D and E make CMACs of (TR-31:2018 5.3.2): number, use, separator, algorithm, length in
/// bits.
fn derivation(number: u8, purpose: Use, algorithm: u8, len: usize) -> [u8; 8] {
    let [high, low] = u16::try_from(len * 8).unwrap_or(u16::MAX).to_be_bytes();
    let purpose = match purpose {
        Use::Encryption => 0,
        Use::Authentication => 1,
        Use::StreamEncryption => 2,
    };
    [number, 0, purpose, 0, 0, algorithm, high, low]
}
