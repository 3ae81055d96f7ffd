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

    pub(super) fn require(&self, version: Version) -> Result<(), CryptoError> {
        match (self, version) {
            (Self::Tdes(_), Version::A | Version::B | Version::C) | (Self::Aes(_), Version::D | Version::E) => Ok(()),
            _ => Err(CryptoError::KeyLength),
        }
    }

    /// Decrypts in place and checks the MAC, in the order of the version.
    pub(super) fn open(&self, version: Version, header: &[u8], data: &mut [u8], received: &[u8]) -> Result<(), CryptoError> {
        let right = match (self, version) {
            (Self::Tdes(key), Version::A | Version::C) => {
                let right = variant_mac(key, header, data)?;
                cbc_decrypt(&variant(key, 0x45)?, start(header)?, data)?;
                right
            }
            (Self::Tdes(key), _) => {
                cbc_decrypt(&derived_tdes(key, Use::Encryption)?, start(received)?, data)?;
                mac::cmac_tdes(&derived_tdes(key, Use::Authentication)?, &joined(header, data)).to_vec()
            }
            (Self::Aes(key), _) => {
                let from = received.try_into().map_err(|_| CryptoError::BlockLength)?;
                match version {
                    Version::E => ctr(&derived_aes(key, Use::StreamEncryption)?, from, data),
                    _ => cbc_decrypt(&derived_aes(key, Use::Encryption)?, from, data)?,
                }
                mac::cmac_aes(&derived_aes(key, Use::Authentication)?, &joined(header, data)).to_vec()
            }
        };
        if crate::same(&right, received) { Ok(()) } else { Err(CryptoError::BlockMac) }
    }

    /// Encrypts in place and gives the MAC.
    pub(super) fn close(&self, version: Version, header: &[u8], data: &mut [u8]) -> Result<Vec<u8>, CryptoError> {
        match (self, version) {
            (Self::Tdes(key), Version::A | Version::C) => {
                cbc_encrypt(&variant(key, 0x45)?, start(header)?, data)?;
                variant_mac(key, header, data)
            }
            (Self::Tdes(key), _) => {
                let mac = mac::cmac_tdes(&derived_tdes(key, Use::Authentication)?, &joined(header, data));
                cbc_encrypt(&derived_tdes(key, Use::Encryption)?, &mac, data)?;
                Ok(mac.to_vec())
            }
            (Self::Aes(key), _) => {
                let mac = mac::cmac_aes(&derived_aes(key, Use::Authentication)?, &joined(header, data));
                match version {
                    Version::E => ctr(&derived_aes(key, Use::StreamEncryption)?, &mac, data),
                    _ => cbc_encrypt(&derived_aes(key, Use::Encryption)?, &mac, data)?,
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
fn variant_mac(key: &TdesKey, header: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let whole = mac::cbc_mac(&variant(key, 0x4D)?, &joined(header, sealed), mac::Padding::Zeros);
    Ok(whole.first_chunk::<4>().ok_or(CryptoError::BlockLength)?.to_vec())
}

/// Version B: CMAC of the numbered derivation data, 8 bytes each (TR-31:2018 5.3.2.1).
fn derived_tdes(key: &TdesKey, purpose: Use) -> Result<TdesKey, CryptoError> {
    let algorithm = if key.len() == 16 { 0 } else { 1 };
    let mut raw = Zeroizing::new(Vec::with_capacity(24));
    for number in [1, 2, 3] {
        raw.extend_from_slice(&mac::cmac_tdes(key, &derivation(number, purpose, algorithm, key.len())));
    }
    raw.truncate(key.len());
    TdesKey::unchecked(&raw)
}

/// Versions D and E: the same with AES, 16 bytes each.
fn derived_aes(key: &AesKey, purpose: Use) -> Result<AesKey, CryptoError> {
    let algorithm = match key.len() {
        16 => 2,
        24 => 3,
        _ => 4,
    };
    let mut raw = Zeroizing::new(Vec::with_capacity(32));
    for number in [1, 2] {
        raw.extend_from_slice(&mac::cmac_aes(key, &derivation(number, purpose, algorithm, key.len())));
    }
    raw.truncate(key.len());
    AesKey::from_bytes(&raw)
}

/// Number, use, separator, algorithm, length in bits.
fn derivation(number: u8, purpose: Use, algorithm: u8, len: usize) -> [u8; 8] {
    let [high, low] = u16::try_from(len * 8).unwrap_or(u16::MAX).to_be_bytes();
    let purpose = match purpose {
        Use::Encryption => 0,
        Use::Authentication => 1,
        Use::StreamEncryption => 2,
    };
    [number, 0, purpose, 0, 0, algorithm, high, low]
}
