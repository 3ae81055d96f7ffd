//! Subfields compiled: whether they fit their parent, stand without gap or overlap, and go by tags
//! that are told apart.

use crate::bitmap::BitmapForm;
use crate::class::Content;
use crate::compile::{Context, Kind, Seat, field};
use crate::error::SpecError;
use crate::field::{Charset, Counts, Field, Length, Pad, Prefix, PrefixForm};
use crate::path::Label;
use crate::row::{Entry, ShapeName};
use crate::shape::{Mapped, Shape, Tagged};
use crate::{charset, prefix};

/// The shape of a field that is otherwise compiled.
pub(crate) fn shape(context: &Context<'_>, entry: &Entry, seat: &Seat<'_>, parent: &Field) -> Result<Shape, SpecError> {
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
                plan: None,
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
        if self.parent.content != Content::B && form != BitmapForm::HexAscii {
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
