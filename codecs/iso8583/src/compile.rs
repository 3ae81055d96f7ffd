//! A row to a field: defaults filled in, and everything refused that cannot work on the wire.

use crate::class::Content;
use crate::error::SpecError;
use crate::field::{Charset, Counts, Field, Length, Pad, Prefix, PrefixForm, Sensitivity, Side};
use crate::path::{DEEPEST_PATH, Label};
use crate::plan::Plan;
use crate::row::{CharsetName, Defaults, Entry, PadName, Row, Sources};
use crate::shape::Shape;
use crate::{CodePage, prefix};

/// The longest content a field may have, in its units. Bounds what a prefix can make us convert.
pub const LONGEST_FIELD: u32 = 999_999;

/// What rows are compiled with.
pub(crate) struct Context<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) defaults: Defaults,
}

/// What a row is: where it stands in the message, and what that allows.
pub(crate) struct Seat<'a> {
    pub(crate) label: Label,
    pub(crate) number: u8,
    /// As in `127.2`.
    pub(crate) path: String,
    /// Levels of subfields that may still stand below.
    pub(crate) depth: usize,
    pub(crate) parent: Option<&'a Field>,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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

/// Compiles a field or subfield with all that stands in it.
pub(crate) fn field(context: &Context<'_>, entry: &Entry, seat: &Seat<'_>) -> Result<Field, SpecError> {
    let refuse = |reason: String| context.sources.error(entry.at, seat.path.clone(), reason);
    let mut field = plain(context, &entry.row, seat).map_err(refuse)?;
    field.shape = crate::nested::shape(context, entry, seat, &field)?;
    field.plan = Plan::of(&field);
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
        plan: None,
        name: row.name.clone().ok_or("`name` is missing")?,
    };
    // ISO 9797-1 lets a MAC be cut short on the right; the CMF has 4 bytes of it.
    let is_mac = content == Content::B && matches!(length, Length::Fixed(4..=8)) && seat.kind == Kind::Top;
    if field.mac && !(is_mac && matches!(seat.number, 64 | 128)) {
        return Err("a MAC is field 64 or 128, content b, length 4 to 8".to_owned());
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
