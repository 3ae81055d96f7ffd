//! Length prefixes, both ways.

use nom::Parser;
use nom::bytes::complete::take;
use nom::error::Error;

use crate::charset::{self, hex_value};
use crate::ebcdic::{CodePage, through};
use crate::error::{Fault, Got, Kind, Wanted};
use crate::field::{Charset, Counts, Length, Prefix, PrefixForm};

/// Bytes that a number of so many digits takes.
pub(crate) fn width(form: PrefixForm, digits: u8) -> usize {
    usize::from(match form {
        PrefixForm::Ascii | PrefixForm::Ebcdic | PrefixForm::HexAscii | PrefixForm::HexEbcdic => digits,
        PrefixForm::Bcd | PrefixForm::Binary => digits.div_ceil(2),
    })
}

/// Bytes that the prefix takes.
pub(crate) fn wire_length(prefix: Prefix) -> usize {
    width(prefix.form, prefix.digits)
}

/// What one place of the number counts: a character, or a whole byte.
fn base(form: PrefixForm) -> usize {
    match form {
        PrefixForm::Ascii | PrefixForm::Ebcdic => 10,
        PrefixForm::HexAscii | PrefixForm::HexEbcdic => 16,
        PrefixForm::Bcd => 100,
        PrefixForm::Binary => 256,
    }
}

/// The largest number that the prefix can say. An odd packed one has no use for its first half-byte.
pub(crate) fn largest(prefix: Prefix) -> usize {
    match prefix.form {
        PrefixForm::Bcd => 10usize.saturating_pow(u32::from(prefix.digits)) - 1,
        form => base(form).saturating_pow(u32::try_from(wire_length(prefix)).unwrap_or(0)) - 1,
    }
}

/// What the prefix counts of its own bytes.
fn own(prefix: Prefix) -> usize {
    match (prefix.inclusive, prefix.counts) {
        (false, _) => 0,
        (true, Counts::Nibbles) => wire_length(prefix) * 2,
        (true, Counts::Content | Counts::Bytes) => wire_length(prefix),
    }
}

/// The number at the start of `input`, and the bytes behind it. Faults point at its start.
pub(crate) fn number(form: PrefixForm, digits: u8, input: &[u8]) -> Result<(usize, &[u8]), Fault> {
    let width = width(form, digits);
    let cut_off = |_| Fault::new(Kind::Truncated, 0, Wanted::Bytes(width), Got::Bytes(input.len()));
    let (rest, raw) = take::<_, _, Error<&[u8]>>(width).parse(input).map_err(cut_off)?;
    let mut sum = 0;
    for byte in raw {
        let part = match form {
            PrefixForm::Ascii if byte.is_ascii_digit() => Some(byte - b'0'),
            PrefixForm::Ebcdic if *byte >= 0xF0 && *byte <= 0xF9 => Some(byte - 0xF0),
            PrefixForm::Bcd if byte >> 4 < 10 && byte & 0x0F < 10 => Some((byte >> 4) * 10 + (byte & 0x0F)),
            PrefixForm::Ascii | PrefixForm::Ebcdic | PrefixForm::Bcd => None,
            PrefixForm::Binary => Some(*byte),
            PrefixForm::HexAscii => hex_value(*byte, false),
            PrefixForm::HexEbcdic => hex_value(*byte, true),
        };
        let got = match form {
            PrefixForm::Bcd => Got::Nibble,
            PrefixForm::Ebcdic | PrefixForm::HexEbcdic => Got::byte(through(CodePage::Cp037.reading(), *byte)),
            _ => Got::byte(*byte),
        };
        let part = part.ok_or(Fault::new(Kind::BadLength, 0, Wanted::Number, got))?;
        sum = sum * base(form) + usize::from(part);
    }
    Ok((sum, rest))
}

/// Reads the prefix at the start of `input`: units of content, and the bytes behind the prefix.
/// Faults point at the start of the prefix.
pub(crate) fn read(prefix: Prefix, max: usize, charset: Charset, input: &[u8]) -> Result<(usize, &[u8]), Fault> {
    let (said, rest) = number(prefix.form, prefix.digits, input)?;
    let bad = |wanted| Fault::new(Kind::BadLength, 0, wanted, Got::Length(said));
    let counted = said.checked_sub(own(prefix)).ok_or(bad(Wanted::AtLeast(own(prefix))))?;
    let Some(units) = units(prefix.counts, charset, counted, max, rest) else {
        // A length that ends inside a unit is told apart from one that ends behind the message.
        if counted > rest.len() && prefix.counts == Counts::Bytes {
            return Err(Fault::new(Kind::Truncated, wire_length(prefix), Wanted::Bytes(counted), Got::Bytes(rest.len())));
        }
        return Err(bad(Wanted::Exactly(said + 1)));
    };
    if units > max {
        return Err(Fault::new(Kind::TooLong, 0, Wanted::AtMost(max), Got::Length(units)));
    }
    Ok((units, rest))
}

/// What the prefix counts to units of content; `None` where it ends inside a unit.
fn units(counts: Counts, charset: Charset, number: usize, max: usize, rest: &[u8]) -> Option<usize> {
    let halves = |number: usize| number.is_multiple_of(2).then_some(number / 2);
    match (counts, charset) {
        (Counts::Content, _) => Some(number),
        (Counts::Nibbles, Charset::Bcd { .. }) => Some(number),
        (Counts::Nibbles, _) => units(Counts::Bytes, charset, halves(number)?, max, rest),
        (Counts::Bytes, Charset::Ascii | Charset::Ebcdic(_) | Charset::Binary) => Some(number),
        (Counts::Bytes, Charset::HexAscii | Charset::HexEbcdic) => halves(number),
        (Counts::Bytes, Charset::SignedBcd { .. }) => Some(number.min(1) + number.saturating_sub(1) * 2),
        (Counts::Bytes, Charset::Bcd { side, fill }) => {
            // A count of bytes does not say whether the last digit is filler. A fill that is no digit
            // says so itself; and a field that cannot be longer has the odd length it may have.
            let full = number * 2;
            let edge = match side {
                crate::field::Side::Left => rest.first().map(|byte| byte >> 4),
                crate::field::Side::Right => number.checked_sub(1).and_then(|last| rest.get(last)).map(|byte| byte & 0x0F),
            };
            let filled = number > 0 && (fill > 9 && edge == Some(fill) || full == max + 1);
            Some(full - usize::from(filled))
        }
    }
}

/// What the prefix says of `units` of content.
fn says(prefix: Prefix, charset: Charset, units: usize) -> usize {
    own(prefix)
        + match (prefix.counts, charset) {
            (Counts::Content, _) | (Counts::Nibbles, Charset::Bcd { .. }) => units,
            (Counts::Bytes, _) => charset::wire_length(charset, units),
            (Counts::Nibbles, _) => charset::wire_length(charset, units) * 2,
        }
}

/// Whether so many units read back as so many, where the prefix counts bytes of packed digits.
pub(crate) fn is_exact(prefix: Prefix, max: usize, charset: Charset, units: usize) -> bool {
    match (prefix.counts, charset) {
        (Counts::Bytes, Charset::Bcd { fill, .. }) => units.is_multiple_of(2) || fill > 9 || units == max,
        (Counts::Bytes | Counts::Nibbles, Charset::SignedBcd { .. }) => units % 2 == 1,
        _ => true,
    }
}

/// Writes the prefix for `units` of content, which are known to fit.
pub(crate) fn write(prefix: Prefix, charset: Charset, units: usize, out: &mut Vec<u8>) {
    let said = says(prefix, charset, units);
    let width = wire_length(prefix);
    let digit = |number: usize| u8::try_from(number % 10).unwrap_or(0);
    let packed = |number: usize| digit(number / 10) << 4 | digit(number);
    match prefix.form {
        // What nearly every field has, written at once.
        PrefixForm::Ascii if width == 2 => out.extend_from_slice(&[b'0' + digit(said / 10), b'0' + digit(said)]),
        PrefixForm::Ascii if width == 3 => {
            out.extend_from_slice(&[b'0' + digit(said / 100), b'0' + digit(said / 10), b'0' + digit(said)]);
        }
        PrefixForm::Bcd if width == 1 => out.push(packed(said)),
        PrefixForm::Bcd if width == 2 => out.extend_from_slice(&[packed(said / 100), packed(said)]),
        PrefixForm::Ascii => write_places::<10>(said, width, out, |part| b'0' + part),
        PrefixForm::Ebcdic => write_places::<10>(said, width, out, |part| 0xF0 + part),
        PrefixForm::Bcd => write_places::<100>(said, width, out, |part| ((part / 10) << 4) | (part % 10)),
        PrefixForm::Binary => write_places::<256>(said, width, out, |part| part),
        PrefixForm::HexAscii => {
            write_places::<16>(said, width, out, |part| if part < 10 { b'0' + part } else { b'A' + part - 10 });
        }
        PrefixForm::HexEbcdic => {
            write_places::<16>(said, width, out, |part| if part < 10 { 0xF0 + part } else { 0xC1 + part - 10 });
        }
    }
}

/// Writes a number place by place, the last one first. A base that is known makes division cheap.
fn write_places<const BASE: usize>(number: usize, width: usize, out: &mut Vec<u8>, write: impl Fn(u8) -> u8) {
    let start = out.len();
    out.resize(start + width, 0);
    let mut left = number;
    for room in out.iter_mut().skip(start).rev() {
        *room = write(u8::try_from(left % BASE).unwrap_or(0));
        left /= BASE;
    }
}

/// Whether the prefix of a variable length can say its maximum.
pub(crate) fn fits(length: Length, charset: Charset) -> bool {
    match length {
        Length::Fixed(_) | Length::Enclosed { .. } => true,
        Length::Variable { prefix, .. } => says(prefix, charset, length.max()) <= largest(prefix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Side;

    fn prefix(form: PrefixForm, digits: u8) -> Prefix {
        Prefix { digits, form, counts: Counts::Content, inclusive: false }
    }

    #[test]
    fn every_form_reads_what_it_writes() {
        for (form, digits, number, wire) in [
            (PrefixForm::Ascii, 3, 255, b"255".as_slice()),
            (PrefixForm::Ascii, 2, 7, b"07"),
            (PrefixForm::Ascii, 6, 999_999, b"999999"),
            (PrefixForm::Ebcdic, 3, 255, &[0xF2, 0xF5, 0xF5]),
            (PrefixForm::Bcd, 3, 255, &[0x02, 0x55]),
            (PrefixForm::Bcd, 2, 19, &[0x19]),
            (PrefixForm::Binary, 3, 255, &[0x00, 0xFF]),
            (PrefixForm::Binary, 2, 19, &[19]),
            (PrefixForm::Binary, 5, 70_000, &[0x01, 0x11, 0x70]),
            (PrefixForm::HexAscii, 2, 0xAB, b"AB"),
            (PrefixForm::HexEbcdic, 4, 0x0AB1, &[0xF0, 0xC1, 0xC2, 0xF1]),
        ] {
            let mut out = Vec::new();
            write(prefix(form, digits), Charset::Ascii, number, &mut out);
            assert_eq!(out, wire);
            assert_eq!(read(prefix(form, digits), 999_999, Charset::Ascii, wire), Ok((number, [].as_slice())));
        }
    }

    #[test]
    fn a_prefix_that_is_no_number_or_too_long_is_refused() {
        let kind = |form, digits, wire: &[u8]| {
            read(prefix(form, digits), 19, Charset::Ascii, wire).map(|(units, _)| units).map_err(|fault| fault.kind)
        };
        assert_eq!(kind(PrefixForm::Ascii, 2, b" 9"), Err(Kind::BadLength));
        assert_eq!(kind(PrefixForm::Ascii, 2, b"-1"), Err(Kind::BadLength));
        assert_eq!(kind(PrefixForm::Ascii, 2, b"1"), Err(Kind::Truncated));
        assert_eq!(kind(PrefixForm::Ascii, 2, b"20"), Err(Kind::TooLong));
        assert_eq!(kind(PrefixForm::Ebcdic, 2, b"10"), Err(Kind::BadLength));
        assert_eq!(kind(PrefixForm::HexAscii, 2, b"0x"), Err(Kind::BadLength));
        assert_eq!(kind(PrefixForm::Bcd, 2, &[0x1F]), Err(Kind::BadLength));
        assert_eq!(kind(PrefixForm::Binary, 2, &[0xFF]), Err(Kind::TooLong));
    }

    #[test]
    fn a_prefix_may_count_bytes_of_the_wire() {
        let bytes = Prefix { counts: Counts::Bytes, ..prefix(PrefixForm::Ascii, 3) };
        assert_eq!(read(bytes, 255, Charset::HexAscii, b"008AABBCCDD").map(|(units, _)| units), Ok(4));
        let kind =
            |wire| read(bytes, 255, Charset::HexAscii, wire).map(|(units, _)| units).map_err(|fault| (fault.kind, fault.at));
        assert_eq!(kind(b"007AABBCCD"), Err((Kind::BadLength, 0)));
        assert_eq!(kind(b"007AABBCC"), Err((Kind::Truncated, 3)));
        let mut out = Vec::new();
        write(bytes, Charset::HexAscii, 4, &mut out);
        assert_eq!(out, b"008");
    }

    #[test]
    fn a_count_of_bytes_finds_the_filler_of_an_odd_number_of_digits() {
        let bytes = Prefix { counts: Counts::Bytes, ..prefix(PrefixForm::Binary, 2) };
        let right = Charset::Bcd { side: Side::Right, fill: 15 };
        assert_eq!(read(bytes, 37, right, &[2, 0x12, 0x3F]).map(|(units, _)| units), Ok(3));
        assert_eq!(read(bytes, 37, right, &[2, 0x12, 0x34]).map(|(units, _)| units), Ok(4));
        let left = Charset::Bcd { side: Side::Left, fill: 0 };
        assert_eq!(read(bytes, 3, left, &[2, 0x01, 0x23]).map(|(units, _)| units), Ok(3));
        assert!(!is_exact(bytes, 19, left, 3) && is_exact(bytes, 19, left, 19) && is_exact(bytes, 37, right, 3));
        let nibbles = Prefix { counts: Counts::Nibbles, ..prefix(PrefixForm::Binary, 2) };
        assert_eq!(read(nibbles, 37, right, &[3, 0x12, 0x3F]).map(|(units, _)| units), Ok(3));
        assert_eq!(read(nibbles, 37, Charset::Ascii, &[3, 0x12, 0x3F]).map_err(|fault| fault.kind), Err(Kind::BadLength));
    }

    #[test]
    fn a_prefix_may_count_itself() {
        let inclusive = Prefix { inclusive: true, ..prefix(PrefixForm::Ascii, 3) };
        let mut out = Vec::new();
        write(inclusive, Charset::Ascii, 4, &mut out);
        assert_eq!(out, b"007");
        assert_eq!(read(inclusive, 10, Charset::Ascii, b"007abcd").map(|(units, _)| units), Ok(4));
        assert_eq!(read(inclusive, 10, Charset::Ascii, b"002").map_err(|fault| fault.kind), Err(Kind::BadLength));
        assert!(!fits(Length::Variable { max: 997, prefix: inclusive }, Charset::Ascii));
    }
}
