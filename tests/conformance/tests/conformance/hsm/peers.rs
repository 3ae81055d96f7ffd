//! The pure functions against psec, pyemv and pydukpt (`tests/peers/payment_crypto.py`) on random cases: what
//! both compute must be the same, and what they make at random, a PIN block or a key block, ours must read.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::Backend;
use super::case::{Case, Trouble, Values};
use super::pure::PureFunctions;
use super::random::{self, Random};

/// Random cases of each kind, and what all kinds have together at least.
const CASES: usize = 80;
const LEAST: usize = 2_000;
const SEED: u64 = 20_261_124;

/// The libraries, behind a pipe.
struct Peers {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peers {
    fn start() -> Self {
        let mut command = conformance::peer("payment_crypto.py");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the peers start");
        let (ask, answers) = (child.stdin.take().expect("piped"), BufReader::new(child.stdout.take().expect("piped")));
        Self { child, ask, answers }
    }

    fn answer(&mut self, op: &str, inputs: &Value) -> Result<Value, String> {
        writeln!(self.ask, "{}", json!({"op": op, "inputs": inputs})).map_err(|error| format!("the peers are gone: {error}"))?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|error| format!("the peers are gone: {error}"))?;
        let answer: Value = serde_json::from_str(&line).map_err(|error| format!("the peers said {line:?}: {error}"))?;
        answer.get("values").cloned().ok_or_else(|| format!("the peers refused: {}", answer["error"]))
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // It would end with its input; a test that failed does not wait for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Judges what we make of a case by what is expected of it.
fn judged(op: &str, inputs: &Value, expected: &Value) -> Result<(), String> {
    let value = json!({"id": "random", "op": op, "inputs": inputs, "expected": expected});
    let case = Case::new(&value);
    case.judge(PureFunctions.run(&case).ok_or("not an operation of ours")?, &[])
}

/// What we compute of a case.
pub(super) fn computed(op: &str, inputs: &Value) -> Values {
    let value = json!({"id": "random", "op": op, "inputs": inputs, "expected": {}});
    match PureFunctions.run(&Case::new(&value)) {
        Some(Ok(values)) => values,
        Some(Err(Trouble::Refused(why) | Trouble::Unreadable(why))) => panic!("{op} of {inputs}: {why}"),
        None => panic!("{op} is not an operation of ours"),
    }
}

/// Both compute the same of every random case.
fn both(peers: &mut Peers, kind: &random::Kind, random: &mut Random) -> Result<(), String> {
    let inputs = (kind.inputs)(random);
    let told = peers.answer(kind.op, &inputs)?;
    judged(kind.op, &inputs, &told).map_err(|why| format!("{}: {why} of {inputs}", kind.op))
}

/// Ours reads what they made.
fn read(peers: &mut Peers, kind: &random::Made, random: &mut Random) -> Result<(), String> {
    let inputs = (kind.inputs)(random);
    let told = peers.answer(kind.theirs, &inputs)?;
    let mut ours = inputs.clone();
    ours[kind.carried] = told[kind.carried].clone();
    let wanted = kind.wanted.iter().map(|name| ((*name).to_owned(), inputs[*name].clone()));
    judged(kind.ours, &ours, &Value::Object(wanted.collect())).map_err(|why| format!("{}: {why} of {ours}", kind.ours))
}

/// Of an input with one digit changed both make the same, or both refuse it.
fn spoiled(peers: &mut Peers, (op, name): (&str, &str), random: &mut Random) -> Result<(), String> {
    let kind = random::KINDS.iter().find(|kind| kind.op == op).ok_or("no such kind")?;
    let mut inputs = (kind.inputs)(random);
    inputs[name] = random.spoil(&inputs[name]);
    let value = json!({"id": "random", "op": op, "inputs": inputs, "expected": {}});
    match (peers.answer(op, &inputs), PureFunctions.run(&Case::new(&value))) {
        (Ok(told), Some(Ok(_))) => judged(op, &inputs, &told).map_err(|why| format!("{op}: {why} of {inputs}")),
        (Err(_), Some(Err(Trouble::Refused(_)))) => Ok(()),
        (told, Some(ours)) => Err(format!("{op}: the peers say {told:?}, we {ours:?} of {inputs}")),
        (_, None) => Err(format!("{op} is not an operation of ours")),
    }
}

#[test]
fn random_cases_agree_with_psec_pyemv_and_pydukpt() {
    let (mut peers, mut random) = (Peers::start(), Random::new(SEED));
    let (mut counts, mut troubles) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for _ in 0..CASES {
        for kind in random::KINDS {
            *counts.entry(kind.op).or_default() += 1;
            troubles.extend(both(&mut peers, kind, &mut random).err());
        }
        for kind in random::MADE {
            *counts.entry(kind.theirs).or_default() += 1;
            troubles.extend(read(&mut peers, kind, &mut random).err());
        }
        for kind in random::SPOILED {
            *counts.entry("spoiled").or_default() += 1;
            troubles.extend(spoiled(&mut peers, kind, &mut random).err());
        }
    }
    let all: usize = counts.values().sum();
    println!("hsm: {} of {all} random cases agree with psec, pyemv and pydukpt: {counts:?}", all - troubles.len());
    assert!(troubles.is_empty(), "{} disagree, first: {:?}", troubles.len(), troubles.first());
    assert!(all >= LEAST, "only {all} cases");
}

#[test]
fn a_wrong_answer_of_the_peers_would_be_noticed() {
    let mut random = Random::new(SEED);
    for kind in random::KINDS {
        let inputs = (kind.inputs)(&mut random);
        for (name, value) in computed(kind.op, &inputs).iter().filter(|(_, value)| value.is_string()) {
            let text = value.as_str().unwrap_or_default();
            let last = if text.ends_with('0') { "1" } else { "0" };
            let wrong = format!("{}{last}", text.get(..text.len().saturating_sub(1)).unwrap_or_default());
            assert!(judged(kind.op, &inputs, &json!({name.as_str(): wrong})).is_err(), "{} {name}", kind.op);
        }
    }
}
