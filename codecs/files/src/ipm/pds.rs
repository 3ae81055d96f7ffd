//! Private data subelements: tag (4 digits), length (3 digits), value, run over DE48, 62, 123, 124, 125.

use std::borrow::Cow;
use std::ops::Range;

use super::de::PRIVATE_FIELDS;
use super::fault::{Reason, RecordFault};
use super::record::{Record, number};

/// Longest value of one subelement: a field of 999 less tag and length.
pub const MAX_VALUE: usize = 992;
/// Bytes of one private field.
const FIELD: usize = 999;
/// Bytes of tag and length.
const HEAD: usize = 7;

/// Tags that code here speaks of by name.
pub mod tag {
    /// Terminal type.
    pub const TERMINAL_TYPE: u16 = 23;
    /// `R` and the date of the original: the message reverses another.
    pub const REVERSAL: u16 = 25;
    /// Electronic commerce security level.
    pub const ECOMMERCE: u16 = 52;
    /// File id.
    pub const FILE_ID: u16 = 105;
    /// Processing mode, `P` or `T`.
    pub const MODE: u16 = 122;
    /// Currency exponents: currency and number of decimals, repeated.
    pub const EXPONENTS: u16 = 148;
    /// Settlement indicator.
    pub const SETTLEMENT: u16 = 165;
    /// Checksum of amounts.
    pub const CHECKSUM: u16 = 301;
    /// Number of messages.
    pub const COUNT: u16 = 306;
}

/// The subelements of a record, in the order in which they stand there.
pub struct Pds<'a> {
    bytes: Cow<'a, [u8]>,
    items: Items,
}

impl Pds<'_> {
    /// The value of the first subelement with this tag.
    pub fn get(&self, tag: u16) -> Option<&[u8]> {
        let (_, range) = self.items.iter().find(|(found, _)| *found == tag)?;
        self.bytes.get(range.clone())
    }

    /// Tags and values.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.items.iter().map(|(tag, range)| (*tag, self.bytes.get(range.clone()).unwrap_or_default()))
    }
}

impl Record {
    /// The private data subelements. The five fields are joined before they are read, so a subelement
    /// that another writer split over two of them is whole again.
    pub fn pds(&self) -> Result<Pds<'_>, RecordFault> {
        let mut pieces = PRIVATE_FIELDS.iter().filter_map(|field| Some((*field, self.get(*field)?)));
        let Some((first, piece)) = pieces.next() else {
            return Ok(Pds { bytes: Cow::Borrowed(&[]), items: Vec::new() });
        };
        let mut bytes = Cow::Borrowed(piece);
        // Which field each joined byte came from, for the place of a fault.
        let mut origins = vec![(0, first)];
        for (field, piece) in pieces {
            origins.push((bytes.len(), field));
            bytes.to_mut().extend_from_slice(piece);
        }
        let place = |at: usize| {
            let (start, field) = origins.iter().rev().find(|(start, _)| *start <= at).copied().unwrap_or((0, first));
            (field, self.offset(field) + (at - start))
        };
        match split(&bytes) {
            Ok(items) => Ok(Pds { bytes, items }),
            Err((at, tag, reason)) => {
                let (field, offset) = place(at);
                Err(RecordFault::pds(field, tag, offset, reason))
            }
        }
    }

    /// Sets the private data subelements in place of those that were there: ascending tags, a new field
    /// when one would pass 999 characters, never split. Order within one tag is kept.
    pub fn set_pds<'v>(&mut self, items: impl IntoIterator<Item = (u16, &'v [u8])>) -> Result<(), RecordFault> {
        let mut items: Vec<(u16, &[u8])> = items.into_iter().collect();
        items.sort_by_key(|(tag, _)| *tag);
        PRIVATE_FIELDS.iter().for_each(|field| self.remove(*field));
        let mut fields = PRIVATE_FIELDS.iter();
        let mut run: Vec<u8> = Vec::with_capacity(FIELD);
        let mut flush = |record: &mut Self, run: &mut Vec<u8>, tag| {
            let field = fields.next().ok_or(RecordFault::pds(125, Some(tag), 0, Reason::PdsTooLong))?;
            record.set(*field, run);
            run.clear();
            Ok(())
        };
        let mut last = 0;
        for (tag, value) in items {
            if value.len() > MAX_VALUE || tag > 9999 {
                return Err(RecordFault::pds(48, Some(tag), 0, Reason::PdsTooLong));
            }
            if run.len() + HEAD + value.len() > FIELD {
                flush(self, &mut run, tag)?;
            }
            run.extend_from_slice(format!("{tag:04}{:03}", value.len()).as_bytes());
            run.extend_from_slice(value);
            last = tag;
        }
        if run.is_empty() { Ok(()) } else { flush(self, &mut run, last) }
    }
}

type Items = Vec<(u16, Range<usize>)>;
/// Where, in which subelement, and why.
type Broken = (usize, Option<u16>, Reason);

fn split(bytes: &[u8]) -> Result<Items, Broken> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = bytes.get(at..).unwrap_or_default();
        let (tag, rest) = rest.split_at_checked(4).ok_or((at, None, Reason::PdsOverrun))?;
        let tag = number(tag).and_then(|tag| u16::try_from(tag).ok()).ok_or((at, None, Reason::PdsTag))?;
        let (length, rest) = rest.split_at_checked(3).ok_or((at + 4, Some(tag), Reason::PdsOverrun))?;
        let length = number(length).and_then(|length| usize::try_from(length).ok());
        let length = length.ok_or((at + 4, Some(tag), Reason::PdsLength))?;
        if length > rest.len() {
            return Err((at + 4, Some(tag), Reason::PdsOverrun));
        }
        items.push((tag, at + HEAD..at + HEAD + length));
        at += HEAD + length;
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subelement_split_over_fields_is_whole_again() {
        let mut record = Record::new(b"1240");
        record.set(48, b"0023003CT6014800").set(62, b"48402");
        let pds = record.pds().unwrap();
        assert_eq!(pds.iter().collect::<Vec<_>>(), [(23, &b"CT6"[..]), (148, b"8402")]);
    }

    #[test]
    fn five_fields_hold_five_full_values_and_not_one_more() {
        let mut record = Record::new(b"1240");
        let full = [b'X'; MAX_VALUE];
        record.set_pds((0..5).map(|n| (1000 + n, &full[..]))).unwrap();
        assert_eq!(record.fields().collect::<Vec<_>>(), [48, 62, 123, 124, 125]);
        let fault = record.set_pds((0..6).map(|n| (1000 + n, &full[..]))).unwrap_err();
        assert_eq!((fault.pds, fault.reason), (Some(1005), Reason::PdsTooLong));
    }

    #[test]
    fn a_fault_in_a_later_field_is_placed_there() {
        let mut record = Record::new(b"1240");
        record.set(48, b"0023003CT6").set(62, b"0052 03210");
        let fault = record.pds().err().unwrap();
        assert_eq!((fault.field, fault.pds, fault.reason), (Some(62), Some(52), Reason::PdsLength));
    }
}
