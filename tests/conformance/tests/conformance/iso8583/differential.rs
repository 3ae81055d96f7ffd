//! Our codec against pyiso8583 (`tests/peers/differential.py`): a hundred thousand messages over the shared
//! dialects, half of them ours, half of them theirs, same content and same bytes both ways. Their field tables
//! are the shared ones; of ours they are told no more than which characters may stand in a field. What has parts is
//! also made of its parts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use iso8583::{Content, Field, Length, Message, Shape, Spec};
use serde_json::{Map, Value, json};

use super::dialects::SOURCES;
use super::generate;
use super::messages::neutral;

/// Messages of a dialect, in each direction.
const MESSAGES: usize = 2_700;
/// What the directions of all dialects have together, at least.
const LEAST: usize = 100_000;
const SEED: u64 = 20_261_124;

/// The judge.
fn python() -> Command {
    let mut command = conformance::peer("differential.py");
    command.arg(conformance::vectors("iso8583"));
    command
}

/// The shared dialects: the neutral tables, and our own by the packager that each has its facts from.
pub(super) fn shared() -> Vec<(String, Arc<Spec>)> {
    let text = std::fs::read_to_string(conformance::vectors("iso8583").join("cases.json")).expect("the cases");
    let file: Value = serde_json::from_str(&text).expect("JSON");
    let tables = file["specs"].as_object().expect("an object of specs");
    let neutral = tables.iter().map(|(name, table)| {
        let toml = neutral::toml(table, &Value::Null).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name.clone(), Arc::new(Spec::from_toml(&toml).unwrap_or_else(|error| panic!("{name}: {error}"))))
    });
    let shipped = SOURCES.map(|(name, source)| (source.to_owned(), Spec::shipped(name).expect("a shipped dialect")));
    neutral.chain(shipped).collect()
}

/// A message as both sides write it down: binary content is upper-case hexadecimal.
fn told(spec: &Spec, message: &Message, wire: &[u8]) -> Value {
    let fields: Map<String, Value> = message
        .fields()
        .filter_map(|(number, content)| Some((number.to_string(), written(spec.field(number)?, content))))
        .collect();
    json!({ "mti": message.mti(), "fields": fields, "parts": parts(spec, message), "wire": hex::encode(wire) })
}

fn written(field: &Field, content: &[u8]) -> Value {
    match field.content() {
        Content::B => Value::String(hex::encode_upper(content)),
        _ => Value::String(String::from_utf8_lossy(content).into_owned()),
    }
}

/// What is in the parts of fields that have them: value and class.
fn parts(spec: &Spec, message: &Message) -> Map<String, Value> {
    let shaped = spec
        .fields()
        .filter(|field| matches!(field.shape(), Shape::Positional(_) | Shape::Bitmap(_)) && message.has(field.number()));
    let parts_of = |field: &Field| -> Map<String, Value> {
        let parts = field.shape().fields().filter_map(|part| {
            let content = message.path(spec, &format!("{}.{}", field.label(), part.label()))?;
            Some((part.label().to_owned(), json!([written(part, &content), part.content().as_str()])))
        });
        parts.collect()
    };
    shaped.map(|field| (field.label().to_owned(), Value::Object(parts_of(field)))).collect()
}

/// Lengths that a field was seen with, the least and the greatest.
#[derive(Default)]
struct Seen(BTreeMap<u8, (usize, usize)>);

impl Seen {
    fn note(&mut self, message: &Message) {
        for (number, content) in message.fields() {
            let (least, most) = self.0.entry(number).or_insert((usize::MAX, 0));
            (*least, *most) = ((*least).min(content.len()), (*most).max(content.len()));
        }
    }

    /// Fails where a field was not there at all, or one of variable length not empty and not at its longest.
    fn all_of<'a>(&self, mut fields: impl Iterator<Item = &'a Field>) -> Result<(), String> {
        let lacking = fields.find(|field| match (self.0.get(&field.number()), field.length(), field.shape()) {
            (None, ..) => true,
            (Some(seen), Length::Variable { max, .. }, Shape::Plain) if max < 1_000 => *seen != (0, field.length().max()),
            _ => false,
        });
        match lacking {
            Some(field) => {
                Err(format!("field {} ({}) was not tried out: {:?}", field.label(), field.form(), self.0.get(&field.number())))
            }
            None => Ok(()),
        }
    }
}

/// Writes messages of ours to the judge.
fn tell(spec: &Spec, seed: u64, judge: &mut ChildStdin) -> Result<(), String> {
    let numbers: Vec<u8> = spec.fields().map(Field::number).collect();
    let (mut random, mut seen) = (fastrand::Rng::with_seed(seed), Seen::default());
    for _ in 0..MESSAGES {
        let message = generate::message(spec, &numbers, &mut random);
        let wire = spec.encode(&message).map_err(|error| format!("not written: {error}"))?;
        // What is told is what we read of it: a fixed length is filled, blanks that fill one are taken off.
        let read = spec.decode(Bytes::from(wire.clone())).map_err(|error| format!("not read again: {error}"))?;
        seen.note(&read);
        writeln!(judge, "{}", told(spec, &read, &wire)).map_err(gone)?;
    }
    writeln!(judge).map_err(gone)?;
    seen.all_of(spec.fields())
}

fn gone(error: std::io::Error) -> String {
    format!("the peer is gone: {error}")
}

/// A message of theirs: read, compared, and written again from what they say is in it.
fn judge(spec: &Spec, theirs: &Value, seen: &mut Seen) -> Result<(), String> {
    let wire = hex::decode(theirs["wire"].as_str().unwrap_or_default()).map_err(|error| format!("their hex: {error}"))?;
    let message = spec.decode(Bytes::from(wire.clone())).map_err(|error| format!("{error} in {theirs}"))?;
    seen.note(&message);
    let ours = told(spec, &message, &wire);
    if ours != *theirs {
        return Err(format!("we read {ours}, they say {theirs}"));
    }
    let mut anew = Message::new(theirs["mti"].as_str().unwrap_or_default());
    for (number, value) in theirs["fields"].as_object().into_iter().flatten() {
        let number: u8 = number.parse().map_err(|error| format!("field {number}: {error}"))?;
        let value = value.as_str().unwrap_or_default();
        let binary = spec.field(number).is_some_and(|field| field.content() == Content::B);
        anew.set(number, if binary { hex::decode(value).map_err(|error| error.to_string())? } else { value.as_bytes().to_vec() });
    }
    for (what, message) in [("as read", &message), ("anew", &anew)] {
        let written = spec.encode(message).map_err(|error| format!("{what}: {error} in {theirs}"))?;
        if written != wire {
            return Err(format!("written {what}: {}, they have {theirs}", hex::encode(written)));
        }
    }
    Ok(())
}

/// The other side, which ends with this.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// Both directions over one dialect; how many messages were compared, and structures of elements in them.
fn compare(table: &str, spec: &Spec, seed: u64) -> Result<(usize, u64), String> {
    let mut peer = Peer(python().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(gone)?);
    let (mut input, output) = (peer.0.stdin.take().expect("piped"), peer.0.stdout.take().expect("piped"));
    let form = |field: &Field| json!([field.content().as_str(), field.shape().as_str()]);
    let elements: Map<String, Value> = spec
        .fields()
        .map(|field| {
            let parts: Map<_, _> = field.shape().fields().map(|part| (part.label().to_owned(), form(part))).collect();
            (field.label().to_owned(), json!([field.content().as_str(), field.shape().as_str(), parts]))
        })
        .collect();
    let order = json!({ "table": table, "seed": seed, "count": MESSAGES, "elements": elements });
    writeln!(input, "{order}").map_err(gone)?;
    tell(spec, seed, &mut input)?;
    let mut lines = BufReader::new(output).lines();
    let mut hear = || -> Result<Value, String> {
        let line = lines.next().ok_or("the peer says no more")?.map_err(gone)?;
        serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))
    };
    let verdict = hear()?;
    if verdict["faults"] != json!([]) || verdict["judged"] != json!(MESSAGES) {
        return Err(format!("pyiso8583 says {verdict:#}"));
    }
    let mut structures = verdict["insides"].as_u64().unwrap_or(0);
    let mut seen = Seen::default();
    for _ in 0..MESSAGES {
        let theirs = hear()?;
        judge(spec, &theirs, &mut seen)?;
        structures += theirs["parts"].as_object().map_or(0, Map::len) as u64;
    }
    seen.all_of(spec.fields().filter(|field| matches!(field.shape(), Shape::Plain | Shape::BerTlv)))?;
    if let Ok(more) = hear() {
        return Err(format!("more than was asked for: {more}"));
    }
    Ok((2 * MESSAGES, structures))
}

#[test]
fn conformance_differential() {
    let dialects = shared();
    let open = Mutex::new(dialects.iter().enumerate());
    let outcomes = Mutex::new(Vec::new());
    // Two at a time: while one of ours is written, another of theirs is read.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = open.lock().expect("no thread panicked").next();
                    let Some((at, (table, spec))) = next else { break };
                    let outcome = compare(table, spec, SEED + at as u64);
                    outcomes.lock().expect("no thread panicked").push((table, outcome));
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("no thread panicked");
    let (mut compared, mut structures, mut agree) = (0, 0, 0);
    for (table, outcome) in &outcomes {
        match outcome {
            Ok((count, insides)) => {
                println!("differential: {table}: {count} messages agree, {insides} structures");
                (compared, structures, agree) = (compared + count, structures + insides, agree + 1);
            }
            Err(why) => println!("differential: {table}: {why}"),
        }
    }
    println!("differential: {agree} of {} dialects agree, {compared} messages, {structures} structures", dialects.len());
    assert_eq!(agree, dialects.len(), "dialects that do not agree, see above");
    assert!(structures > 0, "no structure was looked at");
    assert!(compared >= LEAST, "{compared} messages, at least {LEAST} were wanted");
}
