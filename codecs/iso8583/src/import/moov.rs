//! The JSON that moov-io/iso8583 writes of a spec (`specs/builder.go`): names of types, encodings,
//! prefixes and paddings. Its prefixes count content; a binary or hex one has a byte for each L.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{DEEPEST, ImportError, Imported, Line, Table, bounded};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    name: String,
    fields: BTreeMap<String, Item>,
}

/// A field. Keys beside these are told as lost.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
struct Item {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    length: u32,
    #[serde(default)]
    description: String,
    #[serde(default)]
    enc: String,
    #[serde(default)]
    prefix: String,
    padding: Option<Padding>,
    tag: Option<Tag>,
    #[serde(default)]
    subfields: BTreeMap<String, Item>,
    bitmap: Option<Box<Item>>,
    /// Of bitmaps: whether bit 1 announces another one.
    #[serde(rename = "disableautoexpand", default)]
    disable_auto_expand: bool,
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Padding {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    pad: String,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(default)]
    length: u8,
    #[serde(default)]
    enc: String,
    padding: Option<Padding>,
    /// The order in which elements are written: ours keeps the one they are set in.
    #[serde(rename = "sort", default)]
    _sort: String,
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

/// Reads the JSON of a spec into a spec of this name; of its own where the name is empty.
///
/// # Errors
/// What is not JSON, not a spec, or longer than [`super::LONGEST_IMPORT`].
pub fn moov(name: &str, text: &str) -> Result<Imported, ImportError> {
    bounded(text)?;
    let document: Document =
        serde_json::from_str(text).map_err(|error| ImportError::Json { line: error.line(), column: error.column() })?;
    let name = if name.is_empty() { document.name } else { name.to_owned() };
    let mut table = Table { name, origin: "a moov-io/iso8583 spec", ..Table::default() };
    let mut fields: Vec<_> = document.fields.iter().collect();
    fields.sort_by_key(|(key, _)| key.parse::<u16>().unwrap_or(u16::MAX));
    for (key, item) in fields {
        match key.as_str() {
            "0" => table.mti = charset(&item.enc).filter(|charset| matches!(*charset, "ascii" | "bcd" | "ebcdic")),
            "1" if item.kind == "Bitmap" => table.bitmap = bitmap(&item.enc),
            _ => {
                if let Some(line) = line(key, item, "", DEEPEST, &mut table) {
                    table.rows.push(line);
                }
            }
        }
    }
    Ok(table.finish())
}

fn charset(encoding: &str) -> Option<&'static str> {
    match encoding {
        "ASCII" => Some("ascii"),
        "EBCDIC" => Some("ebcdic"),
        "BCD" | "LBCD" => Some("bcd"),
        "Binary" | "ASCIIToHex" => Some("binary"),
        // The second is what it was called before there were two ways round.
        "HexToASCII" | "Hex" => Some("hex-ascii"),
        _ => None,
    }
}

fn bitmap(encoding: &str) -> Option<&'static str> {
    charset(encoding).filter(|charset| matches!(*charset, "binary" | "hex-ascii"))
}

/// Digits and form of a prefix such as `ASCII.LL`; no digits are a fixed length.
fn prefix(text: &str) -> Option<(u8, &'static str)> {
    let (form, letters) = text.split_once('.')?;
    let count = match letters {
        "Fixed" => 0,
        "L" => 1,
        "LL" => 2,
        "LLL" => 3,
        "LLLL" => 4,
        _ => return None,
    };
    match form {
        "ASCII" => Some((count, "ascii")),
        "BCD" => Some((count, "bcd")),
        "EBCDIC" => Some((count, "ebcdic")),
        "Hex" => Some((count * 2, "hex-ascii")),
        "Binary" => Some((count * 2, "binary")),
        _ => None,
    }
    .filter(|(digits, _)| *digits <= 6)
}

fn line(key: &str, item: &Item, above: &str, depth: usize, table: &mut Table) -> Option<Line> {
    let path = format!("{above}{key}");
    item.other.keys().for_each(|other| table.lose(false, &path, other, "this key is not read"));
    let composite = !item.subfields.is_empty();
    let Some((digits, form)) = prefix(&item.prefix) else {
        table.lose(true, &path, &item.prefix, "this prefix is not in the importer's table");
        return None;
    };
    let (content, charset) = match (item.kind.as_str(), charset(&item.enc)) {
        _ if composite => {
            let text = item.subfields.values().all(|inner| inner.enc == "ASCII" && inner.subfields.is_empty());
            if text { ("ans", "ascii") } else { ("b", "binary") }
        }
        ("Numeric" | "String", Some(charset @ "bcd")) => ("n", charset),
        ("Numeric", Some(charset @ ("ascii" | "ebcdic"))) => ("n", charset),
        ("String", Some(charset @ ("ascii" | "ebcdic"))) if above.is_empty() && key == "35" => ("z", charset),
        ("String", Some(charset @ ("ascii" | "ebcdic"))) => ("ans", charset),
        ("String" | "Binary" | "Hex", Some(charset @ ("binary" | "hex-ascii"))) => ("b", charset),
        _ => {
            table.lose(true, &path, &format!("{} in {}", item.kind, item.enc), "this encoding of this type has no form here");
            return None;
        }
    };
    if item.enc == "ASCIIToHex" && digits > 0 {
        table.lose(true, &path, &item.enc, "whether its prefix counts bytes or characters: ours counts bytes");
    }
    let odd = (charset == "bcd").then_some(if item.enc == "LBCD" { ("right", 0) } else { ("left", 0) });
    let mut line = Line {
        key: key.to_owned(),
        name: item.description.clone(),
        content,
        charset,
        length: item.length,
        prefix: (digits > 0).then_some((digits, form)),
        odd,
        ..Line::default()
    };
    pad(item, &path, &mut line, table);
    if composite {
        match depth.checked_sub(1) {
            Some(depth) => nested(item, &path, depth, &mut line, table),
            None => table.lose(false, &path, &item.kind, "subfields nested too deep; the field itself is there"),
        }
    }
    Some(line)
}

fn pad(item: &Item, path: &str, line: &mut Line, table: &mut Table) {
    let fixed = line.prefix.is_none();
    // Without padding a length is exact, and blanks are content.
    let exact = (fixed && line.content == "ans").then(|| "\"none\"".to_owned());
    let Some(padding) = &item.padding else {
        line.pad = exact;
        return;
    };
    let character = super::write::quoted(&padding.pad);
    match padding.kind.as_str() {
        "None" => line.pad = exact,
        "Left" if fixed && line.content == "n" && padding.pad == "0" => {}
        "Left" if fixed && line.content == "ans" && padding.pad == "0" => {
            table.lose(false, path, &item.kind, "filled with zeros in front: taken for a number");
            line.content = "n";
        }
        "Left" if fixed => line.pad = Some(format!("{{ left = {character} }}")),
        "Right" if fixed => line.pad = Some(format!("{{ right = {character} }}")),
        other => table.lose(true, path, other, "a variable length is not padded here"),
    }
}

fn nested(item: &Item, path: &str, depth: usize, line: &mut Line, table: &mut Table) {
    let tag = item.tag.as_ref().filter(|tag| tag.length > 0 || tag.enc == "BerTLVTag");
    if let Some(tag) = tag {
        tag.other.keys().for_each(|other| table.lose(false, path, other, "this key of its tags is not read"));
        let zeros = |padding: &Padding| padding.kind == "None" || padding.kind == "Left" && padding.pad == "0";
        if let Some(padding) = tag.padding.as_ref().filter(|padding| !zeros(padding)) {
            table.lose(true, path, &padding.kind, "how its tags are padded: here they have zeros in front");
        }
    }
    let grows = item.bitmap.as_ref().filter(|bits| !bits.disable_auto_expand);
    if let Some(bits) = grows {
        table.lose(true, path, &bits.enc, "a bitmap that grows where a further field is there: here it does not");
    }
    let mut refuse = |what: &str, why: &str| table.lose(false, path, what, format!("{why}; the field itself is there"));
    let mut tagged = None;
    let shape = match (&item.bitmap, tag) {
        (Some(bits), _) => match bitmap(&bits.enc) {
            Some(form) => format!("shape = \"bitmap\", bitmap = \"{form}\", bitmap-bytes = {}", bits.length),
            None => return refuse(&bits.enc, "this form of its bitmap"),
        },
        (None, Some(tag)) if tag.enc == "BerTLVTag" => {
            (line.content, line.charset, line.shape) = ("b", "binary", Some("shape = \"ber-tlv\"".to_owned()));
            return;
        }
        (None, Some(tag)) => {
            let digits = match tag.enc.as_str() {
                "ASCII" => Some((tag.length, "ascii")),
                "EBCDIC" => Some((tag.length, "ebcdic")),
                "Binary" | "ASCIIToHex" => Some((tag.length.saturating_mul(2), "binary")),
                _ => None,
            };
            let mut lengths = item.subfields.values().map(|inner| prefix(&inner.prefix));
            let first = lengths.next().flatten().filter(|(digits, _)| *digits > 0);
            let (Some((digits, form)), Some((length, length_form))) = (digits, first) else {
                return refuse(&tag.enc, "tags of this encoding, or without a length behind them");
            };
            if !lengths.all(|prefix| prefix == first) {
                return refuse(&tag.enc, "lengths behind its tags of different forms");
            }
            tagged = Some(usize::from(digits));
            format!(
                "shape = \"tagged\", tag-digits = {digits}, tag-form = \"{form}\", length-digits = {length}, length-form = \"{length_form}\""
            )
        }
        (None, None) => "shape = \"positional\"".to_owned(),
    };
    let mut inner: Vec<_> = item.subfields.iter().collect();
    inner.sort_by_key(|(key, _)| key.parse::<u32>().unwrap_or(u32::MAX));
    let before = table.losses.len();
    let mut rows = Vec::new();
    for (key, item) in inner {
        if let Some(mut row) = self::line(key, item, &format!("{path}."), depth, table) {
            if let Some(digits) = tagged {
                row.key = format!("{key:0>digits$}");
                (row.prefix, row.enclosed) = (None, true);
            }
            rows.push(row);
        }
    }
    if shape.contains("positional") && table.losses.iter().skip(before).any(|loss| loss.essential) {
        // Parts stand one behind the other: without one of them the others have no place.
        table.losses.iter_mut().skip(before).for_each(|loss| loss.essential = false);
        return table.lose(false, path, &item.kind, "its subfields, since one of them is not known");
    }
    (line.shape, line.rows) = (Some(shape), rows);
}
