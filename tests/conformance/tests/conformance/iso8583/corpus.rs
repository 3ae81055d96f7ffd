//! The seeds of the fuzz targets and everything that fuzzing has found (`fuzz/corpus`), as they are and
//! changed at random with a seed. The long runs are `./dev fuzz`; their log is checked here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use iso8583::{Field, Spec, fuzz};

use super::generate;

/// What takes any bytes.
type Target = fn(&[u8]);

/// By their names in `fuzz/targets`.
const TARGETS: [(&str, Target); 6] = [
    ("decode", fuzz::fuzz_decode),
    ("frame", fuzz::fuzz_frame),
    ("tlv", fuzz::fuzz_tlv),
    ("spec", fuzz::fuzz_spec),
    ("import", fuzz::fuzz_import),
    ("json", fuzz::fuzz_json),
];

/// Seconds that each target is run in all, by `fuzz/LOG.tsv`.
const WANTED: u64 = 1_800;
/// Targets that are there besides, without so many seconds.
const BESIDES: [&str; 1] = ["json"];

/// Changed copies of each input.
const CHANGES: usize = 300;
const SEED: u64 = 20_261_124;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz").join(name)
}

/// Names below a folder of `fuzz`, in order.
fn names(of: &str) -> Vec<String> {
    let entries = fs::read_dir(folder(of)).unwrap_or_else(|error| panic!("fuzz/{of}: {error}"));
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// One to four changes: a byte, a bit, a few bytes out, doubled, or from another input.
fn changed(input: &[u8], other: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(..=bytes.len());
        let end = (at + random.usize(..=8)).min(bytes.len());
        match random.u8(..6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.extend_from_within(at..end),
            3 => {
                let from = random.usize(..=other.len());
                bytes.splice(at..end, other[from..(from + 16).min(other.len())].iter().copied());
            }
            4 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << random.u8(..8)),
            _ => bytes.get_mut(at).into_iter().for_each(|byte| *byte = random.u8(..)),
        }
    }
    bytes
}

#[test]
fn what_fuzzing_started_from_and_found_is_survived_and_changes_of_it() {
    let known: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut sorted = known.clone();
    sorted.sort();
    assert_eq!(names("corpus"), sorted, "every target has seeds");
    assert_eq!(names("targets"), sorted.iter().map(|name| format!("{name}.rs")).collect::<Vec<_>>());
    for (name, target) in TARGETS {
        let inputs: Vec<Vec<u8>> = names(&format!("corpus/{name}"))
            .iter()
            .map(|file| fs::read(folder("corpus").join(name).join(file)).expect("an input"))
            .collect();
        let mut random = fastrand::Rng::with_seed(SEED);
        for input in &inputs {
            target(input);
            for _ in 0..CHANGES {
                let other = random.choice(&inputs).expect("there are inputs");
                target(&changed(input, other, &mut random));
            }
        }
        println!("{name}: {} inputs, {} changed ones", inputs.len(), inputs.len() * CHANGES);
        assert!(inputs.len() >= 3, "{name} has next to no seeds");
    }
}

#[test]
fn changed_messages_of_every_dialect_are_survived() {
    let mut random = fastrand::Rng::with_seed(SEED);
    for name in Spec::shipped_names() {
        let spec = Spec::shipped(name).expect("a shipped dialect");
        let numbers: Vec<u8> = spec.fields().map(Field::number).collect();
        let mut other = Vec::new();
        for _ in 0..CHANGES {
            let wire = spec.encode(&generate::message(&spec, &numbers, &mut random)).expect("a message of the dialect");
            fuzz::decode_with(&spec, &wire);
            (0..5).for_each(|_| fuzz::decode_with(&spec, &changed(&wire, &other, &mut random)));
            other = wire;
        }
    }
}

/// What the log says of a target: seconds, executions, and whether its last run ended in a finding.
#[derive(Default)]
struct Runs {
    seconds: u64,
    executions: u64,
    open: bool,
}

fn runs(log: &str) -> BTreeMap<&str, Runs> {
    let mut all: BTreeMap<&str, Runs> = TARGETS.iter().map(|(name, _)| (*name, Runs::default())).collect();
    for line in log.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [_, _, target, seconds, executions, edges, inputs, hash, findings] = cells[..] else {
            panic!("fuzz/LOG.tsv: {line:?} has not the columns of the first line");
        };
        let number = |cell: &str| cell.parse::<u64>().unwrap_or_else(|error| panic!("fuzz/LOG.tsv: {line:?}: {error}"));
        assert!(number(edges) > 0 && number(inputs) > 0, "fuzz/LOG.tsv: {line:?}");
        assert!(hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()), "fuzz/LOG.tsv: {line:?}");
        let runs = all.get_mut(target).unwrap_or_else(|| panic!("fuzz/LOG.tsv: {target} is no target"));
        runs.seconds += number(seconds);
        runs.executions += number(executions);
        runs.open = number(findings) > 0;
    }
    all
}

#[test]
fn every_target_was_run_for_long_and_nothing_is_open() {
    let log = fs::read_to_string(folder("LOG.tsv")).expect("fuzz/LOG.tsv");
    for (target, runs) in runs(&log) {
        println!("{target}: {} s, {} executions", runs.seconds, runs.executions);
        assert!(!runs.open, "{target}: its last run ended in a finding");
        assert!(runs.executions >= runs.seconds, "{target}: hardly anything was executed");
        assert!(BESIDES.contains(&target) || runs.seconds >= WANTED, "{target}: {} s, {WANTED} are wanted", runs.seconds);
    }
}
