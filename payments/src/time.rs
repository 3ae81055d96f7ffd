//! Times. Nobody here asks what time it is: [`Now`] comes in as an argument.

use std::fmt;
use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::text::{Text, TextError, digits};

/// Monotonic time in nanoseconds since an origin that the shell chose. Timers run on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// This much later; saturates.
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Time since `earlier`, zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Mono {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}us", self.0 / 1000)
    }
}

/// Wall-clock time, microseconds since 1970-01-01T00:00:00Z. For dates and DE7; never to order by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Wall(pub i64);

impl Wall {
    /// This much later; saturates.
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)))
    }

    /// Milliseconds since 1970, as UUID version 7 wants them.
    pub fn unix_ms(self) -> u64 {
        u64::try_from(self.0 / 1000).unwrap_or(0)
    }

    fn civil(self) -> jiff::civil::DateTime {
        jiff::Timestamp::from_microsecond(self.0)
            .map(|at| jiff::tz::Offset::UTC.to_datetime(at))
            .unwrap_or(jiff::civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0))
    }

    /// The UTC date.
    pub fn date(self) -> BusinessDate {
        BusinessDate(self.civil().date())
    }

    /// DE7, `MMDDhhmmss` in UTC.
    pub fn transmission(self) -> TransmissionTime {
        let at = self.civil();
        let text = format!("{:02}{:02}{:02}{:02}{:02}", at.month(), at.day(), at.hour(), at.minute(), at.second());
        TransmissionTime(Text::new(&text).unwrap_or_default())
    }

    /// The year in which a month is nearest to this time: for dates that came without one.
    pub fn year_of(self, month: i8) -> i16 {
        let now = self.civil();
        match now.month() - month {
            ..-6 => now.year() - 1,
            7.. => now.year() + 1,
            _ => now.year(),
        }
    }

    /// DE12 and DE13 (`hhmmss`, `MMDD`) in UTC.
    pub fn local(self) -> LocalDateTime {
        let at = self.civil();
        let text = format!("{:02}{:02}{:02}{:02}{:02}", at.month(), at.day(), at.hour(), at.minute(), at.second());
        LocalDateTime(Text::new(&text).unwrap_or_default())
    }
}

/// RFC 3339 in UTC with microseconds.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(at) => write!(f, "{at:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Both clocks at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For timers and deadlines.
    pub mono: Mono,
    /// For dates, DE7 and what people read.
    pub wall: Wall,
}

/// A business day: the day that a cut-over opened (written `YYYY-MM-DD`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BusinessDate(Date);

impl BusinessDate {
    /// From `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        text.parse().map(Self).map_err(|_| TextError::OutOfRange)
    }

    /// From year, month and day.
    pub fn new(year: i16, month: i8, day: i8) -> Result<Self, TextError> {
        Date::new(year, month, day).map(Self).map_err(|_| TextError::OutOfRange)
    }

    /// From days since 1970-01-01, the form in which it is stored.
    pub fn from_days(days: i32) -> Result<Self, TextError> {
        let span = jiff::Span::new().try_days(days).map_err(|_| TextError::OutOfRange)?;
        Date::constant(1970, 1, 1).checked_add(span).map(Self).map_err(|_| TextError::OutOfRange)
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i32 {
        self.0.since(Date::constant(1970, 1, 1)).map_or(0, |span| span.get_days())
    }

    /// The day after.
    pub fn next(self) -> Self {
        self.0.tomorrow().map_or(self, Self)
    }

    /// Year, month, day.
    pub fn parts(self) -> (i16, i8, i8) {
        (self.0.year(), self.0.month(), self.0.day())
    }

    /// Day of the year, 1 to 366.
    pub fn day_of_year(self) -> i16 {
        self.0.day_of_year()
    }
}

impl fmt::Debug for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for BusinessDate {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BusinessDate {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// DE7, transmission date and time `MMDDhhmmss`. It has no year and many devices make a new one for
/// a repeat, so it identifies nothing unless a link declares it stable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransmissionTime(Text<10>);

impl TransmissionTime {
    /// From ten ASCII digits that are a date and a time.
    pub fn parse(raw: &[u8]) -> Result<Self, TextError> {
        month_day_time(raw).map(Self)
    }

    /// The ten digits.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for TransmissionTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Local transaction date and time: DE13 `MMDD` and DE12 `hhmmss`, set by the terminal once and kept
/// for the life of the transaction, so it is part of the claim key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalDateTime(Text<10>);

impl LocalDateTime {
    /// From DE12 (`hhmmss`) and DE13 (`MMDD`).
    pub fn parse(time: &[u8], date: &[u8]) -> Result<Self, TextError> {
        let mut joined = [b'0'; 10];
        if date.len() != 4 || time.len() != 6 {
            return Err(TextError::Length { got: date.len() + time.len(), want: 10 });
        }
        joined.iter_mut().zip(date.iter().chain(time)).for_each(|(room, byte)| *room = *byte);
        month_day_time(&joined).map(Self)
    }

    /// DE12, `hhmmss`.
    pub fn time(&self) -> &str {
        self.0.as_str().get(4..).unwrap_or_default()
    }

    /// DE13, `MMDD`.
    pub fn date(&self) -> &str {
        self.0.as_str().get(..4).unwrap_or_default()
    }
}

impl fmt::Debug for LocalDateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Checks `MMDDhhmmss`. Without a year 29 February is possible.
fn month_day_time(raw: &[u8]) -> Result<Text<10>, TextError> {
    if raw.len() != 10 {
        return Err(TextError::Length { got: raw.len(), want: 10 });
    }
    digits(raw)?;
    let two = |at: usize| raw.get(at..at + 2).and_then(|d| std::str::from_utf8(d).ok()?.parse::<i8>().ok()).unwrap_or(99);
    let date = Date::new(2024, two(0), two(2));
    if date.is_err() || two(4) > 23 || two(6) > 59 || two(8) > 59 {
        return Err(TextError::OutOfRange);
    }
    Text::from_bytes(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        assert!(TransmissionTime::parse(b"0229235959").is_ok());
        assert_eq!(TransmissionTime::parse(b"0230000000"), Err(TextError::OutOfRange));
        assert_eq!(LocalDateTime::parse(b"240000", b"0101"), Err(TextError::OutOfRange));
    }

    #[test]
    fn business_dates_count_days() {
        let date = BusinessDate::parse("2026-11-21").unwrap();
        assert_eq!(BusinessDate::from_days(date.days()).unwrap(), date);
        assert_eq!(date.next().to_string(), "2026-11-22");
    }

    #[test]
    fn wall_time_gives_de7() {
        assert_eq!(Wall(0).transmission().as_str(), "0101000000");
        assert_eq!(Wall(1_500_000).local().time(), "000001");
    }
}
