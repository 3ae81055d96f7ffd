//! The two writers: each content checked as the codec checks it, then written behind the one before.

use super::checks::{digits, letters_or_digits, month_day, printable, time, track, trimmed};
use super::read::BITMAP;
use super::{Refused, tlv};
use crate::bench::codec::sample::FIELDS;

/// The contents in ascending order of fields, canonical: digits and text in ASCII, bytes as they are.
pub type Contents<'a> = [&'a [u8]; FIELDS];

/// Writes layout A behind what `out` holds.
///
/// # Errors
/// Where a content is not of its class or too long; what was written before it then stands in `out`.
#[inline(never)]
pub fn write_ascii(mti: &[u8; 4], contents: &Contents<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
    check(mti, contents, out)?;
    out.extend_from_slice(mti);
    hex_of(&BITMAP.to_be_bytes(), out);
    for (nth, content) in contents.iter().enumerate() {
        match nth {
            0 | 11 | 12 => {
                out.extend_from_slice(&places::<2>(content.len()));
                out.extend_from_slice(content);
            }
            13 => padded::<12>(content, out),
            14 => padded::<8>(content, out),
            15 => padded::<15>(content, out),
            16 => padded::<40>(content, out),
            18 => hex_of(content, out),
            19 => {
                out.extend_from_slice(&places::<3>(content.len() * 2));
                hex_of(content, out);
            }
            _ => out.extend_from_slice(content),
        }
    }
    Ok(())
}

/// Writes layout B behind what `out` holds.
///
/// # Errors
/// As [`write_ascii`].
#[inline(never)]
pub fn write_packed(mti: &[u8; 4], contents: &Contents<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
    check(mti, contents, out)?;
    pack(mti, out);
    out.extend_from_slice(&BITMAP.to_be_bytes());
    for (nth, content) in contents.iter().enumerate() {
        match nth {
            0 | 11 => {
                out.push(two(content.len()));
                pack(content, out);
            }
            12 => {
                out.push(two(content.len()));
                out.extend_from_slice(content);
            }
            13 => padded::<12>(content, out),
            14 => padded::<8>(content, out),
            15 => padded::<15>(content, out),
            16 => padded::<40>(content, out),
            18 => out.extend_from_slice(content),
            19 => {
                out.extend_from_slice(&[two(content.len() / 100), two(content.len() % 100)]);
                out.extend_from_slice(content);
            }
            _ => pack(content, out),
        }
    }
    Ok(())
}

/// The contents are the same in both layouts, and so are their checks.
#[inline(always)]
fn check(mti: &[u8; 4], contents: &Contents<'_>, out: &[u8]) -> Result<(), Refused> {
    let [pan, code, amount, sent, stan, at, on, expiry, merchant, entry, condition, acquirer, track_2, rrn, rest @ ..] = contents;
    let [terminal, acceptor, name, currency, pin, chip] = rest;
    let is = |field: u8, right: bool| if right { Ok(()) } else { Err(Refused { field, offset: out.len() }) };
    is(0, digits(mti))?;
    is(2, pan.len() <= 19 && digits(pan))?;
    is(3, fixed::<6>(code).is_some_and(|code| digits(code)))?;
    is(4, fixed::<12>(amount).is_some_and(|amount| digits(amount)))?;
    let moment = |moment: &[u8; 10]| {
        let [m1, m2, d1, d2, time_of_day @ ..] = *moment;
        digits(moment) && month_day([m1, m2, d1, d2]) && time(time_of_day)
    };
    is(7, fixed::<10>(sent).is_some_and(moment))?;
    is(11, fixed::<6>(stan).is_some_and(|stan| digits(stan)))?;
    is(12, fixed::<6>(at).is_some_and(|at| digits(at) && time(*at)))?;
    is(13, fixed::<4>(on).is_some_and(|on| digits(on) && month_day(*on)))?;
    is(14, fixed::<4>(expiry).is_some_and(|expiry| digits(expiry)))?;
    is(18, fixed::<4>(merchant).is_some_and(|merchant| digits(merchant)))?;
    is(22, fixed::<3>(entry).is_some_and(|entry| digits(entry)))?;
    is(25, fixed::<2>(condition).is_some_and(|condition| digits(condition)))?;
    is(32, acquirer.len() <= 11 && digits(acquirer))?;
    is(35, track_2.len() <= 37 && track(track_2))?;
    is(37, text::<12>(rrn, letters_or_digits))?;
    is(41, text::<8>(terminal, printable))?;
    is(42, text::<15>(acceptor, printable))?;
    is(43, text::<40>(name, printable))?;
    is(49, fixed::<3>(currency).is_some_and(|currency| digits(currency)))?;
    is(52, pin.len() == 8)?;
    is(55, chip.len() <= 255 && tlv::well_formed(chip))
}

#[inline(always)]
fn fixed<'a, const N: usize>(content: &&'a [u8]) -> Option<&'a [u8; N]> {
    (*content).try_into().ok()
}

/// Whether text of at most this length is right.
#[inline(always)]
fn text<const N: usize>(content: &[u8], right: impl Fn(&[u8]) -> bool) -> bool {
    let content = trimmed(content);
    content.len() <= N && right(content)
}

/// Text with the blanks that fill its length.
#[inline(always)]
fn padded<const N: usize>(content: &[u8], out: &mut Vec<u8>) {
    let end = out.len() + N;
    out.extend_from_slice(trimmed(content));
    out.resize(end, b' ');
}

/// The last digits of a number.
#[inline(always)]
fn places<const N: usize>(number: usize) -> [u8; N] {
    let mut left = number;
    let mut text = [b'0'; N];
    for digit in text.iter_mut().rev() {
        *digit += (left % 10) as u8;
        left /= 10;
    }
    text
}

/// Two digits packed.
#[inline(always)]
fn two(number: usize) -> u8 {
    (((number / 10) << 4) | (number % 10)) as u8
}

/// Digits packed two a byte; of an odd number the first has a zero in front.
#[inline(always)]
fn pack(digits: &[u8], out: &mut Vec<u8>) {
    let (lone, pairs) = digits.as_rchunks::<2>();
    out.extend(lone.iter().map(|digit| digit & 0x0F));
    out.extend(pairs.iter().map(|[high, low]| high << 4 | low & 0x0F));
}

/// Upper-case hexadecimal text.
#[inline(always)]
fn hex_of(bytes: &[u8], out: &mut Vec<u8>) {
    let digit = |value: u8| value + b'0' + if value > 9 { 7 } else { 0 };
    let start = out.len();
    out.resize(start + bytes.len() * 2, 0);
    let pairs = out.get_mut(start..).unwrap_or_default().as_chunks_mut::<2>().0;
    for (pair, byte) in pairs.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 0x0F)];
    }
}
