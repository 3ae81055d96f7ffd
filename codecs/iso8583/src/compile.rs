//! A row to a field: defaults filled in, and everything refused that cannot work on the wire.

use crate::bitmap::BitmapForm;
use crate::class::Content;
use crate::error::SpecError;
use crate::field::{Charset, Counts, Field, Length, Pad, Prefix, PrefixForm, Sensitivity, Side};
use crate::path::{DEEPEST_PATH, Label};
use crate::row::{CharsetName, Defaults, Entry, PadName, Row, ShapeName, Sources};
use crate::shape::{Mapped, Shape, Tagged};
use crate::{CodePage, charset, prefix};

/// The longest content a field may have, in its units. Bounds what a prefix can make us convert.
pub const LONGEST_FIELD: u32 = 999_999;

/// What rows are compiled with.
pub(crate) struct Context<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) defaults: Defaults,
}

/// What a row is: where it stands in the message, and what that allows.
struct Seat<'a> {
    label: Label,
    number: u8,
    /// As in `127.2`.
    path: String,
    /// Levels of subfields that may still stand below.
    depth: usize,
    parent: Option<&'a Field>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Top,
    Mapped,
    Part {
        last: bool,
    },
    /// Its length is told by its tag.
    Tagged,
}

/// Compiles a data element with all that stands in it.
pub(crate) fn compile(context: &Context<'_>, number: u8, entry: &Entry) -> Result<Field, SpecError> {
    let label = Label::number(number);
    let path = label.to_string();
    field(context, entry, &Seat { label, number, path, depth: DEEPEST_PATH, parent: None, kind: Kind::Top })
}

fn field(context: &Context<'_>, entry: &Entry, seat: &Seat<'_>) -> Result<Field, SpecError> {
    let refuse = |reason: String| context.sources.error(entry.at, seat.path.clone(), reason);
    let mut field = plain(context, &entry.row, seat).map_err(refuse)?;
    field.shape = shape(context, entry, seat, &field)?;
    Ok(field)
}

/// The field without its shape.
fn plain(context: &Context<'_>, row: &Row, seat: &Seat<'_>) -> Result<Field, String> {
    let content = row.content.ok_or("`content` is missing: n, a, an, ans, z, track1, b, hex, x+n or a date")?;
    let charset = charset(row, content, &context.defaults, seat)?;
    let length = length(row, &context.defaults, seat)?;
    let max = length.max();
    if max == 0 || u32::try_from(max).is_ok_and(|max| max > LONGEST_FIELD) {
        return Err(format!("a length is from 1 to {LONGEST_FIELD}"));
    }
    let digits = content.date_parts().len() * 2;
    if digits > 0 && (max != digits || !matches!(length, Length::Fixed(_))) {
        return Err(format!("{} has a fixed length of {digits}", content.as_str()));
    }
    if content == Content::Xn && max < 2 {
        return Err("x+n is a sign and at least one digit".to_owned());
    }
    if !prefix::fits(length, charset) {
        return Err(format!("the prefix cannot say {max}"));
    }
    if let (Length::Variable { prefix, .. }, Charset::SignedBcd { .. }) = (length, charset)
        && prefix.counts != Counts::Content
    {
        return Err("the prefix of a signed packed amount counts \"content\"".to_owned());
    }
    if let (Length::Variable { prefix, .. }, Charset::Bcd { fill, .. }) = (length, charset)
        && prefix.counts == Counts::Bytes
        && (content == Content::Hex && fill > 9 || content == Content::Z && fill == 0x0D)
    {
        return Err("a prefix that counts bytes cannot tell this odd-fill from content".to_owned());
    }
    let field = Field {
        number: seat.number,
        label: seat.label,
        length,
        charset,
        pad: pad(row, content, charset, length)?,
        content,
        sensitivity: row.sensitivity.or(seat.parent.map(Field::sensitivity)).unwrap_or(Sensitivity::Clear),
        severity: row.fault.unwrap_or_default(),
        mac: row.mac.unwrap_or(false),
        durable: row.durable.unwrap_or(seat.parent.is_none_or(Field::is_durable)),
        pass: row.pass.unwrap_or(false),
        shape: Shape::Plain,
        name: row.name.clone().ok_or("`name` is missing")?,
    };
    let is_mac = content == Content::B && length == Length::Fixed(8) && seat.kind == Kind::Top;
    if field.mac && !(is_mac && matches!(seat.number, 64 | 128)) {
        return Err("a MAC is field 64 or 128, content b, length 8".to_owned());
    }
    Ok(field)
}

fn charset(row: &Row, content: Content, defaults: &Defaults, seat: &Seat<'_>) -> Result<Charset, String> {
    let in_text = seat.parent.is_some_and(|parent| parent.content != Content::B);
    let name = row.charset.unwrap_or(match content {
        Content::B if in_text => CharsetName::HexAscii,
        _ if in_text => CharsetName::Ascii,
        Content::B => defaults.binary.unwrap_or(CharsetName::HexAscii),
        content if content.is_numeric() => defaults.numeric.unwrap_or(CharsetName::Ascii),
        _ => defaults.text.unwrap_or(CharsetName::Ascii),
    });
    if in_text && !matches!(name, CharsetName::Ascii | CharsetName::HexAscii) {
        return Err("what stands in text is \"ascii\" or \"hex-ascii\": the charset of the wire is the parent's".to_owned());
    }
    if name != CharsetName::Bcd && (row.odd_side.is_some() || row.odd_fill.is_some()) {
        return Err("odd-side and odd-fill belong to charset \"bcd\"".to_owned());
    }
    let fill = row.odd_fill.or(defaults.odd_fill).unwrap_or(0);
    if fill > 0x0F {
        return Err("odd-fill is a half-byte, 0 to 15".to_owned());
    }
    let side = row.odd_side.or(defaults.odd_side).unwrap_or(Side::Left);
    let charset = match name {
        CharsetName::Ascii => Charset::Ascii,
        CharsetName::Ebcdic | CharsetName::Ebcdic037 => Charset::Ebcdic(CodePage::Cp037),
        CharsetName::Ebcdic500 => Charset::Ebcdic(CodePage::Cp500),
        CharsetName::Ebcdic1047 => Charset::Ebcdic(CodePage::Cp1047),
        CharsetName::Bcd if content == Content::Xn => Charset::SignedBcd { side, fill },
        CharsetName::Bcd => Charset::Bcd { side, fill },
        CharsetName::Binary => Charset::Binary,
        CharsetName::HexAscii => Charset::HexAscii,
        CharsetName::HexEbcdic => Charset::HexEbcdic,
    };
    let right = match charset {
        Charset::Ascii | Charset::Ebcdic(_) => content != Content::B,
        Charset::Bcd { .. } => content.is_numeric() || matches!(content, Content::Z | Content::Hex),
        Charset::SignedBcd { .. } => content == Content::Xn,
        Charset::Binary | Charset::HexAscii | Charset::HexEbcdic => content == Content::B,
    };
    if right { Ok(charset) } else { Err(format!("content {} cannot stand in this charset", content.as_str())) }
}

fn length(row: &Row, defaults: &Defaults, seat: &Seat<'_>) -> Result<Length, String> {
    let prefixed = row.prefix_form.is_some() || row.counts.is_some() || row.inclusive.is_some();
    match (row.length, row.max, row.prefix, seat.kind) {
        (_, _, Some(_), Kind::Tagged) => {
            Err("the length of a tagged element is told by its tag: `length` or `max` alone".to_owned())
        }
        (Some(length), None, None, _) if !prefixed => Ok(Length::Fixed(length)),
        (None, Some(max), None, Kind::Tagged | Kind::Part { last: true }) if !prefixed => Ok(Length::Enclosed { max }),
        (None, Some(max), Some(digits @ 1..=6), _) => {
            let in_text = seat.parent.is_some_and(|parent| parent.content != Content::B);
            let default = if in_text { None } else { defaults.prefix_form };
            let form = row.prefix_form.or(default).unwrap_or(PrefixForm::Ascii);
            if in_text && !matches!(form, PrefixForm::Ascii | PrefixForm::HexAscii) {
                return Err("a prefix in text is \"ascii\" or \"hex-ascii\"".to_owned());
            }
            let counts = row.counts.or(defaults.counts).unwrap_or(Counts::Content);
            let inclusive = row.inclusive.unwrap_or(false);
            Ok(Length::Variable { max, prefix: Prefix { digits, form, counts, inclusive } })
        }
        (None, Some(_), Some(_), _) => Err("a prefix has 1 to 6 digits".to_owned()),
        _ => Err("a field has either length, or max and prefix".to_owned()),
    }
}

fn pad(row: &Row, content: Content, charset: Charset, length: Length) -> Result<Pad, String> {
    let Length::Fixed(_) = length else {
        return match row.pad {
            None | Some(PadName::None) => Ok(Pad::None),
            Some(_) => Err("only a fixed length is padded".to_owned()),
        };
    };
    let byte = |character: char| u8::try_from(character).map_err(|_| "a pad character is one byte".to_owned());
    let packed = matches!(charset, Charset::Bcd { .. } | Charset::SignedBcd { .. });
    let pad = match row.pad {
        Some(PadName::None) => Pad::None,
        Some(PadName::Blanks) => Pad::BLANKS,
        Some(PadName::Zeros) => Pad::ZEROS,
        Some(PadName::Left(character)) => Pad::Left(byte(character)?),
        Some(PadName::Right(character)) => Pad::Right(byte(character)?),
        None => match content {
            Content::N => Pad::ZEROS,
            Content::A | Content::An | Content::Ans | Content::Z | Content::Track1 if !packed => Pad::BLANKS,
            _ => Pad::None,
        },
    };
    match pad {
        Pad::ZEROS if content != Content::N => Err("only content n is padded with zeros".to_owned()),
        Pad::Left(b' ') | Pad::Right(b' ') if !matches!(charset, Charset::Ascii | Charset::Ebcdic(_)) => {
            Err("only text is padded with blanks".to_owned())
        }
        // What is not taken off must be content of the class.
        Pad::Left(fill) | Pad::Right(fill) if fill != b' ' && crate::content::check(content, &[fill]).is_err() => {
            Err(format!("content {} cannot hold this pad character", content.as_str()))
        }
        pad => Ok(pad),
    }
}

fn shape(context: &Context<'_>, entry: &Entry, seat: &Seat<'_>, parent: &Field) -> Result<Shape, SpecError> {
    let row = &entry.row;
    let refuse = |reason: &str| context.sources.error(entry.at, seat.path.clone(), reason);
    let shape = row.shape.unwrap_or(ShapeName::Plain);
    let foreign = [
        (
            shape != ShapeName::Bitmap && (row.bitmap.is_some() || row.bitmap_bytes.is_some()),
            "bitmap and bitmap-bytes belong to shape \"bitmap\"",
        ),
        (
            shape != ShapeName::Tagged
                && (row.tag_digits.is_some()
                    || row.tag_form.is_some()
                    || row.length_digits.is_some()
                    || row.length_form.is_some()),
            "tag-digits, tag-form, length-digits and length-form belong to shape \"tagged\"",
        ),
        (
            matches!(shape, ShapeName::Plain | ShapeName::BerTlv) && !entry.fields.is_empty(),
            "this shape has no fields: wanted positional, tagged, datasets or bitmap",
        ),
        (shape == ShapeName::BerTlv && parent.content != Content::B, "ber-tlv wants content b"),
        (shape == ShapeName::Datasets && parent.content != Content::B, "datasets want content b"),
        (row.at.is_some() && !matches!(seat.kind, Kind::Part { .. }), "`at` belongs to the parts of a positional shape"),
        (shape != ShapeName::Plain && seat.depth == 0, "subfields are nested too deep"),
        (
            !matches!(shape, ShapeName::Plain | ShapeName::BerTlv)
                && matches!(parent.charset, Charset::Bcd { .. } | Charset::SignedBcd { .. })
                && shape != ShapeName::Positional,
            "packed digits hold positional subfields alone",
        ),
    ];
    if let Some((_, reason)) = foreign.iter().find(|(wrong, _)| *wrong) {
        return Err(refuse(reason));
    }
    let inner = Inner { context, entry, seat, parent };
    match shape {
        ShapeName::Plain => Ok(Shape::Plain),
        ShapeName::BerTlv => Ok(Shape::BerTlv),
        ShapeName::Positional => inner.positional(),
        ShapeName::Bitmap => inner.bitmap(),
        ShapeName::Tagged => {
            let form = row.tag_form.unwrap_or(PrefixForm::Ascii);
            let digits = row.tag_digits.zip(row.length_digits);
            let (tags, lengths) = digits.ok_or_else(|| refuse("shape \"tagged\" wants tag-digits and length-digits"))?;
            inner.tagged(tags, form, lengths, row.length_form.unwrap_or(form), None)
        }
        ShapeName::Pds => inner.tagged(4, PrefixForm::Ascii, 3, PrefixForm::Ascii, None),
        ShapeName::Datasets => {
            let dataset = Field {
                number: 0,
                label: Label::default(),
                length: Length::Enclosed { max: 0xFFFF },
                charset: Charset::Binary,
                pad: Pad::None,
                content: Content::B,
                shape: Shape::BerTlv,
                mac: false,
                name: "TLV dataset".to_owned(),
                ..parent.clone()
            };
            inner.tagged(2, PrefixForm::Binary, 4, PrefixForm::Binary, Some(Box::new(dataset)))
        }
    }
}

/// A row that has subfields.
struct Inner<'a> {
    context: &'a Context<'a>,
    entry: &'a Entry,
    seat: &'a Seat<'a>,
    parent: &'a Field,
}

impl Inner<'_> {
    fn refuse(&self, entry: &Entry, key: &str, reason: impl Into<String>) -> SpecError {
        self.context.sources.error(entry.at, format!("{}.{key}", self.seat.path), reason)
    }

    fn child(&self, key: &str, entry: &Entry, label: Label, number: u8, kind: Kind) -> Result<Field, SpecError> {
        let path = format!("{}.{key}", self.seat.path);
        let depth = self.seat.depth.saturating_sub(1);
        field(self.context, entry, &Seat { label, number, path, depth, parent: Some(self.parent), kind })
    }

    /// The rows by number, ascending; refused are other keys, and numbers twice.
    fn numbered(&self, least: u8, most: u8) -> Result<Vec<(u8, &str, &Entry)>, SpecError> {
        let mut rows = Vec::new();
        for (key, entry) in &self.entry.fields {
            let number = key.parse::<u8>().ok().filter(|number| (least..=most).contains(number));
            let wanted = || self.refuse(entry, key, format!("a subfield here is a number from {least} to {most}"));
            rows.push((number.ok_or_else(wanted)?, key.as_str(), entry));
        }
        rows.sort_by_key(|(number, ..)| *number);
        for pair in rows.windows(2) {
            if let [(first, ..), (second, key, entry)] = pair
                && first == second
            {
                return Err(self.refuse(entry, key, "the subfield is defined twice"));
            }
        }
        Ok(rows)
    }

    /// Bytes of the parent's content that a subfield takes at least, with its prefix.
    fn least(field: &Field) -> usize {
        match field.length {
            Length::Fixed(_) => charset::wire_length(field.charset, field.length.max()),
            Length::Variable { prefix, .. } => prefix::wire_length(prefix),
            Length::Enclosed { .. } => 0,
        }
    }

    fn positional(&self) -> Result<Shape, SpecError> {
        let rows = self.numbered(0, u8::MAX)?;
        let (room, mut position) = (self.parent.length.max(), 0usize);
        let mut parts: Vec<Field> = Vec::new();
        for (at, (number, key, entry)) in rows.iter().enumerate() {
            let last = at + 1 == rows.len();
            let field = self.child(key, entry, Label::number(*number), *number, Kind::Part { last })?;
            if let Some(stated) = entry.row.at {
                let known = parts.iter().all(|part| matches!(part.length, Length::Fixed(_)));
                let here = position + 1;
                let stated = usize::try_from(stated).unwrap_or(usize::MAX);
                if known && stated < here {
                    return Err(self.refuse(entry, key, format!("it overlaps what stands before it, which ends at {position}")));
                }
                if !known || stated > here {
                    return Err(self.refuse(entry, key, format!("it starts at {here}: parts stand without a gap")));
                }
            }
            position += Self::least(&field);
            if position > room {
                return Err(self.refuse(entry, key, format!("it does not fit: it ends at {position}, the field has {room}")));
            }
            parts.push(field);
        }
        let exact = parts.iter().all(|part| matches!(part.length, Length::Fixed(_)));
        if parts.is_empty() {
            return Err(self.refuse(self.entry, "", "shape \"positional\" wants fields"));
        }
        if exact && matches!(self.parent.length, Length::Fixed(_)) && position != room {
            let reason = format!("its subfields take {position}, it has {room}");
            return Err(self.context.sources.error(self.entry.at, self.seat.path.clone(), reason));
        }
        Ok(Shape::Positional(parts))
    }

    fn bitmap(&self) -> Result<Shape, SpecError> {
        let row = &self.entry.row;
        let form = row.bitmap.unwrap_or(BitmapForm::Binary);
        let bytes = usize::from(row.bitmap_bytes.unwrap_or(8));
        let refuse = |reason: &str| self.context.sources.error(self.entry.at, self.seat.path.clone(), reason);
        if !(1..=16).contains(&bytes) {
            return Err(refuse("bitmap-bytes is from 1 to 16"));
        }
        if (form == BitmapForm::Binary) != (self.parent.content == Content::B) && form != BitmapForm::HexAscii {
            return Err(refuse("a bitmap in text is \"hex-ascii\""));
        }
        let room = self.parent.length.max();
        let width = form.wire_length(bytes);
        let most = u8::try_from(bytes * 8).unwrap_or(128);
        let mut fields: Vec<Option<Field>> = vec![None; usize::from(most) + 1];
        for (number, key, entry) in self.numbered(1, most)? {
            let field = self.child(key, entry, Label::number(number), number, Kind::Mapped)?;
            let end = width + Self::least(&field);
            if end > room {
                return Err(self.refuse(
                    entry,
                    key,
                    format!("it does not fit: with the bitmap it takes {end}, the field has {room}"),
                ));
            }
            if let Some(place) = fields.get_mut(usize::from(number)) {
                *place = Some(field);
            }
        }
        Ok(Shape::Bitmap(Mapped { form, bytes, fields }))
    }

    fn tagged(
        &self,
        tag_digits: u8,
        form: PrefixForm,
        length_digits: u8,
        length_form: PrefixForm,
        dataset: Option<Box<Field>>,
    ) -> Result<Shape, SpecError> {
        let refuse = |reason: &str| self.context.sources.error(self.entry.at, self.seat.path.clone(), reason);
        if !(1..=8).contains(&tag_digits) || !(1..=6).contains(&length_digits) {
            return Err(refuse("tag-digits is from 1 to 8 and length-digits from 1 to 6"));
        }
        if form == PrefixForm::Binary && tag_digits % 2 == 1 {
            return Err(refuse("a binary tag has two digits a byte: tag-digits is even"));
        }
        let in_text = |form| matches!(form, PrefixForm::Ascii | PrefixForm::HexAscii);
        if self.parent.content != Content::B && !(in_text(form) && in_text(length_form)) {
            return Err(refuse("tags and lengths in text are \"ascii\" or \"hex-ascii\""));
        }
        let prefix = Prefix { digits: length_digits, form: length_form, counts: Counts::Content, inclusive: false };
        let mut tagged = Tagged { tag_digits, form, prefix, fields: Vec::new(), dataset };
        let header = tagged.tag_width() + prefix::wire_length(prefix);
        let room = self.parent.length.max();
        for (key, entry) in &self.entry.fields {
            let upper = key.to_ascii_uppercase();
            let text = if form == PrefixForm::Binary { &upper } else { key };
            let label = Label::new(text.as_bytes()).filter(|label| tagged.tag(*label).is_some());
            let label = label.ok_or_else(|| self.refuse(entry, key, format!("a tag here has {tag_digits} digits")))?;
            if tagged.fields.iter().any(|field| field.label == label) {
                return Err(self.refuse(entry, key, "the tag is ambiguous: it is defined twice"));
            }
            let field = self.child(key, entry, label, 0, Kind::Tagged)?;
            let most = prefix::largest(prefix);
            let widest = charset::wire_length(field.charset, field.length.max());
            if widest > most {
                return Err(self.refuse(
                    entry,
                    key,
                    format!("its length cannot be told: it takes up to {widest}, the prefix says up to {most}"),
                ));
            }
            let end = header + Self::least(&field);
            if end > room {
                return Err(self.refuse(
                    entry,
                    key,
                    format!("it does not fit: with its tag it takes {end}, the field has {room}"),
                ));
            }
            tagged.fields.push(field);
        }
        tagged.fields.sort_by_key(|field| field.label);
        Ok(Shape::Tagged(tagged))
    }
}
