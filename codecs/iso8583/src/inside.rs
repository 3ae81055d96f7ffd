//! What stands inside a field: checked, found by path, and put in place again.

use std::borrow::Cow;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::encode::write_field;
use crate::error::{Fault, Got, Kind, Wanted};
use crate::field::{Field, Length, Pad, Severity};
use crate::path::Label;
use crate::shape::{Element, Shape, Tagged, Walk};
use crate::{charset, content, prefix, tlv};

/// Checks canonical content: its class, then its structure. Faults count in the content; what the
/// spec lets pass with a note is appended to `notes`, counted alike.
pub(crate) fn check(field: &Field, value: &[u8], notes: &mut Vec<Fault>) -> Result<(), Fault> {
    match field.charset {
        packed if charset::proves_digits(packed, field.content) => content::date(field.content, value)?,
        _ => content::check(field.content, value)?,
    }
    match &field.shape {
        Shape::Plain => Ok(()),
        Shape::BerTlv => tlv::check(value).map_err(|error| {
            let got = Got::Bytes(value.len().saturating_sub(error.offset));
            Fault::new(error.kind, error.offset, Wanted::DataObject, got)
        }),
        _ => check_elements(field, value, notes),
    }
}

fn check_elements(parent: &Field, value: &[u8], notes: &mut Vec<Fault>) -> Result<(), Fault> {
    for element in Walk::of(parent, value) {
        let element = element?;
        let Some(field) = element.field else { continue };
        let first = notes.len();
        let raw = value.get(element.wire.clone()).unwrap_or_default();
        let checked = check_raw(field, raw, element.units, notes);
        let seen = |fault: Fault| fault.behind(element.wire.start).under(element.label);
        notes.iter_mut().skip(first).for_each(|note| *note = seen(*note));
        checked.map_err(seen)?;
    }
    Ok(())
}

/// Checks a subfield as it stands. Faults count in `raw`.
fn check_raw(field: &Field, raw: &[u8], units: usize, notes: &mut Vec<Fault>) -> Result<(), Fault> {
    let first = notes.len();
    let mut scratch = Zeroizing::new(Vec::new());
    let whole = if charset::is_plain(field.charset) {
        raw
    } else {
        scratch.reserve_exact(units + 1);
        charset::unpack(field.charset, field.content, units, raw, &mut scratch)?;
        scratch.as_slice()
    };
    let value = field.pad.trim(whole);
    let checked = check(field, value, notes);
    let ahead = ahead(field.pad, whole, value);
    let seen = |fault: Fault| Fault { at: charset::wire_offset(field.charset, units, fault.at + ahead), ..fault };
    notes.iter_mut().skip(first).for_each(|note| *note = seen(*note));
    match (checked.map_err(seen), field.severity) {
        (Err(fault), Severity::Reject) => return Err(fault),
        (Err(fault), Severity::Note) => notes.push(fault),
        (Err(_), Severity::Pass) | (Ok(()), _) => {}
    }
    Ok(())
}

/// Filler taken off in front.
pub(crate) fn ahead(pad: Pad, whole: &[u8], value: &[u8]) -> usize {
    if pad == Pad::Left(b' ') { whole.len().saturating_sub(value.len()) } else { 0 }
}

/// What structured content belongs to: a field, or a constructed data object.
#[derive(Clone, Copy)]
pub(crate) enum Parent<'f> {
    Field(&'f Field),
    Object,
}

const OBJECTS: Shape = Shape::BerTlv;

impl<'f> Parent<'f> {
    pub(crate) fn walk<'v>(self, value: &'v [u8]) -> Walk<'f, 'v> {
        match self {
            Self::Field(field) => Walk::of(field, value),
            Self::Object => Walk::over(&OBJECTS, value),
        }
    }

    pub(crate) fn shape(self) -> &'f Shape {
        match self {
            Self::Field(field) => &field.shape,
            Self::Object => &OBJECTS,
        }
    }

    /// The parent that an element is of what stands in it; `None` where it has no structure.
    pub(crate) fn inner(element: &Element<'f>) -> Option<Self> {
        match element.field {
            Some(field) => (field.shape != Shape::Plain).then_some(Self::Field(field)),
            None => element.constructed.then_some(Self::Object),
        }
    }

    /// The label that a step of a path means here: tags of data objects in upper case.
    fn label(self, step: &str) -> Option<Label> {
        match self.shape() {
            Shape::BerTlv => Label::new(step.to_ascii_uppercase().as_bytes()),
            _ => Label::new(step.as_bytes()),
        }
    }
}

/// Canonical content of an element; `None` where it cannot be read.
pub(crate) fn read<'v>(element: &Element<'_>, value: &'v [u8]) -> Option<Cow<'v, [u8]>> {
    let raw = value.get(element.wire.clone())?;
    match element.field {
        Some(field) if !charset::is_plain(field.charset) => {
            let mut out = Vec::with_capacity(element.units + 1);
            charset::unpack(field.charset, field.content, element.units, raw, &mut out).ok()?;
            let kept = range_in(&out, field.pad.trim(&out));
            out.truncate(kept.end);
            out.drain(..kept.start);
            Some(Cow::Owned(out))
        }
        Some(field) => Some(Cow::Borrowed(field.pad.trim(raw))),
        None => Some(Cow::Borrowed(raw)),
    }
}

fn range_in(whole: &[u8], value: &[u8]) -> Range<usize> {
    // Filler stands on one side alone; what begins as the whole does, begins at 0.
    let start = if whole.starts_with(value) { 0 } else { whole.len() - value.len() };
    start..start + value.len()
}

/// The element at a path such as `2` or `25.9F26`.
pub(crate) fn find<'v>(parent: Parent<'_>, value: &'v [u8], path: &str) -> Option<Cow<'v, [u8]>> {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let label = parent.label(step)?;
    let element = parent.walk(value).map_while(Result::ok).find(|element| element.label == label)?;
    let content = read(&element, value)?;
    let Some(rest) = rest else { return Some(content) };
    let inner = Parent::inner(&element)?;
    match content {
        Cow::Borrowed(value) => find(inner, value, rest),
        Cow::Owned(value) => find(inner, &value, rest).map(|found| Cow::Owned(found.into_owned())),
    }
}

/// The content with one element set. Elements that are not touched keep their bytes, unknown ones
/// their place. Steps below `depth` are refused.
pub(crate) fn put(parent: Parent<'_>, value: &[u8], path: &str, new: &[u8], depth: usize) -> Result<Vec<u8>, Fault> {
    let unknown = Fault::new(Kind::UndefinedField, 0, Wanted::KnownField, Got::Nothing);
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let (label, depth) = parent.label(step).zip(depth.checked_sub(1)).ok_or(unknown)?;
    let mut pieces: Vec<(Label, Cow<'_, [u8]>)> = Vec::new();
    let mut content = None;
    let mut inner = parent.shape().field(label).map(Parent::Field);
    if inner.is_none() && rest.is_some() && matches!(parent.shape(), Shape::BerTlv) {
        inner = Some(Parent::Object);
    }
    if !value.is_empty() {
        for element in parent.walk(value).unfinished() {
            let element = element?;
            if element.label == label && content.is_none() {
                content = rest.map(|rest| (read(&element, value).unwrap_or_default(), rest));
                inner = Parent::inner(&element).or(inner);
            }
            pieces.push((element.label, whole(&element, value)));
        }
    }
    let content = match (rest, inner) {
        (None, _) => Cow::Borrowed(new),
        (Some(rest), Some(inner)) => {
            let before = content.map_or_else(Cow::default, |(content, _)| content);
            Cow::Owned(put(inner, &before, rest, new, depth)?)
        }
        (Some(_), None) => return Err(unknown),
    };
    let piece = write_element(parent.shape(), label, &content)?;
    match pieces.iter_mut().find(|(there, _)| *there == label) {
        Some((_, there)) => *there = Cow::Owned(piece),
        None => pieces.push((label, Cow::Owned(piece))),
    }
    join(parent.shape(), pieces)
}

/// Builds content of elements given as label and content.
pub(crate) fn compose(parent: Parent<'_>, elements: &[(Label, Vec<u8>)]) -> Result<Vec<u8>, Fault> {
    let piece = |(label, content): &(Label, Vec<u8>)| {
        write_element(parent.shape(), *label, content).map(|piece| (*label, Cow::Owned(piece)))
    };
    join(parent.shape(), elements.iter().map(piece).collect::<Result<_, _>>()?)
}

/// An element with its prefix; blanks that were taken off at the end of the parent are put back.
fn whole<'v>(element: &Element<'_>, value: &'v [u8]) -> Cow<'v, [u8]> {
    let bytes = value.get(element.whole.clone()).unwrap_or_default();
    match element.field {
        Some(Field { length: length @ Length::Fixed(_), pad: Pad::BLANKS, charset, .. }) => {
            let width = charset::wire_length(*charset, length.max());
            if bytes.len() >= width {
                return Cow::Borrowed(bytes);
            }
            let mut filled = bytes.to_vec();
            charset::pack(*charset, &vec![b' '; width - bytes.len()], &mut filled);
            Cow::Owned(filled)
        }
        _ => Cow::Borrowed(bytes),
    }
}

/// One element with its tag or prefix.
fn write_element(shape: &Shape, label: Label, content: &[u8]) -> Result<Vec<u8>, Fault> {
    let unknown = Fault::new(Kind::UndefinedField, 0, Wanted::KnownField, Got::Nothing);
    let mut out = Vec::with_capacity(content.len() + 8);
    match shape {
        Shape::Plain => return Err(unknown),
        Shape::BerTlv => {
            let tag = hex::decode(label.as_str()).map_err(|_| unknown)?;
            tlv::write(&tag, content, &mut out).map_err(|error| match error {
                tlv::TlvWriteError::Tag => unknown,
                tlv::TlvWriteError::TooLong => too_long(content.len(), 0xFFFF),
            })?;
        }
        Shape::Tagged(tagged) => write_tagged(tagged, label, content, &mut out)?,
        Shape::Positional(_) | Shape::Bitmap(_) => {
            let field = shape.field(label).ok_or(unknown)?;
            write_field(field, content, &mut out).map_err(|fault| fault.under(label))?;
        }
    }
    Ok(out)
}

fn too_long(length: usize, most: usize) -> Fault {
    Fault::new(Kind::TooLong, 0, Wanted::AtMost(most), Got::Length(length))
}

fn write_tagged(tagged: &Tagged, label: Label, content: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let unknown = Fault::new(Kind::UndefinedField, 0, Wanted::KnownField, Got::Nothing);
    let mut body = Vec::with_capacity(content.len());
    match tagged.field(label) {
        Some(field) => write_field(field, content, &mut body).map_err(|fault| fault.under(label))?,
        None => body.extend_from_slice(content),
    }
    let most = prefix::largest(tagged.prefix);
    if body.len() > most {
        return Err(too_long(body.len(), most));
    }
    out.extend_from_slice(&tagged.tag(label).ok_or(unknown)?);
    prefix::write(tagged.prefix, crate::Charset::Binary, body.len(), out);
    out.append(&mut body);
    Ok(())
}

/// The pieces one behind the other, in the order of the shape.
fn join(shape: &Shape, mut pieces: Vec<(Label, Cow<'_, [u8]>)>) -> Result<Vec<u8>, Fault> {
    let unknown = Fault::new(Kind::UndefinedField, 0, Wanted::KnownField, Got::Nothing);
    let mut out = Vec::with_capacity(pieces.iter().map(|(_, piece)| piece.len()).sum::<usize>() + 32);
    match shape {
        Shape::Plain => return Err(unknown),
        Shape::BerTlv | Shape::Tagged(_) => {}
        Shape::Positional(parts) => {
            let place = |label| parts.iter().position(|part| part.label == label);
            pieces.sort_by_key(|(label, _)| place(*label));
            // What stands by its position cannot stand behind a part that is missing.
            if let Some(at) = (0..pieces.len()).find(|at| pieces.get(*at).and_then(|(label, _)| place(*label)) != Some(*at)) {
                let missing = parts.get(at).map_or(unknown, |part| {
                    Fault::new(Kind::BadLength, 0, Wanted::Exactly(part.length.max()), Got::Nothing).under(part.label)
                });
                return Err(missing);
            }
        }
        Shape::Bitmap(mapped) => {
            let number = |label: Label| shape.field(label).map_or(0, |field| field.number);
            pieces.sort_by_key(|(label, _)| number(*label));
            let bits = pieces.iter().fold(0u128, |bits, (label, _)| bits | 1u128.rotate_right(u32::from(number(*label))));
            mapped.form.write(mapped.bytes, bits, &mut out);
        }
    }
    pieces.iter().for_each(|(_, piece)| out.extend_from_slice(piece));
    Ok(out)
}
