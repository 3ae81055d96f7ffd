//! Card verification values: CVV and CVC of the magnetic stripe, CVV2 and CVC2 (service code 000), iCVV
//! and Chip CVC (999), and the dynamic ones of contactless stripes, dCVV and CVC3.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::decimal::{decimalise, digits, packed};
use crate::mac::{Padding, retail_mac};
use crate::modes::exclusive_or;
use crate::tdes::Block;
use crate::{CryptoError, TdesKey};

/// A card verification value, three ASCII digits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Cvv([u8; 3]);

impl Cvv {
    /// From three ASCII digits, as a card shows them.
    pub fn new(text: &[u8]) -> Result<Self, CryptoError> {
        let text = <[u8; 3]>::try_from(text).map_err(|_| CryptoError::Alphabet)?;
        if digits(&text, 3) { Ok(Self(text)) } else { Err(CryptoError::Alphabet) }
    }

    /// The three ASCII digits.
    pub fn reveal(&self) -> &[u8; 3] {
        &self.0
    }
}

impl PartialEq for Cvv {
    fn eq(&self, other: &Self) -> bool {
        crate::same(&self.0, &other.0)
    }
}

impl Eq for Cvv {}

impl fmt::Debug for Cvv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cvv([redacted])")
    }
}

/// What a value is computed over: PAN, expiry as the stripe or the panel has it (YYMM or MMYY: it is the
/// issuer's choice) and service code, all ASCII digits.
#[derive(Clone, Copy)]
pub struct CardData<'a> {
    pan: &'a [u8],
    expiry: &'a [u8],
    service_code: &'a [u8],
}

impl<'a> CardData<'a> {
    /// A PAN of 12 to 19 digits, four digits of expiry, three of service code.
    pub fn new(pan: &'a [u8], expiry: &'a [u8], service_code: &'a [u8]) -> Result<Self, CryptoError> {
        if !(12..=19).contains(&pan.len()) || !pan.iter().all(u8::is_ascii_digit) {
            return Err(CryptoError::Pan);
        }
        if !digits(expiry, 4) {
            return Err(CryptoError::Expiry);
        }
        if !digits(service_code, 3) {
            return Err(CryptoError::ServiceCode);
        }
        Ok(Self { pan, expiry, service_code })
    }
}

impl fmt::Debug for CardData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardData([redacted])")
    }
}

/// The CVV: the data in 32 digits, the first half under single DES, the second exclusive-ored and under
/// TDES; of the result the decimal digits first, then the letters less ten, three in all (the Visa and
/// Mastercard method; the kinds differ in their service code). The key is a double-length one.
pub fn cvv(key: &TdesKey, card: &CardData<'_>) -> Result<Cvv, CryptoError> {
    value(key, card.halves()?)
}

/// Whether a card shows the right value.
pub fn verify(key: &TdesKey, card: &CardData<'_>, shown: &Cvv) -> Result<bool, CryptoError> {
    Ok(cvv(key, card)? == *shown)
}

/// The dCVV: as [`cvv`], under the card's own key ([`crate::emv::master_key`]), the four digits of the
/// transaction counter in place of the first four of the PAN (Visa contactless, magnetic stripe mode).
pub fn dcvv(key: &TdesKey, card: &CardData<'_>, counter: &[u8]) -> Result<Cvv, CryptoError> {
    value(key, card.halves_with_counter(counter)?)
}

fn value(key: &TdesKey, halves: Halves) -> Result<Cvv, CryptoError> {
    if key.len() != 16 {
        return Err(CryptoError::KeyLength);
    }
    let [first, second] = &*halves;
    Ok(of_sealed(&Zeroizing::new(key.encrypt_block(exclusive_or(key.encrypt_block_left(*first), second)))))
}

/// The rest of [`cvv`] and [`dcvv`], where a token encrypted the halves: the first under single DES of the
/// key's left half, the result exclusive-or the second under the whole key.
pub fn of_sealed(sealed: &Block) -> Cvv {
    let mut value = Cvv([b'0'; 3]);
    value.0.iter_mut().zip(decimalise(sealed)).for_each(|(room, digit)| *room = digit);
    value
}

/// What a value is computed over, as two blocks.
pub type Halves = Zeroizing<[Block; 2]>;

impl CardData<'_> {
    /// The two blocks of [`cvv`].
    pub fn halves(&self) -> Result<Halves, CryptoError> {
        self.packed(self.pan.iter().copied())
    }

    /// The two blocks of [`dcvv`].
    pub fn halves_with_counter(&self, counter: &[u8]) -> Result<Halves, CryptoError> {
        if !digits(counter, 4) {
            return Err(CryptoError::Counter);
        }
        self.packed(counter.iter().chain(self.pan.iter().skip(4)).copied())
    }

    fn packed(&self, pan: impl Iterator<Item = u8>) -> Result<Halves, CryptoError> {
        let data = pan.chain(self.expiry.iter().chain(self.service_code).copied());
        let field: Zeroizing<[u8; 16]> = Zeroizing::new(packed(data));
        let ([first, second], _) = field.as_chunks() else { return Err(CryptoError::DataLength) };
        Ok(Zeroizing::new([*first, *second]))
    }
}

/// The CVC3 of Mastercard's contactless magnetic stripe mode, of which the card shows the last digits in
/// decimal: two bytes of TDES over the track's MAC, the unpredictable number and the counter. `key` is the
/// card's own, `track` the track template as bytes.
pub fn cvc3(key: &TdesKey, track: &[u8], unpredictable: [u8; 4], counter: [u8; 2]) -> Result<u16, CryptoError> {
    if key.len() != 16 {
        return Err(CryptoError::KeyLength);
    }
    let track = retail_mac(key, track, Padding::OneThenZeros);
    let [.., high, low] = key.encrypt_block(cvc3_block(&track, unpredictable, counter));
    Ok(u16::from_be_bytes([high, low]))
}

/// The block of [`cvc3`], whose last two bytes encrypted are the value: `track` is the MAC of the template.
pub fn cvc3_block(track: &Block, unpredictable: [u8; 4], counter: [u8; 2]) -> Block {
    let [.., a, b] = *track;
    let [c, d, e, f] = unpredictable;
    let [g, h] = counter;
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> TdesKey {
        TdesKey::unchecked(&hex::decode(text).unwrap()).unwrap()
    }

    #[test]
    fn the_published_sample_comes_out() {
        let card = CardData::new(b"4123456789012345", b"8701", b"101").unwrap();
        let key = key("0123456789ABCDEFFEDCBA9876543210");
        let made = cvv(&key, &card).unwrap();
        assert_eq!(made.reveal(), b"561");
        assert_eq!(verify(&key, &card, &Cvv::new(b"561").unwrap()), Ok(true));
        assert_eq!(verify(&key, &card, &Cvv::new(b"562").unwrap()), Ok(false));
        assert_eq!(format!("{made:?} {card:?}"), "Cvv([redacted]) CardData([redacted])");
    }

    #[test]
    fn data_that_a_card_does_not_have_is_refused() {
        let refused = |pan: &[u8], expiry: &[u8], code: &[u8]| CardData::new(pan, expiry, code).unwrap_err();
        assert_eq!(refused(b"41234567890", b"8701", b"101"), CryptoError::Pan);
        assert_eq!(refused(b"41234567890123456789", b"8701", b"101"), CryptoError::Pan);
        assert_eq!(refused(b"4123456789012345", b"870", b"101"), CryptoError::Expiry);
        assert_eq!(refused(b"4123456789012345", b"8701", b"1O1"), CryptoError::ServiceCode);
        assert_eq!(Cvv::new(b"56"), Err(CryptoError::Alphabet));
        let card = CardData::new(b"4123456789012345", b"8701", b"101").unwrap();
        let triple = key("2C4658CB9B15571301F42F295D582A2A985D6458589BE61C");
        assert_eq!(cvv(&triple, &card), Err(CryptoError::KeyLength));
        assert_eq!(dcvv(&key("0123456789ABCDEFFEDCBA9876543210"), &card, b"12A4"), Err(CryptoError::Counter));
    }
}
