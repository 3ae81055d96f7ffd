//! Clearing files that public readers of Mastercard IPM understand.
//!
//! * [`Reader`] gives record after record out of any [`std::io::Read`]; memory does not grow with the file.
//! * [`Writer`] makes headers, message numbers and trailers itself; same input, same bytes.
//! * [`verify`] reads a whole file and says what is wrong with it, where, and how much that spoils.
//! * [`Presentment`] is the view of a first or second presentment; everything else is read by field.
//!
//! Facts come from public readers (cardutil 0.7.3, isoparser) and sample files: 4-byte lengths, blocks of
//! 1014, message type and 16-byte binary bitmap, private data in DE48, 62, 123 to 125.

mod acceptor;
mod ard;
mod chip;
mod fault;
mod fields;
mod file_id;
mod pds;
mod presentment;
mod reader;
mod record;
mod stream;
mod verify;
mod writer;

pub use acceptor::Acceptor;
pub use ard::Ard;
pub use chip::{ChipObject, chip_data, chip_objects};
pub use fault::{Fault, Level, MessageNumber, Reason, RecordFault};
pub use fields::{Content, Field, FieldTable, Form, IPM, de};
pub use file_id::{FileId, Mode};
pub use pds::{MAX_VALUE as MAX_PDS_VALUE, Pds, tag};
pub use presentment::{CardNumber, Direction, Function, Presentment};
pub use reader::Reader;
pub use record::Record;
pub use stream::{BLOCK, BLOCK_DATA, Layout, MAX_RECORD};
pub use verify::{Findings, Group, LogicalFile, Rules, Sum, Verdict, verify};
pub use writer::{Totals, Writer};

use crate::charset::Charset;

/// Message types and function codes (DE24).
pub mod function {
    /// Presentment.
    pub const PRESENTMENT: &[u8; 4] = b"1240";
    /// File header, trailer and other administrative messages.
    pub const ADMINISTRATIVE: &[u8; 4] = b"1644";
    /// First presentment.
    pub const FIRST: &[u8; 3] = b"200";
    /// Second presentment, full.
    pub const SECOND_FULL: &[u8; 3] = b"205";
    /// Second presentment, partial.
    pub const SECOND_PARTIAL: &[u8; 3] = b"282";
    /// File header.
    pub const HEADER: &[u8; 3] = b"697";
    /// File trailer.
    pub const TRAILER: &[u8; 3] = b"695";
}

/// How a file is laid out and written; both ends agree on it beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Format {
    /// Plain or blocked.
    pub layout: Layout,
    /// Character set of the text.
    pub charset: Charset,
}

impl Format {
    /// What a file looks like from its first bytes and its length, for people with a file in hand. The two
    /// EBCDIC pages look alike here; 500 is answered. `None` where it does not begin like an IPM file.
    pub fn detect(beginning: &[u8], file_length: u64) -> Option<Self> {
        let message_type = beginning.get(4..8)?;
        let charset = [Charset::Latin1, Charset::Cp500].into_iter().find(|charset| charset.are_digits(message_type))?;
        let marked = beginning.get(BLOCK_DATA..BLOCK) == Some(&[0x40, 0x40]);
        let layout = if marked && file_length.is_multiple_of(1014) { Layout::Blocked } else { Layout::Plain };
        Some(Self { layout, charset })
    }
}
