//! What can be wrong with a clearing file: where, why, and how much of the file it spoils.

use std::fmt;
use std::io;

/// How much of a file a fault spoils.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Worth a look; nothing is refused.
    Warning,
    /// This record must not be processed; the file around it is sound.
    Record,
    /// Nothing of the file may be processed.
    File,
}

/// Why. One variant per reason; none carries content, since any field may hold card data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// The source or sink failed.
    #[error("i/o: {0}")]
    Io(io::ErrorKind),
    /// Zero bytes.
    #[error("the file is empty")]
    Empty,
    /// A terminator and no message before it.
    #[error("the file holds no messages")]
    NoMessages,
    /// The stream ends inside the 4-byte record length.
    #[error("the file ends inside a record length")]
    CutInLength,
    /// The stream ends inside a record.
    #[error("the file ends inside a record")]
    CutInRecord,
    /// A record length above the bound.
    #[error("record length {0} is above the bound")]
    RecordTooLong(u32),
    /// Bytes follow the zero length that ends the stream.
    #[error("data follows the terminator")]
    DataAfterTerminator,
    /// The zero length at the end is missing.
    #[error("the terminator is missing")]
    NoTerminator,
    /// The file is not a multiple of 1014 bytes.
    #[error("the file ends inside a block")]
    CutInBlock,
    /// A block that does not end in 0x40 0x40.
    #[error("a block does not end in its marker")]
    BlockMarker,
    /// The message type is not four digits.
    #[error("the message type is not four digits")]
    MessageType,
    /// Text in another character set than the file's.
    #[error("a record in another character set")]
    OtherCharset,
    /// Bit 1 is off: both halves of the bitmap are always there.
    #[error("bit 1 of the bitmap is off")]
    Bitmap,
    /// The bitmap announces a field that the table does not have.
    #[error("a field that the format does not use")]
    UnusedField,
    /// The record ends inside a field.
    #[error("the record ends inside a field")]
    CutInField,
    /// A field length that is not digits.
    #[error("a field length that is not digits")]
    FieldLength,
    /// A field longer than the table allows.
    #[error("a field of {0} bytes is too long")]
    FieldTooLong(usize),
    /// A fixed-length field with too few characters where blanks cannot fill it.
    #[error("a field of {0} bytes is too short")]
    FieldTooShort(usize),
    /// Something other than a digit in a numeric field.
    #[error("not a digit")]
    NotDigit,
    /// Bytes after the last field.
    #[error("bytes follow the last field")]
    Trailing,
    /// A mandatory field is missing.
    #[error("a mandatory field is missing")]
    Missing,
    /// A private data subelement with a tag that is not four digits.
    #[error("a private subelement tag that is not digits")]
    PdsTag,
    /// A private data subelement with a length that is not three digits.
    #[error("a private subelement length that is not digits")]
    PdsLength,
    /// A private data subelement that reaches beyond its fields.
    #[error("a private subelement reaches beyond its field")]
    PdsOverrun,
    /// More private data than five fields hold, or a value of more than 992 characters.
    #[error("private subelements do not fit")]
    PdsTooLong,
    /// The account number's check digit is wrong.
    #[error("the check digit of the account number is wrong")]
    PanCheckDigit,
    /// The acquirer reference's check digit is wrong.
    #[error("the check digit of the acquirer reference is wrong")]
    ArdCheckDigit,
    /// An acquirer reference that is not 23 digits with a day of the year.
    #[error("the acquirer reference is malformed")]
    Ard,
    /// A date or time that does not exist.
    #[error("a date or time that does not exist")]
    Date,
    /// A value outside of what the field may hold.
    #[error("a value out of range")]
    Range,
    /// The card acceptor field does not have its four parts.
    #[error("the card acceptor field is malformed")]
    Acceptor,
    /// DE55 is not a run of BER-TLV objects.
    #[error("the chip data is malformed")]
    ChipData,
    /// The first message of a logical file is not its header.
    #[error("the file header is missing")]
    NoHeader,
    /// A header while a logical file is open.
    #[error("a file header inside a file")]
    NestedHeader,
    /// The last message is not a trailer.
    #[error("the file trailer is missing")]
    NoTrailer,
    /// A file id that is not type 3, date 6, processor 11, sequence 5, all digits.
    #[error("the file id is malformed")]
    FileId,
    /// Trailer and header name different files.
    #[error("header and trailer name different files")]
    FileIdMismatch,
    /// Two logical files of one id.
    #[error("two files of one id")]
    FileIdTwice,
    /// The processing mode is neither P nor T.
    #[error("the processing mode is unknown")]
    Mode,
    /// DE71 is not the number of the message in its logical file.
    #[error("message number {got}, wanted {want}")]
    MessageNumber {
        /// As the file has it; `None` where it is missing.
        got: MessageNumber,
        /// What it should be.
        want: u32,
    },
    /// PDS0306 differs from the number of messages.
    #[error("the trailer counts {stated} messages, there are {counted}")]
    Count {
        /// As the trailer has it.
        stated: u64,
        /// As the file is.
        counted: u64,
    },
    /// PDS0301 differs from the sum of DE4.
    #[error("the trailer's amount checksum is {stated}, the sum is {summed}")]
    Checksum {
        /// As the trailer has it.
        stated: i128,
        /// As the file is.
        summed: i128,
    },
    /// The sum of DE4 cannot be proved because a record with it was refused.
    #[error("the amount checksum cannot be proved")]
    ChecksumUnproved,
    /// More logical files, or more messages, than one file may hold.
    #[error("too many in one file")]
    TooMany,
}

/// DE71 as read: the number, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageNumber(pub Option<u32>);

impl fmt::Display for MessageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, "{number}"),
            None => f.write_str("none"),
        }
    }
}

/// A reason with its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {record}, byte {offset}{}: {reason}", At(self))]
pub struct Fault {
    /// Number of the record in the physical file, from 1. One past the last where none began.
    pub record: u64,
    /// The data element, where it is about one.
    pub field: Option<u8>,
    /// The private data subelement, where it is about one.
    pub pds: Option<u16>,
    /// First offending byte, counted from 0 in the unblocked stream, record lengths included
    /// ([`super::Layout::physical`] gives its place in a blocked file).
    pub offset: u64,
    /// Why.
    pub reason: Reason,
    /// How much it spoils.
    pub level: Level,
}

struct At<'a>(&'a Fault);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = self.0.field {
            write!(f, ", DE{field}")?;
        }
        if let Some(pds) = self.0.pds {
            write!(f, ", PDS{pds:04}")?;
        }
        Ok(())
    }
}

/// A reason inside one record, before the reader has added which record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("DE{field:?}: {reason}")]
pub struct RecordFault {
    /// The data element, where it is about one.
    pub field: Option<u8>,
    /// The private data subelement, where it is about one.
    pub pds: Option<u16>,
    /// First offending byte, from 0 at the message type; 0 where the record was not read from bytes.
    pub offset: usize,
    /// Why.
    pub reason: Reason,
}

impl RecordFault {
    pub(crate) fn new(field: u8, offset: usize, reason: Reason) -> Self {
        Self { field: Some(field), pds: None, offset, reason }
    }

    pub(crate) fn head(offset: usize, reason: Reason) -> Self {
        Self { field: None, pds: None, offset, reason }
    }

    pub(crate) fn pds(field: u8, tag: Option<u16>, offset: usize, reason: Reason) -> Self {
        Self { field: Some(field), pds: tag, offset, reason }
    }

    /// Puts it at its place in a file.
    pub(crate) fn at(self, record: u64, base: u64, level: Level) -> Fault {
        let offset = base.saturating_add(u64::try_from(self.offset).unwrap_or(u64::MAX));
        Fault { record, field: self.field, pds: self.pds, offset, reason: self.reason, level }
    }
}
