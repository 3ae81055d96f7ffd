//! Shapes: the structure that the content of a field may have, and the walk over its elements.
//! Elements are fields themselves; what is walked is the content of the parent, not its wire form.

use std::ops::Range;

use crate::bitmap::BitmapForm;
use crate::error::{Fault, Got, Kind, Wanted};
use crate::field::{Field, Length, Pad, Prefix, PrefixForm};
use crate::layout::extent;
use crate::path::Label;
use crate::prefix;
use crate::tlv::Tlvs;

/// Whether the content has a structure of its own that is checked too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Shape {
    /// None.
    #[default]
    Plain,
    /// BER-TLV data objects (EMV Book 3 annex B).
    BerTlv,
    /// Parts one behind the other. Where the parent has no fixed length, the last ones may be missing.
    Positional(Vec<Field>),
    /// Tag, length, value, repeated: private fields 48, Mastercard PDS (4 + 3 digits), datasets.
    Tagged(Tagged),
    /// A bitmap, then the fields that it names: Postilion 127, Visa 62 and 63.
    Bitmap(Mapped),
}

/// The form of a tagged shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    pub(crate) tag_digits: u8,
    pub(crate) form: PrefixForm,
    pub(crate) prefix: Prefix,
    /// In ascending order of label.
    pub(crate) fields: Vec<Field>,
    /// For datasets of ISO 8583:2003: what an identifier 01 to 70 hex without a row of its own is.
    pub(crate) dataset: Option<Box<Field>>,
}

/// The form of a nested bitmap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    pub(crate) form: BitmapForm,
    pub(crate) bytes: usize,
    /// By number; bit 1 is a field as any other.
    pub(crate) fields: Vec<Option<Field>>,
}

impl Shape {
    /// As specs write it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::BerTlv => "ber-tlv",
            Self::Positional(_) => "positional",
            Self::Tagged(tagged) if tagged.dataset.is_some() => "datasets",
            Self::Tagged(_) => "tagged",
            Self::Bitmap(_) => "bitmap",
        }
    }

    /// The elements that the spec knows.
    pub fn fields(&self) -> Box<dyn Iterator<Item = &Field> + '_> {
        match self {
            Self::Plain | Self::BerTlv => Box::new(std::iter::empty()),
            Self::Positional(fields) => Box::new(fields.iter()),
            Self::Tagged(tagged) => Box::new(tagged.fields.iter()),
            Self::Bitmap(mapped) => Box::new(mapped.fields.iter().flatten()),
        }
    }

    /// The element of this label, where the spec knows it.
    pub(crate) fn field(&self, label: Label) -> Option<&Field> {
        match self {
            Self::Tagged(tagged) => tagged.field(label),
            other => other.fields().find(|field| field.label == label),
        }
    }
}

impl Tagged {
    /// Bytes of a tag.
    pub(crate) fn tag_width(&self) -> usize {
        prefix::width(self.form, self.tag_digits)
    }

    pub(crate) fn field(&self, label: Label) -> Option<&Field> {
        let at = self.fields.binary_search_by_key(&label, |field| field.label).ok();
        at.and_then(|at| self.fields.get(at)).or_else(|| self.dataset.as_deref().filter(|_| is_tlv_dataset(label)))
    }
}

/// ISO 8583-1:2003: identifiers 01 to 70 hex are of TLV format, 71 to FE of bitmap format.
fn is_tlv_dataset(label: Label) -> bool {
    u8::from_str_radix(label.as_str(), 16).is_ok_and(|id| (0x01..=0x70).contains(&id))
}

/// One element of a structured content. Positions count in the content of the parent.
pub(crate) struct Element<'f> {
    pub(crate) label: Label,
    /// `None` where the spec does not know it.
    pub(crate) field: Option<&'f Field>,
    /// With its tag or length prefix.
    pub(crate) whole: Range<usize>,
    /// Its content, as the element's charset writes it.
    pub(crate) wire: Range<usize>,
    pub(crate) units: usize,
    /// Whether it is a constructed data object, whose content is data objects.
    pub(crate) constructed: bool,
}

/// Walks the elements of a content; ends after the first fault.
pub(crate) struct Walk<'f, 'v> {
    shape: &'f Shape,
    value: &'v [u8],
    at: usize,
    /// The rest of a bitmap, or of the parts.
    left: Left<'f, 'v>,
    /// What the parent's filler was, where it was taken off: what is missing at the end is blanks.
    blanks_missing: bool,
    /// Whether parts may be missing at the end.
    open: bool,
}

enum Left<'f, 'v> {
    None,
    Parts(std::slice::Iter<'f, Field>),
    Objects(Tlvs<'v>),
    Bits(u128),
    Unread,
}

impl<'f, 'v> Walk<'f, 'v> {
    /// Over the content of `parent`.
    pub(crate) fn of(parent: &'f Field, value: &'v [u8]) -> Self {
        let fixed = matches!(parent.length, Length::Fixed(_));
        Self { blanks_missing: fixed && parent.pad == Pad::BLANKS, open: !fixed, ..Self::over(&parent.shape, value) }
    }

    /// The same over a content that is still being built: parts may be missing at its end.
    pub(crate) fn unfinished(self) -> Self {
        Self { open: true, ..self }
    }

    /// Over a content of this shape.
    pub(crate) fn over(shape: &'f Shape, value: &'v [u8]) -> Self {
        let left = match shape {
            Shape::Plain => Left::None,
            Shape::BerTlv => Left::Objects(Tlvs::new(value)),
            Shape::Positional(fields) => Left::Parts(fields.iter()),
            Shape::Tagged(_) | Shape::Bitmap(_) => Left::Unread,
        };
        Self { shape, value, at: 0, left, blanks_missing: false, open: true }
    }

    fn step(&mut self) -> Result<Option<Element<'f>>, Fault> {
        match (self.shape, &mut self.left) {
            (_, Left::None) => Ok(None),
            (_, Left::Objects(objects)) => objects.next().transpose().map_err(object_fault).map(|object| object.map(element)),
            (_, Left::Parts(parts)) => match parts.next() {
                Some(part) if !(self.open && self.at >= self.value.len()) => self.part(part).map(Some),
                Some(_) => Ok(None),
                None => self.end(),
            },
            (Shape::Tagged(tagged), _) if self.at < self.value.len() => self.tagged(tagged).map(Some),
            (Shape::Bitmap(mapped), Left::Unread) => {
                self.left = Left::Bits(mapped.form.read(mapped.bytes, self.value)?);
                self.at = mapped.form.wire_length(mapped.bytes);
                self.step()
            }
            (Shape::Bitmap(mapped), Left::Bits(bits)) => {
                let zeros = bits.leading_zeros();
                if *bits == 0 {
                    return self.end();
                }
                *bits &= !(1 << (127 - zeros));
                let number = u8::try_from(zeros + 1).unwrap_or(0);
                let field = mapped.fields.get(usize::from(number)).and_then(Option::as_ref);
                match field {
                    Some(field) => self.standing(field).map(Some),
                    None => Err(Fault::new(Kind::UndefinedField, self.at, Wanted::KnownField, Got::Nothing)),
                }
            }
            _ => Ok(None),
        }
    }

    /// Nothing may follow the last element.
    fn end(&self) -> Result<Option<Element<'f>>, Fault> {
        match self.value.len().saturating_sub(self.at) {
            0 => Ok(None),
            more => Err(Fault::new(Kind::Trailing, self.at, Wanted::End, Got::Bytes(more))),
        }
    }

    /// The element that starts here, behind what came before.
    fn standing(&mut self, field: &'f Field) -> Result<Element<'f>, Fault> {
        let extent = extent(field, self.value, self.at).map_err(|fault| fault.under(field.label))?;
        let whole = self.at..extent.end;
        self.at = extent.end;
        Ok(Element {
            label: field.label,
            field: Some(field),
            whole,
            wire: extent.start..extent.end,
            units: extent.units,
            constructed: false,
        })
    }

    fn part(&mut self, part: &'f Field) -> Result<Element<'f>, Fault> {
        let left = self.value.len().saturating_sub(self.at);
        let missing = self.blanks_missing && part.pad == Pad::BLANKS && left < part.length.max();
        if !missing {
            return self.standing(part);
        }
        let range = self.at..self.value.len();
        self.at = range.end;
        Ok(Element { label: part.label, field: Some(part), whole: range.clone(), wire: range, units: left, constructed: false })
    }

    fn tagged(&mut self, tagged: &'f Tagged) -> Result<Element<'f>, Fault> {
        let start = self.at;
        let rest = self.value.get(start..).unwrap_or_default();
        let label = tagged.label(rest).map_err(|fault| fault.behind(start))?;
        let behind_tag = start + tagged.tag_width();
        let rest = self.value.get(behind_tag..).unwrap_or_default();
        let (length, rest) = prefix::number(tagged.prefix.form, tagged.prefix.digits, rest).map_err(|fault| {
            let kind = if fault.kind == Kind::Truncated { Kind::TlvTruncatedLength } else { Kind::TlvBadLength };
            Fault { kind, ..fault }.behind(behind_tag)
        })?;
        let from = self.value.len() - rest.len();
        if length > rest.len() {
            return Err(Fault::new(Kind::TlvValueOverrun, from, Wanted::Bytes(length), Got::Bytes(rest.len())));
        }
        self.at = from + length;
        let field = tagged.field(label);
        let units = match field {
            Some(field) => enclosed_units(field, length).map_err(|fault| fault.behind(behind_tag).under(label))?,
            None => length,
        };
        Ok(Element { label, field, whole: start..self.at, wire: from..self.at, units, constructed: false })
    }
}

/// Units of an element whose bytes on the wire are counted for it.
pub(crate) fn enclosed_units(field: &Field, bytes: usize) -> Result<usize, Fault> {
    let max = field.length.max();
    // Packed digits fill their last byte; of a fixed or greatest odd number one half-byte is filler.
    let units = match field.charset {
        crate::field::Charset::Bcd { .. } if bytes * 2 == max + 1 => max,
        crate::field::Charset::Bcd { .. } => bytes * 2,
        crate::field::Charset::SignedBcd { .. } => bytes.min(1) + bytes.saturating_sub(1) * 2,
        crate::field::Charset::HexAscii | crate::field::Charset::HexEbcdic => bytes / 2,
        _ => bytes,
    };
    let got = Got::Length(units);
    match field.length {
        Length::Fixed(_) if units != max => Err(Fault::new(Kind::BadLength, 0, Wanted::Exactly(max), got)),
        _ if units > max => Err(Fault::new(Kind::TooLong, 0, Wanted::AtMost(max), got)),
        _ if crate::charset::wire_length(field.charset, units) != bytes => {
            Err(Fault::new(Kind::BadLength, 0, Wanted::Exactly(bytes + 1), Got::Length(bytes)))
        }
        _ => Ok(units),
    }
}

impl Tagged {
    /// The tag at the start of `input` as a label.
    fn label(&self, input: &[u8]) -> Result<Label, Fault> {
        let width = self.tag_width();
        let raw = input.get(..width);
        let raw = raw.ok_or(Fault::new(Kind::TlvTruncatedTag, 0, Wanted::Bytes(width), Got::Bytes(input.len())))?;
        let mut text = Vec::with_capacity(8);
        let charset = self.tag_charset();
        crate::charset::unpack(charset, crate::Content::N, usize::from(self.tag_digits), raw, &mut text)?;
        if charset == crate::field::Charset::Binary {
            let mut hex = Vec::with_capacity(8);
            crate::charset::hex_into(&text, false, &mut hex);
            text = hex;
        }
        Label::new(&text).ok_or_else(|| {
            let at = text.iter().position(|byte| !byte.is_ascii_graphic() || *byte == b'.').unwrap_or(0);
            Fault::new(Kind::BadChar, at, Wanted::LetterOrDigit, text.get(at).map_or(Got::Nothing, |byte| Got::byte(*byte)))
        })
    }

    /// The tag of a label; `None` where it has another form.
    pub(crate) fn tag(&self, label: Label) -> Option<Vec<u8>> {
        let text = label.as_str().as_bytes();
        let charset = self.tag_charset();
        let text = match charset {
            crate::field::Charset::Binary => hex::decode(text).ok()?,
            crate::field::Charset::Bcd { .. } if !crate::swar::all_digits(text) => return None,
            _ => text.to_vec(),
        };
        let mut out = Vec::with_capacity(8);
        crate::charset::pack(charset, &text, &mut out);
        let digits = if charset == crate::field::Charset::Binary { text.len() * 2 } else { text.len() };
        (digits == usize::from(self.tag_digits)).then_some(out)
    }

    fn tag_charset(&self) -> crate::field::Charset {
        use crate::field::{Charset, Side};
        match self.form {
            PrefixForm::Ascii | PrefixForm::HexAscii => Charset::Ascii,
            PrefixForm::Ebcdic | PrefixForm::HexEbcdic => Charset::Ebcdic(crate::ebcdic::CodePage::Cp037),
            PrefixForm::Bcd => Charset::Bcd { side: Side::Left, fill: 0 },
            PrefixForm::Binary => Charset::Binary,
        }
    }
}

fn object_fault(error: crate::tlv::TlvError) -> Fault {
    Fault::new(error.kind, error.offset, Wanted::DataObject, Got::Nothing)
}

fn element<'f>(object: crate::tlv::Tlv<'_>) -> Element<'f> {
    let end = object.value_offset + object.value.len();
    Element {
        // A tag has at most 4 bytes, so its hexadecimal form is a label.
        label: Label::new(object.tag_hex().as_bytes()).unwrap_or_default(),
        field: None,
        whole: object.offset..end,
        wire: object.value_offset..end,
        units: object.value.len(),
        constructed: object.is_constructed(),
    }
}

impl<'f> Iterator for Walk<'f, '_> {
    type Item = Result<Element<'f>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.left = Left::None;
            self.at = self.value.len();
        }
        step.transpose()
    }
}
