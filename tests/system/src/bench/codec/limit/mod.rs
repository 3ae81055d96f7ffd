//! The limit: what reading and writing the two messages costs a program that knows nothing else.
//!
//! Written by hand for one set of fields, in safe Rust: no table, no allocation, lengths that the
//! compiler knows, each field checked as the codec checks it and its content handed over as the codec
//! hands it over: digits that were packed as characters, hexadecimal text as bytes, converted once into
//! a buffer that the caller has for the next message too. Nobody would maintain such a parser for eleven
//! dialects; it says how far a table may stay behind.
//!
//! A parser that only tells the places of packed digits has not done the work yet: whoever wants the
//! number must unpack it, and pays then. So the codec is measured against the one that does the same;
//! the other, [`place_packed`] and [`place_ascii`], stands beside it in the table for comparison.

mod checks;
mod convert;
mod read;
mod tlv;
mod write;

#[cfg(test)]
mod tests;

pub use read::{place_ascii, place_packed, read_ascii, read_packed};
pub use write::{Contents, write_ascii, write_packed};

use super::sample::FIELDS;

/// Bytes that everything converted of one message takes at most: 255 of field 55, digits, and what
/// unpacking may write too much.
const ROOM: usize = 512;

/// The contents of the fields in ascending order; of what was read last.
#[derive(Debug)]
pub struct Found {
    places: [Place; FIELDS],
    converted: [u8; ROOM],
}

/// Where a content stands.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    start: u32,
    end: u32,
    /// Among what was converted, else in the frame.
    converted: bool,
}

impl Place {
    #[inline(always)]
    fn framed(start: usize, end: usize) -> Self {
        // Frames are far shorter than 32 bits can tell: the longest length of theirs is 999.
        Self { start: start as u32, end: end as u32, converted: false }
    }

    #[inline(always)]
    fn converted(start: usize, end: usize) -> Self {
        Self { converted: true, ..Self::framed(start, end) }
    }
}

impl Default for Found {
    fn default() -> Self {
        Self { places: [Place::default(); FIELDS], converted: [0; ROOM] }
    }
}

impl Found {
    /// The content of the nth field.
    pub fn content<'a>(&'a self, frame: &'a [u8], nth: usize) -> &'a [u8] {
        let Some(Place { start, end, converted }) = self.places.get(nth) else { return &[] };
        let at = |at: &u32| usize::try_from(*at).unwrap_or(usize::MAX);
        let whole = if *converted { &self.converted } else { frame };
        whole.get(at(start)..at(end)).unwrap_or_default()
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
