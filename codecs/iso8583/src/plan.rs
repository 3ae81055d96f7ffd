//! The plan of a field: what of its usual forms the quick way of reading and writing needs to know, worked
//! out once. Reading a field costs mostly the questions what kind of field it is; here they are few.
//!
//! What was tried: the quick way out of line, so that its parts have registers of their own, cost a tenth more
//! than all of it in the loop over the fields, and converting hexadecimal text byte by byte through a table
//! cost as much as reading ten fields.

use crate::class::Content;
use crate::field::{Charset, Counts, Field, Length, Pad, PrefixForm, Side};
use crate::shape::Shape;
use crate::{charset, content, tlv};

/// How to read and write a field in which nothing is unusual. A field that has no plan, and content that is
/// not right at the first look, go the careful way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) told: Told,
    pub(crate) form: Form,
    pub(crate) content: Content,
    /// Whether it must be data objects.
    objects: bool,
    /// Units: the most, of a fixed length the only number.
    pub(crate) max: u32,
    /// Bytes of a fixed length.
    width: u32,
}

/// The extent of a field: units of content, bytes of its length, bytes of its content.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) units: u32,
    pub(crate) ahead: u32,
    pub(crate) width: u32,
}

/// How the length is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Fixed,
    /// Two ASCII digits.
    TwoDigits,
    /// Three ASCII digits.
    ThreeDigits,
    /// A byte of packed digits.
    Packed,
    /// Two bytes of packed digits.
    TwoPacked,
}

/// How units stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One byte each, as they are.
    Plain,
    /// One byte each; blanks behind are filler.
    Text,
    /// Two digits a byte.
    Packed { side: Side, fill: u8 },
    /// Two ASCII hexadecimal characters each, which the length counts one by one or two by two.
    Hex { characters: bool },
}

impl Plan {
    /// The plan of a field; `None` where it is not of a usual form.
    pub(crate) fn of(field: &Field) -> Option<Self> {
        let (told, counts) = match field.length {
            Length::Fixed(_) => (Told::Fixed, Counts::Content),
            Length::Variable { prefix, .. } if !prefix.inclusive => {
                let told = match (prefix.form, prefix.digits) {
                    (PrefixForm::Ascii, 2) => Told::TwoDigits,
                    (PrefixForm::Ascii, 3) => Told::ThreeDigits,
                    (PrefixForm::Bcd, 1..=2) => Told::Packed,
                    (PrefixForm::Bcd, 3..=4) => Told::TwoPacked,
                    _ => return None,
                };
                (told, prefix.counts)
            }
            Length::Variable { .. } | Length::Enclosed { .. } => return None,
        };
        let form = match (field.charset, counts, field.pad) {
            // What is taken off in front moves the content.
            (_, _, Pad::Left(b' ')) => return None,
            (Charset::Ascii, Counts::Content | Counts::Bytes, Pad::Right(b' ')) => Form::Text,
            (Charset::Ascii | Charset::Binary, Counts::Content | Counts::Bytes, _) => Form::Plain,
            (Charset::Bcd { side, fill }, Counts::Content, _) if field.content.is_numeric() => Form::Packed { side, fill },
            (Charset::HexAscii, Counts::Content, _) => Form::Hex { characters: false },
            (Charset::HexAscii, Counts::Bytes, _) => Form::Hex { characters: true },
            _ => return None,
        };
        let objects = match field.shape {
            Shape::Plain => false,
            Shape::BerTlv => true,
            _ => return None,
        };
        let max = u32::try_from(field.length.max()).ok()?;
        let width = u32::try_from(charset::wire_length(field.charset, field.length.max())).ok()?;
        Some(Self { told, form, content: field.content, objects, max, width })
    }

    /// What stands at the start of `input`: units of content, bytes of the length and of the content. Frames
    /// are bounded to what 32 bits can tell, so positions are too.
    #[inline]
    pub(crate) fn extent(self, input: &[u8]) -> Option<Extent> {
        let digit = |byte: &u8| u32::from(byte.wrapping_sub(b'0'));
        let (said, ahead, right) = match (self.told, input) {
            (Told::Fixed, _) => return Some(Extent { units: self.max, ahead: 0, width: self.width }),
            (Told::TwoDigits, [a, b, ..]) => (digit(a) * 10 + digit(b), 2, (digit(a) < 10) & (digit(b) < 10)),
            (Told::ThreeDigits, [a, b, c, ..]) => {
                let right = (digit(a) < 10) & (digit(b) < 10) & (digit(c) < 10);
                (digit(a) * 100 + digit(b) * 10 + digit(c), 3, right)
            }
            (Told::Packed, [a, ..]) => (unpacked(*a), 1, are_digits(*a)),
            (Told::TwoPacked, [a, b, ..]) => (unpacked(*a) * 100 + unpacked(*b), 2, are_digits(*a) & are_digits(*b)),
            _ => return None,
        };
        let (units, width, whole) = match self.form {
            Form::Plain | Form::Text => (said, said, true),
            Form::Packed { .. } => (said, said.div_ceil(2), true),
            Form::Hex { characters: true } => (said / 2, said, said % 2 == 0),
            Form::Hex { characters: false } => (said, said * 2, true),
        };
        if right & whole & (units <= self.max) { Some(Extent { units, ahead, width }) } else { None }
    }

    /// Whether content is right at the first look; of packed digits whether their date can be.
    #[inline]
    pub(crate) fn is_right(self, value: &[u8]) -> bool {
        (!self.objects || tlv::are_plain(value)) && content::is_plainly_right(self.content, value)
    }
}

#[inline]
fn unpacked(byte: u8) -> u32 {
    u32::from((byte >> 4) * 10 + (byte & 0x0F))
}

#[inline]
fn are_digits(byte: u8) -> bool {
    (byte >> 4 <= 9) & (byte & 0x0F <= 9)
}

#[cfg(test)]
mod tests {
    use crate::{Message, Spec};

    /// The same table without plans: everything goes the careful way.
    fn careful(spec: &Spec) -> Spec {
        let mut spec = spec.clone();
        spec.fields.iter_mut().flatten().for_each(|field| field.plan = None);
        spec
    }

    fn message() -> Message {
        let mut message = Message::new("0200");
        message.set(2, "476173900101011").set(3, "000000").set(4, "000000012345").set(7, "0715143100").set(12, "143100");
        message.set(13, "0229").set(22, "051").set(32, "4001234").set(35, "4761739001010119=2712").set(37, "519614123456");
        message.set(41, "TERM0001").set(43, "CORNER SHOP").set(49, "826").set(52, [0x1A; 8]).set(53, "0000000000000001");
        message.set(55, [0x82, 2, 0x19, 0x80, 0x9F, 0x36, 2, 0, 0x1A, 0xE1, 3, 0x95, 1, 7]);
        message
    }

    #[test]
    fn the_quick_way_and_the_careful_one_agree_whichever_byte_is_changed() {
        for name in ["iso87-ascii", "iso87-binary"] {
            let spec = Spec::shipped(name).unwrap();
            let (quick, careful) = (spec.noting_except(&[3, 7, 55]), careful(&spec.noting_except(&[3, 7, 55])));
            assert!(quick.fields().filter(|field| field.plan.is_some()).count() > 100, "{name}");
            let sound = spec.encode(&message()).unwrap();
            for at in 0..sound.len() {
                for byte in 0..=u8::MAX {
                    let mut frame = sound.clone();
                    frame[at] = byte;
                    let frame = bytes::Bytes::from(frame);
                    match (quick.decode(frame.clone()), careful.decode(frame)) {
                        (Ok(quick), Ok(careful)) => {
                            assert_eq!(quick, careful, "{name}: {byte:#04x} at {at}");
                            assert_eq!(quick.notes(), careful.notes(), "{name}: {byte:#04x} at {at}");
                        }
                        (Err(quick), Err(careful)) => {
                            assert_eq!(quick.to_string(), careful.to_string(), "{name}: {byte:#04x} at {at}");
                            assert_eq!((quick.offset, quick.partial), (careful.offset, careful.partial), "{name}");
                        }
                        (quick, careful) => panic!("{name}: {byte:#04x} at {at}: {quick:?}, {careful:?}"),
                    }
                }
            }
        }
    }
}
