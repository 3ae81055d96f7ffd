//! Reads a spec from TOML, refuses what cannot work, names line and field.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::bitmap::BitmapForm;
use crate::error::SpecError;
use crate::field::{Charset, Content, Counts, Field, Length, Pad, Prefix, PrefixForm, Sensitivity, Severity, Shape, Side};
use crate::{prefix, spec::Spec};

/// The longest content a field may have, in its units. Bounds what a prefix can make us convert.
const LONGEST: u16 = 9999;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    name: String,
    #[serde(default)]
    title: String,
    mti: Spanned<CharsetName>,
    bitmap: BitmapForm,
    #[serde(default)]
    defaults: Defaults,
    fields: BTreeMap<Spanned<String>, Spanned<Row>>,
}

/// What a row means that does not say so itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Defaults {
    /// Of digits and track data.
    numeric: CharsetName,
    /// Of text.
    text: CharsetName,
    /// Of content `b`.
    binary: CharsetName,
    /// Of length prefixes.
    prefix_form: PrefixForm,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            numeric: CharsetName::Ascii,
            text: CharsetName::Ascii,
            binary: CharsetName::HexAscii,
            prefix_form: PrefixForm::Ascii,
        }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum CharsetName {
    Ascii,
    Bcd,
    Binary,
    HexAscii,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Row {
    name: String,
    content: Content,
    /// Fixed length.
    length: Option<u16>,
    /// Greatest length of a variable one; wants `prefix`.
    max: Option<u16>,
    /// Digits of the length prefix.
    prefix: Option<u8>,
    prefix_form: Option<PrefixForm>,
    counts: Option<Counts>,
    charset: Option<CharsetName>,
    odd_side: Option<Side>,
    odd_fill: Option<u8>,
    pad: Option<Pad>,
    #[serde(default)]
    shape: Shape,
    #[serde(default)]
    sensitivity: Sensitivity,
    #[serde(default)]
    fault: Severity,
    #[serde(default)]
    mac: bool,
}

pub(crate) fn spec(text: &str) -> Result<Spec, SpecError> {
    let line = |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let document: Document = toml::from_str(text).map_err(|error| SpecError {
        line: line(error.span().map_or(0, |span| span.start)),
        field: None,
        reason: error.message().to_owned(),
    })?;
    let at =
        |span: std::ops::Range<usize>, field: Option<u8>, reason: String| SpecError { line: line(span.start), field, reason };
    let mti = match document.mti.get_ref() {
        CharsetName::Ascii => Charset::Ascii,
        CharsetName::Bcd => Charset::Bcd { side: Side::Left, fill: 0 },
        _ => return Err(at(document.mti.span(), None, "the MTI is \"ascii\" or \"bcd\"".to_owned())),
    };
    let mut fields: Vec<Option<Field>> = vec![None; 129];
    for (key, row) in document.fields {
        let number = key.get_ref().parse::<u8>().ok().filter(|number| (2..=128).contains(number) && *number != 65);
        let Some(number) = number else {
            let reason = "a field is a number from 2 to 128, and 65 is a bitmap".to_owned();
            return Err(at(key.span(), None, reason));
        };
        let span = row.span();
        let field =
            compile(number, row.into_inner(), &document.defaults).map_err(|reason| at(span.clone(), Some(number), reason))?;
        match fields.get_mut(usize::from(number)) {
            Some(Some(_)) => return Err(at(key.span(), Some(number), "the field is defined twice".to_owned())),
            Some(room) => *room = Some(field),
            None => {}
        }
    }
    Ok(Spec { name: document.name, title: document.title, mti, bitmap: document.bitmap, fields })
}

fn compile(number: u8, row: Row, defaults: &Defaults) -> Result<Field, String> {
    let charset = charset(&row, defaults)?;
    let length = length(&row, defaults)?;
    let content = row.content;
    let right = match charset {
        Charset::Ascii => content != Content::B,
        Charset::Bcd { .. } => content.is_numeric() || content == Content::Z,
        Charset::Binary | Charset::HexAscii => content == Content::B,
    };
    if !right {
        return Err(format!("content {} cannot stand in this charset", content.as_str()));
    }
    let max = length.max();
    if max == 0 || max > LONGEST {
        return Err(format!("a length is from 1 to {LONGEST}"));
    }
    let digits = content.date_parts().len() * 2;
    if digits > 0 && length != Length::Fixed(u16::try_from(digits).unwrap_or(0)) {
        return Err(format!("{} has a fixed length of {digits}", content.as_str()));
    }
    if !prefix::fits(length, charset) {
        return Err(format!("the prefix cannot say {max}"));
    }
    let pad = match (row.pad, length) {
        (None | Some(Pad::None), Length::Variable { .. }) => Pad::None,
        (Some(_), Length::Variable { .. }) => return Err("a variable length is not padded".to_owned()),
        (Some(pad), Length::Fixed(_)) => pad,
        (None, Length::Fixed(_)) => match content {
            Content::N => Pad::Zeros,
            Content::A | Content::An | Content::Ans | Content::Z => Pad::Blanks,
            _ => Pad::None,
        },
    };
    match pad {
        Pad::Zeros if content != Content::N => return Err("only content n is padded with zeros".to_owned()),
        Pad::Blanks if charset != Charset::Ascii => return Err("only text is padded with blanks".to_owned()),
        _ => {}
    }
    if row.shape == Shape::BerTlv && content != Content::B {
        return Err("ber-tlv wants content b".to_owned());
    }
    if row.mac && (content != Content::B || length != Length::Fixed(8) || !matches!(number, 64 | 128)) {
        return Err("a MAC is field 64 or 128, content b, length 8".to_owned());
    }
    Ok(Field {
        number,
        name: row.name,
        length,
        charset,
        pad,
        content,
        shape: row.shape,
        sensitivity: row.sensitivity,
        severity: row.fault,
        mac: row.mac,
    })
}

fn charset(row: &Row, defaults: &Defaults) -> Result<Charset, String> {
    let name = row.charset.unwrap_or(match row.content {
        Content::B => defaults.binary,
        content if content.is_numeric() => defaults.numeric,
        _ => defaults.text,
    });
    if name != CharsetName::Bcd && (row.odd_side.is_some() || row.odd_fill.is_some()) {
        return Err("odd-side and odd-fill belong to charset \"bcd\"".to_owned());
    }
    let fill = row.odd_fill.unwrap_or(0);
    if fill > 0x0F {
        return Err("odd-fill is a half-byte, 0 to 15".to_owned());
    }
    Ok(match name {
        CharsetName::Ascii => Charset::Ascii,
        CharsetName::Bcd => Charset::Bcd { side: row.odd_side.unwrap_or(Side::Left), fill },
        CharsetName::Binary => Charset::Binary,
        CharsetName::HexAscii => Charset::HexAscii,
    })
}

fn length(row: &Row, defaults: &Defaults) -> Result<Length, String> {
    match (row.length, row.max, row.prefix) {
        (Some(length), None, None) if row.prefix_form.is_none() && row.counts.is_none() => Ok(Length::Fixed(length)),
        (None, Some(max), Some(digits @ 1..=4)) => {
            let form = row.prefix_form.unwrap_or(defaults.prefix_form);
            let counts = row.counts.unwrap_or(Counts::Content);
            Ok(Length::Variable { max, prefix: Prefix { digits, form, counts } })
        }
        (None, Some(_), Some(_)) => Err("a prefix has 1 to 4 digits".to_owned()),
        _ => Err("a field has either length, or max and prefix".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(fields: &str) -> (usize, Option<u8>, String) {
        let error = spec(&format!("name = \"x\"\nmti = \"ascii\"\nbitmap = \"hex-ascii\"\n[fields]\n{fields}\n")).unwrap_err();
        (error.line, error.field, error.reason)
    }

    #[test]
    fn a_bad_row_is_named_with_line_and_field() {
        let (line, field, reason) =
            error("3 = { name = \"a\", content = \"n\", length = 6 }\n4 = { name = \"b\", content = \"n\" }");
        assert_eq!((line, field), (6, Some(4)));
        assert!(reason.contains("either length"), "{reason}");
        assert_eq!(error("2 = { name = \"a\", content = \"n\", max = 100, prefix = 2 }").2, "the prefix cannot say 100");
        assert_eq!(error("2 = { name = \"a\", content = \"b\", length = 8, charset = \"ascii\" }").1, Some(2));
        assert_eq!(error("65 = { name = \"a\", content = \"n\", length = 8 }").0, 5);
        assert_eq!(error("7 = { name = \"a\", content = \"MMDD\", length = 5 }").2, "MMDD has a fixed length of 4");
        assert_eq!(
            error("02 = { name = \"a\", content = \"n\", length = 1 }\n2 = { name = \"a\", content = \"n\", length = 1 }").2,
            "the field is defined twice"
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let (line, _, reason) =
            error("3 = { name = \"a\", content = \"n\", length = 6 }\n4 = { name = \"a\", content = \"n\", lenght = 6 }");
        assert_eq!(line, 6);
        assert!(reason.contains("lenght"), "{reason}");
        let (line, _, reason) = error("3 = { name = \"a\", content = \"nn\", length = 6 }");
        assert_eq!(line, 5);
        assert!(reason.contains("nn"), "{reason}");
    }
}
