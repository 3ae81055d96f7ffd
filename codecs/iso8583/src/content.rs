//! Content classes: which characters may stand in a field, one pass over them.

use crate::class::{Content, Date};
use crate::error::{Fault, Got, Kind, Wanted};
use crate::swar;

/// Whether canonical content is of its class, where that can be told quickly: without a branch a byte,
/// for the classes and dates that nearly every message has. `false` says nothing; [`check`] decides.
#[inline(always)]
pub(crate) fn is_plainly_right(content: Content, value: &[u8]) -> bool {
    match content {
        Content::N => swar::all_digits(value),
        Content::Ans => swar::all_printable(value),
        Content::An => all(value, |byte| digit(byte) | ((byte | 0x20).wrapping_sub(b'a') < 26)),
        Content::Z => all(value, |byte| digit(byte) | (byte == b'=') | (byte == b'D')),
        Content::B => true,
        Content::Time | Content::MonthDay | Content::MonthDayTime => swar::all_digits(value) && is_plainly_a_date(content, value),
        _ => false,
    }
}

/// As [`is_plainly_right`] of a date or time whose digits are known to be digits.
#[inline(always)]
pub(crate) fn is_plainly_a_date(content: Content, value: &[u8]) -> bool {
    let two = |tens: &u8, ones: &u8| (tens & 0x0F) * 10 + (ones & 0x0F);
    let day = |month: u8, day: u8| (1..=12).contains(&month) && (1..=days(month, None)).contains(&day);
    let time = |hour, minute, second| (hour < 24) & (minute < 60) & (second < 60);
    match (content, value) {
        (Content::Time, [h1, h2, m1, m2, s1, s2]) => time(two(h1, h2), two(m1, m2), two(s1, s2)),
        (Content::MonthDay, [m1, m2, d1, d2]) => day(two(m1, m2), two(d1, d2)),
        (Content::MonthDayTime, [m1, m2, d1, d2, h1, h2, n1, n2, s1, s2]) => {
            day(two(m1, m2), two(d1, d2)) && time(two(h1, h2), two(n1, n2), two(s1, s2))
        }
        _ => false,
    }
}

/// As [`is_plainly_a_date`] of so many digits that are packed, from the first byte of a word on. Packed digits
/// are in the order of the numbers that they are.
#[inline(always)]
pub(crate) fn is_plainly_a_packed_date(content: Content, units: u32, packed: u64) -> bool {
    let day = |month: u8, day: u8| (day > 0) & PACKED_LAST_DAYS.get(usize::from(month)).is_some_and(|last| day <= *last);
    let time = |hour, minute, second| (hour < 0x24) & (minute < 0x60) & (second < 0x60);
    match (content, units, packed.to_le_bytes()) {
        (Content::Time, 6, [hour, minute, second, ..]) => time(hour, minute, second),
        (Content::MonthDay, 4, [m, d, ..]) => day(m, d),
        (Content::MonthDayTime, 10, [m, d, hour, minute, second, ..]) => day(m, d) & time(hour, minute, second),
        _ => false,
    }
}

/// The last day of a packed month, packed; of what is no month, no day.
const PACKED_LAST_DAYS: [u8; 0x13] = {
    let mut last = [0; 0x13];
    let mut month = 1;
    while month <= 12 {
        let days = days(month, None);
        last[(((month / 10) << 4) | (month % 10)) as usize] = ((days / 10) << 4) | (days % 10);
        month += 1;
    }
    last
};

#[inline]
fn digit(byte: u8) -> bool {
    byte.wrapping_sub(b'0') < 10
}

/// Sixteen bytes at a time, which the compiler makes one comparison of.
#[inline]
fn all(value: &[u8], right: impl Fn(u8) -> bool) -> bool {
    let block = |block: &[u8; 16]| block.iter().fold(true, |all, byte| all & right(*byte));
    let half = |block: &[u8; 8]| block.iter().fold(true, |all, byte| all & right(*byte));
    // What overlaps is looked at twice.
    match (value.last_chunk::<16>(), value.first_chunk::<8>(), value.last_chunk::<8>()) {
        (Some(last), ..) => value.as_chunks::<16>().0.iter().fold(true, |all, sixteen| all & block(sixteen)) & block(last),
        (_, Some(first), Some(last)) => half(first) & half(last),
        _ => value.iter().fold(true, |all, byte| all & right(*byte)),
    }
}

/// Checks canonical content; the fault's position counts in it.
pub(crate) fn check(content: Content, value: &[u8]) -> Result<(), Fault> {
    if is_plainly_right(content, value) {
        return Ok(());
    }
    match content {
        Content::N => digits(value),
        Content::A => of_class(value, LETTER, Kind::BadChar, Wanted::Letter),
        Content::An => of_class(value, LETTER | DIGIT, Kind::BadChar, Wanted::LetterOrDigit),
        Content::Ans => first_not(value, |byte| (0x20..=0x7E).contains(byte), Kind::BadChar, Wanted::Printable),
        Content::Track1 => of_class(value, TRACK1, Kind::BadChar, Wanted::Printable),
        Content::Hex => of_class(value, DIGIT | HEX_LETTER, Kind::BadHex, Wanted::HexDigit),
        Content::Z => of_class(value, DIGIT | SEPARATOR, Kind::BadChar, Wanted::Track),
        Content::B => Ok(()),
        Content::Xn => signed(value),
        dated => digits(value).and_then(|()| date(dated, value)),
    }
}

fn digits(value: &[u8]) -> Result<(), Fault> {
    first_not(value, u8::is_ascii_digit, Kind::NonDigit, Wanted::Digit)
}

const LETTER: u8 = 1;
const DIGIT: u8 = 2;
const SEPARATOR: u8 = 4;
const HEX_LETTER: u8 = 8;
const TRACK1: u8 = 16;

/// The classes of each byte.
const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte: u8 = 0;
    while byte < 0x80 {
        let class = &mut table[byte as usize];
        *class |= if byte.is_ascii_alphabetic() { LETTER } else { 0 };
        *class |= if byte.is_ascii_digit() { DIGIT } else { 0 };
        *class |= if byte == b'=' || byte == b'D' { SEPARATOR } else { 0 };
        *class |= if byte.is_ascii_hexdigit() && !byte.is_ascii_digit() { HEX_LETTER } else { 0 };
        *class |= if byte >= 0x20 && byte <= 0x5F { TRACK1 } else { 0 };
        byte += 1;
    }
    table
};

fn of_class(value: &[u8], classes: u8, kind: Kind, wanted: Wanted) -> Result<(), Fault> {
    let right = |byte: &u8| CLASSES.get(usize::from(*byte)).is_some_and(|class| class & classes != 0);
    first_not(value, right, kind, wanted)
}

fn first_not(value: &[u8], right: impl Fn(&u8) -> bool, kind: Kind, wanted: Wanted) -> Result<(), Fault> {
    match value.iter().enumerate().find(|(_, byte)| !right(byte)) {
        Some((at, byte)) => Err(Fault::new(kind, at, wanted, Got::byte(*byte))),
        None => Ok(()),
    }
}

/// `C` or `D`, then digits.
fn signed(value: &[u8]) -> Result<(), Fault> {
    match value.split_first() {
        Some((b'C' | b'D', rest)) => digits(rest).map_err(|fault| Fault { at: fault.at + 1, ..fault }),
        Some((byte, _)) => Err(Fault::new(Kind::BadSign, 0, Wanted::Sign, Got::byte(*byte))),
        None => Err(Fault::new(Kind::BadSign, 0, Wanted::Sign, Got::Nothing)),
    }
}

/// Checks a date or time whose digits are known to be digits; its length is the form's, by the check
/// of the spec.
pub(crate) fn date(content: Content, value: &[u8]) -> Result<(), Fault> {
    let (mut century, mut year, mut month) = (None, 0, 0);
    for (place, (part, digits)) in content.date_parts().iter().zip(value.chunks(2)).enumerate() {
        let number = digits.iter().fold(0u8, |sum, digit| sum.wrapping_mul(10).wrapping_add(digit.wrapping_sub(b'0')));
        let right = match part {
            Date::Century => {
                century = Some(u16::from(number));
                true
            }
            Date::Year => {
                year = u16::from(number);
                true
            }
            Date::Month => {
                month = number;
                (1..=12).contains(&number)
            }
            Date::Day => (1..=days(month, century.map(|century| century * 100 + year))).contains(&number),
            Date::Hour => number < 24,
            Date::Minute | Date::Second => number < 60,
        };
        if !right {
            let wanted = Wanted::Date(content.as_str());
            return Err(Fault::new(Kind::BadDate, place * 2, wanted, Got::OutOfRange));
        }
    }
    Ok(())
}

/// Days of a month; the year decides only where its century is known.
const fn days(month: u8, year: Option<u16>) -> u8 {
    match (month, year) {
        (2, Some(year)) if !year.is_multiple_of(4) || year.is_multiple_of(100) && !year.is_multiple_of(400) => 28,
        (2, _) => 29,
        (4 | 6 | 9 | 11, _) => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_at(content: Content, value: &[u8]) -> Option<(Kind, usize)> {
        check(content, value).err().map(|fault| (fault.kind, fault.at))
    }

    #[test]
    fn every_class_refuses_the_first_wrong_character() {
        assert_eq!(kind_at(Content::N, b"12a4b"), Some((Kind::NonDigit, 2)));
        assert_eq!(kind_at(Content::A, b"ab1"), Some((Kind::BadChar, 2)));
        assert_eq!(kind_at(Content::An, b"A1 2"), Some((Kind::BadChar, 2)));
        assert_eq!(kind_at(Content::Ans, b"A\x00"), Some((Kind::BadChar, 1)));
        assert_eq!(kind_at(Content::Ans, b"caf\xE9"), Some((Kind::BadChar, 3)));
        assert_eq!(kind_at(Content::Z, b"12=3?"), Some((Kind::BadChar, 4)));
        assert_eq!(kind_at(Content::Xn, b"+1"), Some((Kind::BadSign, 0)));
        assert_eq!(kind_at(Content::Xn, b"D1x"), Some((Kind::NonDigit, 2)));
        assert_eq!(kind_at(Content::Xn, b"C00000100"), None);
        assert_eq!(kind_at(Content::Z, b"4761739001010119=2712D"), None);
    }

    #[test]
    fn dates_and_times_must_exist() {
        assert_eq!(kind_at(Content::MonthDayTime, b"0229235959"), None);
        assert_eq!(kind_at(Content::MonthDayTime, b"0230235959"), Some((Kind::BadDate, 2)));
        assert_eq!(kind_at(Content::Time, b"240000"), Some((Kind::BadDate, 0)));
        assert_eq!(kind_at(Content::YearMonth, b"2713"), Some((Kind::BadDate, 2)));
        assert_eq!(kind_at(Content::YearMonthDay, b"991231"), None);
        assert_eq!(kind_at(Content::DateTime, b"260229000060"), Some((Kind::BadDate, 10)));
        assert_eq!(kind_at(Content::CenturyDate, b"20240229"), None);
        assert_eq!(kind_at(Content::CenturyDate, b"21000229"), Some((Kind::BadDate, 6)));
        assert_eq!(kind_at(Content::Hex, b"0aFg"), Some((Kind::BadHex, 3)));
    }
}
