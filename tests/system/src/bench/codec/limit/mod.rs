//! The limit: what reading and writing the two messages costs a program that knows nothing else.
//!
//! Written by hand for one set of fields, in safe Rust: no table, no allocation, lengths that the
//! compiler knows, each field checked as the codec checks it and its place told. Nobody would maintain
//! such a parser for eleven dialects; it says how far a table may stay behind.

mod checks;
mod read;
mod tlv;
mod write;

#[cfg(test)]
mod tests;

pub use read::{read_ascii, read_packed};
pub use write::{Contents, write_ascii, write_packed};

use super::sample::FIELDS;

/// Where the contents of the fields stand in the frame, in ascending order of fields.
#[derive(Debug, Default)]
pub struct Places([(u32, u32); FIELDS]);

impl Places {
    /// The content of the nth field.
    pub fn content<'a>(&self, frame: &'a [u8], nth: usize) -> &'a [u8] {
        let at = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.0.get(nth).and_then(|(start, end)| frame.get(at(*start)..at(*end))).unwrap_or_default()
    }
}

/// Why a frame, or a content that should be written, is refused: the field (0 the MTI, 1 the bitmap,
/// 129 what follows the last field) and how far the frame was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Its number.
    pub field: u8,
    /// Bytes from the start of the message.
    pub offset: usize,
}
