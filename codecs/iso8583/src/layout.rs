//! Where the parts of a frame stand: the positions alone, without a look at the content.

use crate::bitmap::{Bitmap, Third};
use crate::error::{Fault, Got, Kind, Place, Wanted};
use crate::field::{Charset, Field, Length};
use crate::shape::enclosed_units;
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
        Length::Fixed(_) => (field.length.max(), at),
        Length::Variable { prefix, .. } => {
            let rest = frame.get(at..).unwrap_or_default();
            let (units, rest) =
                prefix::read(prefix, field.length.max(), field.charset, rest).map_err(|fault| fault.behind(at))?;
            (units, frame.len() - rest.len())
        }
        Length::Enclosed { .. } => {
            let rest = frame.len().saturating_sub(at);
            (enclosed_units(field, rest).map_err(|fault| fault.behind(at))?, at)
        }
    };
    let width = match field.charset {
        Charset::Ascii | Charset::Binary => units,
        other => charset::wire_length(other, units),
    };
    let end = start.saturating_add(width);
    if end > frame.len() {
        let got = Got::Bytes(frame.len().saturating_sub(start));
        return Err(Fault::new(Kind::Truncated, start, Wanted::Bytes(width), got));
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
    /// Reads the bitmaps that stand at `at`, except one in the place of field 65; also where what
    /// follows starts.
    #[inline(always)]
    pub(crate) fn bitmaps(&self, frame: &[u8], mut at: usize) -> Result<(Bitmap, usize), (Place, Fault)> {
        let mut bitmap = Bitmap::default();
        at += self.bitmap(&mut bitmap, 0, Place::Bitmap, frame, at)?;
        if bitmap.has_second() { self.further_bitmaps(bitmap, frame, at) } else { Ok((bitmap, at)) }
    }

    /// Those behind the first one: out of line, for most messages have none.
    #[inline(never)]
    fn further_bitmaps(&self, mut bitmap: Bitmap, frame: &[u8], mut at: usize) -> Result<(Bitmap, usize), (Place, Fault)> {
        at += self.bitmap(&mut bitmap, 1, Place::SecondBitmap, frame, at)?;
        if bitmap.has_third() && self.third == Third::Follows {
            at += self.bitmap(&mut bitmap, 2, Place::ThirdBitmap, frame, at)?;
        }
        Ok((bitmap, at))
    }

    #[inline(always)]
    fn bitmap(&self, bitmap: &mut Bitmap, word: usize, place: Place, frame: &[u8], at: usize) -> Result<usize, (Place, Fault)> {
        let rest = frame.get(at..).unwrap_or_default();
        bitmap.read(word, self.bitmap, rest).map_err(|fault| (place, fault.behind(at)))
    }

    /// The third bitmap where it stands in the place of field 65; also where what follows starts.
    pub(crate) fn inner_bitmap(&self, bitmap: &mut Bitmap, frame: &[u8], at: usize) -> Result<usize, (Place, Fault)> {
        if self.third != Third::Field65 || !bitmap.has_third() {
            return Ok(at);
        }
        let rest = frame.get(at..).unwrap_or_default();
        let width = bitmap.read(2, self.bitmap, rest).map_err(|fault| (Place::ThirdBitmap, fault.behind(at)))?;
        Ok(at + width)
    }

    /// The parts of a frame as far as they can be told apart.
    pub(crate) fn layout(&self, frame: &[u8]) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let Ok((mut bitmap, mut at)) = self.bitmaps(frame, charset::wire_length(self.mti, 4)) else { return parts };
        parts.push(Part { field: None, start: 0, end: at });
        for word in 0..3 {
            if word == 1 {
                let Ok(behind) = self.inner_bitmap(&mut bitmap, frame, at) else { return parts };
                parts.push(Part { field: None, start: at, end: behind });
                at = behind;
            }
            for number in bitmap.fields(word, self.third) {
                let Some(field) = self.field(number) else { return parts };
                let Ok(extent) = extent(field, frame, at) else { return parts };
                parts.push(Part { field: None, start: at, end: extent.start });
                parts.push(Part { field: Some(field), start: extent.start, end: extent.end });
                at = extent.end;
            }
        }
        parts
    }
}
