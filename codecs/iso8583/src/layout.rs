//! Where the parts of a frame stand: the positions alone, without a look at the content.

use crate::bitmap::Bitmap;
use crate::error::{Fault, Got, Kind, Wanted};
use crate::field::{Field, Length};
use crate::spec::Spec;
use crate::{charset, prefix};

/// The extent of one field on the wire.
pub(crate) struct Extent {
    /// Units of content.
    pub(crate) units: usize,
    /// First byte of the content, behind a prefix.
    pub(crate) start: usize,
    /// Behind the last byte.
    pub(crate) end: usize,
}

/// The extent of the field whose prefix or content starts at `at`. Faults count from the start of
/// the frame.
pub(crate) fn extent(field: &Field, frame: &[u8], at: usize) -> Result<Extent, Fault> {
    let (units, start) = match field.length {
        Length::Fixed(length) => (usize::from(length), at),
        Length::Variable { max, prefix } => {
            let rest = frame.get(at..).unwrap_or_default();
            let (units, rest) =
                prefix::read(prefix, max, field.charset, rest).map_err(|fault| Fault { at: at + fault.at, ..fault })?;
            (units, frame.len() - rest.len())
        }
    };
    let width = charset::wire_length(field.charset, units);
    let end = start.saturating_add(width);
    if end > frame.len() {
        let got = Got::Bytes(frame.len().saturating_sub(start));
        return Err(Fault { kind: Kind::Truncated, at: start, wanted: Wanted::Bytes(width), got });
    }
    Ok(Extent { units, start, end })
}

/// A part of a frame: MTI, bitmaps and prefixes have no field.
pub(crate) struct Part<'a> {
    pub(crate) field: Option<&'a Field>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Spec {
    /// The parts of a frame as far as they can be told apart.
    pub(crate) fn layout(&self, frame: &[u8]) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let mut at = charset::wire_length(self.mti, 4);
        let width = self.bitmap.wire_length();
        let read = |at: usize, into, second| self.bitmap.read(frame.get(at..).unwrap_or_default(), into, second);
        let Ok(mut bitmap) = read(at, Bitmap::default(), false) else { return parts };
        at += width;
        if bitmap.has_secondary() {
            let Ok(both) = read(at, bitmap, true) else { return parts };
            (bitmap, at) = (both, at + width);
        }
        parts.push(Part { field: None, start: 0, end: at });
        for number in bitmap.fields() {
            let Some(field) = self.field(number) else { break };
            let Ok(extent) = extent(field, frame, at) else { break };
            parts.push(Part { field: None, start: at, end: extent.start });
            parts.push(Part { field: Some(field), start: extent.start, end: extent.end });
            at = extent.end;
        }
        parts
    }
}
