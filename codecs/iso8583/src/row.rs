//! The rows of a spec's TOML: what may be written, and how a row overrides the row it extends.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::bitmap::{BitmapForm, Third};
use crate::class::Content;
use crate::error::SpecError;
use crate::field::{Counts, PrefixForm, Sensitivity, Severity, Side};

/// A whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) extends: Option<Spanned<String>>,
    pub(crate) version: Option<Spanned<u16>>,
    pub(crate) mti: Option<Spanned<CharsetName>>,
    pub(crate) bitmap: Option<BitmapForm>,
    pub(crate) third_bitmap: Option<Third>,
    pub(crate) trailing: Option<Trailing>,
    #[serde(default)]
    pub(crate) defaults: Defaults,
    #[serde(default)]
    pub(crate) remove: Vec<Spanned<u8>>,
    #[serde(default)]
    pub(crate) fields: Rows,
}

pub(crate) type Rows = BTreeMap<Spanned<String>, Spanned<Row>>;

/// What may follow the last field.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trailing {
    Refuse,
    Allow,
}

/// What a row means that does not say so itself.
#[derive(Deserialize, Clone, Copy, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Defaults {
    /// Charset of digits.
    pub(crate) numeric: Option<CharsetName>,
    /// Charset of text and of track data.
    pub(crate) text: Option<CharsetName>,
    /// Charset of content `b`.
    pub(crate) binary: Option<CharsetName>,
    /// Form of length prefixes.
    pub(crate) prefix_form: Option<PrefixForm>,
    /// What length prefixes count.
    pub(crate) counts: Option<Counts>,
    /// Filler of an odd number of packed digits.
    pub(crate) odd_side: Option<Side>,
    pub(crate) odd_fill: Option<u8>,
}

impl Defaults {
    pub(crate) fn over(self, base: Self) -> Self {
        Self {
            numeric: self.numeric.or(base.numeric),
            text: self.text.or(base.text),
            binary: self.binary.or(base.binary),
            prefix_form: self.prefix_form.or(base.prefix_form),
            counts: self.counts.or(base.counts),
            odd_side: self.odd_side.or(base.odd_side),
            odd_fill: self.odd_fill.or(base.odd_fill),
        }
    }
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CharsetName {
    #[serde(rename = "ascii")]
    Ascii,
    /// Code page 037.
    #[serde(rename = "ebcdic")]
    Ebcdic,
    #[serde(rename = "ebcdic-037")]
    Ebcdic037,
    #[serde(rename = "ebcdic-500")]
    Ebcdic500,
    #[serde(rename = "ebcdic-1047")]
    Ebcdic1047,
    #[serde(rename = "bcd")]
    Bcd,
    #[serde(rename = "binary")]
    Binary,
    #[serde(rename = "hex-ascii")]
    HexAscii,
    #[serde(rename = "hex-ebcdic")]
    HexEbcdic,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PadName {
    None,
    Blanks,
    Zeros,
    Left(char),
    Right(char),
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ShapeName {
    Plain,
    BerTlv,
    Positional,
    Tagged,
    /// Tagged with 4 digits of tag and 3 of length: Mastercard private data subelements.
    Pds,
    Datasets,
    Bitmap,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Row {
    pub(crate) name: Option<String>,
    pub(crate) content: Option<Content>,
    /// Fixed length.
    pub(crate) length: Option<u32>,
    /// Greatest length of a variable one.
    pub(crate) max: Option<u32>,
    /// Digits of the length prefix.
    pub(crate) prefix: Option<u8>,
    pub(crate) prefix_form: Option<PrefixForm>,
    pub(crate) counts: Option<Counts>,
    /// Whether the prefix counts itself.
    pub(crate) inclusive: Option<bool>,
    pub(crate) charset: Option<CharsetName>,
    pub(crate) odd_side: Option<Side>,
    pub(crate) odd_fill: Option<u8>,
    pub(crate) pad: Option<PadName>,
    pub(crate) shape: Option<ShapeName>,
    /// Of shape bitmap.
    pub(crate) bitmap: Option<BitmapForm>,
    pub(crate) bitmap_bytes: Option<u8>,
    /// Of shape tagged.
    pub(crate) tag_digits: Option<u8>,
    pub(crate) tag_form: Option<PrefixForm>,
    pub(crate) length_digits: Option<u8>,
    pub(crate) length_form: Option<PrefixForm>,
    /// Of a part of a positional shape: the position that it must have, from 1.
    pub(crate) at: Option<u32>,
    pub(crate) sensitivity: Option<Sensitivity>,
    pub(crate) fault: Option<Severity>,
    pub(crate) mac: Option<bool>,
    pub(crate) durable: Option<bool>,
    pub(crate) pass: Option<bool>,
    /// Subfields of the row that it extends that it has not.
    pub(crate) remove: Vec<String>,
    pub(crate) fields: Rows,
}

/// Where something stands: file by number, and offset in its text.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) file: usize,
    pub(crate) offset: usize,
}

/// A row with the place it came from, and its subfields by their keys.
pub(crate) struct Entry {
    pub(crate) at: Origin,
    pub(crate) row: Row,
    pub(crate) fields: Entries,
}

pub(crate) type Entries = BTreeMap<String, Entry>;

/// Rows of one file.
pub(crate) fn entries(rows: Rows, file: usize) -> Entries {
    let entry = |(key, row): (Spanned<String>, Spanned<Row>)| {
        let at = Origin { file, offset: key.span().start };
        let mut row = row.into_inner();
        let fields = entries(std::mem::take(&mut row.fields), file);
        (key.into_inner(), Entry { at, row, fields })
    };
    rows.into_iter().map(entry).collect()
}

/// `over` on top of `base`, row by row and key by key.
pub(crate) fn overlay(mut base: Entries, over: Entries) -> Entries {
    for (key, entry) in over {
        let merged = match base.remove(&key) {
            Some(below) => entry.over(below),
            None => entry,
        };
        base.insert(key, merged);
    }
    base
}

impl Entry {
    fn over(self, mut base: Self) -> Self {
        let Self { at, row: mut over, fields } = self;
        // A length of its own replaces all that says how long the row below is.
        if over.length.is_some() {
            (base.row.max, base.row.prefix, base.row.prefix_form) = (None, None, None);
            (base.row.counts, base.row.inclusive) = (None, None);
        } else if over.max.is_some() || over.prefix.is_some() {
            base.row.length = None;
        }
        if over.shape.is_some_and(|shape| base.row.shape != Some(shape)) {
            base.fields.clear();
        }
        base.fields.retain(|key, _| !over.remove.contains(key));
        over.over(base.row);
        Self { at, row: over, fields: overlay(base.fields, fields) }
    }
}

impl Row {
    fn over(&mut self, base: Self) {
        fn fill<T>(over: &mut Option<T>, base: Option<T>) {
            if over.is_none() {
                *over = base;
            }
        }
        fill(&mut self.name, base.name);
        fill(&mut self.content, base.content);
        fill(&mut self.length, base.length);
        fill(&mut self.max, base.max);
        fill(&mut self.prefix, base.prefix);
        fill(&mut self.prefix_form, base.prefix_form);
        fill(&mut self.counts, base.counts);
        fill(&mut self.inclusive, base.inclusive);
        fill(&mut self.charset, base.charset);
        fill(&mut self.odd_side, base.odd_side);
        fill(&mut self.odd_fill, base.odd_fill);
        fill(&mut self.pad, base.pad);
        fill(&mut self.shape, base.shape);
        fill(&mut self.bitmap, base.bitmap);
        fill(&mut self.bitmap_bytes, base.bitmap_bytes);
        fill(&mut self.tag_digits, base.tag_digits);
        fill(&mut self.tag_form, base.tag_form);
        fill(&mut self.length_digits, base.length_digits);
        fill(&mut self.length_form, base.length_form);
        fill(&mut self.at, base.at);
        fill(&mut self.sensitivity, base.sensitivity);
        fill(&mut self.fault, base.fault);
        fill(&mut self.mac, base.mac);
        fill(&mut self.durable, base.durable);
        fill(&mut self.pass, base.pass);
    }
}

/// The files that a spec is read from, to tell places in them.
pub(crate) struct Sources(pub(crate) Vec<(String, String)>);

impl Sources {
    pub(crate) fn error(&self, at: Origin, path: impl Into<String>, reason: impl Into<String>) -> SpecError {
        let (file, text) = self.0.get(at.file).map_or(("", ""), |(file, text)| (file.as_str(), text.as_str()));
        let before = text.get(..at.offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        SpecError {
            file: file.to_owned(),
            line: 1 + before.bytes().filter(|byte| *byte == b'\n').count(),
            column: 1 + before.get(line_start..).unwrap_or_default().chars().count(),
            path: path.into(),
            reason: reason.into(),
        }
    }
}
