//! The bits of a value in words, a line for each that is set. For what people read, not for rules:
//! the order and wording of the lines may change.

use super::dictionary::{Meaning, entry, meanings};
use super::dol::Dol;

/// The CVM list: two amounts of 4 bytes, then rules of 2 (EMV Book 3 annex C3).
const CVM_LIST: &[u8] = &[0x8E];
/// The rules of the CVM list are coded as the first two bytes of the CVM results.
const CVM_RESULTS: &[u8] = &[0x9F, 0x34];
/// CDOL1, CDOL2, TDOL, PDOL, DDOL, log format.
const LISTS: [&[u8]; 6] = [&[0x8C], &[0x8D], &[0x97], &[0x9F, 0x38], &[0x9F, 0x49], &[0x9F, 0x4F]];

/// What the bits of a value say, a line each: those of `emv/bits.toml` that hold, and the bits that
/// are set without a meaning; the rules of a CVM list; what a DOL asks for. No line for objects
/// without such bits, and for values of another length than they have.
///
/// ```
/// let lines = iso8583::emv::explain(&[0x95], &[0x00, 0x00, 0x00, 0x80, 0x00]);
/// assert_eq!(lines, ["byte 4 bit 8: transaction exceeds floor limit"]);
/// ```
pub fn explain(tag: &[u8], value: &[u8]) -> Vec<String> {
    match (tag, value) {
        (CVM_LIST, [x1, x2, x3, x4, y1, y2, y3, y4, rules @ ..]) if rules.len() % 2 == 0 => {
            let amount = |name, bytes: [&u8; 4]| format!("{name} = {}", u32::from_be_bytes(bytes.map(|byte| *byte)));
            let amounts = [amount("X", [x1, x2, x3, x4]), amount("Y", [y1, y2, y3, y4])];
            let rule = |(at, rule): (usize, &[u8])| format!("rule {}: {}", at + 1, texts(CVM_RESULTS, rule).join("; "));
            amounts.into_iter().chain(rules.chunks(2).enumerate().map(rule)).collect()
        }
        (list, value) if LISTS.contains(&list) => asked(value),
        _ if entry(tag).is_some_and(|entry| entry.format().bytes().1 == Some(value.len())) => lines(tag, value),
        _ => Vec::new(),
    }
}

/// Meanings with the bits they stand in.
fn lines(tag: &[u8], value: &[u8]) -> Vec<String> {
    if meanings(tag).is_empty() {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for (number, byte) in (1..).zip(value) {
        let held = held(tag, number, *byte);
        lines.extend(held.iter().map(|row| format!("{}: {}", place(row), row.text)));
        let without = held.iter().fold(*byte, |left, row| left & !row.mask);
        if without != 0 {
            lines.push(format!("byte {number}: {without:02X} has no meaning here"));
        }
    }
    lines
}

/// Meanings alone.
fn texts(tag: &[u8], value: &[u8]) -> Vec<String> {
    let known = (1..).zip(value).flat_map(|(number, byte)| held(tag, number, *byte)).map(|row| row.text.clone());
    known.collect()
}

fn held(tag: &[u8], number: usize, byte: u8) -> Vec<&'static Meaning> {
    meanings(tag).iter().filter(|row| row.byte == number && byte & row.mask == row.value).collect()
}

/// `byte 4 bit 8`, `byte 1 bits 8-7`, `byte 3`: bits count from 8 down to 1 in EMV.
fn place(row: &Meaning) -> String {
    let (high, low) = (8 - row.mask.leading_zeros(), 1 + row.mask.trailing_zeros());
    match (high, low) {
        (8, 1) => format!("byte {}", row.byte),
        _ if high == low => format!("byte {} bit {high}", row.byte),
        _ => format!("byte {} bits {high}-{low}", row.byte),
    }
}

fn asked(value: &[u8]) -> Vec<String> {
    let Ok(dol) = Dol::parse(value) else { return Vec::new() };
    let name = |tag| entry(tag).map_or("unknown", |entry| entry.name());
    dol.entries()
        .iter()
        .map(|wanted| format!("{} [{}] {}", hex::encode_upper(wanted.tag), wanted.length, name(wanted.tag)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(tag: &str, value: &str) -> Vec<String> {
        explain(&hex::decode(tag).unwrap(), &hex::decode(value).unwrap())
    }

    #[test]
    fn every_bit_of_the_tvr_has_its_line() {
        let all = explained("95", "FFFFFFFFFF");
        assert_eq!(all.len(), 40);
        assert_eq!(all[0], "byte 1 bit 8: offline data authentication was not performed");
        assert_eq!(all[10], "byte 2 bit 6: application not yet effective");
        assert_eq!(explained("95", "0000000000"), [""; 0]);
    }

    #[test]
    fn values_of_several_bits_are_read_together() {
        assert_eq!(
            explained("9F27", "80"),
            ["byte 1 bits 8-7: ARQC: online authorisation requested", "byte 1 bits 3-1: no reason given"]
        );
        assert_eq!(explained("9F35", "22"), ["byte 1: merchant, attended, offline with online capability"]);
        assert_eq!(
            explained("9F34", "420302"),
            [
                "byte 1 bits 6-1: enciphered PIN verified online",
                "byte 1 bit 7: if unsuccessful: apply the next rule",
                "byte 2: condition: terminal supports the CVM",
                "byte 3: result: successful",
            ]
        );
    }

    #[test]
    fn bits_without_a_meaning_are_told() {
        assert_eq!(explained("9B", "0001"), ["byte 2: 01 has no meaning here"]);
        assert_eq!(explained("9F35", "77"), ["byte 1: 77 has no meaning here"]);
    }

    #[test]
    fn a_cvm_list_is_amounts_and_rules() {
        let list = explained("8E", "000003E8000000004203 1F00".replace(' ', "").as_str());
        assert_eq!(
            list,
            [
                "X = 1000",
                "Y = 0",
                "rule 1: enciphered PIN verified online; if unsuccessful: apply the next rule; condition: terminal supports the CVM",
                "rule 2: no CVM required; if unsuccessful: fail cardholder verification; condition: always",
            ]
        );
    }

    #[test]
    fn a_list_says_what_it_asks_for() {
        assert_eq!(explained("8C", "9F02069C01"), ["9F02 [6] Amount, authorised (numeric)", "9C [1] Transaction type"]);
    }

    #[test]
    fn a_value_of_another_length_is_not_explained() {
        // 9F66 of two bytes is another object, of another kernel.
        assert_eq!(explained("9F66", "007F"), [""; 0]);
        assert_eq!(explained("95", "80"), [""; 0]);
        assert_eq!(explained("8E", "00000000000000004203FF"), [""; 0]);
        assert_eq!(explained("9F02", "000000012345"), [""; 0]);
    }
}
