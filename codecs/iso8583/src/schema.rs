//! The JSON Schema of a spec's TOML form, printed from code. A test holds it against what is read.

use serde_json::{Map, Value, json};

use crate::class::Content;
use crate::compile::LONGEST_FIELD;

const CHARSETS: [&str; 9] =
    ["ascii", "ebcdic", "ebcdic-037", "ebcdic-500", "ebcdic-1047", "bcd", "binary", "hex-ascii", "hex-ebcdic"];
const FORMS: [&str; 6] = ["ascii", "ebcdic", "bcd", "binary", "hex-ascii", "hex-ebcdic"];
const BITMAPS: [&str; 3] = ["binary", "hex-ascii", "hex-ebcdic"];

pub(crate) fn schema() -> String {
    let head = properties(&[
        ("name", "The name by which links refer to it", json!({ "type": "string" })),
        ("title", "One line for people", json!({ "type": "string" })),
        ("extends", "A shipped spec, or a file: its rows are overridden row by row and key by key", json!({ "type": "string" })),
        ("version", "The edition of ISO 8583 (default 1987)", json!({ "enum": [1987, 1993, 2003] })),
        ("mti", "How the message type stands", one_of(&["ascii", "bcd", "ebcdic"])),
        ("bitmap", "How bitmaps stand", one_of(&BITMAPS)),
        ("third-bitmap", "Where a third bitmap stands (default none)", one_of(&["none", "follows", "field65"])),
        ("trailing", "Whether bytes may follow the last field (default refuse)", one_of(&["refuse", "allow"])),
        (
            "remove",
            "Fields of the extended spec that this one has not",
            json!({ "type": "array", "items": { "type": "integer" } }),
        ),
        ("defaults", "What rows mean that do not say so themselves", object(defaults(), &[])),
        ("fields", "Data elements by number", json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/field" } })),
    ]);
    let mut schema = object(head, &["name"]);
    if let Value::Object(schema) = &mut schema {
        schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        schema.insert("title".to_owned(), json!("ISO 8583 spec"));
        schema.insert("$defs".to_owned(), json!({ "field": object(row(), &[]) }));
    }
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    format!("{text}\n")
}

fn defaults() -> Map<String, Value> {
    properties(&[
        ("numeric", "Charset of digits (default ascii)", one_of(&CHARSETS)),
        ("text", "Charset of text and tracks (default ascii)", one_of(&CHARSETS)),
        ("binary", "Charset of content b (default hex-ascii)", one_of(&CHARSETS)),
        ("prefix-form", "Form of length prefixes (default ascii)", one_of(&FORMS)),
        ("counts", "What length prefixes count (default content)", one_of(&["content", "bytes", "nibbles"])),
        ("odd-side", "Where the filler of an odd number of packed digits stands (default left)", one_of(&["left", "right"])),
        ("odd-fill", "That filler, a half-byte (default 0)", json!({ "type": "integer", "minimum": 0, "maximum": 15 })),
    ])
}

fn row() -> Map<String, Value> {
    let classes: Vec<_> = Content::ALL.iter().map(|content| content.as_str()).collect();
    let length = json!({ "type": "integer", "minimum": 1, "maximum": LONGEST_FIELD });
    let digits = |most: u8| json!({ "type": "integer", "minimum": 1, "maximum": most });
    let flag = json!({ "type": "boolean" });
    let pad = json!({ "oneOf": [
        { "enum": ["none", "blanks", "zeros"] },
        { "type": "object", "properties": { "left": { "type": "string" } }, "required": ["left"], "additionalProperties": false },
        { "type": "object", "properties": { "right": { "type": "string" } }, "required": ["right"], "additionalProperties": false },
    ] });
    properties(&[
        ("name", "Name for people", json!({ "type": "string" })),
        ("content", "Which characters may stand in it", one_of(&classes)),
        ("length", "Fixed length: digits, characters, or bytes of content b", length.clone()),
        ("max", "Greatest length of a variable one", length),
        ("prefix", "Digits of its length prefix", digits(6)),
        ("prefix-form", "How the prefix is written", one_of(&FORMS)),
        ("counts", "What the prefix counts", one_of(&["content", "bytes", "nibbles"])),
        ("inclusive", "Whether the prefix counts itself", flag.clone()),
        ("charset", "How the content stands on the wire", one_of(&CHARSETS)),
        ("odd-side", "Where the filler of an odd number of packed digits stands", one_of(&["left", "right"])),
        ("odd-fill", "That filler, a half-byte", json!({ "type": "integer", "minimum": 0, "maximum": 15 })),
        ("pad", "What fills a fixed length; blanks are taken off again", pad),
        (
            "shape",
            "The structure of the content",
            one_of(&["plain", "ber-tlv", "positional", "tagged", "pds", "datasets", "bitmap"]),
        ),
        ("bitmap", "How the bitmap of shape bitmap stands (default binary)", one_of(&BITMAPS)),
        ("bitmap-bytes", "Its bytes (default 8)", digits(16)),
        ("tag-digits", "Digits of a tag of shape tagged", digits(8)),
        ("tag-form", "How it is written (default ascii)", one_of(&FORMS)),
        ("length-digits", "Digits of the length behind it", digits(6)),
        ("length-form", "How it is written (default as the tag)", one_of(&FORMS)),
        ("at", "The position that a part must have, from 1: checked", json!({ "type": "integer", "minimum": 1 })),
        (
            "sensitivity",
            "What may be shown (default clear, of a subfield its parent's)",
            one_of(&["clear", "mask", "hide", "drop"]),
        ),
        ("fault", "What a fault of the content means (default reject)", one_of(&["reject", "note", "pass"])),
        ("mac", "Whether it is the MAC over all that stands before it", flag.clone()),
        ("durable", "Whether it may be stored (default true)", flag.clone()),
        ("pass", "Whether it may travel on unread (default false)", flag),
        (
            "remove",
            "Subfields of the extended row that this one has not",
            json!({ "type": "array", "items": { "type": "string" } }),
        ),
        (
            "fields",
            "Subfields by number or tag",
            json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/field" } }),
        ),
    ])
}

fn properties(list: &[(&str, &str, Value)]) -> Map<String, Value> {
    let described = |(name, text, value): &(&str, &str, Value)| {
        let mut value = value.clone();
        if let Value::Object(map) = &mut value {
            map.insert("description".to_owned(), json!(text));
        }
        ((*name).to_owned(), value)
    };
    list.iter().map(described).collect()
}

fn object(properties: Map<String, Value>, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn one_of(values: &[&str]) -> Value {
    json!({ "enum": values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Spec;

    #[test]
    fn the_committed_schema_is_what_the_code_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/specs/schema.json");
        if std::env::var_os("SWITCHYARD_BLESS").is_some() {
            std::fs::write(path, schema()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == schema(), "stale: run this test once with SWITCHYARD_BLESS=1");
    }

    /// The keys that the reader names when it meets one that it does not know.
    fn keys(text: &str) -> Vec<String> {
        let reason = Spec::from_toml(text).unwrap_err().reason;
        let list = reason.split_once("expected one of").map(|(_, list)| list.to_owned()).unwrap_or_default();
        let mut keys: Vec<_> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        keys.sort();
        keys
    }

    #[test]
    fn the_schema_has_the_keys_that_the_reader_knows() {
        let names = |map: &Value| {
            let mut names: Vec<_> = map.as_object().unwrap().keys().cloned().collect();
            names.sort();
            names
        };
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        assert_eq!(keys("zz = 1"), names(&schema["properties"]));
        assert_eq!(keys("name = \"x\"\n[defaults]\nzz = 1"), names(&schema["properties"]["defaults"]["properties"]));
        assert_eq!(keys("name = \"x\"\n[fields]\n2 = { zz = 1 }"), names(&schema["$defs"]["field"]["properties"]));
    }
}
