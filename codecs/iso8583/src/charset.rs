//! Charsets: how units of content stand as bytes, both ways.

use crate::class::Content;
use crate::ebcdic::{CodePage, through};
use crate::error::{Fault, Got, Kind, Wanted};
use crate::field::{Charset, Side};
use crate::swar;
use zeroize::Zeroize;

/// Bytes that `units` of content take on the wire.
pub(crate) fn wire_length(charset: Charset, units: usize) -> usize {
    match charset {
        Charset::Ascii | Charset::Ebcdic(_) | Charset::Binary => units,
        Charset::Bcd { .. } => units.div_ceil(2),
        Charset::SignedBcd { .. } => units.min(1) + units.saturating_sub(1).div_ceil(2),
        Charset::HexAscii | Charset::HexEbcdic => units.saturating_mul(2),
    }
}

/// Where on the wire, from the start of the field, the unit `at` of the content stands.
pub(crate) fn wire_offset(charset: Charset, units: usize, at: usize) -> usize {
    match charset {
        Charset::Ascii | Charset::Ebcdic(_) | Charset::Binary => at,
        Charset::HexAscii | Charset::HexEbcdic => at.saturating_mul(2),
        Charset::Bcd { side: Side::Left, .. } => (at + units % 2) / 2,
        Charset::Bcd { side: Side::Right, .. } => at / 2,
        Charset::SignedBcd { .. } if at == 0 => 0,
        Charset::SignedBcd { side, fill } => 1 + wire_offset(Charset::Bcd { side, fill }, units.saturating_sub(1), at - 1),
    }
}

/// Whether content stands on the wire as it is.
pub(crate) fn is_plain(charset: Charset) -> bool {
    matches!(charset, Charset::Ascii | Charset::Binary)
}

/// Whether unpacked content is made of digits by the way it was packed.
pub(crate) fn proves_digits(charset: Charset, content: Content) -> bool {
    content.is_numeric() && matches!(charset, Charset::Bcd { .. })
}

/// Whether content outside its class still has a wire form that reads back the same.
pub(crate) fn can_carry(charset: Charset, content: Content, value: &[u8]) -> bool {
    match charset {
        Charset::Bcd { .. } => content != Content::Xn && swar::all_digits(value),
        Charset::SignedBcd { .. } => false,
        _ => true,
    }
}

/// Wire to content, where it is not plain. The fault's position counts bytes on the wire.
pub(crate) fn unpack(charset: Charset, content: Content, units: usize, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match charset {
        Charset::Ascii | Charset::Binary => out.extend_from_slice(wire),
        Charset::Ebcdic(page) => out.extend(wire.iter().map(|byte| through(page.reading(), *byte))),
        Charset::HexAscii => unhex(wire, false, Kind::BadHex, out)?,
        Charset::HexEbcdic => unhex(wire, true, Kind::BadHex, out)?,
        Charset::Bcd { side, fill } => unpack_bcd(side, fill, content, units, wire, out)?,
        Charset::SignedBcd { side, fill } => {
            if let Some((sign, digits)) = wire.split_first() {
                out.push(*sign);
                unpack_bcd(side, fill, Content::N, units.saturating_sub(1), digits, out)
                    .map_err(|fault| Fault { at: fault.at + 1, ..fault })?;
            }
        }
    }
    Ok(())
}

/// A blank as a charset of text writes it.
pub(crate) fn blank(charset: Charset) -> u8 {
    match charset {
        Charset::Ebcdic(page) => through(page.writing(), b' '),
        _ => b' ',
    }
}

/// Content, already checked, to the wire.
#[inline]
pub(crate) fn pack(charset: Charset, content: &[u8], out: &mut Vec<u8>) {
    match charset {
        Charset::Ascii | Charset::Binary => out.extend_from_slice(content),
        Charset::Ebcdic(page) => out.extend(content.iter().map(|byte| through(page.writing(), *byte))),
        Charset::HexAscii => hex_into(content, false, out),
        Charset::HexEbcdic => hex_into(content, true, out),
        Charset::Bcd { side, fill } => pack_bcd(side, fill, content, out),
        Charset::SignedBcd { side, fill } => {
            if let Some((sign, digits)) = content.split_first() {
                out.push(*sign);
                pack_bcd(side, fill, digits, out);
            }
        }
    }
}

/// Upper-case hexadecimal.
pub(crate) fn hex_into(bytes: &[u8], ebcdic: bool, out: &mut Vec<u8>) {
    if !ebcdic {
        return hex_plainly(bytes, out);
    }
    let digit = |nibble: u8| if nibble < 10 { 0xF0 + nibble } else { 0xC1 - 10 + nibble };
    for (pair, byte) in pairs(bytes.len(), out).iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 0x0F)];
    }
}

/// Upper-case hexadecimal in ASCII, in blocks that the compiler makes vectors of.
#[inline]
pub(crate) fn hex_plainly(bytes: &[u8], out: &mut Vec<u8>) {
    let (blocks, rest) = bytes.as_chunks::<16>();
    blocks.iter().for_each(|block| out.extend_from_slice(hex_block(block).as_flattened()));
    let (fours, rest) = rest.as_chunks::<4>();
    fours.iter().for_each(|four| out.extend_from_slice(&swar::hex_of_four(*four)));
    if !rest.is_empty() {
        let [a, b, c, d, ..] = swar::word_of(rest).to_le_bytes();
        let end = out.len() + rest.len() * 2;
        out.extend_from_slice(&swar::hex_of_four([a, b, c, d]));
        out.truncate(end);
    }
}

#[inline(always)]
fn hex_block(bytes: &[u8; 16]) -> [[u8; 2]; 16] {
    let digit = |nibble: u8| nibble + b'0' + 7 * u8::from(nibble > 9);
    bytes.map(|byte| [digit(byte >> 4), digit(byte & 0x0F)])
}

/// Room for so many pairs of units at the end of a buffer: written in place, a whole field at a time.
fn pairs(count: usize, out: &mut Vec<u8>) -> &mut [[u8; 2]] {
    let start = out.len();
    out.resize(start + count * 2, 0);
    out.get_mut(start..).unwrap_or_default().as_chunks_mut().0
}

/// The value of a hexadecimal digit of either case; the letters of EBCDIC stand at the same places in
/// every code page.
pub(crate) const fn hex_value(byte: u8, ebcdic: bool) -> Option<u8> {
    match (ebcdic, byte) {
        (false, b'0'..=b'9') => Some(byte - b'0'),
        (false, b'A'..=b'F') => Some(byte - b'A' + 10),
        (false, b'a'..=b'f') => Some(byte - b'a' + 10),
        (true, 0xF0..=0xF9) => Some(byte - 0xF0),
        (true, 0xC1..=0xC6) => Some(byte - 0xC1 + 10),
        (true, 0x81..=0x86) => Some(byte - 0x81 + 10),
        _ => None,
    }
}

/// Hexadecimal text of either case, an even number of characters.
pub(crate) fn unhex(text: &[u8], ebcdic: bool, kind: Kind, out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    if !ebcdic && unhex_plainly(text, out) {
        return Ok(());
    }
    give_up(start, out);
    for (place, pair) in text.chunks(2).enumerate() {
        let mut value = 0;
        for (half, byte) in pair.iter().enumerate() {
            let got = if ebcdic { Got::byte(through(CodePage::Cp037.reading(), *byte)) } else { Got::byte(*byte) };
            let fault = Fault::new(kind, place * 2 + half, Wanted::HexDigit, got);
            value = value << 4 | hex_value(*byte, ebcdic).ok_or(fault)?;
        }
        if pair.len() < 2 {
            return Err(Fault::new(kind, place * 2, Wanted::HexDigit, Got::Nothing));
        }
        out.push(value);
    }
    Ok(())
}

/// Takes off again, wiped, what was written in vain.
fn give_up(start: usize, out: &mut Vec<u8>) {
    out.get_mut(start..).unwrap_or_default().zeroize();
    out.truncate(start);
}

/// As [`unhex`] of ASCII, all of it without a branch per byte. Whether it was right; where not, what was
/// written is to be taken off.
#[inline]
pub(crate) fn unhex_plainly(text: &[u8], out: &mut Vec<u8>) -> bool {
    let (blocks, rest) = text.as_chunks::<HEX_BLOCK>();
    let mut right = rest.len().is_multiple_of(2);
    for block in blocks {
        let (bytes, all) = unhex_block::<HEX_BLOCK, { HEX_BLOCK / 2 }>(block);
        out.extend_from_slice(&bytes);
        right &= all;
    }
    let mut last = [b'0'; HEX_BLOCK];
    last.iter_mut().zip(rest).for_each(|(room, byte)| *room = *byte);
    let (bytes, all) = unhex_block::<HEX_BLOCK, { HEX_BLOCK / 2 }>(&last);
    out.extend_from_slice(bytes.get(..rest.len() / 2).unwrap_or_default());
    right & all
}

/// The bytes of sixteen hexadecimal characters; `None` where one is no digit.
#[inline]
pub(crate) fn unhex_sixteen(text: &[u8; 16]) -> Option<[u8; 8]> {
    let (bytes, right) = unhex_block(text);
    right.then_some(bytes)
}

const HEX_BLOCK: usize = 32;

/// The bytes of hexadecimal characters, and whether all of them are digits. The compiler makes vectors of
/// both loops.
#[inline(always)]
fn unhex_block<const CHARACTERS: usize, const BYTES: usize>(text: &[u8; CHARACTERS]) -> ([u8; BYTES], bool) {
    let mut values = [0; CHARACTERS];
    let mut wrong = 0;
    for (value, byte) in values.iter_mut().zip(text) {
        let (digit, letter) = (byte.wrapping_sub(b'0'), (byte | 0x20).wrapping_sub(b'a'));
        // Exactly one of the two is in its range where this is a digit.
        let (is_digit, is_letter) = (u8::from(digit < 10), u8::from(letter < 6));
        *value = (byte & 0x0F) + 9 * is_letter;
        wrong |= 1 ^ (is_digit | is_letter);
    }
    let mut bytes = [0; BYTES];
    for (byte, [high, low]) in bytes.iter_mut().zip(values.as_chunks::<2>().0) {
        *byte = high << 4 | low;
    }
    (bytes, wrong == 0)
}

/// The digit of a half-byte. The track separator stands as D and is `=` in the content (ISO/IEC 7813).
fn digit_of(nibble: u8, content: Content) -> Option<u8> {
    match nibble {
        0..=9 => Some(b'0' + nibble),
        0x0D if content == Content::Z => Some(b'='),
        0x0A..=0x0F if content == Content::Hex => Some(b'A' + nibble - 10),
        _ => None,
    }
}

fn unpack_bcd(side: Side, fill: u8, content: Content, units: usize, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let start = out.len();
    if content.is_numeric() && unpack_plainly(side, fill, units, wire, out) {
        return Ok(());
    }
    give_up(start, out);
    let nibbles = wire.iter().enumerate().flat_map(|(at, byte)| [(at, byte >> 4), (at, byte & 0x0F)]);
    let odd = units % 2 == 1;
    let first = usize::from(odd && side == Side::Left);
    for (place, (at, nibble)) in nibbles.enumerate() {
        let filler = odd && (place < first || place == units + first);
        match digit_of(nibble, content) {
            _ if filler && nibble == fill => {}
            _ if filler => return Err(Fault::new(Kind::BadPad, at, Wanted::Nibble(fill), Got::Nibble)),
            Some(digit) => out.push(digit),
            None => return Err(Fault::new(Kind::NonDigit, at, Wanted::Digit, Got::Nibble)),
        }
    }
    Ok(())
}

/// Bytes that unpacking may write behind the content and take off again: zeros.
pub(crate) const OVERSHOOT: usize = 16;

/// Without its filler, a word of so many bytes that hold an odd number of packed digits; `None` where the
/// filler is another.
#[inline(always)]
pub(crate) fn without_filler(side: Side, fill: u8, bytes: usize, word: u64) -> Option<u64> {
    let at = if side == Side::Left { 4 } else { 8 * bytes - 8 };
    if word >> at & 0x0F == u64::from(fill) { Some(word & !(0x0F << at)) } else { None }
}

/// As unpacking of numbers, all of it without a branch per byte. Whether it was right; where not, what was
/// written is to be taken off.
#[inline(always)]
pub(crate) fn unpack_plainly(side: Side, fill: u8, units: usize, wire: &[u8], out: &mut Vec<u8>) -> bool {
    if units.is_multiple_of(2) {
        return unpack_digits(wire, out);
    }
    match (side, wire) {
        (Side::Left, [first, pairs @ ..]) if *first >> 4 == fill && *first & 0x0F <= 9 => {
            out.push(b'0' + (*first & 0x0F));
            unpack_digits(pairs, out)
        }
        (Side::Right, [pairs @ .., last]) if *last & 0x0F == fill && *last >> 4 <= 9 => {
            let right = unpack_digits(pairs, out);
            out.push(b'0' + (*last >> 4));
            right
        }
        _ => false,
    }
}

/// Two digits a byte as ASCII; whether all of them are digits.
#[inline(always)]
fn unpack_digits(packed: &[u8], out: &mut Vec<u8>) -> bool {
    let (blocks, rest) = packed.as_chunks::<4>();
    let mut right = true;
    for block in blocks {
        let (digits, all) = swar::unpack_eight(*block);
        out.extend_from_slice(&digits);
        right &= all;
    }
    let last = match rest {
        [a] => [*a, 0, 0, 0],
        [a, b] => [*a, *b, 0, 0],
        [a, b, c] => [*a, *b, *c, 0],
        _ => return right,
    };
    // Written whole and cut: a write of a length that the compiler knows is one instruction.
    let end = out.len() + rest.len() * 2;
    let (digits, all) = swar::unpack_eight(last);
    out.extend_from_slice(&digits);
    out.truncate(end);
    right & all
}

#[inline]
pub(crate) fn pack_bcd(side: Side, fill: u8, content: &[u8], out: &mut Vec<u8>) {
    // Of checked content: digits and `=` (0x3D) have their half-byte below, letters count on from 9.
    let nibble = |byte: u8| ((byte & 0x0F) + 9 * (byte >> 6)) & 0x0F;
    if content.len().is_multiple_of(2) {
        return pack_pairs(content, out);
    }
    match (side, content) {
        (Side::Left, [first, pairs @ ..]) => {
            out.push(fill << 4 | nibble(*first));
            pack_pairs(pairs, out);
        }
        (Side::Right, [pairs @ .., last]) => {
            pack_pairs(pairs, out);
            out.push(nibble(*last) << 4 | fill);
        }
        _ => {}
    }
}

/// An even number of digits. What is no whole word is written as one and cut: a write of a length that the
/// compiler knows is one instruction.
#[inline(always)]
fn pack_pairs(content: &[u8], out: &mut Vec<u8>) {
    let (blocks, rest) = content.as_chunks::<8>();
    blocks.iter().for_each(|block| out.extend_from_slice(&swar::pack_eight(*block)));
    if !rest.is_empty() {
        let end = out.len() + rest.len() / 2;
        out.extend_from_slice(&swar::pack_eight(swar::word_of(rest).to_le_bytes()));
        out.truncate(end);
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
        round_trip(right, Content::Hex, b"AB1", &[0xAB, 0x1F]);
        round_trip(Charset::SignedBcd { side: Side::Left, fill: 0 }, Content::Xn, b"D123", &[b'D', 0x01, 0x23]);
    }

    #[test]
    fn text_and_hexadecimal_stand_in_ascii_and_in_ebcdic() {
        round_trip(Charset::HexAscii, Content::B, &[0xAB, 0x01], b"AB01");
        round_trip(Charset::HexEbcdic, Content::B, &[0xAB, 0x01], &[0xC1, 0xC2, 0xF0, 0xF1]);
        round_trip(Charset::Ebcdic(CodePage::Cp037), Content::Ans, b"Ab 1", &[0xC1, 0x82, 0x40, 0xF1]);
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
        let fault = unhex(b"0G", false, Kind::BadHex, &mut Vec::new()).unwrap_err();
        assert_eq!((fault.kind, fault.at), (Kind::BadHex, 1));
    }
}
