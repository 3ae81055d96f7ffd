//! EMV chip cards (EMV 4.3 Book 2): keys of a card from the issuer's, session keys, application
//! cryptograms and the issuer's answer to them, and scripts to the card. What a card scheme chooses of
//! it is a table ([`scheme`]).

pub mod cryptogram;
pub mod scheme;
pub mod script;
pub mod session;

pub use scheme::Scheme;

use std::fmt;

use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use crate::decimal::{decimalise, digits, packed};
use crate::tdes::Block;
use crate::{CryptoError, TdesKey};

/// Which card: PAN and PAN sequence number, ASCII digits.
#[derive(Clone, Copy)]
pub struct Card<'a> {
    pan: &'a [u8],
    sequence: &'a [u8],
}

impl<'a> Card<'a> {
    /// A PAN of 8 to 19 digits; two digits of sequence number, `00` where the card has none.
    pub fn new(pan: &'a [u8], sequence: &'a [u8]) -> Result<Self, CryptoError> {
        if !(8..=19).contains(&pan.len()) || !pan.iter().all(u8::is_ascii_digit) {
            return Err(CryptoError::Pan);
        }
        if digits(sequence, 2) { Ok(Self { pan, sequence }) } else { Err(CryptoError::PanSequence) }
    }
}

impl fmt::Debug for Card<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card([redacted])")
    }
}

/// How a card's master key comes from the issuer's (Book 2 annex A1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Derivation {
    /// Option A: of the 16 rightmost digits of PAN and sequence number.
    A,
    /// Option B: of their SHA-1 hash where the PAN has more than 16 digits, else as option A.
    B,
}

/// A card's master key, double-length and of odd parity, from the issuer's for one purpose (application
/// cryptograms, script integrity, script confidentiality, dCVV or CVC3).
pub fn master_key(issuer: &TdesKey, derivation: Derivation, card: &Card<'_>) -> Result<TdesKey, CryptoError> {
    if issuer.len() != 16 {
        return Err(CryptoError::KeyLength);
    }
    let [left, right] = derivation.blocks(card);
    Ok(TdesKey::of_halves(&issuer.encrypt_block(left), &issuer.encrypt_block(right)).with_odd_parity())
}

impl Derivation {
    /// The two blocks of which the issuer's key makes the halves of a card's ([`master_key`]), for a token
    /// that derives inside.
    pub fn blocks(self, card: &Card<'_>) -> [Block; 2] {
        let data = self.data(card);
        [data, data.map(|byte| !byte)]
    }

    fn data(self, card: &Card<'_>) -> Block {
        let all = || card.pan.iter().chain(card.sequence).copied();
        let count = card.pan.len() + card.sequence.len();
        if self == Self::B && card.pan.len() > 16 {
            let zero = (!count.is_multiple_of(2)).then_some(b'0');
            let whole = Zeroizing::new(packed::<11>(zero.into_iter().chain(all())));
            let hashed = Zeroizing::new(<[u8; 20]>::from(Sha1::digest(whole.get(..count.div_ceil(2)).unwrap_or_default())));
            packed(decimalise(&*hashed))
        } else {
            let zeros = std::iter::repeat_n(b'0', 16usize.saturating_sub(count));
            packed(zeros.chain(all().skip(count.saturating_sub(16))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(derivation: Derivation, pan: &str, sequence: &str) -> String {
        let issuer = TdesKey::unchecked(&hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap()).unwrap();
        let card = Card::new(pan.as_bytes(), sequence.as_bytes()).unwrap();
        hex::encode_upper(master_key(&issuer, derivation, &card).unwrap().reveal())
    }

    #[test]
    fn master_keys_agree_with_pyemv() {
        // The examples in pyemv's documentation.
        assert_eq!(made(Derivation::A, "12345678901234567", "01"), "73AD54688CEF2934B0979857E3C719F1");
        assert_eq!(made(Derivation::B, "12345678901234567", "01"), "AD406D7F6D7570916D75E5DCAB8CF737");
        assert_eq!(made(Derivation::A, "99012345678901234", "45"), "67F8292358083E5EA7AB7FDA58D53B6B");
        assert_eq!(made(Derivation::B, "1234567890123456", "01"), made(Derivation::A, "1234567890123456", "01"));
    }

    #[test]
    fn cards_and_issuer_keys_that_are_none_are_refused() {
        assert_eq!(Card::new(b"1234567", b"00").unwrap_err(), CryptoError::Pan);
        assert_eq!(Card::new(b"12345678901234567890", b"00").unwrap_err(), CryptoError::Pan);
        assert_eq!(Card::new(b"1234567890123456", b"0").unwrap_err(), CryptoError::PanSequence);
        let card = Card::new(b"1234567890123456", b"00").unwrap();
        let triple = TdesKey::unchecked(&[7; 24]).unwrap();
        assert_eq!(master_key(&triple, Derivation::A, &card), Err(CryptoError::KeyLength));
        assert_eq!(format!("{card:?}"), "Card([redacted])");
    }
}
