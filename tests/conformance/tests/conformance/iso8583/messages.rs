//! Cases of messages: their spec is translated into ours, then the message is read, compared, written
//! as it was read, and built anew from what the case says is in it.

pub(super) mod neutral;
mod packager;

use bytes::Bytes;
use conformance::Exception;
use iso8583::{Content, DecodeError, Message, Show, Spec, tlv, to_json};
use serde_json::{Map, Value};

pub(super) const EXCEPTIONS: [Exception; 1] = [Exception {
    case: "bad_mti_letters",
    disagreement: r#"got non_digit in "mti" at 2, wanted {"field":"mti","kind":"non_digit","offset":0}"#,
    // The MTI is "02O0". Its sister bad_mti_bcd_nibble_A (02 0A) and bad_amount_letter do point at the
    // byte and not at the start of the element.
    clause: "data/README.md: the offset is the first offending byte",
}];

pub(super) fn run(specs: &Value, case: &Value) -> Result<(), String> {
    let text = toml(specs, case)?;
    let spec = Spec::from_toml(&text).map_err(|error| format!("its spec is refused: {error}"))?;
    let wire = hex::decode(case["hex"].as_str().unwrap_or_default()).map_err(|error| format!("its hex: {error}"))?;
    let read = spec.decode(Bytes::from(wire.clone()));
    match (case["expect"].as_str(), read) {
        (Some("ok"), Ok(message)) => good(&spec, case, &message, &wire),
        (Some("ok"), Err(error)) => Err(format!("refused: {error}")),
        (Some("error"), Ok(_)) => Err("accepted".to_owned()),
        (Some("error"), Err(error)) => bad(&case["error"], &error, &wire),
        (other, _) => Err(format!("expect {other:?}")),
    }
}

/// The case's spec as TOML, with the structure of the fields that the case tells of.
fn toml(specs: &Value, case: &Value) -> Result<String, String> {
    let name = case["spec"].as_str().unwrap_or_default();
    match specs.get(name) {
        Some(spec) => neutral::toml(spec, case),
        None => {
            let path = conformance::vectors("iso8583").join(name);
            let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let packager: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            packager::toml(&packager)
        }
    }
}

fn good(spec: &Spec, case: &Value, message: &Message, wire: &[u8]) -> Result<(), String> {
    let wanted = case["mti"].as_str().unwrap_or_default();
    if message.mti() != wanted {
        return Err(format!("MTI {}, wanted {wanted}", message.mti()));
    }
    let fields = object(&case["fields"]);
    let top = |path: &str| path.split('.').next().and_then(|number| number.parse::<u8>().ok());
    let mut wanted: Vec<u8> = fields.keys().filter_map(|path| top(path)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let got: Vec<u8> = message.fields().map(|(number, _)| number).collect();
    if got != wanted {
        return Err(format!("fields {got:?}, wanted {wanted:?}"));
    }
    for (path, value) in &fields {
        compare(spec, message, path, value.as_str().unwrap_or_default())?;
    }
    elements(spec, case, message)?;
    if spec.encode(message).map_err(|error| format!("not written again: {error}"))? != wire {
        return Err("written again, the bytes differ".to_owned());
    }
    let anew = anew(spec, wanted_mti(case), &fields)?;
    let written = spec.encode(&anew).map_err(|error| format!("built anew, not written: {error}"))?;
    if written != wire { Err(format!("built anew, the bytes differ: {}", hex::encode_upper(written))) } else { Ok(()) }
}

fn wanted_mti(case: &Value) -> &str {
    case["mti"].as_str().unwrap_or_default()
}

/// The field of the spec at a path.
fn is_binary(spec: &Spec, path: &str) -> bool {
    let mut steps = path.split('.');
    let mut field = steps.next().and_then(|number| number.parse().ok()).and_then(|number| spec.field(number));
    for step in steps {
        field = field.and_then(|field| field.shape().fields().find(|inner| inner.label() == step));
    }
    field.is_none_or(|field| field.content() == Content::B)
}

/// Trailing blanks are not significant; binary content is upper-case hexadecimal.
fn compare(spec: &Spec, message: &Message, path: &str, wanted: &str) -> Result<(), String> {
    let got = message.path(spec, path).ok_or(format!("{path} is not there"))?;
    let got = if is_binary(spec, path) { hex::encode_upper(got) } else { String::from_utf8_lossy(&got).into_owned() };
    if got.trim_end() == wanted.trim_end() { Ok(()) } else { Err(format!("{path} is {got:?}, wanted {wanted:?}")) }
}

/// Subfields, data objects and tags: each value by its path, and no others.
fn elements(spec: &Spec, case: &Value, message: &Message) -> Result<(), String> {
    let json: Value = serde_json::from_str(&to_json(spec, message, Show::Revealed)).map_err(|error| error.to_string())?;
    let count = |number: &str| json["fields"][number].as_object().map_or(0, Map::len);
    for (number, wanted) in object(&case["subfields"]) {
        let layout = wanted["layout"].as_array().cloned().unwrap_or_default();
        for (at, part) in layout.iter().enumerate() {
            let value = wanted["values"][part[0].as_str().unwrap_or_default()].as_str().unwrap_or_default();
            compare(spec, message, &format!("{number}.{}", at + 1), value)?;
        }
    }
    let tagged = object(&case["private_tlv"]).into_iter().map(|(number, wanted)| (number, wanted["values"].clone()));
    for (number, values) in object(&case["tlv"]).into_iter().chain(tagged) {
        let values = object(&values);
        for (tag, value) in &values {
            let path = format!("{number}.{tag}");
            let value = value.as_str().unwrap_or_default();
            compare(spec, message, &path, value)?;
        }
        if count(&number) != values.len() {
            return Err(format!("{number} has {} elements, wanted {}", count(&number), values.len()));
        }
    }
    Ok(())
}

fn anew(spec: &Spec, mti: &str, fields: &Map<String, Value>) -> Result<Message, String> {
    let mut message = Message::new(mti);
    for (path, value) in fields {
        let text = value.as_str().unwrap_or_default();
        let binary = || hex::decode(text).map_err(|error| format!("{path}: {error}"));
        let content = if is_binary(spec, path) { binary()? } else { text.as_bytes().to_vec() };
        message.set_path(spec, path, content).map_err(|error| format!("{path} cannot be set: {error}"))?;
    }
    Ok(message)
}

fn bad(wanted: &Value, error: &DecodeError, wire: &[u8]) -> Result<(), String> {
    let field = format!("{}{}", error.place, error.path);
    let kind = wanted["kind"].as_str().is_none_or(|kind| kind == "any" || kind == error.kind.as_str());
    let place = wanted["field"].as_str().is_none_or(|wanted| wanted == "any" || wanted == field);
    let offset = wanted["offset"].as_u64().is_none_or(|offset| usize::try_from(offset) == Ok(error.offset));
    if !(kind && place && offset) {
        return Err(format!("got {} in {field:?} at {}, wanted {wanted}", error.kind, error.offset));
    }
    // The offset in the field is the one that the data objects alone, read from there, would give.
    let Some(inside) = wanted["tlv_offset"].as_u64().and_then(|offset| usize::try_from(offset).ok()) else { return Ok(()) };
    let alone = error.offset.checked_sub(inside).and_then(|start| wire.get(start..)).map(tlv::check);
    match alone {
        Some(Err(alone)) if (alone.kind, alone.offset) == (error.kind, inside) => Ok(()),
        other => Err(format!("got {other:?} inside the field, wanted {} at {inside}", error.kind)),
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
