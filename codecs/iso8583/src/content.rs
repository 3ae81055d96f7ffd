//! Content classes: which characters may stand in a field, one pass over them.

use crate::error::{Fault, Got, Kind, Wanted};
use crate::field::{Content, Date, Shape};
use crate::tlv;

/// Checks canonical content; the fault's position counts in it.
pub(crate) fn check(content: Content, shape: Shape, value: &[u8]) -> Result<(), Fault> {
    match content {
        Content::N => first_not(value, u8::is_ascii_digit, Kind::NonDigit, Wanted::Digit)?,
        Content::A => first_not(value, u8::is_ascii_alphabetic, Kind::BadChar, Wanted::Letter)?,
        Content::An => first_not(value, u8::is_ascii_alphanumeric, Kind::BadChar, Wanted::LetterOrDigit)?,
        Content::Ans => first_not(value, |byte| (0x20..=0x7E).contains(byte), Kind::BadChar, Wanted::Printable)?,
        Content::Z => {
            first_not(value, |byte| byte.is_ascii_digit() || matches!(byte, b'=' | b'D'), Kind::BadChar, Wanted::Track)?;
        }
        Content::B => {}
        Content::Xn => signed(value)?,
        Content::MonthDayTime | Content::Time | Content::MonthDay | Content::YearMonth | Content::YearMonthDay => {
            first_not(value, u8::is_ascii_digit, Kind::NonDigit, Wanted::Digit)?;
            date(content, value)?;
        }
    }
    match shape {
        Shape::Plain => Ok(()),
        Shape::BerTlv => tlv::check(value).map_err(|error| Fault {
            kind: error.kind,
            at: error.offset,
            wanted: Wanted::DataObject,
            got: Got::Bytes(value.len().saturating_sub(error.offset)),
        }),
    }
}

fn first_not(value: &[u8], right: impl Fn(&u8) -> bool, kind: Kind, wanted: Wanted) -> Result<(), Fault> {
    // The whole field is checked without a branch per byte first; only a bad one is searched.
    if value.iter().fold(true, |all, byte| all & right(byte)) {
        return Ok(());
    }
    match value.iter().enumerate().find(|(_, byte)| !right(byte)) {
        Some((at, byte)) => Err(Fault { kind, at, wanted, got: Got::byte(*byte) }),
        None => Ok(()),
    }
}

/// `C` or `D`, then at least one digit.
fn signed(value: &[u8]) -> Result<(), Fault> {
    match value.split_first() {
        Some((b'C' | b'D', digits)) => first_not(digits, u8::is_ascii_digit, Kind::NonDigit, Wanted::Digit)
            .map_err(|fault| Fault { at: fault.at + 1, ..fault }),
        Some((byte, _)) => Err(Fault { kind: Kind::BadSign, at: 0, wanted: Wanted::Sign, got: Got::byte(*byte) }),
        None => Err(Fault { kind: Kind::BadSign, at: 0, wanted: Wanted::Sign, got: Got::Nothing }),
    }
}

/// The digits are known to be digits; the length is the form's, by the check of the spec.
fn date(content: Content, value: &[u8]) -> Result<(), Fault> {
    let mut month = 0;
    for (place, (part, digits)) in content.date_parts().iter().zip(value.chunks(2)).enumerate() {
        let number = digits.iter().fold(0u8, |sum, digit| sum.wrapping_mul(10).wrapping_add(digit.wrapping_sub(b'0')));
        let right = match part {
            Date::Year => true,
            Date::Month => {
                month = number;
                (1..=12).contains(&number)
            }
            Date::Day => (1..=days(month)).contains(&number),
            Date::Hour => number < 24,
            Date::Minute | Date::Second => number < 60,
        };
        if !right {
            let wanted = Wanted::Date(content.as_str());
            return Err(Fault { kind: Kind::BadDate, at: place * 2, wanted, got: Got::OutOfRange });
        }
    }
    Ok(())
}

fn days(month: u8) -> u8 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_at(content: Content, value: &[u8]) -> Option<(Kind, usize)> {
        check(content, Shape::Plain, value).err().map(|fault| (fault.kind, fault.at))
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
    }
}
