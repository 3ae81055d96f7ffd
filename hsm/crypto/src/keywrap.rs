//! AES key wrap (RFC 3394, SP 800-38F KW): the form in which PKCS#11 tokens give keys out. Key blocks, which
//! say what a key is for, are in [`crate::keyblock`].

use zeroize::Zeroizing;

use crate::{AesKey, CryptoError};

/// What the first eight bytes must be when nothing was changed (RFC 3394 section 2.2.3.1).
const MARK: [u8; 8] = [0xA6; 8];
/// The longest key that is taken out, in blocks of eight bytes.
const MOST_BLOCKS: u64 = 32;

/// Takes a key of 16 to 256 bytes out of its wrapping (section 2.2.2).
pub fn unwrap(key: &AesKey, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let (mut mark, rest) = wrapped.split_first_chunk::<8>().map(|(mark, rest)| (*mark, rest)).ok_or(CryptoError::DataLength)?;
    let mut clear = Zeroizing::new(rest.to_vec());
    let (blocks, odd) = clear.as_chunks_mut::<8>();
    let count = u64::try_from(blocks.len()).unwrap_or(u64::MAX);
    if !odd.is_empty() || !(2..=MOST_BLOCKS).contains(&count) {
        return Err(CryptoError::DataLength);
    }
    for round in (0..6u64).rev() {
        for (number, block) in (1..=count).rev().zip(blocks.iter_mut().rev()) {
            let counted = u64::from_be_bytes(mark) ^ (count * round + number);
            let mut both = Zeroizing::new([0; 16]);
            both.iter_mut().zip(counted.to_be_bytes().iter().chain(block.iter())).for_each(|(room, byte)| *room = *byte);
            *both = key.decrypt_block(*both);
            if let ([first, second], []) = both.as_chunks() {
                (mark, *block) = (*first, *second);
            }
        }
    }
    if crate::same(&mark, &MARK) { Ok(clear) } else { Err(CryptoError::NotAuthentic) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_examples_come_out_and_a_changed_one_does_not() {
        // RFC 3394 4.1 and 4.6.
        let all = hex::decode("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F").unwrap();
        let key = "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F";
        for (kek, wrapped, clear) in [
            (16, "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5", 32),
            (32, "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21", 64),
        ] {
            let kek = AesKey::from_bytes(&all[..kek]).unwrap();
            let mut wrapped = hex::decode(wrapped).unwrap();
            assert_eq!(hex::encode_upper(&*unwrap(&kek, &wrapped).unwrap()), &key[..clear]);
            for at in 0..wrapped.len() {
                wrapped[at] ^= 1;
                assert_eq!(unwrap(&kek, &wrapped), Err(CryptoError::NotAuthentic));
                wrapped[at] ^= 1;
            }
            assert_eq!(unwrap(&kek, &wrapped[1..]), Err(CryptoError::DataLength));
            assert_eq!(unwrap(&kek, &wrapped[..16]), Err(CryptoError::DataLength));
        }
    }
}
