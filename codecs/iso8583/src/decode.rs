//! Reading: one pass over the frame, every byte accounted for.

use std::slice::IterMut;

use bytes::Bytes;

use crate::bitmap::Bitmap;
use crate::ebcdic::through;
use crate::error::{DecodeError, Fault, Got, Kind, Note, Place, Wanted};
use crate::field::{Charset, Field, Severity};
use crate::inside::{ahead, check};
use crate::layout::{self, extent};
use crate::message::{Message, Parts, Slot, Span, index};
use crate::plan::{Extent, Form, Plan};
use crate::spec::Spec;
use crate::{charset, swar};

/// Bytes that are unpacked at once.
const BLOCK: usize = 48;

/// The longest frame that is looked at. Framing caps are far below.
pub const LONGEST_FRAME: usize = 0x0FFF_FFFF;

impl Spec {
    /// Reads one message. Strict: content classes are checked, nothing may follow the last field
    /// unless the spec allows it. Fields that stand on the wire as they are in memory stay slices of
    /// `frame`; the others are converted into one buffer.
    ///
    /// # Errors
    /// The first fault, with what could be read. A fault of content does not end the reading: the
    /// fields after it are in [`DecodeError::partial`] too, only the faulty ones are missing.
    pub fn decode(&self, frame: Bytes) -> Result<Message, DecodeError> {
        let mut reader = Reader {
            spec: self,
            frame: &frame,
            parts: Parts::default(),
            unpacked: Unpacked::default(),
            faults: Vec::new(),
            first: None,
        };
        let read = reader.read();
        let Reader { parts, first, .. } = reader;
        let message = Message::decoded(frame, parts, self.layout);
        match first.map_or(read, Err) {
            Ok(()) => Ok(message),
            Err((place, fault)) => Err(error(place, fault, message)),
        }
    }
}

#[cold]
fn undefined(number: u8, at: u32) -> Faulty {
    (Place::Field(number), Fault::new(Kind::UndefinedField, index(at), Wanted::KnownField, Got::Nothing))
}

#[cold]
fn error(place: Place, fault: Fault, mut partial: Message) -> DecodeError {
    partial.doubt();
    let Fault { kind, at: offset, wanted, got, path } = fault;
    DecodeError { kind, place, path, offset, wanted, got, partial: Box::new(partial) }
}

/// A fault at a place; from here on `at` counts from the start of the message.
type Faulty = (Place, Fault);

/// Bytes of the frame whose half-bytes stand in the side buffer as digits, two for each byte.
#[derive(Clone, Copy, Default)]
struct Unpacked {
    /// Behind the last of them.
    end: u32,
    /// Where the digits of byte 0 would stand; what is reckoned of it wraps.
    origin: u32,
}

struct Reader<'a> {
    spec: &'a Spec,
    frame: &'a [u8],
    parts: Parts,
    /// Of the frame, what was unpacked last.
    unpacked: Unpacked,
    /// Faults inside the field being read that are noted; empty between fields.
    faults: Vec<Fault>,
    /// The first fault of content, while reading goes on.
    first: Option<Faulty>,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), Faulty> {
        let (spec, frame) = (self.spec, self.frame);
        if frame.len() > LONGEST_FRAME {
            let got = Got::Bytes(frame.len());
            return Err((Place::End, Fault::new(Kind::TooLong, 0, Wanted::AtMost(LONGEST_FRAME), got)));
        }
        let start = self.mti()?;
        let (bitmap, at) = spec.bitmaps(frame, start)?;
        self.parts.bitmaps = Span::new(start, at);
        let mut slots = vec![Slot::EMPTY; bitmap.most_fields(spec.third)];
        let mut places = slots.iter_mut();
        let read = self.fields(bitmap, at, &mut places);
        let unused = places.len();
        slots.truncate(slots.len() - unused);
        let mac = slots.last().filter(|slot| spec.field(slot.number()).is_some_and(|field| field.mac));
        self.parts.mac_at = mac.map(|slot| slot.wire().range().start);
        self.parts.slots = slots;
        let at = read?;
        if at < frame.len() {
            if !spec.trailing {
                let got = Got::Bytes(frame.len() - at);
                return Err((Place::End, Fault::new(Kind::Trailing, at, Wanted::End, got)));
            }
            self.parts.trailing = Span::new(at, frame.len());
        }
        Ok(())
    }

    /// Reads the fields that the bitmap names from `at` on into the next places; returns where they end. What
    /// changes with every field is kept in registers, of which there are more in a function of its own: where
    /// reading is, and how far the side buffer is filled.
    #[inline(never)]
    fn fields(&mut self, mut bitmap: Bitmap, at: usize, places: &mut IterMut<'_, Slot>) -> Result<usize, Faulty> {
        let (spec, frame) = (self.spec, self.frame);
        // The bounds of a frame are known to fit.
        let (mut at, mut filled) = (u32::try_from(at).unwrap_or(u32::MAX), 0);
        for word in 0..3 {
            if word == 1 {
                at = u32::try_from(spec.inner_bitmap(&mut bitmap, frame, index(at))?).unwrap_or(u32::MAX);
            }
            for number in bitmap.fields(word, spec.third) {
                let Some(field) = spec.field(number) else { return Err(undefined(number, at)) };
                let slot;
                (slot, at, filled) = match self.plainly(field, at, filled) {
                    Some(read) => read,
                    None => {
                        let (slot, end, so_far) = self.carefully(field, at, filled)?;
                        let Some(slot) = slot else {
                            (at, filled) = (end, so_far);
                            continue;
                        };
                        (slot, end, so_far)
                    }
                };
                if let Some(place) = places.next() {
                    *place = slot;
                }
            }
        }
        self.parts.side.end(index(filled));
        Ok(index(at))
    }

    /// The message type, four digits.
    #[inline(always)]
    fn mti(&mut self) -> Result<usize, Faulty> {
        let plainly = match self.spec.mti {
            Charset::Ascii => self.frame.first_chunk().map(|digits| (*digits, swar::all_digits(digits))),
            Charset::Bcd { .. } => self.frame.first_chunk().map(|[a, b]| {
                let (digits, right) = swar::unpack_eight([*a, *b, 0, 0]);
                let [a, b, c, d, ..] = digits;
                ([a, b, c, d], right)
            }),
            _ => None,
        };
        match plainly {
            Some((digits, true)) => {
                self.parts.mti = digits;
                Ok(charset::wire_length(self.spec.mti, digits.len()))
            }
            _ => self.mti_carefully(),
        }
    }

    #[cold]
    #[inline(never)]
    fn mti_carefully(&mut self) -> Result<usize, Faulty> {
        let width = charset::wire_length(self.spec.mti, 4);
        let cut_off = Fault::new(Kind::Truncated, 0, Wanted::Bytes(width), Got::Bytes(self.frame.len()));
        let raw = self.frame.get(..width).ok_or((Place::Mti, cut_off))?;
        let mut digits = [b'?'; 4];
        match self.spec.mti {
            Charset::Bcd { .. } => {
                let nibbles = raw.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
                for (at, (room, nibble)) in digits.iter_mut().zip(nibbles).enumerate() {
                    if nibble > 9 {
                        return Err((Place::Mti, Fault::new(Kind::NonDigit, at / 2, Wanted::Digit, Got::Nibble)));
                    }
                    *room = b'0' + nibble;
                }
            }
            Charset::Ebcdic(page) => {
                digits.iter_mut().zip(raw).for_each(|(room, byte)| *room = through(page.reading(), *byte));
            }
            _ => digits.iter_mut().zip(raw).for_each(|(room, byte)| *room = *byte),
        }
        if let Some(at) = digits.iter().position(|byte| !byte.is_ascii_digit()) {
            let got = digits.get(at).map_or(Got::Nothing, |byte| Got::byte(*byte));
            return Err((Place::Mti, Fault::new(Kind::NonDigit, at, Wanted::Digit, got)));
        }
        self.parts.mti = digits;
        Ok(width)
    }

    /// Reads a field of a usual form, which starts at `at`, in which nothing is wrong. Everything is checked
    /// here too, but in words and vectors instead of bytes, and without a word about what is wrong: anything
    /// else is `None`, before it left a trace, and read carefully.
    #[inline(always)]
    fn plainly(&mut self, field: &Field, at: u32, mut filled: u32) -> Option<(Slot, u32, u32)> {
        let plan = field.plan.as_ref()?;
        let (Extent { units, ahead, width }, rest) = plan.extent(self.frame.get(index(at)..)?)?;
        let (start, end) = (at + ahead, at + ahead + width);
        let (content, filled) = match plan.form {
            Form::Plain => {
                let length = plan.plain_length(rest, index(width))?;
                let content = Span::of(start, start + length);
                return Some((Slot::sound(field.number, content, false, Span::of(at, end)), end, filled));
            }
            Form::Packed => {
                if !plan.is_packed_right(rest, units, index(width)) {
                    return None;
                }
                if end > self.unpacked.end {
                    filled = self.unpack(start, end, filled)?;
                }
                // A filler in front is left out where the place of the content is told.
                let first = self.unpacked.origin.wrapping_add(start * 2) + (units & plan.skipped);
                (Span::of(first, first + units), filled)
            }
            Form::Hex => {
                let converted = self.unhex(plan, rest.get(..index(width))?, at, filled)?;
                (Span::of(filled, converted), converted)
            }
        };
        Some((Slot::sound(field.number, content, true, Span::of(at, end)), end, filled))
    }

    /// So many units, and what is taken off again, may be converted from here on: no byte is more than two.
    fn most_units(&self, at: u32) -> usize {
        (self.frame.len() - index(at)) * 2 + charset::OVERSHOOT
    }

    /// Unpacks the digits from `start` to `end`, and what stands behind them to a whole block: packed fields
    /// stand together, and a block of vectors costs less than the way to each of its fields. What is no digit
    /// in it nobody looks at. Returns how far the side buffer is filled.
    #[inline(never)]
    fn unpack(&mut self, start: u32, end: u32, filled: u32) -> Option<u32> {
        let expected = (self.frame.len() - index(start)) * 5 / 2 + 2 * BLOCK;
        let mut rest = self.frame.get(index(start)..)?;
        self.unpacked = Unpacked { end: start, origin: filled.wrapping_sub(start * 2) };
        let mut filled = index(filled);
        while self.unpacked.end < end {
            let mut block = [0; BLOCK];
            match rest.split_first_chunk() {
                Some((whole, behind)) => (block, rest) = (*whole, behind),
                None => block.get_mut(..rest.len())?.copy_from_slice(rest),
            }
            let side = self.parts.side.room(filled, BLOCK * 2, expected);
            for piece in block.as_chunks::<16>().0 {
                let (upper, lower) = (piece.map(|byte| byte >> 4 | b'0'), piece.map(|byte| byte & 0x0F | b'0'));
                let mut digits = [[0; 2]; 16];
                digits.iter_mut().zip(upper.into_iter().zip(lower)).for_each(|(pair, (upper, lower))| *pair = [upper, lower]);
                side.extend_from_slice(digits.as_flattened());
            }
            filled += BLOCK * 2;
            self.unpacked.end += u32::try_from(BLOCK).ok()?;
        }
        u32::try_from(filled).ok()
    }

    /// Converts a sound field in hexadecimal text, which starts at `at`, into the side buffer behind what is
    /// `filled`: where it ends there.
    #[inline(never)]
    fn unhex(&mut self, plan: &Plan, raw: &[u8], at: u32, filled: u32) -> Option<u32> {
        let (from, expected) = (index(filled), self.most_units(at));
        let side = self.parts.side.room(from, raw.len(), expected);
        if !charset::unhex_plainly(raw, side) || !plan.is_right(side.get(from..).unwrap_or_default()) {
            self.parts.side.cut(from);
            return None;
        }
        u32::try_from(side.len()).ok()
    }

    /// Reads a field of any form, right or wrong.
    #[cold]
    #[inline(never)]
    fn carefully(&mut self, field: &Field, at: u32, filled: u32) -> Result<(Option<Slot>, u32, u32), Faulty> {
        let (at, from) = (index(at), index(filled));
        let extent = extent(field, self.frame, at).map_err(|fault| (Place::Field(field.number), fault))?;
        let end = u32::try_from(extent.end).unwrap_or(u32::MAX);
        if charset::is_plain(field.charset) {
            let slot = self.plain(field, at, extent).map_err(|fault| self.keep_first(field, fault)).ok();
            return Ok((slot, end, filled));
        }
        let slot = self.converted(field, at, from, extent).map_err(|fault| self.keep_first(field, fault)).ok();
        if slot.is_none() {
            self.parts.side.cut(from);
        }
        Ok((slot, end, u32::try_from(self.parts.side.bytes().len()).unwrap_or(u32::MAX)))
    }

    fn keep_first(&mut self, field: &Field, fault: Fault) {
        self.first.get_or_insert((Place::Field(field.number), fault));
    }

    /// A field that stands on the wire as it is in memory.
    fn plain(&mut self, field: &Field, at: usize, extent: layout::Extent) -> Result<Slot, Fault> {
        let layout::Extent { start, end, .. } = extent;
        let raw = self.frame.get(start..end).unwrap_or_default();
        let value = field.pad.trim(raw);
        let from = start + ahead(field.pad, raw, value);
        let checked = check(field, value, &mut self.faults).map_err(|fault| fault.behind(from));
        let faulty = self.judge(field, checked, |at| at + from)?;
        let content = Span::new(from, from + value.len());
        Ok(Slot::framed(field.number, content, Span::new(at, end), faulty))
    }

    /// A field whose wire form must be turned into content, behind `from` in the side buffer. A wrong wire form
    /// is never let through.
    fn converted(&mut self, field: &Field, at: usize, from: usize, extent: layout::Extent) -> Result<Slot, Fault> {
        let layout::Extent { units, start, end } = extent;
        let raw = self.frame.get(start..end).unwrap_or_default();
        let expected = (self.frame.len() - at) * 2 + charset::OVERSHOOT;
        let side = self.parts.side.room(from, units + 1, expected);
        charset::unpack(field.charset, field.content, units, raw, side).map_err(|fault| fault.behind(start))?;
        let whole = side.get(from..).unwrap_or_default();
        let value = field.pad.trim(whole);
        let ahead = ahead(field.pad, whole, value);
        let length = value.len();
        let on_wire = |at: usize| start + charset::wire_offset(field.charset, units, at + ahead);
        let checked = check(field, value, &mut self.faults).map_err(|fault| Fault { at: on_wire(fault.at), ..fault });
        let faulty = self.judge(field, checked, on_wire)?;
        let content = Span::new(from + ahead, from + ahead + length);
        Ok(Slot::converted(field.number, content, Span::new(at, end), faulty))
    }

    /// Applies the field's severity to a fault of content; tells whether one was let through. Faults
    /// noted inside the field are moved to where they stand in the frame.
    fn judge(&mut self, field: &Field, checked: Result<(), Fault>, place: impl Fn(usize) -> usize) -> Result<bool, Fault> {
        if checked.is_ok() && self.faults.is_empty() {
            return Ok(false);
        }
        let inside = self.faults.drain(..).map(|fault| Fault { at: place(fault.at), ..fault });
        let note = |fault: Fault| Note { kind: fault.kind, field: field.number, path: fault.path, offset: fault.at };
        self.parts.notes.extend(inside.map(note));
        match (checked, field.severity) {
            (Err(fault), Severity::Reject) => return Err(fault),
            (Err(fault), Severity::Note) => self.parts.notes.push(note(fault)),
            (Err(_), Severity::Pass) | (Ok(()), _) => {}
        }
        Ok(true)
    }
}
