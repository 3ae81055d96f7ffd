//! What a field is: length × charset × padding × content × shape, and how it is treated.
//! Small orthogonal enums; a new dialect is a new combination, not new code.

use serde::Deserialize;

/// One data element of a [`crate::Spec`], checked and ready to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub(crate) number: u8,
    pub(crate) name: String,
    pub(crate) length: Length,
    pub(crate) charset: Charset,
    pub(crate) pad: Pad,
    pub(crate) content: Content,
    pub(crate) shape: Shape,
    pub(crate) sensitivity: Sensitivity,
    pub(crate) severity: Severity,
    pub(crate) mac: bool,
}

impl Field {
    /// Data element number, 2 to 128.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long its content is, in characters, digits or (content `b`) bytes.
    pub fn length(&self) -> Length {
        self.length
    }

    /// How the content stands on the wire.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// What fills a fixed length.
    pub fn pad(&self) -> Pad {
        self.pad
    }

    /// Which characters may stand in it.
    pub fn content(&self) -> Content {
        self.content
    }

    /// Whether the content has a structure of its own.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// What may be shown of it.
    pub fn sensitivity(&self) -> Sensitivity {
        self.sensitivity
    }

    /// What a fault of its content means.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Whether it is the message authentication code, which covers every byte before it.
    pub fn is_mac(&self) -> bool {
        self.mac
    }

    /// The form as ISO 8583 writes it: `n 6`, `ans..25 LL`, `b 8`.
    pub fn form(&self) -> String {
        let class = self.content.as_str();
        match self.length {
            Length::Fixed(length) => format!("{class} {length}"),
            Length::Variable { max, prefix } => format!("{class}..{max} {}", "L".repeat(usize::from(prefix.digits))),
        }
    }
}

/// Length of the content in its own units: digits, characters, or bytes for content `b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Always this many.
    Fixed(u16),
    /// A prefix says how many, up to `max`.
    Variable {
        /// The most that may stand.
        max: u16,
        /// The prefix.
        prefix: Prefix,
    },
}

impl Length {
    /// The most units that may stand.
    pub fn max(self) -> u16 {
        match self {
            Self::Fixed(length) => length,
            Self::Variable { max, .. } => max,
        }
    }
}

/// A length prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Decimal digits of the largest number, 1 to 4 (LL = 2).
    pub digits: u8,
    /// How the number is written.
    pub form: PrefixForm,
    /// What it counts.
    pub counts: Counts,
}

/// How a length prefix is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixForm {
    /// ASCII digits.
    Ascii,
    /// Packed decimal, two digits a byte, zero-filled on the left.
    Bcd,
    /// Big-endian binary: one byte for up to 2 digits, else two.
    Binary,
}

/// What a length prefix counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// Units of the content: digits, characters, bytes of the value.
    Content,
    /// Bytes on the wire: 2 per binary byte in hex text, one per two BCD digits.
    Bytes,
}

/// How content stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// One ASCII character per unit.
    Ascii,
    /// Two digits a byte; where their number is odd, `side` gets the nibble `fill`.
    Bcd {
        /// Where the fill nibble of an odd number of digits stands.
        side: Side,
        /// Its value, 0 to 15.
        fill: u8,
    },
    /// Raw bytes.
    Binary,
    /// Two ASCII hexadecimal characters a byte, written in upper case.
    HexAscii,
}

/// A side to pad on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Before the content.
    Left,
    /// After the content.
    Right,
}

/// What fills a fixed length that the content is shorter than.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pad {
    /// Nothing: the content must be exactly as long.
    None,
    /// Blanks on the right. They are not part of the value: decoding takes them off.
    Blanks,
    /// Zeros on the left. Decoding keeps them: the digits of a STAN are six.
    Zeros,
}

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
    /// Track 2: digits and the separator `=` or `D` (ISO/IEC 7813).
    #[serde(rename = "z")]
    Z,
    /// Bytes.
    #[serde(rename = "b")]
    B,
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
}

/// A part of a date or time that a content class is made of, two digits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    /// 00 to 99.
    Year,
    /// 01 to 12.
    Month,
    /// 01 to the month's last; 29 February is always possible, for there is no century.
    Day,
    /// 00 to 23.
    Hour,
    /// 00 to 59.
    Minute,
    /// 00 to 59.
    Second,
}

impl Content {
    /// As specs and ISO 8583 write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::N => "n",
            Self::A => "a",
            Self::An => "an",
            Self::Ans => "ans",
            Self::Z => "z",
            Self::B => "b",
            Self::Xn => "x+n",
            Self::MonthDayTime => "MMDDhhmmss",
            Self::Time => "hhmmss",
            Self::MonthDay => "MMDD",
            Self::YearMonth => "YYMM",
            Self::YearMonthDay => "YYMMDD",
        }
    }

    /// The two-digit parts of a date or time; empty for the other classes.
    pub fn date_parts(self) -> &'static [Date] {
        use Date::{Day, Hour, Minute, Month, Second, Year};
        match self {
            Self::MonthDayTime => &[Month, Day, Hour, Minute, Second],
            Self::Time => &[Hour, Minute, Second],
            Self::MonthDay => &[Month, Day],
            Self::YearMonth => &[Year, Month],
            Self::YearMonthDay => &[Year, Month, Day],
            _ => &[],
        }
    }

    /// Whether it is made of digits alone.
    pub fn is_numeric(self) -> bool {
        self == Self::N || !self.date_parts().is_empty()
    }
}

/// Whether the content has a structure of its own that is checked too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// None.
    #[default]
    Plain,
    /// BER-TLV data objects (EMV Book 3 annex B).
    BerTlv,
}

/// What may be shown of a field in descriptions, JSON and `Debug`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sensitivity {
    /// All of it.
    #[default]
    Clear,
    /// A card number: its first six and last four digits (PCI DSS 3.4), of 13 or more.
    Mask,
    /// Nothing but its length.
    Hide,
    /// Not even that: it is left out.
    Drop,
}

/// What a fault of the content (a wrong character, a date that does not exist, broken TLV) means.
/// Faults of structure (lengths, bitmaps, missing bytes) always refuse the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The message is refused.
    #[default]
    Reject,
    /// The message stands, the fault is noted beside it.
    Note,
    /// The message stands.
    Pass,
}
