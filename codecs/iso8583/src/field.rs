//! What a field is: length × charset × padding × content × shape, and how it is treated.
//! Small orthogonal enums; a new dialect is a new combination, not new code. A subfield is a field.

use serde::Deserialize;

use crate::class::Content;
use crate::ebcdic::CodePage;
use crate::path::Label;
use crate::plan::Plan;
use crate::shape::Shape;

/// One data element of a [`crate::Spec`], or a subfield of one, checked and ready to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub(crate) number: u8,
    pub(crate) label: Label,
    pub(crate) length: Length,
    pub(crate) charset: Charset,
    pub(crate) pad: Pad,
    pub(crate) content: Content,
    pub(crate) sensitivity: Sensitivity,
    pub(crate) severity: Severity,
    pub(crate) mac: bool,
    pub(crate) durable: bool,
    pub(crate) pass: bool,
    pub(crate) shape: Shape,
    /// Follows from the others.
    pub(crate) plan: Option<Plan>,
    pub(crate) name: String,
}

impl Field {
    /// Data element number, 2 to 192; of a subfield its number, 0 where it goes by a tag.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Its step in a path: the number, or the tag.
    pub fn label(&self) -> &str {
        self.label.as_str()
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
    pub fn shape(&self) -> &Shape {
        &self.shape
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

    /// Whether it may be stored. CVV2, tracks and PIN blocks may not (PCI DSS 3.3), and so nothing may
    /// that holds one as a subfield.
    pub fn is_durable(&self) -> bool {
        self.durable && self.shape.fields().all(Self::is_durable)
    }

    /// Whether it may travel on to the other side unread.
    pub fn passes(&self) -> bool {
        self.pass
    }

    /// The form as ISO 8583 writes it: `n 6`, `ans..25 LL`, `b 8`.
    pub fn form(&self) -> String {
        let class = self.content.as_str();
        match self.length {
            Length::Fixed(length) => format!("{class} {length}"),
            Length::Variable { max, prefix } => format!("{class}..{max} {}", "L".repeat(usize::from(prefix.digits))),
            Length::Enclosed { max } => format!("{class}..{max}"),
        }
    }
}

/// Length of the content in its own units: digits, characters, or bytes for content `b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// Always this many.
    Fixed(u32),
    /// A prefix says how many, up to `max`.
    Variable {
        /// The most that may stand.
        max: u32,
        /// The prefix.
        prefix: Prefix,
    },
    /// What it stands in says how many: the value of a tag, the end of the parent.
    Enclosed {
        /// The most that may stand.
        max: u32,
    },
}

impl Length {
    /// The most units that may stand.
    pub fn max(self) -> usize {
        let (Self::Fixed(max) | Self::Variable { max, .. } | Self::Enclosed { max }) = self;
        usize::try_from(max).unwrap_or(usize::MAX)
    }
}

/// A length prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Decimal digits of the largest number, 1 to 6 (LL = 2); of a hex text prefix its characters.
    pub digits: u8,
    /// How the number is written.
    pub form: PrefixForm,
    /// What it counts.
    pub counts: Counts,
    /// Whether it counts its own bytes (ASCII and EBCDIC digits: characters) too.
    pub inclusive: bool,
}

/// How a length prefix, or the tag of a tagged shape, is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrefixForm {
    /// ASCII digits.
    Ascii,
    /// EBCDIC digits.
    Ebcdic,
    /// Packed decimal, two digits a byte, zero-filled on the left.
    Bcd,
    /// Big-endian binary: one byte for up to 2 digits, two for up to 4, else three.
    Binary,
    /// Hexadecimal text in ASCII: `digits` characters.
    HexAscii,
    /// Hexadecimal text in EBCDIC: `digits` characters.
    HexEbcdic,
}

/// What a length prefix counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// Units of the content: digits, characters, bytes of the value.
    Content,
    /// Bytes on the wire: 2 per binary byte in hex text, one per two BCD digits.
    Bytes,
    /// Half-bytes on the wire: digits of BCD, 2 per character or binary byte.
    Nibbles,
}

/// How content stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// One ASCII character per unit.
    Ascii,
    /// One EBCDIC character per unit.
    Ebcdic(CodePage),
    /// Two digits a byte; where their number is odd, `side` gets the nibble `fill`.
    Bcd {
        /// Where the fill nibble of an odd number of digits stands.
        side: Side,
        /// Its value, 0 to 15.
        fill: u8,
    },
    /// An ASCII sign, then digits as in `Bcd`: amounts x+n of binary dialects.
    SignedBcd {
        /// Where the fill nibble of an odd number of digits stands.
        side: Side,
        /// Its value, 0 to 15.
        fill: u8,
    },
    /// Raw bytes.
    Binary,
    /// Two ASCII hexadecimal characters a byte, written in upper case.
    HexAscii,
    /// Two EBCDIC hexadecimal characters a byte, written in upper case.
    HexEbcdic,
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

/// What fills a fixed length that the content is shorter than. Blanks are filler: decoding takes them
/// off, on that side. Any other character is kept, since nobody can tell it from content: the digits
/// of a STAN are six.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pad {
    /// Nothing: the content must be exactly as long.
    None,
    /// This byte before the content.
    Left(u8),
    /// This byte after the content.
    Right(u8),
}

impl Pad {
    /// Blanks on the right, the rule for text.
    pub const BLANKS: Self = Self::Right(b' ');
    /// Zeros on the left, the rule for numbers.
    pub const ZEROS: Self = Self::Left(b'0');

    /// The content without filler.
    pub(crate) fn trim(self, raw: &[u8]) -> &[u8] {
        let content = |byte: &u8| *byte != b' ';
        match self {
            Self::Right(b' ') => raw.get(..raw.iter().rposition(content).map_or(0, |at| at + 1)).unwrap_or_default(),
            Self::Left(b' ') => raw.get(raw.iter().position(content).unwrap_or(raw.len())..).unwrap_or_default(),
            _ => raw,
        }
    }
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
