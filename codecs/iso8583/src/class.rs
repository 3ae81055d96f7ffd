//! Content classes of ISO 8583: which characters may stand in a field, and the dates and times.

use serde::Deserialize;

/// Content classes of ISO 8583, and the dates and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Content {
    /// Digits.
    #[serde(rename = "n")]
    N,
    /// Letters.
    #[serde(rename = "a")]
    A,
    /// Letters and digits.
    #[serde(rename = "an")]
    An,
    /// Printable ASCII, 0x20 to 0x7E.
    #[serde(rename = "ans")]
    Ans,
    /// Track 2 or 3: digits and the separator `=` or `D` (ISO/IEC 7813, 4909).
    #[serde(rename = "z")]
    Z,
    /// Track 1: the 64 characters 0x20 to 0x5F (ISO/IEC 7811-6).
    #[serde(rename = "track1")]
    Track1,
    /// Bytes.
    #[serde(rename = "b")]
    B,
    /// Text made of hexadecimal digits, which is the content itself (other than content `b` in
    /// charset hex-ascii, whose content is the bytes).
    #[serde(rename = "hex")]
    Hex,
    /// `C` or `D`, then digits; the sign counts in the length.
    #[serde(rename = "x+n")]
    Xn,
    /// `MMDDhhmmss`.
    #[serde(rename = "MMDDhhmmss")]
    MonthDayTime,
    /// `hhmmss`.
    #[serde(rename = "hhmmss")]
    Time,
    /// `MMDD`.
    #[serde(rename = "MMDD")]
    MonthDay,
    /// `YYMM`.
    #[serde(rename = "YYMM")]
    YearMonth,
    /// `YYMMDD`.
    #[serde(rename = "YYMMDD")]
    YearMonthDay,
    /// `YYMMDDhhmmss`.
    #[serde(rename = "YYMMDDhhmmss")]
    DateTime,
    /// `CCYYMM`.
    #[serde(rename = "CCYYMM")]
    CenturyYearMonth,
    /// `CCYYMMDD`.
    #[serde(rename = "CCYYMMDD")]
    CenturyDate,
    /// `CCYYMMDDhhmmss`.
    #[serde(rename = "CCYYMMDDhhmmss")]
    CenturyDateTime,
}

/// A part of a date or time that a content class is made of, two digits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    /// 00 to 99.
    Century,
    /// 00 to 99.
    Year,
    /// 01 to 12.
    Month,
    /// 01 to the month's last; 29 February is always possible where there is no century.
    Day,
    /// 00 to 23.
    Hour,
    /// 00 to 59.
    Minute,
    /// 00 to 59.
    Second,
}

impl Content {
    /// Every class, in the order of the documentation.
    pub const ALL: [Self; 18] = [
        Self::N,
        Self::A,
        Self::An,
        Self::Ans,
        Self::Z,
        Self::Track1,
        Self::B,
        Self::Hex,
        Self::Xn,
        Self::MonthDayTime,
        Self::Time,
        Self::MonthDay,
        Self::YearMonth,
        Self::YearMonthDay,
        Self::DateTime,
        Self::CenturyYearMonth,
        Self::CenturyDate,
        Self::CenturyDateTime,
    ];

    /// As specs and ISO 8583 write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::N => "n",
            Self::A => "a",
            Self::An => "an",
            Self::Ans => "ans",
            Self::Z => "z",
            Self::Track1 => "track1",
            Self::B => "b",
            Self::Hex => "hex",
            Self::Xn => "x+n",
            Self::MonthDayTime => "MMDDhhmmss",
            Self::Time => "hhmmss",
            Self::MonthDay => "MMDD",
            Self::YearMonth => "YYMM",
            Self::YearMonthDay => "YYMMDD",
            Self::DateTime => "YYMMDDhhmmss",
            Self::CenturyYearMonth => "CCYYMM",
            Self::CenturyDate => "CCYYMMDD",
            Self::CenturyDateTime => "CCYYMMDDhhmmss",
        }
    }

    /// The two-digit parts of a date or time; empty for the other classes.
    pub fn date_parts(self) -> &'static [Date] {
        use Date::{Century, Day, Hour, Minute, Month, Second, Year};
        match self {
            Self::MonthDayTime => &[Month, Day, Hour, Minute, Second],
            Self::Time => &[Hour, Minute, Second],
            Self::MonthDay => &[Month, Day],
            Self::YearMonth => &[Year, Month],
            Self::YearMonthDay => &[Year, Month, Day],
            Self::DateTime => &[Year, Month, Day, Hour, Minute, Second],
            Self::CenturyYearMonth => &[Century, Year, Month],
            Self::CenturyDate => &[Century, Year, Month, Day],
            Self::CenturyDateTime => &[Century, Year, Month, Day, Hour, Minute, Second],
            _ => &[],
        }
    }

    /// Whether it is made of digits alone.
    pub fn is_numeric(self) -> bool {
        self == Self::N || !self.date_parts().is_empty()
    }
}
