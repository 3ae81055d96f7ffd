//! DE55 as a terminal makes it and as an issuer looks at it: BER-TLV, primitive tags only.

use crate::cards::Card;

/// Tags that carry card data in the clear and must not travel beyond the switch: track 2 equivalent
/// data, PAN, cardholder name.
pub const CARD_DATA: [&[u8]; 3] = [&[0x57], &[0x5A], &[0x5F, 0x20]];

/// Longest DE55.
const MAX_CHIP: usize = 255;

/// What a chip transaction is about.
#[derive(Debug, Clone, Copy)]
pub struct ChipFacts {
    /// Minor units.
    pub amount: i64,
    /// ISO 4217 numeric.
    pub currency: u16,
    /// `YYMMDD`.
    pub date: [u8; 3],
    /// Transaction type, first two digits of DE3 as BCD.
    pub kind: u8,
    /// Unpredictable number; also what the (unverified) cryptogram is made of.
    pub drawn: u64,
    /// Application transaction counter.
    pub counter: u16,
    /// Whether the PIN was verified online.
    pub pin: bool,
    /// Whether 5A, 57 and 5F20 are put in, as many terminals do.
    pub card_data: bool,
}

/// Request data of a chip transaction: the twenty elements that clearing and disputes keep, and card
/// data where asked for. The cryptogram is not a real one.
pub fn request(facts: &ChipFacts, card: &Card) -> Vec<u8> {
    let mut data = Vec::with_capacity(MAX_CHIP);
    let mixed = facts.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    let drawn = facts.drawn.to_be_bytes();
    let currency = bcd::<2>(u64::from(facts.currency));
    put(&mut data, &[0x9F, 0x26], &mixed);
    put(&mut data, &[0x9F, 0x27], &[0x80]);
    put(&mut data, &[0x9F, 0x10], &[0x06, 0x01, 0x0A, 0x03, 0xA0, 0x00, 0x00]);
    put(&mut data, &[0x9F, 0x37], drawn.last_chunk::<4>().unwrap_or(&[0; 4]));
    put(&mut data, &[0x9F, 0x36], &facts.counter.to_be_bytes());
    put(&mut data, &[0x95], &[0x00, 0x00, 0x00, 0x80, 0x00]);
    put(&mut data, &[0x9A], &facts.date);
    put(&mut data, &[0x9C], &[facts.kind]);
    put(&mut data, &[0x9F, 0x02], &bcd::<6>(u64::try_from(facts.amount).unwrap_or(0)));
    put(&mut data, &[0x5F, 0x2A], &currency);
    put(&mut data, &[0x82], &[0x19, 0x80]);
    put(&mut data, &[0x9F, 0x1A], &[0x02, 0x76]);
    put(&mut data, &[0x9F, 0x03], &[0; 6]);
    put(&mut data, &[0x9F, 0x33], &[0xE0, 0xF0, 0xC8]);
    put(&mut data, &[0x9F, 0x34], if facts.pin { &[0x42, 0x03, 0x00] } else { &[0x1F, 0x03, 0x02] });
    put(&mut data, &[0x9F, 0x35], &[0x22]);
    put(&mut data, &[0x9F, 0x1E], b"SIM00001");
    put(&mut data, &[0x84], &[0xA0, 0x00, 0x00, 0x00, 0x04, 0x10, 0x10]);
    put(&mut data, &[0x9F, 0x09], &[0x00, 0x02]);
    put(&mut data, &[0x9F, 0x41], &[0x00, 0x00, 0x01, 0x02]);
    if facts.card_data {
        put(&mut data, &[0x5A], &nibbles(card.pan.reveal()));
        put(&mut data, &[0x57], &nibbles(&card.track2()));
        put(&mut data, &[0x5F, 0x20], b"TEST/CARD");
    }
    data
}

/// Issuer authentication data (tag 91): 8 bytes of ARPC and the response code.
pub fn response(arpc: [u8; 8], code: &str) -> Vec<u8> {
    let mut data = Vec::with_capacity(12);
    let mut value = [0; 10];
    value.iter_mut().zip(arpc.iter().chain(code.as_bytes())).for_each(|(room, byte)| *room = *byte);
    put(&mut data, &[0x91], &value);
    data
}

/// Whether data holds a tag of [`CARD_DATA`]. What does not parse holds none.
pub fn holds_card_data(mut data: &[u8]) -> bool {
    while let Some((tag, rest)) = next(data) {
        if CARD_DATA.contains(&tag) {
            return true;
        }
        data = rest;
    }
    false
}

/// The first tag and what follows its value.
fn next(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *data.first()?;
    let long = first & 0x1F == 0x1F;
    let tag_length = if long { 2 + data.get(1..)?.iter().take_while(|byte| **byte & 0x80 != 0).count() } else { 1 };
    let (tag, rest) = data.split_at_checked(tag_length)?;
    let (length, rest) = match rest.split_first()? {
        (short, rest) if *short < 0x80 => (usize::from(*short), rest),
        (0x81, rest) => (usize::from(*rest.first()?), rest.get(1..)?),
        _ => return None,
    };
    Some((tag, rest.get(length..)?))
}

fn put(data: &mut Vec<u8>, tag: &[u8], value: &[u8]) {
    // Values here are shorter than 128 bytes, so the length is one byte.
    data.extend_from_slice(tag);
    data.push(u8::try_from(value.len()).unwrap_or(0));
    data.extend_from_slice(value);
}

/// The last `2 * N` decimal digits, two in a byte.
fn bcd<const N: usize>(mut number: u64) -> [u8; N] {
    let mut packed = [0; N];
    for room in packed.iter_mut().rev() {
        let two = u8::try_from(number % 100).unwrap_or(0);
        *room = ((two / 10) << 4) | (two % 10);
        number /= 100;
    }
    packed
}

/// Digits two in a byte, `=` as D, filled with F.
fn nibbles(text: &[u8]) -> Vec<u8> {
    let nibble = |byte: &u8| if byte.is_ascii_digit() { byte & 0x0F } else { 0x0D };
    text.chunks(2).map(|pair| (pair.first().map_or(0xF, nibble) << 4) | pair.get(1).map_or(0xF, nibble)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::{Population, PopulationOptions};

    fn facts(card_data: bool) -> Vec<u8> {
        let card = Population::derive(&PopulationOptions::default(), "dual", "s").unwrap().card(0).unwrap();
        let facts = ChipFacts {
            amount: 1234,
            currency: 978,
            date: [0x26, 0x11, 0x21],
            kind: 0,
            drawn: 7,
            counter: 3,
            pin: true,
            card_data,
        };
        request(&facts, &card)
    }

    #[test]
    fn all_twenty_kept_tags_are_there_and_it_fits() {
        let data = facts(true);
        assert!(data.len() <= MAX_CHIP, "{}", data.len());
        let mut tags = Vec::new();
        let mut rest: &[u8] = &data;
        while let Some((tag, after)) = next(rest) {
            tags.push(hex::encode_upper(tag));
            rest = after;
        }
        assert!(rest.is_empty());
        assert_eq!(tags[..20], payments::evidence::EMV_TAGS);
    }

    #[test]
    fn card_data_is_seen() {
        assert!(holds_card_data(&facts(true)));
        assert!(!holds_card_data(&facts(false)));
        assert!(!holds_card_data(&[0x5A, 0x30, 0x01]));
    }

    #[test]
    fn amounts_are_packed() {
        assert_eq!(bcd::<6>(1234), [0, 0, 0, 0, 0x12, 0x34]);
        assert_eq!(nibbles(b"123=4"), [0x12, 0x3D, 0x4F]);
    }
}
