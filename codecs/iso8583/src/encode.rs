//! Writing: the same checks as reading, then one pass into a buffer. On an error nothing is written.

use std::borrow::Cow;

use crate::bitmap::Bitmap;
use crate::decode::trim;
use crate::error::{EncodeError, Fault, Got, Kind, Place, Wanted};
use crate::field::{Field, Length, Pad, Severity};
use crate::message::Message;
use crate::spec::Spec;
use crate::{charset, content, prefix};

impl Spec {
    /// Writes a message.
    ///
    /// # Errors
    /// Whatever decoding would refuse: an MTI that is not four digits, a field that the spec does
    /// not have, content outside its class, a wrong length.
    pub fn encode(&self, message: &Message) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(512);
        self.encode_into(message, &mut out)?;
        Ok(out)
    }

    /// As [`Spec::encode`], behind what `out` already holds; on an error `out` is as it was.
    pub fn encode_into(&self, message: &Message, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let bitmap = self.present(message)?.announced();
        let written = self.write(message, bitmap, None, out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    /// Writes everything before the MAC field, with the MAC already in the bitmap: DE128 where a
    /// secondary bitmap is needed, else DE64. A MAC that the message holds is not used.
    pub fn encode_for_mac(&self, message: &Message) -> Result<Unsigned, EncodeError> {
        let present = self.present_without(message, true)?.announced();
        let secondary = present.has_secondary();
        let Some(mac) = self.mac_field(secondary) else {
            let number = if secondary { 128 } else { 64 };
            return Err(undefined(number));
        };
        let bitmap = present.with(mac.number);
        let mut bytes = Vec::with_capacity(512);
        self.write(message, bitmap, Some(mac.number), &mut bytes)?;
        Ok(Unsigned { bytes, mac: mac.clone() })
    }

    /// Writes a message with the MAC that `sign` makes over every byte before it.
    pub fn encode_with_mac(&self, message: &Message, sign: impl FnOnce(&[u8]) -> [u8; 8]) -> Result<Vec<u8>, EncodeError> {
        let unsigned = self.encode_for_mac(message)?;
        let mac = sign(unsigned.bytes());
        Ok(unsigned.finish(mac))
    }

    fn present(&self, message: &Message) -> Result<Bitmap, EncodeError> {
        self.present_without(message, false)
    }

    fn present_without(&self, message: &Message, mac: bool) -> Result<Bitmap, EncodeError> {
        let mut bitmap = Bitmap::default();
        for (number, _) in message.fields() {
            match self.field(number) {
                Some(field) if mac && field.mac => {}
                Some(_) => bitmap = bitmap.with(number),
                None => return Err(undefined(number)),
            }
        }
        Ok(bitmap)
    }

    /// Writes MTI, bitmap and the fields that the bitmap names, up to the MAC field `before`.
    fn write(&self, message: &Message, bitmap: Bitmap, before: Option<u8>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mti = message.mti_bytes();
        if let Some((at, byte)) = mti.iter().enumerate().find(|(_, byte)| !byte.is_ascii_digit()) {
            let fault = Fault { kind: Kind::NonDigit, at, wanted: Wanted::Digit, got: Got::byte(*byte) };
            return Err(placed(Place::Mti, fault));
        }
        charset::pack(self.mti, mti, out);
        bitmap.write(self.bitmap, out);
        for (number, value) in message.fields() {
            let Some(field) = self.field(number) else { return Err(undefined(number)) };
            if before.is_none() || !field.mac {
                write_field(field, value, out).map_err(|fault| placed(Place::Field(number), fault))?;
            }
        }
        Ok(())
    }
}

fn write_field(field: &Field, value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let value = if field.pad == Pad::Blanks { trim(value) } else { value };
    let wrong = |kind, wanted| Fault { kind, at: 0, wanted, got: Got::Length(value.len()) };
    let max = usize::from(field.length.max());
    if value.len() > max {
        return Err(wrong(Kind::TooLong, Wanted::AtMost(max)));
    }
    let filled: Cow<'_, [u8]> = match (field.length, field.pad) {
        (Length::Fixed(_), Pad::Zeros) if value.len() < max => {
            let mut filled = vec![b'0'; max - value.len()];
            filled.extend_from_slice(value);
            Cow::Owned(filled)
        }
        (Length::Fixed(_), Pad::None) if value.len() < max => return Err(wrong(Kind::BadLength, Wanted::Exactly(max))),
        _ => Cow::Borrowed(value),
    };
    // A fault that decoding would let pass may be written, as long as it has a wire form at all.
    let checked = content::check(field.content, field.shape, &filled);
    let lenient = field.severity != Severity::Reject && charset::is_plain(field.charset);
    if let (Err(fault), false) = (checked, lenient) {
        return Err(fault);
    }
    if let Length::Variable { prefix, .. } = field.length {
        prefix::write(prefix, field.charset, filled.len(), out);
    }
    charset::pack(field.charset, &filled, out);
    if field.pad == Pad::Blanks {
        out.resize(out.len() + max - filled.len(), b' ');
    }
    Ok(())
}

fn undefined(number: u8) -> EncodeError {
    let fault = Fault { kind: Kind::UndefinedField, at: 0, wanted: Wanted::KnownField, got: Got::Nothing };
    placed(Place::Field(number), fault)
}

fn placed(place: Place, fault: Fault) -> EncodeError {
    EncodeError { kind: fault.kind, place, offset: fault.at, wanted: fault.wanted, got: fault.got }
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

    /// The whole message.
    pub fn finish(mut self, mac: [u8; 8]) -> Vec<u8> {
        charset::pack(self.mac.charset, &mac, &mut self.bytes);
        self.bytes
    }
}

impl std::fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Unsigned([{} bytes])", self.bytes.len())
    }
}
