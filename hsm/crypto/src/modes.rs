//! Modes of the block ciphers over whole buffers in place: ECB, CBC (SP 800-38A) and CTR, for TDES and
//! AES alike.

use crate::{AesKey, CryptoError, TdesKey};

/// A key that encrypts blocks of `N` bytes.
pub trait BlockKey<const N: usize> {
    /// Encrypts one block.
    fn encrypt(&self, block: [u8; N]) -> [u8; N];
    /// Decrypts one block.
    fn decrypt(&self, block: [u8; N]) -> [u8; N];
}

impl BlockKey<8> for TdesKey {
    fn encrypt(&self, block: [u8; 8]) -> [u8; 8] {
        self.encrypt_block(block)
    }

    fn decrypt(&self, block: [u8; 8]) -> [u8; 8] {
        self.decrypt_block(block)
    }
}

impl BlockKey<16> for AesKey {
    fn encrypt(&self, block: [u8; 16]) -> [u8; 16] {
        self.encrypt_block(block)
    }

    fn decrypt(&self, block: [u8; 16]) -> [u8; 16] {
        self.decrypt_block(block)
    }
}

/// Encrypts each block alone. Equal blocks stay recognisable: only for keys and single blocks.
pub fn ecb_encrypt<const N: usize>(key: &impl BlockKey<N>, data: &mut [u8]) -> Result<(), CryptoError> {
    whole(data)?.iter_mut().for_each(|block| *block = key.encrypt(*block));
    Ok(())
}

/// Decrypts each block alone.
pub fn ecb_decrypt<const N: usize>(key: &impl BlockKey<N>, data: &mut [u8]) -> Result<(), CryptoError> {
    whole(data)?.iter_mut().for_each(|block| *block = key.decrypt(*block));
    Ok(())
}

/// Encrypts in cipher block chaining.
pub fn cbc_encrypt<const N: usize>(key: &impl BlockKey<N>, start: &[u8; N], data: &mut [u8]) -> Result<(), CryptoError> {
    let mut before = *start;
    for block in whole(data)? {
        *block = key.encrypt(exclusive_or(before, block));
        before = *block;
    }
    Ok(())
}

/// Decrypts what [`cbc_encrypt`] encrypted.
pub fn cbc_decrypt<const N: usize>(key: &impl BlockKey<N>, start: &[u8; N], data: &mut [u8]) -> Result<(), CryptoError> {
    let mut before = *start;
    for block in whole(data)? {
        let sealed = *block;
        *block = exclusive_or(key.decrypt(sealed), &before);
        before = sealed;
    }
    Ok(())
}

/// Encrypts or decrypts with a key stream, the whole block counting up from `start`. Any length.
pub fn ctr(key: &AesKey, start: &[u8; 16], data: &mut [u8]) {
    let mut counter = u128::from_be_bytes(*start);
    for chunk in data.chunks_mut(16) {
        let stream = key.encrypt_block(counter.to_be_bytes());
        chunk.iter_mut().zip(stream).for_each(|(byte, mask)| *byte ^= mask);
        counter = counter.wrapping_add(1);
    }
}

/// Exclusive or of two blocks.
pub(crate) fn exclusive_or<const N: usize>(mut left: [u8; N], right: &[u8; N]) -> [u8; N] {
    left.iter_mut().zip(right).for_each(|(left, right)| *left ^= right);
    left
}

fn whole<const N: usize>(data: &mut [u8]) -> Result<&mut [[u8; N]], CryptoError> {
    match data.as_chunks_mut() {
        (blocks, []) => Ok(blocks),
        _ => Err(CryptoError::DataLength),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn modes_agree_with_sp_800_38a() {
        // SP 800-38A F.2.1 and F.5.1, two blocks each.
        let key = AesKey::from_hex("2B7E151628AED2A6ABF7158809CF4F3C").unwrap();
        let clear = hex::decode("6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E51").unwrap();
        let start: [u8; 16] = hex::decode("000102030405060708090A0B0C0D0E0F").unwrap().try_into().unwrap();
        let mut data = clear.clone();
        cbc_encrypt(&key, &start, &mut data).unwrap();
        assert_eq!(hex::encode_upper(&data), "7649ABAC8119B246CEE98E9B12E9197D5086CB9B507219EE95DB113A917678B2");
        let counter: [u8; 16] = hex::decode("F0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF").unwrap().try_into().unwrap();
        let mut data = clear.clone();
        ctr(&key, &counter, &mut data);
        assert_eq!(hex::encode_upper(&data), "874D6191B620E3261BEF6864990DB6CE9806F66B7970FDFF8617187BB9FFFDFF");
    }

    #[test]
    fn a_buffer_that_is_not_whole_blocks_is_refused_and_left_alone() {
        let key = TdesKey::from_hex("0123456789ABCDEFFEDCBA9876543210").unwrap();
        let mut data = [7; 12];
        assert_eq!(ecb_encrypt(&key, &mut data), Err(CryptoError::DataLength));
        assert_eq!(cbc_decrypt(&key, &[0; 8], &mut data), Err(CryptoError::DataLength));
        assert_eq!(data, [7; 12]);
    }

    proptest! {
        #[test]
        fn decryption_undoes_encryption(raw: [u8; 24], start: [u8; 8], data in proptest::collection::vec(any::<[u8; 8]>(), 0..6)) {
            let key = TdesKey::unchecked(&raw).unwrap();
            let clear = data.as_flattened();
            let mut changed = clear.to_vec();
            cbc_encrypt(&key, &start, &mut changed).unwrap();
            cbc_decrypt(&key, &start, &mut changed).unwrap();
            prop_assert_eq!(&changed, clear);
            ecb_encrypt(&key, &mut changed).unwrap();
            ecb_decrypt(&key, &mut changed).unwrap();
            prop_assert_eq!(&changed, clear);
        }
    }
}
