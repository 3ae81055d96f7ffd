//! Writing: the same checks as reading, then one pass into a buffer. On an error nothing is written.

use std::borrow::Cow;

use crate::bitmap::{Bitmap, Third};
use crate::error::{EncodeError, Fault, Got, Kind, Place, Wanted};
use crate::field::{Field, Length, Pad, Severity};
use crate::inside::check;
use crate::message::Message;
use crate::plan::{Form, Plan};
use crate::spec::Spec;
use crate::{charset, prefix};

impl Spec {
    /// Writes a message. What was decoded with this spec and not touched is written as it stood;
    /// everything else in canonical form: upper-case hexadecimal, shortest bitmaps.
    ///
    /// # Errors
    /// Whatever decoding would refuse: an MTI that is not four digits, a field that the spec does
    /// not have, content outside its class, a wrong length.
    pub fn encode(&self, message: &Message) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(message.frame().len().max(512));
        self.encode_into(message, &mut out)?;
        Ok(out)
    }

    /// As [`Spec::encode`], behind what `out` already holds; on an error `out` is as it was.
    pub fn encode_into(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let written = self.write_whole(message, out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// Writes everything before the MAC field, with the MAC already in the bitmap: DE128 where a
    /// secondary bitmap is needed, else DE64. A MAC that the message holds is not used.
    pub fn encode_for_mac(&self, message: &Message) -> Result<Unsigned, EncodeError> {
        let present = self.present_without(message, true)?.announced();
        let secondary = present.has_second();
        let Some(mac) = self.mac_field(secondary) else {
            let number = if secondary { 128 } else { 64 };
            return Err(Spec::undefined(number));
        };
        let bitmap = present.with(mac.number);
        let mut bytes = Vec::with_capacity(512);
        self.write_mti(message, &mut bytes)?;
        self.write_bitmaps(bitmap, &mut bytes);
        self.write_fields(message, bitmap, true, &mut bytes)?;
        Ok(Unsigned { bytes, mac: mac.clone() })
    }

    /// Writes a message with the MAC that `sign` makes over every byte before it.
    pub fn encode_with_mac(&self, message: &Message, sign: impl FnOnce(&[u8]) -> [u8; 8]) -> Result<Vec<u8>, EncodeError> {
        let unsigned = self.encode_for_mac(message)?;
        let mac = sign(unsigned.bytes());
        Ok(unsigned.finish(mac))
    }

    fn write_whole(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.write_mti(message, out)?;
        let bitmap = message.bitmap().announced();
        match message.source_bitmaps(self.layout) {
            Some(as_they_stood) => out.extend_from_slice(as_they_stood),
            None => self.write_bitmaps(bitmap, out),
        }
        self.write_fields(message, bitmap, false, out)?;
        out.extend_from_slice(message.source_trailing(self.layout));
        Ok(())
    }

    /// The fields that are there and defined; without the MAC where it is made anew.
    fn present_without(&self, message: &Message, mac: bool) -> Result<Bitmap, EncodeError> {
        let mut bitmap = Bitmap::default();
        for (number, _) in message.fields() {
            match self.field(number) {
                Some(field) if mac && field.mac => {}
                Some(_) => bitmap = bitmap.with(number),
                None => return Err(Spec::undefined(number)),
            }
        }
        Ok(bitmap)
    }

    fn write_mti(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mti = message.mti_bytes();
        if let Some((at, byte)) = mti.iter().enumerate().find(|(_, byte)| !byte.is_ascii_digit()) {
            return Err(placed(Place::Mti, Fault::new(Kind::NonDigit, at, Wanted::Digit, Got::byte(*byte))));
        }
        charset::pack(self.mti, mti, out);
        Ok(())
    }

    fn write_bitmaps(&self, bitmap: Bitmap, out: &mut Vec<u8>) {
        bitmap.write(0, self.bitmap, out);
        if bitmap.has_second() {
            bitmap.write(1, self.bitmap, out);
        }
        if bitmap.has_third() && self.third == Third::Follows {
            bitmap.write(2, self.bitmap, out);
        }
    }

    /// Writes the fields in order; `signing` leaves the MAC out.
    fn write_fields(&self, message: &Message, bitmap: Bitmap, signing: bool, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut third = (self.third == Third::Field65 && bitmap.has_third()).then_some(bitmap);
        for slot in message.slots() {
            if slot.number() > 64
                && let Some(bitmap) = third.take()
            {
                bitmap.write(2, self.bitmap, out);
            }
            let Some(field) = self.field(slot.number()) else { return Err(Spec::undefined(slot.number())) };
            if signing && field.mac {
                continue;
            }
            // A fault that a laxer spec let through is looked at again.
            let sound = !slot.is_faulty() || field.severity != Severity::Reject;
            match message.source(slot, self.layout).filter(|_| sound) {
                Some(as_it_stood) => out.extend_from_slice(as_it_stood),
                None => {
                    write_field(field, message.content(slot), out).map_err(|fault| placed(Place::Field(slot.number()), fault))?
                }
            }
        }
        Ok(())
    }
}

/// Writes one field or subfield with its prefix, canonical. Faults count in its content.
#[inline]
pub(crate) fn write_field(field: &Field, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    match &field.plan {
        Some(plan) if write_plainly(plan, value, out) => Ok(()),
        _ => write_carefully(field, value, out),
    }
}

/// Writes content of a usual form in which nothing is wrong; anything else is written, or refused,
/// carefully. See `decode.rs`, where reading does the same.
#[inline(always)]
fn write_plainly(plan: &Plan, value: &[u8], out: &mut Vec<u8>) -> bool {
    let value = if plan.blanks { Pad::BLANKS.trim(value) } else { value };
    let Some(filler) = plan.filler(value.len()) else { return false };
    if !plan.is_right(value) {
        return false;
    }
    plan.tell(value.len(), out);
    match plan.form {
        Form::Plain => {
            out.extend_from_slice(value);
            if filler > 0 {
                out.resize(out.len() + filler, b' ');
            }
        }
        Form::Packed => charset::pack_bcd(plan.side, plan.fill, value, out),
        Form::Hex => charset::hex_plainly(value, out),
    }
    true
}

#[inline(never)]
fn write_carefully(field: &Field, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let value = field.pad.trim(value);
    let wrong = |kind, wanted| Fault::new(kind, 0, wanted, Got::Length(value.len()));
    let max = field.length.max();
    if value.len() > max {
        return Err(wrong(Kind::TooLong, Wanted::AtMost(max)));
    }
    let missing = max - value.len();
    let filled: Cow<'_, [u8]> = match (field.length, field.pad) {
        (Length::Fixed(_), Pad::None) if missing > 0 => return Err(wrong(Kind::BadLength, Wanted::Exactly(max))),
        // Filler that decoding takes off is not content: the class need not allow it.
        (Length::Fixed(_), Pad::Left(fill)) if missing > 0 && fill != b' ' => {
            let mut filled = vec![fill; missing];
            filled.extend_from_slice(value);
            Cow::Owned(filled)
        }
        (Length::Fixed(_), Pad::Right(fill)) if missing > 0 && fill != b' ' => {
            let mut filled = value.to_vec();
            filled.resize(max, fill);
            Cow::Owned(filled)
        }
        _ => Cow::Borrowed(value),
    };
    check_outgoing(field, &filled)?;
    let start = out.len();
    if let Length::Variable { prefix, .. } = field.length {
        if !prefix::is_exact(prefix, max, field.charset, filled.len()) {
            return Err(wrong(Kind::BadLength, Wanted::Exactly(filled.len() + 1)));
        }
        prefix::write(prefix, field.charset, filled.len(), out);
    }
    let blanks = if matches!(field.length, Length::Fixed(_)) { max - filled.len() } else { 0 };
    match field.pad {
        Pad::Left(b' ') if blanks > 0 => {
            let mut whole = vec![b' '; blanks];
            whole.extend_from_slice(&filled);
            charset::pack(field.charset, &whole, out);
        }
        Pad::Right(b' ') if blanks > 0 => {
            charset::pack(field.charset, &filled, out);
            let width = charset::wire_length(field.charset, max);
            out.resize(start + width, charset::blank(field.charset));
        }
        _ => charset::pack(field.charset, &filled, out),
    }
    Ok(())
}

/// A fault that decoding would let pass may be written, as long as it has a wire form at all.
fn check_outgoing(field: &Field, value: &[u8]) -> Result<(), Fault> {
    // Packed content is known to be digits only once it was packed.
    let digits = if charset::proves_digits(field.charset, field.content) {
        crate::content::check(crate::Content::N, value)
    } else {
        Ok(())
    };
    let checked = digits.and_then(|()| check(field, value, &mut Vec::new()));
    let lenient = field.severity != Severity::Reject && charset::can_carry(field.charset, field.content, value);
    if lenient { Ok(()) } else { checked }
}

fn placed(place: Place, fault: Fault) -> EncodeError {
    let Fault { kind, at: offset, wanted, got, path } = fault;
    EncodeError { kind, place, path, offset, wanted, got }
}

/// A message written up to its MAC, which somebody else (a security module) makes.
#[derive(Clone)]
pub struct Unsigned {
    bytes: Vec<u8>,
    mac: Field,
}

impl Unsigned {
    /// Every byte that the MAC covers: from the MTI up to the MAC field.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole message. Where the MAC field is shorter, the first bytes of the MAC stand in it.
    pub fn finish(mut self, mac: [u8; 8]) -> Vec<u8> {
        charset::pack(self.mac.charset, mac.get(..self.mac.length.max()).unwrap_or(&mac), &mut self.bytes);
        self.bytes
    }
}

impl std::fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unsigned([{} bytes])", self.bytes.len())
    }
}
