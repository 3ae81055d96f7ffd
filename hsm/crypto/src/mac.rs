//! Message authentication codes: ISO/IEC 9797-1 algorithms 1 and 3 over TDES, CMAC over TDES and AES.

use cmac::digest::{InnerInit, Output};
use cmac::{Cmac, KeyInit, Mac};
use des::TdesEde3;
use zeroize::Zeroizing;

use crate::aes::{self, Schedule};
use crate::modes::exclusive_or;
use crate::tdes::Block;
use crate::{AesKey, TdesKey};

/// Padding methods of ISO/IEC 9797-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Method 1: zeros up to a whole block; no data becomes one block of zeros. Trailing zeros of the
    /// message are not protected.
    Zeros,
    /// Method 2: one 80 byte, then zeros; at least one byte is always added.
    OneThenZeros,
}

/// MAC algorithm 3 (retail MAC, ANSI X9.19): single DES with the first part over all blocks chained,
/// then D(second) E(third) on the last. 8 bytes; links that truncate take the leftmost.
pub fn retail_mac(key: &TdesKey, data: &[u8], padding: Padding) -> Block {
    key.finish_block(chain(data, padding, |block| key.encrypt_block_left(block)))
}

/// MAC algorithm 1 (plain CBC-MAC) with TDES on every block. Only for messages of one fixed length:
/// CBC-MAC is forgeable where lengths vary.
pub fn cbc_mac(key: &TdesKey, data: &[u8], padding: Padding) -> Block {
    chain(data, padding, |block| key.encrypt_block(block))
}

/// MAC algorithm 1 with AES on every block, 16 bytes; with the same warning as [`cbc_mac`].
pub fn cbc_mac_aes(key: &AesKey, data: &[u8], padding: Padding) -> aes::Block {
    chain(data, padding, |block| key.encrypt_block(block))
}

/// Padding method 3: the length of the data in bits, as one block of `N` bytes, in front of it. The
/// result is filled up by method 1.
pub fn with_length<const N: usize>(data: &[u8]) -> Zeroizing<Vec<u8>> {
    let bits = u128::try_from(data.len()).unwrap_or(u128::MAX).saturating_mul(8).to_be_bytes();
    let mut length = [0; N];
    length.iter_mut().rev().zip(bits.iter().rev()).for_each(|(room, byte)| *room = *byte);
    let mut whole = Zeroizing::new(Vec::with_capacity(N + data.len()));
    whole.extend_from_slice(&length);
    whole.extend_from_slice(data);
    whole
}

/// Whether a received MAC, of at least 4 bytes, is the leftmost part of the right one.
pub fn matches(right: &[u8], received: &[u8]) -> bool {
    received.len() >= 4 && right.get(..received.len()).is_some_and(|right| crate::same(right, received))
}

/// CMAC over TDES (SP 800-38B), 8 bytes.
pub fn cmac_tdes(key: &TdesKey, data: &[u8]) -> Block {
    let mut whole = Zeroizing::new([0; 24]);
    whole.iter_mut().zip(key.parts().as_flattened()).for_each(|(room, byte)| *room = *byte);
    finish(Cmac::inner_init(TdesEde3::new((&*whole).into())), data).into()
}

/// CMAC over AES (SP 800-38B, RFC 4493), 16 bytes.
pub fn cmac_aes(key: &AesKey, data: &[u8]) -> [u8; 16] {
    match key.schedule() {
        Schedule::Aes128(cipher) => finish(Cmac::inner_init(cipher.clone()), data).into(),
        Schedule::Aes192(cipher) => finish(Cmac::inner_init(cipher.clone()), data).into(),
        Schedule::Aes256(cipher) => finish(Cmac::inner_init(cipher.clone()), data).into(),
    }
}

fn finish<M: Mac>(mut mac: M, data: &[u8]) -> Output<M> {
    mac.update(data);
    mac.finalize().into_bytes()
}

/// What an algorithm chains over: the whole blocks before the last, and the last one padded. A token
/// that has only ciphers composes algorithm 3 of them.
pub fn split_last(data: &[u8], padding: Padding) -> (&[u8], Block) {
    split(data, padding)
}

/// [`split_last`] for blocks of any length.
fn split<const N: usize>(data: &[u8], padding: Padding) -> (&[u8], [u8; N]) {
    let keep = match padding {
        // A last block that is full stays the last.
        Padding::Zeros => data.len().saturating_sub(1) / N * N,
        Padding::OneThenZeros => data.len() / N * N,
    };
    let (before, rest) = data.split_at_checked(keep).unwrap_or((&[], data));
    let mut last = [0; N];
    last.iter_mut().zip(rest).for_each(|(room, byte)| *room = *byte);
    if padding == Padding::OneThenZeros
        && let Some(room) = last.get_mut(rest.len())
    {
        *room = 0x80;
    }
    (before, last)
}

fn chain<const N: usize>(data: &[u8], padding: Padding, encrypt: impl Fn([u8; N]) -> [u8; N]) -> [u8; N] {
    let (before, last) = split(data, padding);
    let (blocks, _) = before.as_chunks();
    let state = blocks.iter().fold([0; N], |state, block| encrypt(exclusive_or(state, block)));
    encrypt(exclusive_or(state, &last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    fn tdes(text: &str) -> TdesKey {
        TdesKey::unchecked(&bytes(text)).unwrap()
    }

    const NOW_IS_THE_TIME: &str = "4E6F77206973207468652074696D6520666F7220616C6C20";

    #[test]
    fn algorithm_3_agrees_with_the_standards_example_and_with_psec() {
        // ISO/IEC 9797-1:2011 annex B.4; padding 1 (also in the retail-mac crate) and padding 2.
        let key = tdes("0123456789ABCDEFFEDCBA9876543210");
        let mac = |data: &str, padding| hex::encode_upper(retail_mac(&key, &bytes(data), padding));
        assert_eq!(mac(NOW_IS_THE_TIME, Padding::Zeros), "A1C72E74EA3FA9B6");
        assert_eq!(mac(NOW_IS_THE_TIME, Padding::OneThenZeros), "E9086230CA3BE796");
        assert_eq!(mac("4E6F77206973207468652074696D6520666F72206974", Padding::Zeros), "2E2B1428CC78254F");
        // Computed with psec 1.3.0: 9 bytes, so that one padded block follows.
        let other = tdes("C4100454D69D4002AB6BF7AB8AA7D901");
        assert_eq!(hex::encode_upper(retail_mac(&other, &bytes("A97CD00FEB49EBB3DF"), Padding::Zeros)), "A7367CE569B25989");
        assert_eq!(
            hex::encode_upper(
                &retail_mac(
                    &tdes("B376C22CD62398644FF7738CCB199204"),
                    &bytes("978BB539DB151EF85132AE46D7E1CC0EE812"),
                    Padding::OneThenZeros
                )[..4]
            ),
            "1758CEEE"
        );
    }

    #[test]
    fn algorithm_1_agrees_with_the_standards_example_and_with_psec() {
        // Single DES, so both halves are equal.
        let single = tdes("0123456789ABCDEF0123456789ABCDEF");
        let mac = |data: &str, padding| hex::encode_upper(cbc_mac(&single, &bytes(data), padding));
        assert_eq!(mac(NOW_IS_THE_TIME, Padding::Zeros), "70A30640CC76DD8B");
        assert_eq!(mac(NOW_IS_THE_TIME, Padding::OneThenZeros), "10E1F0F108341B6D");
        assert_eq!(mac("4E6F77206973207468652074696D6520666F72206974", Padding::Zeros), "E45B3AD2B7CC0856");
        let double = tdes("B376C22CD62398644FF7738CCB199204");
        let data = bytes("978BB539DB151EF85132AE46D7E1CC0EE812");
        assert_eq!(hex::encode_upper(&cbc_mac(&double, &data, Padding::OneThenZeros)[..4]), "69F930C2");
    }

    #[test]
    fn cmac_agrees_with_rfc_4493_and_sp_800_38b() {
        let aes = AesKey::from_hex("2B7E151628AED2A6ABF7158809CF4F3C").unwrap();
        assert_eq!(hex::encode_upper(cmac_aes(&aes, b"")), "BB1D6929E95937287FA37D129B756746");
        assert_eq!(
            hex::encode_upper(cmac_aes(
                &aes,
                &bytes("6BC1BEE22E409F96E93D7E117393172AAE2D8A571E03AC9C9EB76FAC45AF8E5130C81C46A35CE411")
            )),
            "DFA66747DE9AE63030CA32611497C827"
        );
        // AES-256, computed with python cryptography.
        let long = AesKey::from_hex("0A5EE0381113EA53D65B63CE59BC08776464DEB471E8B0A348B85187890D2C86").unwrap();
        assert_eq!(hex::encode_upper(cmac_aes(&long, &bytes("A97CD00FEB49EBB3DF"))), "97ABC3CB11E4B8F1840047709125F486");
        let key = tdes("8AA83BF8CBDA10620BC1BF19FBB6CD58BC313D4A371CA8B5");
        assert_eq!(hex::encode_upper(cmac_tdes(&key, b"")), "B7A688E122FFAF95");
        assert_eq!(hex::encode_upper(cmac_tdes(&key, &bytes("6BC1BEE22E409F96E93D7E117393172AAE2D8A57"))), "743DDBE0CE2DC2ED");
        let double = tdes("C4100454D69D4002AB6BF7AB8AA7D901");
        assert_eq!(hex::encode_upper(cmac_tdes(&double, &bytes("A97CD00FEB49EBB3DF"))), "5E2C80C9C103519A");
    }

    #[test]
    fn padding_method_3_and_aes_agree_with_psec() {
        let key = tdes("B01543AB3BEF4F61B5FB23A880D3455D");
        let data = bytes(
            "F7C76A86B1A8838645F83D415928F4AA2F019C3A4E7669CE82F803B2BB1AF6BAB1D07C0F5F41B5DEADA27504E3F646E996FBC95E57117002F298B8D5F0E4",
        );
        let prefixed = with_length::<8>(&data);
        assert_eq!(hex::encode_upper(cbc_mac(&key, &prefixed, Padding::Zeros)), "02D9C59B90AD2019");
        assert_eq!(hex::encode_upper(retail_mac(&key, &prefixed, Padding::Zeros)), "11A0C010B05DE64E");
        let aes = AesKey::from_hex("4A48197375C629DA8569FABAA252DA1206686CAD035D153B2BA707D0D81F1173").unwrap();
        let mac = cbc_mac_aes(&aes, &data, Padding::OneThenZeros);
        assert_eq!(hex::encode_upper(mac), "1F0DBDAC88CB3F260920595295AC41A5");
    }

    #[test]
    fn a_received_mac_is_the_left_part_and_not_too_short() {
        let right = [1, 2, 3, 4, 5, 6, 7, 8];
        assert!(matches(&right, &right) && matches(&right, &right[..4]));
        assert!(!matches(&right, &right[..3]) && !matches(&right, &right[4..]) && !matches(&right, &[1; 9]));
    }

    proptest! {
        #[test]
        fn padding_1_cannot_tell_trailing_zeros_and_padding_2_can(data in proptest::collection::vec(any::<u8>(), 0..40)) {
            let key = tdes("0123456789ABCDEFFEDCBA9876543210");
            let whole = data.len().max(1).next_multiple_of(8);
            let padded: Vec<u8> = data.iter().copied().chain(std::iter::repeat(0)).take(whole).collect();
            prop_assert_eq!(retail_mac(&key, &data, Padding::Zeros), retail_mac(&key, &padded, Padding::Zeros));
            if padded != data {
                prop_assert_ne!(retail_mac(&key, &data, Padding::OneThenZeros), retail_mac(&key, &padded, Padding::OneThenZeros));
            }
        }
    }
}
