//! Length prefixes, both ways.

use nom::Parser;
use nom::bytes::complete::take;
use nom::error::Error;

use crate::error::{Fault, Got, Kind, Wanted};
use crate::field::{Charset, Counts, Length, Prefix, PrefixForm};

/// Bytes that the prefix takes.
pub(crate) fn wire_length(prefix: Prefix) -> usize {
    match prefix.form {
        PrefixForm::Ascii => usize::from(prefix.digits),
        PrefixForm::Bcd => usize::from(prefix.digits.div_ceil(2)),
        PrefixForm::Binary => usize::from(if prefix.digits <= 2 { 1u8 } else { 2 }),
    }
}

/// The largest number that the prefix can say.
pub(crate) fn largest(prefix: Prefix) -> usize {
    match prefix.form {
        PrefixForm::Ascii | PrefixForm::Bcd => 10usize.saturating_pow(u32::from(prefix.digits)) - 1,
        PrefixForm::Binary if prefix.digits <= 2 => 0xFF,
        PrefixForm::Binary => 0xFFFF,
    }
}

/// Reads the prefix at the start of `input`: units of content, and the bytes behind the prefix.
/// Faults point at the start of the prefix.
pub(crate) fn read(prefix: Prefix, max: u16, charset: Charset, input: &[u8]) -> Result<(usize, &[u8]), Fault> {
    let width = wire_length(prefix);
    let (rest, raw) = take::<_, _, Error<&[u8]>>(width).parse(input).map_err(|_| Fault {
        kind: Kind::Truncated,
        at: 0,
        wanted: Wanted::Bytes(width),
        got: Got::Bytes(input.len()),
    })?;
    let not_a_number = |got| Fault { kind: Kind::BadLength, at: 0, wanted: Wanted::Number, got };
    let number = raw.iter().try_fold(0usize, |sum, byte| match prefix.form {
        PrefixForm::Binary => Ok(sum << 8 | usize::from(*byte)),
        PrefixForm::Ascii if byte.is_ascii_digit() => Ok(sum * 10 + usize::from(byte - b'0')),
        PrefixForm::Ascii => Err(not_a_number(Got::byte(*byte))),
        PrefixForm::Bcd if byte >> 4 < 10 && byte & 0x0F < 10 => {
            Ok(sum * 100 + usize::from(byte >> 4) * 10 + usize::from(byte & 0x0F))
        }
        PrefixForm::Bcd => Err(not_a_number(Got::Nibble)),
    })?;
    let units = match (prefix.counts, charset) {
        (Counts::Content, _) | (Counts::Bytes, Charset::Ascii | Charset::Binary) => number,
        (Counts::Bytes, Charset::Bcd { .. }) => number * 2,
        (Counts::Bytes, Charset::HexAscii) if number % 2 == 0 => number / 2,
        (Counts::Bytes, Charset::HexAscii) => {
            return Err(Fault { kind: Kind::BadLength, at: 0, wanted: Wanted::Exactly(number + 1), got: Got::Length(number) });
        }
    };
    if units > usize::from(max) {
        let (wanted, got) = (Wanted::AtMost(usize::from(max)), Got::Length(units));
        return Err(Fault { kind: Kind::TooLong, at: 0, wanted, got });
    }
    Ok((units, rest))
}

/// Writes the prefix for `units` of content, which are known to fit.
pub(crate) fn write(prefix: Prefix, charset: Charset, units: usize, out: &mut Vec<u8>) {
    let number = match prefix.counts {
        Counts::Content => units,
        Counts::Bytes => crate::charset::wire_length(charset, units),
    };
    let width = wire_length(prefix);
    let base = match prefix.form {
        PrefixForm::Ascii => 10,
        PrefixForm::Bcd => 100,
        PrefixForm::Binary => 256,
    };
    let start = out.len();
    let mut left = number;
    for _ in 0..width {
        let part = u8::try_from(left % base).unwrap_or(0);
        out.push(match prefix.form {
            PrefixForm::Ascii => b'0' + part,
            PrefixForm::Bcd => ((part / 10) << 4) | (part % 10),
            PrefixForm::Binary => part,
        });
        left /= base;
    }
    if let Some(written) = out.get_mut(start..) {
        written.reverse();
    }
}

/// Whether the prefix of a variable length can say its maximum.
pub(crate) fn fits(length: Length, charset: Charset) -> bool {
    match length {
        Length::Fixed(_) => true,
        Length::Variable { max, prefix } => {
            let most = match prefix.counts {
                Counts::Content => usize::from(max),
                Counts::Bytes => crate::charset::wire_length(charset, usize::from(max)),
            };
            most <= largest(prefix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(form: PrefixForm, digits: u8) -> Prefix {
        Prefix { digits, form, counts: Counts::Content }
    }

    #[test]
    fn every_form_reads_what_it_writes() {
        for (form, digits, number, wire) in [
            (PrefixForm::Ascii, 3, 255, b"255".as_slice()),
            (PrefixForm::Ascii, 2, 7, b"07"),
            (PrefixForm::Bcd, 3, 255, &[0x02, 0x55]),
            (PrefixForm::Bcd, 2, 19, &[0x19]),
            (PrefixForm::Binary, 3, 255, &[0x00, 0xFF]),
            (PrefixForm::Binary, 2, 19, &[19]),
        ] {
            let mut out = Vec::new();
            write(prefix(form, digits), Charset::Ascii, number, &mut out);
            assert_eq!(out, wire);
            assert_eq!(read(prefix(form, digits), 999, Charset::Ascii, wire), Ok((number, [].as_slice())));
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
        assert_eq!(kind(PrefixForm::Bcd, 2, &[0x1F]), Err(Kind::BadLength));
        assert_eq!(kind(PrefixForm::Binary, 2, &[0xFF]), Err(Kind::TooLong));
    }

    #[test]
    fn a_prefix_may_count_bytes_of_the_wire() {
        let bytes = Prefix { digits: 3, form: PrefixForm::Ascii, counts: Counts::Bytes };
        assert_eq!(read(bytes, 255, Charset::HexAscii, b"008AABBCCDD").map(|(units, _)| units), Ok(4));
        assert_eq!(read(bytes, 255, Charset::HexAscii, b"007").map_err(|fault| fault.kind), Err(Kind::BadLength));
        let mut out = Vec::new();
        write(bytes, Charset::HexAscii, 4, &mut out);
        assert_eq!(out, b"008");
    }
}
