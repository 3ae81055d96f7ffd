//! Messages as JSON: `{"mti":"0200","fields":{"2":"…","55":{"9F26":"…"}}}`. Text as text, binary
//! content as upper-case hexadecimal, TLV as an object of tags in wire order; masked by default.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::class::Content;
use crate::error::DecodeError;
use crate::field::{Field, Sensitivity};
use crate::inside::{self, Parent};
use crate::mask;
use crate::message::Message;
use crate::path::Label;
use crate::shape::Shape;
use crate::spec::Spec;
use crate::tlv::Tlvs;

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
    /// An object where the field has no elements, or an element that it does not have or cannot hold.
    #[error("field {0}: not elements of the field")]
    Elements(u8),
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
        "field": format!("{}{}", error.place, error.path),
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
    element(Some(field), Parent::Field(field), value, field.number)
}

/// Content of a field, or of an element that only its parent knows the form of.
fn element(field: Option<&Field>, inner: Parent<'_>, value: Value, number: u8) -> Result<Vec<u8>, JsonError> {
    match value {
        Value::Text(text) if field.is_some_and(|field| field.content != Content::B) => Ok(text.into_bytes()),
        Value::Text(text) => hex::decode(text).map_err(|_| JsonError::Hex(number)),
        Value::Elements(values) => {
            let mut elements = Vec::with_capacity(values.len());
            for (key, value) in values {
                let label = Label::new(key.as_bytes()).ok_or(JsonError::Elements(number))?;
                let content = match (inner.shape(), inner.shape().field(label)) {
                    (_, Some(field)) => element(Some(field), Parent::Field(field), value, number)?,
                    (Shape::BerTlv, None) => element(None, Parent::Object, value, number)?,
                    // Of a tag that the spec does not know, the bytes.
                    (_, None) => element(None, Parent::Object, value, number)?,
                };
                elements.push((label, content));
            }
            inside::compose(inner, &elements).map_err(|_| JsonError::Elements(number))
        }
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
            if let Some(tree) = tree(field, sensitivity, content, *show) {
                map.serialize_entry(&number, &tree)?;
            }
        }
        map.end()
    }
}

/// A value as JSON shows it.
enum Tree {
    Leaf(String),
    Node(Vec<(String, Tree)>),
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(text) => serializer.serialize_str(text),
            Self::Node(elements) => serializer.collect_map(elements.iter().map(|(key, tree)| (key, tree))),
        }
    }
}

/// Content as it may be shown; `None` for what is left out.
fn tree(field: &Field, sensitivity: Sensitivity, content: &[u8], show: Show) -> Option<Tree> {
    if sensitivity == Sensitivity::Clear
        && field.shape != Shape::Plain
        && let Some(node) = node(field, content, show)
    {
        return Some(node);
    }
    let text = match std::str::from_utf8(content) {
        Ok(text) if field.content != Content::B => text.to_owned(),
        // Text outside UTF-8 (let through with a note) has no exact JSON form.
        _ if field.content != Content::B => String::from_utf8_lossy(content).into_owned(),
        _ => hex::encode_upper(content),
    };
    let shown = if show == Show::Revealed { Some(text) } else { mask::text(sensitivity, &text) };
    shown.map(Tree::Leaf)
}

/// The elements of a content; `None` where they would not give the same bytes again.
fn node(field: &Field, content: &[u8], show: Show) -> Option<Tree> {
    let parent = Parent::Field(field);
    let mut seen: Vec<Label> = Vec::new();
    let mut elements: Vec<(String, Tree)> = Vec::new();
    let mut parts: Vec<(Label, Vec<u8>)> = Vec::new();
    for element in parent.walk(content) {
        let element = element.ok()?;
        let value = inside::read(&element, content)?;
        let shown = match element.field {
            Some(field) => {
                let sensitivity = if show == Show::Revealed { Sensitivity::Clear } else { field.sensitivity };
                tree(field, sensitivity, &value, show)
            }
            None => Some(Tree::Leaf(unknown(field, content, element.whole.clone(), &value, show))),
        };
        seen.push(element.label);
        if let Some(shown) = shown {
            elements.push((element.label.as_str().to_owned(), shown));
        }
        parts.push((element.label, value.into_owned()));
    }
    seen.sort();
    let twice = seen.windows(2).any(|pair| matches!(pair, [first, second] if first == second));
    let exact = || inside::compose(parent, &parts).is_ok_and(|again| again == content);
    (show == Show::Masked || (!twice && exact())).then_some(Tree::Node(elements))
}

/// An element that the spec does not know: a data object, or a tag. Hidden where it may hold card data.
fn unknown(parent: &Field, content: &[u8], whole: std::ops::Range<usize>, value: &[u8], show: Show) -> String {
    let text = hex::encode_upper(value);
    let object = || content.get(whole).and_then(|bytes| Tlvs::new(bytes).next());
    let harmless = parent.shape == Shape::BerTlv && matches!(object(), Some(Ok(object)) if !object.holds_card_data());
    if show == Show::Revealed || harmless { text } else { "*".repeat(text.len()) }
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
    Elements(Vec<(String, Value)>),
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
        f.write_str("text or an object of elements")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut objects = Vec::new();
        while let Some(entry) = map.next_entry()? {
            objects.push(entry);
        }
        Ok(Value::Elements(objects))
    }
}
