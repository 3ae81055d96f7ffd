//! The keys of a configuration file as a JSON Schema, read off the types that read the file: each type is asked,
//! one key after the other, what it would read there. So the schema cannot say what the program does not do.
//!
//! It says names, nesting, kinds and the words of an enumeration. What only shows once everything is read (a link that
//! no route may name, a key that must be there) is `config check`'s to say.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor, value::StrDeserializer};
use serde_json::{Map, Value, json};

/// No configuration is nested deeper.
const DEPTH: usize = 12;

/// The schema of what `T` reads.
pub fn of<T: DeserializeOwned>() -> Value {
    describe::<T>(&mut Vec::new())
}

/// What a type reads at a place.
enum Shape {
    Struct(&'static [&'static str]),
    Words(&'static [&'static str]),
    Map,
    List,
    Kind(Value),
}

fn describe<T: DeserializeOwned>(path: &mut Vec<usize>) -> Value {
    let found = RefCell::new(None);
    // It never succeeds: the probe stops at its place.
    let _ = T::deserialize(Probe { path, found: &found });
    let mut inner = |step| {
        path.push(step);
        let schema = if path.len() > DEPTH { json!({}) } else { describe::<T>(path) };
        path.pop();
        schema
    };
    match found.into_inner() {
        Some(Shape::Struct(fields)) => {
            let properties: Map<String, Value> =
                fields.iter().zip(0..).map(|(name, at)| ((*name).to_owned(), inner(at))).collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
        Some(Shape::Words(words)) => json!({ "enum": words }),
        Some(Shape::Map) => json!({ "type": "object", "additionalProperties": inner(0) }),
        Some(Shape::List) => json!({ "type": "array", "items": inner(0) }),
        Some(Shape::Kind(kind)) => kind,
        // Several forms, told apart by their content.
        None => json!({}),
    }
}

/// Walks a path into a type and notes what is asked for at its end.
struct Probe<'a> {
    path: &'a [usize],
    found: &'a RefCell<Option<Shape>>,
}

/// How every probe ends.
#[derive(Debug)]
struct Stop;

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("enough was seen")
    }
}

impl std::error::Error for Stop {}

impl serde::de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'a> Probe<'a> {
    /// The place further in, or a note that this is the end.
    fn enter(self, shape: Shape) -> Result<(usize, Self), Stop> {
        match self.path.split_first() {
            Some((step, path)) => Ok((*step, Self { path, found: self.found })),
            None => {
                self.found.replace(Some(shape));
                Err(Stop)
            }
        }
    }
}

/// Asked for these, a probe notes the kind and stops.
macro_rules! kinds {
    ($($method:ident => $kind:tt),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
            self.enter(Shape::Kind(json!($kind))).and(Err(Stop))
        })*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    kinds! {
        deserialize_bool => { "type": "boolean" },
        deserialize_i8 => { "type": "integer" },
        deserialize_i16 => { "type": "integer" },
        deserialize_i32 => { "type": "integer" },
        deserialize_i64 => { "type": "integer" },
        deserialize_i128 => { "type": "integer" },
        deserialize_u8 => { "type": "integer", "minimum": 0 },
        deserialize_u16 => { "type": "integer", "minimum": 0 },
        deserialize_u32 => { "type": "integer", "minimum": 0 },
        deserialize_u64 => { "type": "integer", "minimum": 0 },
        deserialize_u128 => { "type": "integer", "minimum": 0 },
        deserialize_f32 => { "type": "number" },
        deserialize_f64 => { "type": "number" },
        deserialize_char => { "type": "string" },
        deserialize_str => { "type": "string" },
        deserialize_string => { "type": "string" },
        deserialize_identifier => { "type": "string" },
        deserialize_bytes => { "type": "string" },
        deserialize_byte_buf => { "type": "string" },
        deserialize_unit => {},
        deserialize_any => {},
        deserialize_ignored_any => {},
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let (_, inner) = self.enter(Shape::List)?;
        visitor.visit_seq(One { key: "", inner: Some(inner) })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let (_, inner) = self.enter(Shape::Map)?;
        // A name that every kind of key takes.
        visitor.visit_map(One { key: "1", inner: Some(inner) })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let (step, inner) = self.enter(Shape::Struct(fields))?;
        visitor.visit_map(One { key: fields.get(step).copied().unwrap_or_default(), inner: Some(inner) })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Stop> {
        self.enter(Shape::Words(variants)).and(Err(Stop))
    }
}

/// A table or list of one.
struct One<'a> {
    key: &'static str,
    inner: Option<Probe<'a>>,
}

impl<'de> MapAccess<'de> for One<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        match self.inner {
            Some(_) => seed.deserialize(StrDeserializer::new(self.key)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        seed.deserialize(self.inner.take().ok_or(Stop)?)
    }
}

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        self.inner.take().map(|inner| seed.deserialize(inner)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        name: payments::LinkId,
        #[serde(default)]
        rows: Vec<Row>,
        by_name: BTreeMap<payments::LinkId, Option<Row>>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    #[allow(dead_code)]
    struct Row {
        how_many: u16,
        word: Word,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    #[allow(dead_code)]
    enum Word {
        OneWay,
        Another,
    }

    #[test]
    fn every_key_is_there_with_its_kind() {
        let row = json!({
            "type": "object",
            "properties": { "how-many": { "type": "integer", "minimum": 0 }, "word": { "enum": ["one-way", "another"] } },
            "additionalProperties": false,
        });
        let wanted = json!({
            "type": "object",
            "properties": {
                "name": { "type": "string" },
                "rows": { "type": "array", "items": row },
                "by_name": { "type": "object", "additionalProperties": row },
            },
            "additionalProperties": false,
        });
        assert_eq!(of::<Sample>(), wanted);
    }
}
