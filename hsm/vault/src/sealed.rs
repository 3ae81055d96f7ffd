//! The layout of a sealed card, and of what is in it.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 1 |
//! | 2 | id of the data key, big-endian |
//! | 12 | nonce |
//! | 27 | encrypted: PAN length 1, PAN 19, expiry 4, sequence 3 |
//! | 16 | tag over all of it |
//!
//! Every card takes the same 58 bytes, so that not even the length of a PAN shows.

use crypto::gcm::{GcmKey, NONCE, TAG};
use payments::{CardSequence, Expiry, Pan};
use zeroize::Zeroizing;

use crate::VaultError;

const VERSION: u8 = 1;
const CLEAR: usize = 27;
/// Bytes of a sealed card.
pub(crate) const SEALED: usize = 1 + 2 + NONCE + CLEAR + TAG;

/// What was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The PAN.
    pub pan: Pan,
    /// DE14, where the request had it.
    pub expiry: Option<Expiry>,
    /// DE23, where the request had it.
    pub sequence: Option<CardSequence>,
}

/// The header: version and key id. It is authenticated with the card.
fn header(key: u16) -> [u8; 3] {
    let [high, low] = key.to_be_bytes();
    [VERSION, high, low]
}

/// What is authenticated beside the card, so that nothing else that this key ever seals passes for one.
fn about(header: &[u8; 3]) -> [u8; 18] {
    let mut about = *b"switchyard card\0\0\0";
    about.iter_mut().skip(15).zip(header).for_each(|(room, byte)| *room = *byte);
    about
}

pub(crate) fn seal(
    id: u16,
    key: &GcmKey,
    nonce: &[u8; NONCE],
    pan: &Pan,
    expiry: Option<Expiry>,
    sequence: Option<CardSequence>,
) -> Result<Vec<u8>, VaultError> {
    let mut clear = Zeroizing::new([0u8; CLEAR]);
    let [length, rest @ ..] = &mut *clear;
    *length = u8::try_from(pan.reveal().len()).map_err(|_| VaultError::NotAuthentic)?;
    let sequence_digits = sequence.map(|sequence| three_digits(sequence.get()));
    let parts = pan.reveal().iter().chain(std::iter::repeat(&0)).take(19);
    let parts = parts.chain(expiry.as_ref().map_or(&[0; 4], Expiry::reveal));
    let parts = parts.chain(sequence_digits.as_ref().unwrap_or(&[0; 3]));
    rest.iter_mut().zip(parts).for_each(|(room, byte)| *room = *byte);

    let header = header(id);
    let tag = key.seal(nonce, &about(&header), &mut *clear).map_err(|_| VaultError::NotAuthentic)?;
    let mut sealed = Vec::with_capacity(SEALED);
    sealed.extend(header);
    sealed.extend(nonce);
    sealed.extend(*clear);
    sealed.extend(tag);
    Ok(sealed)
}

/// The data key that a sealed card names.
pub(crate) fn key_of(sealed: &[u8]) -> Result<u16, VaultError> {
    match sealed {
        [VERSION, high, low, ..] if sealed.len() == SEALED => Ok(u16::from_be_bytes([*high, *low])),
        _ => Err(VaultError::NotAuthentic),
    }
}

pub(crate) fn open(key: &GcmKey, sealed: &[u8]) -> Result<Card, VaultError> {
    let wrong = || VaultError::NotAuthentic;
    let (header, rest) = sealed.split_first_chunk::<3>().ok_or_else(wrong)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or_else(wrong)?;
    let (body, tag) = rest.split_last_chunk::<TAG>().ok_or_else(wrong)?;
    let mut clear = Zeroizing::new(<[u8; CLEAR]>::try_from(body).map_err(|_| wrong())?);
    key.open(nonce, &about(header), &mut *clear, tag).map_err(|_| wrong())?;

    let (length, rest) = clear.split_first().ok_or_else(wrong)?;
    let (digits, rest) = rest.split_first_chunk::<19>().ok_or_else(wrong)?;
    let (expiry, sequence) = rest.split_first_chunk::<4>().ok_or_else(wrong)?;
    Ok(Card {
        pan: Pan::new(digits.get(..usize::from(*length)).ok_or_else(wrong)?).map_err(|_| wrong())?,
        expiry: if *expiry == [0; 4] { None } else { Some(Expiry::new(expiry).map_err(|_| wrong())?) },
        sequence: if *sequence == [0; 3] { None } else { Some(number(sequence).ok_or_else(wrong)?) },
    })
}

fn three_digits(number: u16) -> [u8; 3] {
    [number / 100, number / 10 % 10, number % 10].map(|digit| b'0' | u8::try_from(digit).unwrap_or(0))
}

fn number(digits: &[u8]) -> Option<CardSequence> {
    let number = digits.iter().try_fold(0u16, |sum, digit| Some(sum * 10 + u16::from(digit.checked_sub(b'0')?)))?;
    CardSequence::new(number).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_card_comes_back_and_takes_the_same_room(
            pan in "[0-9]{8,19}",
            expiry in proptest::option::of("[0-9]{2}(0[1-9]|1[0-2])"),
            sequence in proptest::option::of(0u16..=999),
            nonce: [u8; 12],
        ) {
            let key = GcmKey::new(&[7; 32]);
            let card = Card {
                pan: Pan::new(pan.as_bytes()).unwrap(),
                expiry: expiry.map(|text| Expiry::new(text.as_bytes()).unwrap()),
                sequence: sequence.map(|number| CardSequence::new(number).unwrap()),
            };
            let sealed = seal(258, &key, &nonce, &card.pan, card.expiry, card.sequence).unwrap();
            prop_assert_eq!(sealed.len(), SEALED);
            prop_assert_eq!(key_of(&sealed).unwrap(), 258);
            prop_assert_eq!(open(&key, &sealed).unwrap(), card);
        }

        #[test]
        fn no_bytes_panic_and_none_that_were_not_sealed_open(raw in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(open(&GcmKey::new(&[7; 32]), &raw).is_err());
        }
    }

    #[test]
    fn every_changed_bit_is_noticed_and_debug_shows_nothing() {
        let key = GcmKey::new(&[7; 32]);
        let pan = Pan::new(b"5413330089020011").unwrap();
        let sealed = seal(1, &key, &[9; 12], &pan, Some(Expiry::new(b"2512").unwrap()), None).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&key, &changed).is_err(), "bit {bit}");
        }
        let shown = format!("{:?}", open(&key, &sealed).unwrap());
        assert!(!shown.contains("5413") && !shown.contains("2512"), "{shown}");
    }
}
