//! Key check values: what two parties compare to know that they hold the same key.

use crate::{AesKey, TdesKey, mac};

/// TDES: the first 3 bytes of a block of zeros encrypted (X9.24-1 annex; all HSMs).
pub fn tdes(key: &TdesKey) -> [u8; 3] {
    let [a, b, c, ..] = key.encrypt_block([0; 8]);
    [a, b, c]
}

/// AES, the older rule: the first 3 bytes of a block of zeros encrypted (`CKA_CHECK_VALUE`).
pub fn aes_zeros(key: &AesKey) -> [u8; 3] {
    let [a, b, c, ..] = key.encrypt_block([0; 16]);
    [a, b, c]
}

/// AES, the newer rule: the first 5 bytes of the CMAC of a block of zeros (X9.24-1:2017, X9.143).
pub fn aes_cmac(key: &AesKey) -> [u8; 5] {
    let [a, b, c, d, e, ..] = mac::cmac_aes(key, &[0; 16]);
    [a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_agree_with_other_implementations() {
        // psec 1.3.0; the rule of zeros for AES also from a SoftHSM token.
        let double = TdesKey::unchecked(&hex::decode("D3C25810614C3EBF9440A707E50BFE98").unwrap()).unwrap();
        assert_eq!(hex::encode_upper(tdes(&double)), "B3354B");
        let triple = TdesKey::unchecked(&hex::decode("2C4658CB9B15571301F42F295D582A2A985D6458589BE61C").unwrap()).unwrap();
        assert_eq!(hex::encode_upper(tdes(&triple)), "5CDB9B");
        let aes = AesKey::from_hex("68EB1378145326173BAD355E00E85985").unwrap();
        assert_eq!(hex::encode_upper(aes_zeros(&aes)), "586D11");
        assert_eq!(hex::encode_upper(aes_cmac(&aes)), "FAC2ED69D9");
    }
}
