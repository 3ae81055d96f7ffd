//! The plan of a field: what of its usual forms the quick way of reading and writing needs to know, worked
//! out once. Reading a field costs mostly the questions what kind of field it is; here they are few.
//!
//! A plan is looked at where it stands: a copy of it is written in vectors and read again byte by byte, and that
//! alone cost a fifth of reading a message and a seventh of writing it.
//!
//! What else reading costs was counted in instructions (callgrind), which the time followed closely:
//! * Digits that are packed are checked a word at a time and unpacked a block of the frame at a time, neighbours
//!   and all (`decode.rs`). To unpack each field alone took 500 instructions more of 5,000.
//! * A short field is a whole word of the frame of which the bytes behind it are masked out: to ask how long a
//!   field is costs more than to check bytes that are not its own.
//! * The loop over the fields is a function of its own, for its registers: inlined it took 300 more.
//! * Which bytes of data objects go on is a branch that is guessed. A choice without a branch took fewer
//!   instructions and a tenth more time, for then each object waits for the one before (`tlv`).
//!
//! What is left of the distance to a parser written by hand is the questions themselves, about a hundred
//! instructions a field, and the two allocations and the shared frame of a message, an eighth of its time.

use crate::class::Content;
use crate::field::{Charset, Counts, Field, Length, Pad, PrefixForm, Side};
use crate::shape::Shape;
use crate::{charset, content, swar, tlv};

/// How to read and write a field in which nothing is unusual. A field that has no plan, and content that is
/// not right at the first look, go the careful way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// How the length is told; `None` where it is fixed.
    told: Option<Told>,
    pub(crate) form: Form,
    /// Of packed digits: where the filler of an odd number stands, and what it is.
    pub(crate) side: Side,
    pub(crate) fill: u8,
    /// 1 where an odd number of them has its filler in front.
    pub(crate) skipped: u32,
    /// Whether blanks behind are filler, of a plain form.
    pub(crate) blanks: bool,
    class: Class,
    content: Content,
    /// Whether the digits must be a date or a time.
    pub(crate) dated: bool,
    /// Whether it must be data objects.
    objects: bool,
    /// The length counts this many halvings of what it says: 1 where it counts characters of bytes.
    halved: u8,
    /// A unit takes two bytes where this is 1.
    doubled: u8,
    /// Two units take a byte where this is 1.
    paired: u8,
    /// Units: the most, of a fixed length the only number.
    max: u32,
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

/// The digits of a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    /// Two a byte, else in ASCII.
    packed: bool,
    /// Two packed bytes, not one; three characters, not two.
    long: bool,
}

/// How units stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One byte each, as they are.
    Plain,
    /// Two digits a byte.
    Packed,
    /// Two ASCII hexadecimal characters each.
    Hex,
}

/// What may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Digits,
    Printable,
    Other,
}

impl Plan {
    /// The plan of a field; `None` where it is not of a usual form.
    pub(crate) fn of(field: &Field) -> Option<Self> {
        let (told, counts) = match field.length {
            Length::Fixed(_) => (None, Counts::Content),
            Length::Variable { prefix, .. } if !prefix.inclusive => {
                let (packed, long) = match (prefix.form, prefix.digits) {
                    (PrefixForm::Ascii, 2) => (false, false),
                    (PrefixForm::Ascii, 3) => (false, true),
                    (PrefixForm::Bcd, 1..=2) => (true, false),
                    (PrefixForm::Bcd, 3..=4) => (true, true),
                    _ => return None,
                };
                (Some(Told { packed, long }), prefix.counts)
            }
            Length::Variable { .. } | Length::Enclosed { .. } => return None,
        };
        let blanks = field.pad == Pad::BLANKS;
        let (side, fill) = match field.charset {
            Charset::Bcd { side, fill } => (side, fill),
            _ => (Side::Left, 0),
        };
        let form = match (field.charset, counts) {
            // What is taken off in front moves the content.
            _ if field.pad == Pad::Left(b' ') || blanks && field.charset != Charset::Ascii => return None,
            (Charset::Ascii | Charset::Binary, Counts::Content | Counts::Bytes) => Form::Plain,
            (Charset::Bcd { .. }, Counts::Content) if field.content.is_numeric() => Form::Packed,
            (Charset::HexAscii, Counts::Content | Counts::Bytes) => Form::Hex,
            _ => return None,
        };
        let hexadecimal = form == Form::Hex;
        let dated = matches!(field.content, Content::Time | Content::MonthDay | Content::MonthDayTime);
        let class = match field.content {
            Content::N => Class::Digits,
            _ if dated => Class::Digits,
            Content::Ans => Class::Printable,
            Content::An | Content::Z | Content::B => Class::Other,
            _ => return None,
        };
        let objects = match field.shape {
            Shape::Plain => false,
            Shape::BerTlv => true,
            _ => return None,
        };
        let max = u32::try_from(field.length.max()).ok()?;
        let width = u32::try_from(charset::wire_length(field.charset, field.length.max())).ok()?;
        Some(Self {
            told,
            form,
            side,
            fill,
            skipped: u32::from(side == Side::Left),
            blanks,
            class,
            content: field.content,
            dated,
            objects,
            halved: u8::from(hexadecimal && counts == Counts::Bytes),
            doubled: u8::from(hexadecimal),
            paired: u8::from(form == Form::Packed),
            max,
            width,
        })
    }

    /// What stands at the start of `input`: units of content, bytes of the length and of the content; and the
    /// input from the content on. Frames are bounded to what 32 bits can tell, so positions are too.
    #[inline(always)]
    pub(crate) fn extent<'a>(&self, input: &'a [u8]) -> Option<(Extent, &'a [u8])> {
        let Some(told) = self.told else {
            return Some((Extent { units: self.max, ahead: 0, width: self.width }, input));
        };
        let (said, rest, right) = match (told.packed, told.long, input) {
            (true, false, [a, rest @ ..]) => (unpacked(*a), rest, are_digits(*a)),
            (true, true, [a, b, rest @ ..]) => (unpacked(*a) * 100 + unpacked(*b), rest, are_digits(*a) & are_digits(*b)),
            (false, false, [a, b, rest @ ..]) => {
                let [a, b] = [a, b].map(|byte| u32::from(byte.wrapping_sub(b'0')));
                (a * 10 + b, rest, (a < 10) & (b < 10))
            }
            (false, true, [a, b, c, rest @ ..]) => {
                let [a, b, c] = [a, b, c].map(|byte| u32::from(byte.wrapping_sub(b'0')));
                (a * 100 + b * 10 + c, rest, (a < 10) & (b < 10) & (c < 10))
            }
            _ => return None,
        };
        let ahead = 1 + u32::from(!told.packed) + u32::from(told.long);
        let units = said >> self.halved;
        let width = ((units << self.doubled) + u32::from(self.paired)) >> self.paired;
        let right = right & (units << self.halved == said) & (units <= self.max);
        if right { Some((Extent { units, ahead, width }, rest)) } else { None }
    }

    /// Blanks that fill a fixed length of so many units; `None` where so many cannot stand.
    #[inline(always)]
    pub(crate) fn filler(&self, units: usize) -> Option<usize> {
        let missing = usize::try_from(self.max).ok()?.checked_sub(units)?;
        match self.told {
            Some(_) => Some(0),
            None if missing == 0 || self.blanks => Some(missing),
            None => None,
        }
    }

    /// Writes the length of so many units, which are known to fit, where it is not fixed.
    #[inline(always)]
    pub(crate) fn tell(&self, units: usize, out: &mut Vec<u8>) {
        let Some(told) = self.told else { return };
        let said = units << self.halved;
        let digit = |number: usize| (number % 10).to_le_bytes()[0];
        let [thousands, hundreds, tens, ones] = [said / 1000, said / 100, said / 10, said].map(digit);
        match (told.packed, told.long) {
            (false, false) => out.extend_from_slice(&[b'0' + tens, b'0' + ones]),
            (false, true) => out.extend_from_slice(&[b'0' + hundreds, b'0' + tens, b'0' + ones]),
            (true, false) => out.push(tens << 4 | ones),
            (true, true) => out.extend_from_slice(&[thousands << 4 | hundreds, tens << 4 | ones]),
        }
    }

    /// Whether content is right at the first look.
    #[inline(always)]
    pub(crate) fn is_right(&self, value: &[u8]) -> bool {
        let right = match self.class {
            Class::Digits => swar::all_digits(value) && (!self.dated || content::is_plainly_a_date(self.content, value)),
            Class::Printable => swar::all_printable(value),
            Class::Other => content::is_plainly_right(self.content, value),
        };
        right && (!self.objects || tlv::are_plain(value))
    }

    /// How long the content is that fills the first `width` bytes of `rest` as it is, without filler; `None`
    /// where it is not right at the first look, or not all there.
    #[inline(always)]
    pub(crate) fn plain_length(&self, rest: &[u8], width: usize) -> Option<u32> {
        let right = match self.class {
            Class::Digits => {
                swar::starts_with_digits(rest, width)
                    && (!self.dated || content::is_plainly_a_date(self.content, rest.get(..width)?))
            }
            // A blank is printable: with filler or without it.
            Class::Printable => swar::starts_printable(rest, width),
            Class::Other => true,
        };
        let raw = rest.get(..width)?;
        let value = if self.blanks { Pad::BLANKS.trim(raw) } else { raw };
        let right = right
            && (self.class != Class::Other || content::is_plainly_right(self.content, value))
            && (!self.objects || tlv::are_plain(value));
        if right { u32::try_from(value.len()).ok() } else { None }
    }

    /// Whether the first `width` bytes of `rest` are so many packed digits, with the right filler, and right
    /// where they must be a date.
    #[inline(always)]
    pub(crate) fn is_packed_right(&self, rest: &[u8], units: u32, width: usize) -> bool {
        let (Some(wire), Some(own)) = (rest.first_chunk(), swar::FIRST_BYTES.get(width)) else {
            return rest.get(..width).is_some_and(|wire| self.is_wide_right(wire, units));
        };
        let word = u64::from_le_bytes(*wire) & u64::from_le_bytes(*own);
        let word = if units.is_multiple_of(2) { Some(word) } else { charset::without_filler(self.side, self.fill, width, word) };
        word.is_some_and(|word| {
            swar::sixteen_digits(word) && (!self.dated || content::is_plainly_a_packed_date(self.content, units, word))
        })
    }

    /// As [`Plan::is_packed_right`] of digits that are no word, or the last ones of their message.
    #[inline(never)]
    fn is_wide_right(&self, wire: &[u8], units: u32) -> bool {
        let lone = |byte: u8| byte <= 9;
        let right = match (units % 2, self.side, wire) {
            (0, ..) => swar::all_packed_digits(wire),
            (_, Side::Left, [first, pairs @ ..]) => {
                first >> 4 == self.fill && lone(first & 0x0F) && swar::all_packed_digits(pairs)
            }
            (_, Side::Right, [pairs @ .., last]) => last & 0x0F == self.fill && lone(last >> 4) && swar::all_packed_digits(pairs),
            _ => false,
        };
        right && (!self.dated || content::is_plainly_a_packed_date(self.content, units, swar::word_of(wire)))
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

/// The same table without plans: everything goes the careful way.
#[cfg(test)]
pub(crate) fn careful(spec: &crate::Spec) -> crate::Spec {
    let mut spec = spec.clone();
    spec.fields.iter_mut().flatten().for_each(|field| field.plan = None);
    spec
}

#[cfg(test)]
mod tests {
    use super::careful;
    use crate::{Message, Spec};

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
