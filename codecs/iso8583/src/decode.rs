//! Reading: one pass over the frame, every byte accounted for.

use bytes::Bytes;

use crate::ebcdic::through;
use crate::error::{DecodeError, Fault, Got, Kind, Note, Place, Wanted};
use crate::field::{Charset, Field, Pad, Severity, Side};
use crate::inside::{ahead, check};
use crate::layout::{self, extent};
use crate::message::{Message, Parts, Slot, Span};
use crate::plan::{Extent, Form, Plan};
use crate::spec::Spec;
use crate::{charset, swar};

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
        let mut reader = Reader { spec: self, frame: &frame, parts: Parts::default(), faults: Vec::new(), first: None };
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
fn error(place: Place, fault: Fault, mut partial: Message) -> DecodeError {
    partial.doubt();
    let Fault { kind, at: offset, wanted, got, path } = fault;
    DecodeError { kind, place, path, offset, wanted, got, partial: Box::new(partial) }
}

/// A fault at a place; from here on `at` counts from the start of the message.
type Faulty = (Place, Fault);

struct Reader<'a> {
    spec: &'a Spec,
    frame: &'a [u8],
    parts: Parts,
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
        let (mut bitmap, mut at) = spec.bitmaps(frame, start)?;
        self.parts.bitmaps = Span::new(start, at);
        self.parts.slots = Vec::with_capacity(bitmap.count());
        for word in 0..3 {
            if word == 1 {
                at = spec.inner_bitmap(&mut bitmap, frame, at)?;
            }
            for number in bitmap.fields(word, spec.third) {
                let Some(field) = spec.field(number) else {
                    let fault = Fault::new(Kind::UndefinedField, at, Wanted::KnownField, Got::Nothing);
                    return Err((Place::Field(number), fault));
                };
                self.parts.mac_at = field.mac.then_some(at);
                at = self.field(field, at)?;
            }
        }
        if at < frame.len() {
            if !spec.trailing {
                let got = Got::Bytes(frame.len() - at);
                return Err((Place::End, Fault::new(Kind::Trailing, at, Wanted::End, got)));
            }
            self.parts.trailing = Span::new(at, frame.len());
        }
        Ok(())
    }

    fn mti(&mut self) -> Result<usize, Faulty> {
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

    /// Reads the field that starts at `at`; returns where the next one starts.
    #[inline]
    fn field(&mut self, field: &Field, at: usize) -> Result<usize, Faulty> {
        match self.plainly(field, at) {
            Some(end) => Ok(end),
            None => self.carefully(field, at),
        }
    }

    /// Reads a field of a usual form in which nothing is wrong. Everything is checked here too, but in words
    /// and vectors instead of bytes, and without a word about what is wrong: anything else is `None`,
    /// before it left a trace, and read carefully.
    #[inline]
    fn plainly(&mut self, field: &Field, at: usize) -> Option<usize> {
        let plan = field.plan.as_ref()?;
        let Extent { units, ahead, width } = plan.extent(self.frame.get(at..)?)?;
        let from = u32::try_from(at).ok()?;
        let (start, end) = (from + ahead, from + ahead + width);
        let (wire, whole) = (Span::of(from, end), Span::of(start, end));
        let raw = self.frame.get(whole.range())?;
        let (content, converted) = match plan.form {
            Form::Plain => {
                let value = if plan.blanks { Pad::BLANKS.trim(raw) } else { raw };
                if !plan.is_right(value) {
                    return None;
                }
                (Span::of(start, start + u32::try_from(value.len()).ok()?), false)
            }
            Form::Packed { side, fill } => match usize::try_from(width).ok()? {
                width @ ..=charset::WORD => (self.unpacked_plainly(plan, (side, fill), (units, width), (at, whole))?, true),
                _ => (self.converted_plainly(plan, units, raw, at)?, true),
            },
            Form::Hex => (self.converted_plainly(plan, units, raw, at)?, true),
        };
        self.parts.slots.push(Slot::sound(field.number, content, converted, wire));
        Some(wire.range().end)
    }

    /// Unpacks digits of at most a word into the side buffer, filler and all, and leaves the filler out where it
    /// tells the place of the content: nothing is moved, and nothing depends on where the filler is.
    #[inline(always)]
    fn unpacked_plainly(
        &mut self,
        plan: &Plan,
        (filled, fill): (Side, u8),
        (units, width): (u32, usize),
        (at, whole): (usize, Span),
    ) -> Option<Span> {
        let units = usize::try_from(units).ok()?;
        let word = charset::packed_word(filled, fill, units, width, self.frame.get(whole.range().start..)?)?;
        let (digits, right) = swar::unpack_sixteen(word);
        if !right || !plan.is_right_packed(units, word) {
            return None;
        }
        let side = self.parts.side.room(charset::OVERSHOOT, self.most_units(at));
        let from = side.len();
        side.extend_from_slice(&digits);
        side.truncate(from + width * 2);
        let first = from + usize::from(filled == Side::Left && units % 2 == 1);
        Some(Span::new(first, first + units))
    }

    /// So many units, and what is taken off again, may be converted from here on: no byte is more than two.
    fn most_units(&self, at: usize) -> usize {
        (self.frame.len() - at) * 2 + charset::OVERSHOOT
    }

    /// Converts a sound field that starts at `at` into the side buffer: where its content stands there.
    #[inline(never)]
    fn converted_plainly(&mut self, plan: &Plan, units: u32, raw: &[u8], at: usize) -> Option<Span> {
        let (units, expected) = (usize::try_from(units).ok()?, self.most_units(at));
        let side = self.parts.side.room(units + charset::OVERSHOOT, expected);
        let from = side.len();
        let right = match plan.form {
            Form::Packed { side: filled, fill } => {
                charset::unpack_plainly(filled, fill, units, raw, side) && plan.is_right(side.get(from..).unwrap_or_default())
            }
            _ => charset::unhex_plainly(raw, side) && plan.is_right(side.get(from..).unwrap_or_default()),
        };
        let content = Span::new(from, side.len());
        if !right {
            self.parts.side.cut(from);
            return None;
        }
        Some(content)
    }

    /// Reads a field of any form, right or wrong.
    #[cold]
    #[inline(never)]
    fn carefully(&mut self, field: &Field, at: usize) -> Result<usize, Faulty> {
        let extent = extent(field, self.frame, at).map_err(|fault| (Place::Field(field.number), fault))?;
        let end = extent.end;
        let checked =
            if charset::is_plain(field.charset) { self.plain(field, at, extent) } else { self.converted(field, at, extent) };
        if let Err(fault) = checked {
            self.first.get_or_insert((Place::Field(field.number), fault));
        }
        Ok(end)
    }

    /// A field that stands on the wire as it is in memory.
    fn plain(&mut self, field: &Field, at: usize, extent: layout::Extent) -> Result<(), Fault> {
        let layout::Extent { start, end, .. } = extent;
        let raw = self.frame.get(start..end).unwrap_or_default();
        let value = field.pad.trim(raw);
        let from = start + ahead(field.pad, raw, value);
        let checked = check(field, value, &mut self.faults).map_err(|fault| fault.behind(from));
        let faulty = self.judge(field, checked, |at| at + from)?;
        let content = Span::new(from, from + value.len());
        self.parts.slots.push(Slot::framed(field.number, content, Span::new(at, end), faulty));
        Ok(())
    }

    /// A field whose wire form must be turned into content. A wrong wire form is never let through.
    fn converted(&mut self, field: &Field, at: usize, extent: layout::Extent) -> Result<(), Fault> {
        let layout::Extent { units, start, end } = extent;
        let raw = self.frame.get(start..end).unwrap_or_default();
        let side = self.parts.side.room(units + 1, self.most_units(at));
        let from = side.len();
        charset::unpack(field.charset, field.content, units, raw, side).map_err(|fault| fault.behind(start))?;
        let whole = side.get(from..).unwrap_or_default();
        let value = field.pad.trim(whole);
        let ahead = ahead(field.pad, whole, value);
        let length = value.len();
        let on_wire = |at: usize| start + charset::wire_offset(field.charset, units, at + ahead);
        let checked = check(field, value, &mut self.faults).map_err(|fault| Fault { at: on_wire(fault.at), ..fault });
        let faulty = self.judge(field, checked, on_wire)?;
        let content = Span::new(from + ahead, from + ahead + length);
        self.parts.slots.push(Slot::converted(field.number, content, Span::new(at, end), faulty));
        Ok(())
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
