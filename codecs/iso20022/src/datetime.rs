//! `ISODate` and `ISODateTime` (XSD `xs:date`, `xs:dateTime`; ISO 8601).

use std::fmt;

use crate::error::Content;

/// A date of the calendar. A time zone, which `xs:date` allows, is refused: a settlement date has none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(jiff::civil::Date);

impl Date {
    /// From `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Result<Self, Content> {
        civil(text.as_bytes()).map(Self).ok_or(Content::Date)
    }

    /// From year, month and day.
    pub fn new(year: i16, month: i8, day: i8) -> Result<Self, Content> {
        if !(1..=9999).contains(&year) {
            return Err(Content::Date);
        }
        jiff::civil::Date::new(year, month, day).map(Self).map_err(|_| Content::Date)
    }

    /// Year, month, day.
    pub fn parts(self) -> (i16, i8, i8) {
        (self.0.year(), self.0.month(), self.0.day())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A date and time, kept as it stands on the wire: fraction and offset are part of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DateTime(String);

impl DateTime {
    /// From `YYYY-MM-DDThh:mm:ss`, optionally a fraction of 1 to 9 digits, optionally `Z` or an offset of
    /// at most 14 hours. Hour 24 and years beyond 9999, which `xs:dateTime` has, are refused.
    pub fn parse(text: &str) -> Result<Self, Content> {
        let raw = text.as_bytes();
        let at = |from: usize, to: usize| raw.get(from..to).unwrap_or_default();
        let clock = two(at(11, 13)).is_some_and(|h| h < 24)
            && two(at(14, 16)).is_some_and(|m| m < 60)
            && two(at(17, 19)).is_some_and(|s| s < 60)
            && at(10, 11) == b"T"
            && at(13, 14) == b":"
            && at(16, 17) == b":";
        let rest = raw.get(19..).unwrap_or_default();
        let rest = match rest.split_first() {
            Some((b'.', behind)) => {
                let digits = behind.iter().take_while(|b| b.is_ascii_digit()).count();
                if !(1..=9).contains(&digits) {
                    return Err(Content::DateTime);
                }
                behind.get(digits..).unwrap_or_default()
            }
            _ => rest,
        };
        if clock && civil(at(0, 10)).is_some() && zone(rest) { Ok(Self(text.to_owned())) } else { Err(Content::DateTime) }
    }

    /// From microseconds since 1970-01-01T00:00:00Z, written in UTC with milliseconds. Times outside the
    /// years 1 to 9999 are refused.
    pub fn from_unix_micros(micros: i64) -> Result<Self, Content> {
        let at = jiff::Timestamp::from_microsecond(micros).map_err(|_| Content::DateTime)?;
        Self::parse(&format!("{at:.3}"))
    }

    /// As it stands on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Microseconds since 1970-01-01T00:00:00Z, where an offset says which instant it is.
    pub fn unix_micros(&self) -> Option<i64> {
        self.0.parse::<jiff::Timestamp>().ok().map(|at| at.as_microsecond())
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn two(raw: &[u8]) -> Option<i8> {
    match raw {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => i8::try_from((a - b'0') * 10 + (b - b'0')).ok(),
        _ => None,
    }
}

/// Exactly `YYYY-MM-DD`, year 0001 to 9999.
fn civil(raw: &[u8]) -> Option<jiff::civil::Date> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = raw else { return None };
    let year = i16::from(two(&[*y0, *y1])?) * 100 + i16::from(two(&[*y2, *y3])?);
    if year == 0 {
        return None;
    }
    jiff::civil::Date::new(year, two(&[*m0, *m1])?, two(&[*d0, *d1])?).ok()
}

fn zone(raw: &[u8]) -> bool {
    match raw {
        [] | [b'Z'] => true,
        [b'+' | b'-', h0, h1, b':', m0, m1] => match (two(&[*h0, *h1]), two(&[*m0, *m1])) {
            (Some(14), Some(0)) => true,
            (Some(hours), Some(minutes)) => hours < 14 && minutes < 60,
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_of_the_calendar() {
        assert_eq!(Date::parse("2024-02-29").unwrap().to_string(), "2024-02-29");
        for wrong in ["2023-02-29", "2024-2-29", "20240229", "2024-02-29Z", "0000-01-01", ""] {
            assert_eq!(Date::parse(wrong), Err(Content::Date), "{wrong}");
        }
    }

    #[test]
    fn times_keep_their_offset() {
        for right in
            ["2026-11-21T01:30:00", "2026-11-21T01:30:00Z", "2026-11-21T01:30:00.123456-05:00", "2026-11-21T01:30:00+14:00"]
        {
            assert_eq!(DateTime::parse(right).unwrap().as_str(), right);
        }
        for wrong in [
            "2026-11-21",
            "2026-11-21T24:00:00",
            "2026-11-21T01:30:00.",
            "2026-11-21T01:30:00+15:00",
            "2026-11-21T01:30:00+14:01",
            "2026-11-21 01:30:00",
        ] {
            assert_eq!(DateTime::parse(wrong), Err(Content::DateTime), "{wrong}");
        }
    }

    #[test]
    fn instants_go_there_and_back() {
        let at = DateTime::from_unix_micros(1_795_224_600_123_000).unwrap();
        assert_eq!(at.as_str(), "2026-11-21T01:30:00.123Z");
        assert_eq!(at.unix_micros(), Some(1_795_224_600_123_000));
        assert_eq!(DateTime::parse("2026-11-21T01:30:00").unwrap().unix_micros(), None);
    }
}
