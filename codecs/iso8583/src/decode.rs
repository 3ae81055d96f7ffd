//! Reading: one pass over the frame, every byte accounted for.

use bytes::Bytes;
use zeroize::Zeroizing;

use crate::bitmap::Bitmap;
use crate::charset;
use crate::content;
use crate::error::{DecodeError, Fault, Got, Kind, Note, Place, Wanted};
use crate::field::{Charset, Content, Field, Pad, Severity};
use crate::layout::extent;
use crate::message::Message;
use crate::spec::Spec;

impl Spec {
    /// Reads one message. Strict: content classes are checked, nothing may follow the last field.
    /// Fields that stand on the wire as they are in memory stay slices of `frame`.
    ///
    /// # Errors
    /// The first fault, with what could be read. A fault of content does not end the reading: the
    /// fields after it are in [`DecodeError::partial`] too, only the faulty ones are missing.
    pub fn decode(&self, frame: Bytes) -> Result<Message, DecodeError> {
        let mut reader = Reader { spec: self, message: Message::decoded([b'?'; 4], frame.clone(), 0), first: None };
        match reader.read(&frame) {
            Ok(()) => match reader.first {
                None => Ok(reader.message),
                Some((place, fault)) => Err(error(place, fault, reader.message)),
            },
            Err((place, fault)) => {
                let (place, fault) = reader.first.unwrap_or((place, fault));
                Err(error(place, fault, reader.message))
            }
        }
    }
}

fn error(place: Place, fault: Fault, mut partial: Message) -> DecodeError {
    partial.doubt();
    DecodeError { kind: fault.kind, place, offset: fault.at, wanted: fault.wanted, got: fault.got, partial: Box::new(partial) }
}

/// A fault at a place; from here on `at` counts from the start of the message.
type Faulty = (Place, Fault);

struct Reader<'a> {
    spec: &'a Spec,
    message: Message,
    /// The first fault of content, while reading goes on.
    first: Option<Faulty>,
}

impl Reader<'_> {
    fn read(&mut self, frame: &Bytes) -> Result<(), Faulty> {
        let spec = self.spec;
        let mut at = self.mti(frame)?;
        let width = spec.bitmap.wire_length();
        let rest = frame.get(at..).unwrap_or_default();
        let mut bitmap = spec.bitmap.read(rest, Bitmap::default(), false).map_err(|fault| placed(Place::Bitmap, at, fault))?;
        at += width;
        if bitmap.has_secondary() {
            let rest = frame.get(at..).unwrap_or_default();
            bitmap = spec.bitmap.read(rest, bitmap, true).map_err(|fault| placed(Place::SecondBitmap, at, fault))?;
            at += width;
        }
        let mti = *self.message.mti_bytes();
        self.message = Message::decoded(mti, frame.clone(), bitmap.count());
        let mut mac_at = None;
        for number in bitmap.fields() {
            let Some(field) = spec.field(number) else {
                let fault = Fault { kind: Kind::UndefinedField, at, wanted: Wanted::KnownField, got: Got::Nothing };
                return Err((Place::Field(number), fault));
            };
            mac_at = field.mac.then_some(at);
            at = self.field(field, frame, at)?;
        }
        self.message.mac_starts(mac_at);
        if at < frame.len() {
            let got = Got::Bytes(frame.len() - at);
            return Err((Place::End, Fault { kind: Kind::Trailing, at, wanted: Wanted::End, got }));
        }
        Ok(())
    }

    fn mti(&mut self, frame: &[u8]) -> Result<usize, Faulty> {
        let width = charset::wire_length(self.spec.mti, 4);
        let cut_off = Fault { kind: Kind::Truncated, at: 0, wanted: Wanted::Bytes(width), got: Got::Bytes(frame.len()) };
        let raw = frame.get(..width).ok_or((Place::Mti, cut_off))?;
        let mut mti = [b'?'; 4];
        match self.spec.mti {
            Charset::Ascii => {
                if let Some((at, byte)) = raw.iter().enumerate().find(|(_, byte)| !byte.is_ascii_digit()) {
                    let fault = Fault { kind: Kind::NonDigit, at, wanted: Wanted::Digit, got: Got::byte(*byte) };
                    return Err((Place::Mti, fault));
                }
                mti.iter_mut().zip(raw).for_each(|(room, byte)| *room = *byte);
            }
            packed => {
                let mut digits = Vec::with_capacity(4);
                charset::unpack(packed, Content::N, 4, raw, &mut digits).map_err(|fault| placed(Place::Mti, 0, fault))?;
                mti.iter_mut().zip(&digits).for_each(|(room, byte)| *room = *byte);
            }
        }
        self.message.set_mti(mti);
        Ok(width)
    }

    /// Reads the field that starts at `at`; returns where the next one starts.
    fn field(&mut self, field: &Field, frame: &[u8], at: usize) -> Result<usize, Faulty> {
        let place = Place::Field(field.number);
        let extent = extent(field, frame, at).map_err(|fault| (place, fault))?;
        let start = extent.start;
        let raw = frame.get(start..extent.end).unwrap_or_default();
        let checked = if charset::is_plain(field.charset) {
            self.plain(field, raw, start)
        } else {
            self.converted(field, raw, extent.units, start)
        };
        if let Err(fault) = checked {
            self.first.get_or_insert((place, Fault { at: start + fault.at, ..fault }));
        }
        Ok(extent.end)
    }

    /// A field that stands on the wire as it is in memory. Faults count from its start.
    fn plain(&mut self, field: &Field, raw: &[u8], start: usize) -> Result<(), Fault> {
        let value = match field.pad {
            Pad::Blanks => trim(raw),
            _ => raw,
        };
        let checked = content::check(field.content, field.shape, value);
        self.judge(field, checked, |at| at, start)?;
        self.message.push_framed(field.number, start, start + value.len());
        Ok(())
    }

    /// A field whose wire form must be turned into content.
    fn converted(&mut self, field: &Field, raw: &[u8], units: usize, start: usize) -> Result<(), Fault> {
        let mut value = Zeroizing::new(Vec::with_capacity(units + 1));
        charset::unpack(field.charset, field.content, units, raw, &mut value)?;
        let checked = content::check(field.content, field.shape, &value);
        self.judge(field, checked, |at| charset::wire_offset(field.charset, units, at), start)?;
        self.message.push_converted(field.number, &value);
        Ok(())
    }

    /// Applies the field's severity to a fault of content.
    fn judge(
        &mut self,
        field: &Field,
        checked: Result<(), Fault>,
        on_wire: impl Fn(usize) -> usize,
        start: usize,
    ) -> Result<(), Fault> {
        let Err(fault) = checked else { return Ok(()) };
        let at = on_wire(fault.at);
        match field.severity {
            Severity::Reject => return Err(Fault { at, ..fault }),
            Severity::Note => self.message.note(Note { kind: fault.kind, field: field.number, offset: start + at }),
            Severity::Pass => {}
        }
        Ok(())
    }
}

/// Without the blanks at the end.
pub(crate) fn trim(raw: &[u8]) -> &[u8] {
    let end = raw.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at + 1);
    raw.get(..end).unwrap_or_default()
}

fn placed(place: Place, start: usize, fault: Fault) -> Faulty {
    (place, Fault { at: start + fault.at, ..fault })
}
