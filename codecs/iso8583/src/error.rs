//! Errors: what is wrong, where, what was wanted and what stood there. Never content: a field may
//! hold card data, so an error tells of byte classes and counts only.

use std::fmt;

use crate::Message;
use crate::path::{Label, Path};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The message ends too early.
    Truncated,
    /// Something else than a digit where only digits may stand.
    NonDigit,
    /// A length that is not a number, or does not fit the form of the field.
    BadLength,
    /// Longer than the field may be.
    TooLong,
    /// Bytes after the last field.
    Trailing,
    /// The bitmap names a field that the spec does not have.
    UndefinedField,
    /// A character outside the field's content class.
    BadChar,
    /// Something else than a hexadecimal digit in hex text.
    BadHex,
    /// Something else than a hexadecimal digit in a text bitmap.
    BadBitmap,
    /// A wrong fill nibble.
    BadPad,
    /// Something else than C or D as the sign of an amount.
    BadSign,
    /// A date or time that does not exist.
    BadDate,
    /// A TLV tag that does not end.
    TlvTruncatedTag,
    /// A TLV length that does not end.
    TlvTruncatedLength,
    /// A TLV length that is indefinite or longer than 4 bytes.
    TlvBadLength,
    /// A TLV value that ends behind its field.
    TlvValueOverrun,
    /// Constructed TLV nested deeper than the bound.
    TlvTooDeep,
}

impl Kind {
    /// Its name in JSON, logs and test cases.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::NonDigit => "non_digit",
            Self::BadLength => "bad_length",
            Self::TooLong => "too_long",
            Self::Trailing => "trailing",
            Self::UndefinedField => "undefined_field",
            Self::BadChar => "bad_char",
            Self::BadHex => "bad_hex",
            Self::BadBitmap => "bad_bitmap",
            Self::BadPad => "bad_pad",
            Self::BadSign => "bad_sign",
            Self::BadDate => "bad_date",
            Self::TlvTruncatedTag => "tlv_truncated_tag",
            Self::TlvTruncatedLength => "tlv_truncated_length",
            Self::TlvBadLength => "tlv_bad_length",
            Self::TlvValueOverrun => "tlv_value_overrun",
            Self::TlvTooDeep => "tlv_too_deep",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of a message that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The message type indicator.
    Mti,
    /// The primary bitmap.
    Bitmap,
    /// The secondary bitmap.
    SecondBitmap,
    /// The third bitmap.
    ThirdBitmap,
    /// A data element.
    Field(u8),
    /// Behind the last field.
    End,
}

impl Place {
    /// The data element, where it is one.
    pub fn field(self) -> Option<u8> {
        match self {
            Self::Field(number) => Some(number),
            _ => None,
        }
    }
}

/// `mti`, `bitmap`, `bitmap2`, `bitmap3`, a field number, or nothing behind the last field.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mti => f.write_str("mti"),
            Self::Bitmap => f.write_str("bitmap"),
            Self::SecondBitmap => f.write_str("bitmap2"),
            Self::ThirdBitmap => f.write_str("bitmap3"),
            Self::Field(number) => write!(f, "{number}"),
            Self::End => Ok(()),
        }
    }
}

/// What would have been right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// A digit.
    Digit,
    /// A letter.
    Letter,
    /// A letter or a digit.
    LetterOrDigit,
    /// A printable ASCII character.
    Printable,
    /// A digit, `=` or `D`.
    Track,
    /// A hexadecimal digit.
    HexDigit,
    /// `C` or `D`.
    Sign,
    /// A date or time of this form.
    Date(&'static str),
    /// This many bytes.
    Bytes(usize),
    /// A length of exactly this.
    Exactly(usize),
    /// A length of at most this.
    AtMost(usize),
    /// A length of at least this.
    AtLeast(usize),
    /// A length as a decimal number.
    Number,
    /// This fill nibble.
    Nibble(u8),
    /// The end of the message.
    End,
    /// A field that the spec has.
    KnownField,
    /// A well-formed data object.
    DataObject,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digit => f.write_str("a digit"),
            Self::Letter => f.write_str("a letter"),
            Self::LetterOrDigit => f.write_str("a letter or a digit"),
            Self::Printable => f.write_str("a printable ASCII character"),
            Self::Track => f.write_str("a digit, '=' or 'D'"),
            Self::HexDigit => f.write_str("a hexadecimal digit"),
            Self::Sign => f.write_str("'C' or 'D'"),
            Self::Date(form) => write!(f, "a valid {form}"),
            Self::Bytes(count) => write!(f, "{count} bytes"),
            Self::Exactly(length) => write!(f, "a length of {length}"),
            Self::AtLeast(length) => write!(f, "a length of at least {length}"),
            Self::AtMost(length) => write!(f, "a length of at most {length}"),
            Self::Number => f.write_str("a length in digits"),
            Self::Nibble(nibble) => write!(f, "fill nibble {nibble:X}"),
            Self::End => f.write_str("the end of the message"),
            Self::KnownField => f.write_str("a field of the spec"),
            Self::DataObject => f.write_str("a whole data object"),
        }
    }
}

/// What stood there, as a class or a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Got {
    /// A digit.
    Digit,
    /// A letter.
    Letter,
    /// A blank.
    Blank,
    /// Another printable character.
    Punctuation,
    /// A control character.
    Control,
    /// A byte outside ASCII.
    NotAscii,
    /// A half-byte above 9, or another fill than wanted.
    Nibble,
    /// This many bytes.
    Bytes(usize),
    /// A length of this.
    Length(usize),
    /// A value that does not exist.
    OutOfRange,
    /// Nothing of that kind.
    Nothing,
}

impl Got {
    /// The class of a byte.
    pub fn byte(byte: u8) -> Self {
        match byte {
            b'0'..=b'9' => Self::Digit,
            b'A'..=b'Z' | b'a'..=b'z' => Self::Letter,
            b' ' => Self::Blank,
            0x21..=0x7E => Self::Punctuation,
            0x00..=0x1F | 0x7F => Self::Control,
            0x80..=0xFF => Self::NotAscii,
        }
    }
}

impl fmt::Display for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digit => f.write_str("a digit"),
            Self::Letter => f.write_str("a letter"),
            Self::Blank => f.write_str("a blank"),
            Self::Punctuation => f.write_str("punctuation"),
            Self::Control => f.write_str("a control character"),
            Self::NotAscii => f.write_str("a byte outside ASCII"),
            Self::Nibble => f.write_str("another half-byte"),
            Self::Bytes(count) => write!(f, "{count} bytes"),
            Self::Length(length) => write!(f, "a length of {length}"),
            Self::OutOfRange => f.write_str("a value that does not exist"),
            Self::Nothing => f.write_str("none"),
        }
    }
}

/// Why a message could not be read. The peer's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} in {}{path} at byte {offset}: wanted {wanted}, got {got}", Spelled(.place))]
pub struct DecodeError {
    /// What is wrong.
    pub kind: Kind,
    /// Where in the message.
    pub place: Place,
    /// Where in that data element; empty for the element itself.
    pub path: Path,
    /// The first offending byte, from the start of the message: for a length the start of its
    /// prefix, for what is cut off the start of what cannot be read.
    pub offset: usize,
    /// What would have been right.
    pub wanted: Wanted,
    /// What stood there.
    pub got: Got,
    /// What could be read, for an answer that says "format error": every field before a structural
    /// fault, and the sound fields on both sides of a fault of content.
    pub partial: Box<Message>,
}

impl DecodeError {
    /// The data element at fault, where it is one.
    pub fn field(&self) -> Option<u8> {
        self.place.field()
    }
}

/// Why a message could not be written. Our own fault (or the configuration's); nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{kind} in {}{path} at position {offset} of its content: wanted {wanted}, got {got}", Spelled(.place))]
pub struct EncodeError {
    /// What is wrong.
    pub kind: Kind,
    /// Where in the message.
    pub place: Place,
    /// Where in that data element; empty for the element itself.
    pub path: Path,
    /// Position in the content of that data element.
    pub offset: usize,
    /// What would have been right.
    pub wanted: Wanted,
    /// What stood there.
    pub got: Got,
}

impl EncodeError {
    /// The data element at fault, where it is one.
    pub fn field(&self) -> Option<u8> {
        self.place.field()
    }
}

/// A fault of content that the spec lets pass with a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Note {
    /// What is wrong.
    pub kind: Kind,
    /// The data element.
    pub field: u8,
    /// Where in it; empty for the element itself.
    pub path: Path,
    /// The first offending byte, from the start of the message.
    pub offset: usize,
}

/// Why a spec was refused, with the place to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {}{reason}", Named(.path))]
pub struct SpecError {
    /// The file, as the caller named it, or the shipped spec.
    pub file: String,
    /// Line of the TOML text, from 1.
    pub line: usize,
    /// Column of the line in characters, from 1.
    pub column: usize,
    /// The data element or subfield as in `127.2`; empty where it is about none.
    pub path: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// "field 127.2: ", or nothing.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "field {}: ", self.0) }
    }
}

/// A fault of content before it is known where in the message it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Position in the content or on the wire, as the function that makes it says.
    pub(crate) at: usize,
    pub(crate) wanted: Wanted,
    pub(crate) got: Got,
    /// The subfield, seen from where `at` counts.
    pub(crate) path: Path,
}

impl Fault {
    pub(crate) fn new(kind: Kind, at: usize, wanted: Wanted, got: Got) -> Self {
        Self { kind, at, wanted, got, path: Path::default() }
    }

    /// The same fault, counted from `start` bytes further out.
    pub(crate) fn behind(self, start: usize) -> Self {
        Self { at: start + self.at, ..self }
    }

    /// The same fault, seen from the element above `label`.
    pub(crate) fn under(self, label: Label) -> Self {
        Self { path: self.path.under(label), ..self }
    }
}

/// "field 4", "the mti", "the bitmap": for sentences.
struct Spelled<'a>(&'a Place);

impl fmt::Display for Spelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Field(number) => write!(f, "field {number}"),
            Place::End => f.write_str("what follows the last field"),
            other => write!(f, "the {other}"),
        }
    }
}
