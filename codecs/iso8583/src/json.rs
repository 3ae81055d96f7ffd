//! Messages as JSON: `{"mti":"0200","fields":{"2":"…","55":{"9F26":"…"}}}`. Text as text, binary
//! content as upper-case hexadecimal, TLV as an object of tags in wire order; masked by default.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::error::DecodeError;
use crate::field::{Content, Field, Sensitivity, Shape};
use crate::mask;
use crate::message::Message;
use crate::spec::Spec;
use crate::tlv::{self, Tlvs};

/// Whether hidden content is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// As the spec's sensitivities say.
    #[default]
    Masked,
    /// Everything in the clear. Ask for it by name, never by default.
    Revealed,
}

/// Why JSON is not a message. Holds positions and names, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON of the right form.
    #[error("line {line}, column {column}: not a message object")]
    Form {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A field name that is not a number of the spec.
    #[error("{0:?} is not a field of the spec")]
    Field(String),
    /// Binary content that is not hexadecimal.
    #[error("field {0}: hexadecimal wanted")]
    Hex(u8),
    /// A TLV object where the field has no TLV, or a tag that is none.
    #[error("field {0}: not data objects")]
    Tlv(u8),
}

/// One line of JSON.
pub fn to_json(spec: &Spec, message: &Message, show: Show) -> String {
    // Serializing to a string fails only where a map key is not a string; ours are.
    serde_json::to_string(&View { spec, message, show }).unwrap_or_default()
}

/// The JSON of an error: `{"error":{"kind":…,"field":…,"offset":…,"message":…}}`.
pub fn error_to_json(error: &DecodeError) -> String {
    serde_json::json!({ "error": {
        "kind": error.kind.as_str(),
        "field": error.place.to_string(),
        "offset": error.offset,
        "message": error.to_string(),
    }})
    .to_string()
}

/// Reads what [`to_json`] writes with [`Show::Revealed`]. Content is checked when it is encoded.
///
/// # Errors
/// JSON of another form, unknown fields, bad hexadecimal.
pub fn from_json(spec: &Spec, text: &str) -> Result<Message, JsonError> {
    let document: Document =
        serde_json::from_str(text).map_err(|error| JsonError::Form { line: error.line(), column: error.column() })?;
    let mut message = Message::new(&document.mti);
    for (name, value) in document.fields.0 {
        let field = name.parse().ok().and_then(|number| spec.field(number)).ok_or(JsonError::Field(name))?;
        message.set(field.number, content(field, value)?);
    }
    Ok(message)
}

fn content(field: &Field, value: Value) -> Result<Vec<u8>, JsonError> {
    match value {
        Value::Text(text) if field.content == Content::B => hex::decode(text).map_err(|_| JsonError::Hex(field.number)),
        Value::Text(text) => Ok(text.into_bytes()),
        Value::Objects(objects) if field.shape == Shape::BerTlv => {
            let mut out = Vec::new();
            for (tag, value) in objects {
                let tag = hex::decode(tag).map_err(|_| JsonError::Tlv(field.number))?;
                let value = hex::decode(value).map_err(|_| JsonError::Hex(field.number))?;
                tlv::write(&tag, &value, &mut out).map_err(|_| JsonError::Tlv(field.number))?;
            }
            Ok(out)
        }
        Value::Objects(_) => Err(JsonError::Tlv(field.number)),
    }
}

struct View<'a> {
    spec: &'a Spec,
    message: &'a Message,
    show: Show,
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("mti", self.message.mti())?;
        map.serialize_entry("fields", &FieldsView(self))?;
        map.end()
    }
}

struct FieldsView<'a>(&'a View<'a>);

impl Serialize for FieldsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let View { spec, message, show } = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (number, content) in message.fields() {
            let Some(field) = spec.field(number) else { continue };
            let sensitivity = if *show == Show::Revealed { Sensitivity::Clear } else { mask::sensitivity(field, message) };
            if field.shape == Shape::BerTlv
                && sensitivity == Sensitivity::Clear
                && let Some(objects) = objects(content, *show)
            {
                map.serialize_entry(&number, &objects)?;
                continue;
            }
            let text = match std::str::from_utf8(content) {
                Ok(text) if field.content != Content::B => text.to_owned(),
                // Text outside UTF-8 (let through with a note) has no exact JSON form.
                _ if field.content != Content::B => String::from_utf8_lossy(content).into_owned(),
                _ => hex::encode_upper(content),
            };
            let text = if *show == Show::Revealed { Some(text) } else { mask::text(sensitivity, &text) };
            if let Some(text) = text {
                map.serialize_entry(&number, &text)?;
            }
        }
        map.end()
    }
}

/// Data objects as tags and values; `None` where that would not give the same bytes again.
fn objects(content: &[u8], show: Show) -> Option<Objects> {
    let mut objects: Vec<(String, String)> = Vec::new();
    let mut again = Vec::with_capacity(content.len());
    for tlv in Tlvs::new(content) {
        let tlv = tlv.ok()?;
        tlv::write(tlv.tag, tlv.value, &mut again).ok()?;
        let value = hex::encode_upper(tlv.value);
        let value = if show == Show::Masked && tlv.holds_card_data() { "*".repeat(value.len()) } else { value };
        objects.push((tlv.tag_hex(), value));
    }
    let exact = again == content && tlv::first_duplicate(content).is_none();
    (exact || show == Show::Masked).then_some(Objects(objects))
}

struct Objects(Vec<(String, String)>);

impl Serialize for Objects {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(tag, value)| (tag, value)))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    mti: String,
    fields: Entries,
}

/// Name and value in the order of the text, which is the order of data objects on the wire.
struct Entries(Vec<(String, Value)>);

enum Value {
    Text(String),
    Objects(Vec<(String, String)>),
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or an object of tags")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut objects = Vec::new();
        while let Some(entry) = map.next_entry()? {
            objects.push(entry);
        }
        Ok(Value::Objects(objects))
    }
}
