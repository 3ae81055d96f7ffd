//! Charsets: how units of content stand as bytes, both ways.

use crate::error::{Fault, Got, Kind, Wanted};
use crate::field::{Charset, Content, Side};

/// Bytes that `units` of content take on the wire.
pub(crate) fn wire_length(charset: Charset, units: usize) -> usize {
    match charset {
        Charset::Ascii | Charset::Binary => units,
        Charset::Bcd { .. } => units.div_ceil(2),
        Charset::HexAscii => units.saturating_mul(2),
    }
}

/// Where on the wire, from the start of the field, the unit `at` of the content stands.
pub(crate) fn wire_offset(charset: Charset, units: usize, at: usize) -> usize {
    match charset {
        Charset::Ascii | Charset::Binary => at,
        Charset::HexAscii => at * 2,
        Charset::Bcd { side: Side::Left, .. } => (at + units % 2) / 2,
        Charset::Bcd { side: Side::Right, .. } => at / 2,
    }
}

/// Whether content stands on the wire as it is.
pub(crate) fn is_plain(charset: Charset) -> bool {
    matches!(charset, Charset::Ascii | Charset::Binary)
}

/// Wire to content, where it is not plain. The fault's position counts bytes on the wire.
pub(crate) fn unpack(charset: Charset, content: Content, units: usize, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match charset {
        Charset::Ascii | Charset::Binary => out.extend_from_slice(wire),
        Charset::HexAscii => unhex(wire, Kind::BadHex, out)?,
        Charset::Bcd { side, fill } => unpack_bcd(side, fill, content, units, wire, out)?,
    }
    Ok(())
}

/// Content, already checked, to the wire.
pub(crate) fn pack(charset: Charset, content: &[u8], out: &mut Vec<u8>) {
    match charset {
        Charset::Ascii | Charset::Binary => out.extend_from_slice(content),
        Charset::HexAscii => hex_into(content, out),
        Charset::Bcd { side, fill } => pack_bcd(side, fill, content, out),
    }
}

/// Upper-case hexadecimal.
pub(crate) fn hex_into(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 };
    out.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0F)]));
}

/// Hexadecimal text of either case, an even number of characters.
pub(crate) fn unhex(text: &[u8], kind: Kind, out: &mut Vec<u8>) -> Result<(), Fault> {
    let value = |at: usize, byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'A'..=b'F' => Ok(byte - b'A' + 10),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(Fault { kind, at, wanted: Wanted::HexDigit, got: Got::byte(byte) }),
    };
    for (pair, digits) in text.chunks(2).enumerate() {
        match *digits {
            [high, low] => out.push(value(pair * 2, high)? << 4 | value(pair * 2 + 1, low)?),
            _ => return Err(Fault { kind, at: pair * 2, wanted: Wanted::HexDigit, got: Got::Nothing }),
        }
    }
    Ok(())
}

/// The track separator stands as nibble D and is `=` in the content (ISO/IEC 7813).
fn unpack_bcd(side: Side, fill: u8, content: Content, units: usize, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let nibbles = wire.iter().enumerate().flat_map(|(at, byte)| [(at, byte >> 4), (at, byte & 0x0F)]);
    let odd = units % 2 == 1;
    let first = usize::from(odd && side == Side::Left);
    for (place, (at, nibble)) in nibbles.enumerate() {
        let filler = odd && (place < first || place == units + first);
        match nibble {
            _ if filler && nibble == fill => {}
            _ if filler => return Err(Fault { kind: Kind::BadPad, at, wanted: Wanted::Nibble(fill), got: Got::Nibble }),
            0..=9 => out.push(b'0' + nibble),
            0x0D if content == Content::Z => out.push(b'='),
            _ => return Err(Fault { kind: Kind::NonDigit, at, wanted: Wanted::Digit, got: Got::Nibble }),
        }
    }
    Ok(())
}

fn pack_bcd(side: Side, fill: u8, content: &[u8], out: &mut Vec<u8>) {
    let nibble = |byte: u8| match byte {
        b'=' | b'D' => 0x0D,
        digit => digit.wrapping_sub(b'0') & 0x0F,
    };
    let (lone, pairs) = match (content.len() % 2, side) {
        (0, _) => (None, content),
        (_, Side::Left) => content.split_first().map_or((None, content), |(first, rest)| (Some(*first), rest)),
        (_, Side::Right) => content.split_last().map_or((None, content), |(last, rest)| (Some(*last), rest)),
    };
    if let (Some(byte), Side::Left) = (lone, side) {
        out.push(fill << 4 | nibble(byte));
    }
    out.extend(pairs.chunks(2).map(|pair| pair.iter().fold(0u8, |byte, unit| byte << 4 | nibble(*unit))));
    if let (Some(byte), Side::Right) = (lone, side) {
        out.push(nibble(byte) << 4 | fill);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(charset: Charset, content: Content, value: &[u8], wire: &[u8]) {
        let mut packed = Vec::new();
        pack(charset, value, &mut packed);
        assert_eq!(packed, wire);
        assert_eq!(wire_length(charset, value.len()), wire.len());
        let mut unpacked = Vec::new();
        unpack(charset, content, value.len(), wire, &mut unpacked).unwrap();
        assert_eq!(unpacked, value);
    }

    #[test]
    fn packed_digits_round_trip_with_either_fill() {
        let left = Charset::Bcd { side: Side::Left, fill: 0 };
        let right = Charset::Bcd { side: Side::Right, fill: 0x0F };
        round_trip(left, Content::N, b"051", &[0x00, 0x51]);
        round_trip(left, Content::N, b"1234", &[0x12, 0x34]);
        round_trip(right, Content::N, b"051", &[0x05, 0x1F]);
        round_trip(right, Content::Z, b"47=27", &[0x47, 0xD2, 0x7F]);
        round_trip(Charset::HexAscii, Content::B, &[0xAB, 0x01], b"AB01");
    }

    #[test]
    fn a_wrong_nibble_names_its_byte() {
        let left = Charset::Bcd { side: Side::Left, fill: 0 };
        let fault = |units, wire: &[u8]| {
            let fault = unpack(left, Content::N, units, wire, &mut Vec::new()).unwrap_err();
            (fault.kind, fault.at)
        };
        assert_eq!(fault(3, &[0x10, 0x51]), (Kind::BadPad, 0));
        assert_eq!(fault(4, &[0x12, 0x3A]), (Kind::NonDigit, 1));
        let fault = unhex(b"0G", Kind::BadHex, &mut Vec::new()).unwrap_err();
        assert_eq!((fault.kind, fault.at), (Kind::BadHex, 1));
    }
}
