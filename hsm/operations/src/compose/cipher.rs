//! Ciphers over keys that are in the token or, for one call, in memory: the operations do not care which.

use crypto::mac::{self, Padding};
use crypto::modes;
use crypto::tdes::Block;
use zeroize::Zeroizing;

use crate::keys::left_twice;
use crate::token::{Fault, Key, Token, Way};
use crate::{Algorithm, HsmError, KeyInfo};

/// Each block alone, in place.
pub(super) fn ecb(token: &mut dyn Token, key: &Key, way: Way, data: &mut [u8]) -> Result<(), Fault> {
    match (key, way) {
        (Key::Held(held), way) => token.ecb(held, way, data),
        (Key::Tdes(key), Way::Encrypt) => Ok(modes::ecb_encrypt(key, data)?),
        (Key::Tdes(key), Way::Decrypt) => Ok(modes::ecb_decrypt(key, data)?),
        (Key::Aes(key), Way::Encrypt) => Ok(modes::ecb_encrypt(key, data)?),
        (Key::Aes(key), Way::Decrypt) => Ok(modes::ecb_decrypt(key, data)?),
    }
}

/// One block.
pub(super) fn block<const N: usize>(
    token: &mut dyn Token,
    key: &Key,
    way: Way,
    block: &[u8; N],
) -> Result<Zeroizing<[u8; N]>, Fault> {
    let mut out = Zeroizing::new(*block);
    ecb(token, key, way, &mut *out)?;
    Ok(out)
}

/// Cipher block chaining in place, from `start`, which is one block.
pub(super) fn cbc(token: &mut dyn Token, key: &Key, way: Way, start: &[u8], data: &mut [u8]) -> Result<(), Fault> {
    let tdes = || <&[u8; 8]>::try_from(start).map_err(|_| crypto::CryptoError::DataLength);
    let aes = || <&[u8; 16]>::try_from(start).map_err(|_| crypto::CryptoError::DataLength);
    match (key, way) {
        (Key::Held(held), way) => token.cbc(held, way, start, data),
        (Key::Tdes(key), Way::Encrypt) => Ok(modes::cbc_encrypt(key, tdes()?, data)?),
        (Key::Tdes(key), Way::Decrypt) => Ok(modes::cbc_decrypt(key, tdes()?, data)?),
        (Key::Aes(key), Way::Encrypt) => Ok(modes::cbc_encrypt(key, aes()?, data)?),
        (Key::Aes(key), Way::Decrypt) => Ok(modes::cbc_decrypt(key, aes()?, data)?),
    }
}

/// The last block of a chain from zeros over whole blocks, one at least.
pub(super) fn chain<const N: usize>(token: &mut dyn Token, key: &Key, data: &[u8]) -> Result<[u8; N], Fault> {
    let mut buffer = Zeroizing::new(data.to_vec());
    cbc(token, key, Way::Encrypt, &[0; N], &mut buffer)?;
    Ok(buffer.last_chunk().copied().ok_or_else(|| HsmError::Refused("no block came back".to_owned()))?)
}

/// The whole CMAC.
pub(super) fn cmac(token: &mut dyn Token, key: &Key, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    match key {
        Key::Held(held) => token.cmac(held, data),
        Key::Tdes(key) => Ok(Zeroizing::new(mac::cmac_tdes(key, data).to_vec())),
        Key::Aes(key) => Ok(Zeroizing::new(mac::cmac_aes(key, data).to_vec())),
    }
}

/// A key of the first bytes of `data` encrypted: in the token where it can, and where its parent is.
pub(super) fn derive(token: &mut dyn Token, key: &Key, data: &[u8], algorithm: Algorithm) -> Result<Key, Fault> {
    if let Key::Held(held) = key {
        return token.derive(held, data, algorithm);
    }
    let mut raw = Zeroizing::new(data.to_vec());
    ecb(token, key, Way::Encrypt, &mut raw)?;
    Ok(Key::clear(algorithm, raw.get(..algorithm.key_bytes()).unwrap_or_default())?)
}

/// A TDES key with its left half twice, which is single DES: what MAC algorithm 3 and card verification
/// values need. A token has it as an object of its own.
pub(super) struct Pair {
    pub whole: Key,
    pub left: Key,
}

impl Pair {
    /// Of a key whose role has a companion of this kind.
    pub(super) fn held(info: &KeyInfo) -> Self {
        Self { whole: info.whole(), left: info.companion() }
    }

    /// Of a key in memory.
    pub(super) fn clear(key: Key) -> Result<Self, Fault> {
        match key {
            Key::Tdes(key) => Ok(Self { left: Key::Tdes(left_twice(&key)?), whole: Key::Tdes(key) }),
            // Whoever asks has made sure that the key is in memory and of TDES.
            Key::Held(_) | Key::Aes(_) => Err(HsmError::Unsupported("split a key that is not in memory").into()),
        }
    }

    /// Derived, both in the same place, of the blocks that make the halves.
    pub(super) fn derived(token: &mut dyn Token, from: &Key, [left, right]: [Block; 2]) -> Result<Self, Fault> {
        let whole = derive(token, from, [left, right].as_flattened(), Algorithm::TdesDouble)?;
        match whole {
            Key::Held(_) => {
                let left = derive(token, from, [left, left].as_flattened(), Algorithm::TdesDouble)?;
                Ok(Self { whole, left })
            }
            clear => Self::clear(clear),
        }
    }

    /// MAC algorithm 3 of ISO/IEC 9797-1.
    pub(super) fn retail_mac(&self, token: &mut dyn Token, data: &[u8], padding: Padding) -> Result<Block, Fault> {
        let (before, last) = mac::split_last(data, padding);
        let state = if before.is_empty() { [0; 8] } else { chain(token, &self.left, before)? };
        Ok(*block(token, &self.whole, Way::Encrypt, &exclusive_or(state, &last))?)
    }
}

/// Exclusive or of two blocks.
pub(super) fn exclusive_or<const N: usize>(mut left: [u8; N], right: &[u8; N]) -> [u8; N] {
    left.iter_mut().zip(right).for_each(|(left, right)| *left ^= right);
    left
}
