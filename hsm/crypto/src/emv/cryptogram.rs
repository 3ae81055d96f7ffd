//! Application cryptograms (ARQC, TC, AAC) and the issuer's answer to them (ARPC), under a session key.

use crate::mac::{Padding, retail_mac};
use crate::modes::exclusive_or;
use crate::tdes::Block;
use crate::{CryptoError, TdesKey};

/// Tags of what every scheme puts into a cryptogram first, in this order (EMV 4.3 Book 2 section 8.1.1):
/// amounts, country, terminal verification results, currency, date, type, unpredictable number,
/// interchange profile, transaction counter. What the issuer's application data adds follows.
pub const DATA: [u16; 10] = [0x9F02, 0x9F03, 0x9F1A, 0x95, 0x5F2A, 0x9A, 0x9C, 0x9F37, 0x82, 0x9F36];

/// The cryptogram over the data: MAC algorithm 3 (Book 2 annex A1.2).
pub fn generate(session: &TdesKey, data: &[u8], padding: Padding) -> Block {
    retail_mac(session, data, padding)
}

/// Whether a card's cryptogram is over this data, compared in constant time.
pub fn verify(session: &TdesKey, data: &[u8], padding: Padding, received: &Block) -> bool {
    crate::same(&generate(session, data, padding), received)
}

/// The issuer's answer by method 1 (Book 2 section 8.2.1): the cryptogram exclusive-or the response code,
/// under TDES. 8 bytes.
pub fn response_1(session: &TdesKey, cryptogram: &Block, code: [u8; 2]) -> Block {
    session.encrypt_block(response_1_block(cryptogram, code))
}

/// The block of [`response_1`] before it is encrypted.
pub fn response_1_block(cryptogram: &Block, code: [u8; 2]) -> Block {
    let [a, b] = code;
    exclusive_or([a, b, 0, 0, 0, 0, 0, 0], cryptogram)
}

/// The answer by method 2 (Book 2 section 8.2.2): a MAC over cryptogram, card status update and up to 8
/// bytes of proprietary data. 4 bytes.
pub fn response_2(session: &TdesKey, cryptogram: &Block, status: [u8; 4], proprietary: &[u8]) -> Result<[u8; 4], CryptoError> {
    let [a, b, c, d, ..] = retail_mac(session, &response_2_data(cryptogram, status, proprietary)?, Padding::OneThenZeros);
    Ok([a, b, c, d])
}

/// What the MAC of [`response_2`] covers.
pub fn response_2_data(cryptogram: &Block, status: [u8; 4], proprietary: &[u8]) -> Result<Vec<u8>, CryptoError> {
    if proprietary.len() > 8 {
        return Err(CryptoError::EmvData);
    }
    Ok([cryptogram, &status[..], proprietary].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cryptograms_and_answers_agree_with_pyemv() {
        // The examples in pyemv's documentation.
        let session = TdesKey::unchecked(&hex::decode("AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBB").unwrap()).unwrap();
        let data = hex::decode("000000002000000000000000012400000080000124110309003804823E58000001").unwrap();
        let made = generate(&session, &data, Padding::OneThenZeros);
        assert_eq!(hex::encode_upper(made), "3B76CF10FECD8789");
        assert!(verify(&session, &data, Padding::OneThenZeros, &made));
        assert!(!verify(&session, &data, Padding::Zeros, &made));
        let request = [0x12, 0x34, 0x56, 0x78, 0x90, 0xAB, 0xCD, 0xEF];
        assert_eq!(hex::encode_upper(response_1(&session, &request, [0; 2])), "F5E6F44147E2F1B0");
        assert_eq!(hex::encode_upper(response_2(&session, &request, [0; 4], b"").unwrap()), "9308BEBC");
        assert_eq!(response_2(&session, &request, [0; 4], &[0; 9]), Err(CryptoError::EmvData));
    }
}
