//! The shipped dialects against the field tables of real packagers (`specs/*.json`): the same lengths,
//! prefixes and charsets, field by field, and the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use iso8583::{Charset, Field, Length, PrefixForm, Spec};
use serde_json::Value;

/// Shipped dialect, and the packager that it has its facts from.
pub(super) const SOURCES: [(&str, &str); 10] = [
    ("iso87-ascii", "iso87ascii"),
    ("iso87-binary", "iso87binary"),
    ("iso93-ascii", "iso93ascii"),
    ("iso93-binary", "iso93binary"),
    ("iso93-ebcdic", "iso93ebcdic"),
    ("iso2003-binary", "iso2003binary"),
    ("cmf", "cmf_2003"),
    ("base24", "base24"),
    ("postilion", "postilion_postpack"),
    ("visa-base1", "visa_base1"),
];

/// Where a dialect differs, by a reason. One that is not needed fails.
pub(super) const DIFFERENCES: [(&str, &[&str], &str); 17] = [
    ("iso87-ascii", &["55"], "the edition reserves it; chip data stands in it since EMV, as bytes of up to 255"),
    ("iso87-ascii", &["60", "61", "63"], "reserved there; ours are those of docs/wire.md"),
    ("iso87-ascii", &["93"], "the standard says n 5"),
    ("iso87-ascii", &["96"], "the standard says b 64, which is 8 bytes"),
    ("iso87-binary", &["60", "61", "63"], "as iso87-ascii, so that both speak docs/wire.md"),
    ("iso87-binary", &["93", "96"], "as iso87-ascii"),
    ("postilion", &["128"], "the packager leaves it to text of any length; a MAC that is checked has 8 bytes"),
    ("iso87-ascii", &["65"], NOT_USED),
    ("iso87-binary", &["65"], NOT_USED),
    ("base24", &["65"], NOT_USED),
    ("postilion", &["65"], NOT_USED),
    ("visa-base1", &["65"], NOT_USED),
    ("iso93-ascii", &["65"], NOT_USED),
    ("iso93-binary", &["65"], NOT_USED),
    ("iso93-ebcdic", &["65"], NOT_USED),
    ("iso2003-binary", &["65"], NOT_USED),
    ("cmf", &["65"], NOT_USED),
];

const NOT_USED: &str = "bit 65 announces a third bitmap, which these dialects do not have";

/// What stands on the wire: form of the length, greatest length, digits and form of a prefix, charset.
fn ours(field: &Field) -> String {
    let charset = match field.charset() {
        Charset::Ascii => "ascii",
        Charset::Ebcdic(_) => "ebcdic",
        Charset::Bcd { .. } => "bcd",
        Charset::SignedBcd { .. } => "sign-char+bcd",
        Charset::Binary => "binary",
        Charset::HexAscii => "hex-text-ascii",
        Charset::HexEbcdic => "hex-text-ebcdic",
    };
    match field.length() {
        Length::Fixed(length) => format!("{length} {charset}"),
        Length::Enclosed { max } => format!("..{max} {charset}"),
        Length::Variable { max, prefix } => {
            let form = match prefix.form {
                PrefixForm::Ascii => "ascii",
                PrefixForm::Ebcdic => "ebcdic",
                PrefixForm::Bcd => "bcd",
                PrefixForm::Binary => "binary",
                PrefixForm::HexAscii => "hex-ascii",
                PrefixForm::HexEbcdic => "hex-ebcdic",
            };
            format!("..{max} {}{form} {charset}", prefix.digits)
        }
    }
}

fn theirs(field: &Value) -> String {
    let text = |key: &str| field[key].as_str().unwrap_or_default();
    // Amounts of 2003 are packed digits: currency, decimals, amount.
    let charset = if text("class") == "IFB_AMOUNT2003" { "bcd" } else { text("data") };
    match text("kind") {
        "var" => format!("..{} {}{} {charset}", field["max_len"], field["len_digits"], text("len_enc")),
        _ => format!("{} {charset}", field["max_len"]),
    }
}

fn our_rows<'a>(above: &str, fields: impl Iterator<Item = &'a Field>, rows: &mut BTreeMap<String, String>) {
    for field in fields {
        let path = format!("{above}{}", field.label());
        our_rows(&format!("{path}."), field.shape().fields(), rows);
        rows.insert(path, ours(field));
    }
}

/// Bitmaps and placeholders are no fields.
fn their_rows(above: &str, fields: &Value, rows: &mut BTreeMap<String, String>) {
    for field in fields.as_array().into_iter().flatten() {
        let class = field["class"].as_str().unwrap_or_default();
        let outer = above.is_empty() && field["field"].as_u64().is_some_and(|number| number < 2);
        if outer || class.contains("BITMAP") || field["max_len"] == 0 {
            continue;
        }
        let path = format!("{above}{}", field["field"]);
        their_rows(&format!("{path}."), &field["subfields"], rows);
        rows.insert(path, theirs(field));
    }
}

/// Paths on which the two differ. Subfields that they do not have are our reading of the standard.
fn differing(spec: &Spec, packager: &Value) -> BTreeMap<String, String> {
    let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
    our_rows("", spec.fields(), &mut ours);
    their_rows("", &packager["fields"], &mut theirs);
    let paths: BTreeSet<&String> = ours.keys().filter(|path| !path.contains('.')).chain(theirs.keys()).collect();
    let said = |row: Option<&String>| row.cloned().unwrap_or_else(|| "none".to_owned());
    paths
        .into_iter()
        .filter(|path| ours.get(*path) != theirs.get(*path))
        .map(|path| (path.clone(), format!("ours {}, theirs {}", said(ours.get(path)), said(theirs.get(path)))))
        .collect()
}

#[test]
fn every_shipped_dialect_has_the_lengths_of_its_source_or_a_reason() {
    let mut wrong = Vec::new();
    for (name, source) in SOURCES {
        let path = conformance::vectors("iso8583").join("specs").join(format!("{source}.json"));
        let text = std::fs::read_to_string(&path).expect("a packager of the vectors");
        let packager: Value = serde_json::from_str(&text).expect("JSON");
        let spec = Spec::shipped(name).expect("a shipped dialect");
        let found = differing(&spec, &packager);
        let excused: BTreeSet<&str> =
            DIFFERENCES.iter().filter(|(dialect, ..)| *dialect == name).flat_map(|(_, paths, _)| paths.iter().copied()).collect();
        wrong.extend(found.iter().filter(|(path, _)| !excused.contains(path.as_str())).map(|row| format!("{name} {row:?}")));
        wrong.extend(excused.iter().filter(|path| !found.contains_key(**path)).map(|path| format!("{name} {path}: stale")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_packager_wrote_is_read_and_written_alike_by_the_shipped_dialect() {
    let text = std::fs::read_to_string(conformance::vectors("iso8583").join("cases.json")).expect("the cases");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let mut count = 0;
    for case in file["cases"].as_array().into_iter().flatten() {
        let source = case["spec"].as_str().and_then(|spec| spec.strip_prefix("specs/")?.strip_suffix(".json"));
        let Some((name, _)) = SOURCES.iter().find(|(_, packager)| Some(*packager) == source) else { continue };
        let wire = hex::decode(case["hex"].as_str().unwrap_or_default()).expect("hex");
        let spec = Spec::shipped(name).expect("a shipped dialect");
        let message = spec.decode(Bytes::from(wire.clone())).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (path, wanted) in case["fields"].as_object().into_iter().flatten() {
            let read = message.path(&spec, path).map(|content| String::from_utf8_lossy(&content).trim_end().to_owned());
            assert_eq!(read.as_deref(), wanted.as_str().map(str::trim_end), "{name} {path}");
        }
        let mut anew = iso8583::Message::new(message.mti());
        message.fields().for_each(|(number, content)| {
            anew.set(number, content);
        });
        assert_eq!(spec.encode(&anew).as_deref(), Ok(wire.as_slice()), "{name}");
        count += 1;
    }
    assert!(count > 0);
}
