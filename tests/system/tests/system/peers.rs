//! Programs by strangers judge us: a terminal, an issuer and a clearing reader in Python (`tests/peers`).

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::{self, Lab, MERCHANT, Talker};

/// The folder of the peers.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../peers")
}

/// The interpreter with the pinned requirements: `./dev test` makes it and says where it is.
fn python() -> Command {
    let made = std::env::var_os("SWITCHYARD_PYTHON").map(PathBuf::from);
    let python = made.unwrap_or_else(|| folder().join("../../target/peers-venv/bin/python"));
    assert!(python.exists(), "{} is not there; run ./dev test once", python.display());
    let mut command = Command::new(python);
    command.current_dir(folder());
    command
}

#[test]
fn peers_agree_with_each_other_before_they_judge_us() {
    let output = python().arg("test_peers.py").output().expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success());
    let ran = said.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse::<u32>().ok());
    assert!(ran.is_some_and(|tests| tests >= 12), "only {ran:?} tests ran");
}

/// Seed of cards, amounts and keys.
const SEED: u64 = 20_261_121;
/// Payments, over all networks, whose answer the issuer keeps to itself.
const SILENT: &str = "4";

#[test]
fn python_terminals_and_issuers_agree_through_the_switch() {
    let lab = Lab::new(SEED);
    let seed = SEED.to_string();
    let prefixes: Vec<&str> = lab.networks.iter().flat_map(|network| ["--prefix", network.prefix]).collect();
    let mut issuers: Vec<Talker> = lab
        .networks
        .iter()
        .map(|network| {
            let mut command = python();
            command.args(["issuer.py", "--seed", &seed, "--network", network.name, "--system", network.system]).args(&prefixes);
            let mut issuer = Talker::start(network.name, &mut command);
            let keys = json!({ "networks": { network.name: { "zpk": network.zpk, "zak": network.zak } } });
            issuer.tell(&keys.to_string());
            issuer
        })
        .collect();
    let ports: Vec<u64> = issuers.iter_mut().filter_map(|issuer| issuer.hear()["listening"].as_u64()).collect();
    lab.prepare(&ports);
    let (switch, ready) = lab.run();

    let mut command = python();
    let address = ready["listeners"]["pos"].as_str().expect("an address");
    command.args(["client.py", "--connect", address, "--seed", &seed, "--merchant", MERCHANT]).args(&prefixes);
    command.args(["--payments", "120", "--silent", SILENT, "--no-partial-reversals"]);
    let mut client = Talker::start("client", &mut command);
    let keys: serde_json::Map<String, Value> = lab
        .terminals
        .iter()
        .map(|terminal| (terminal.id.to_owned(), json!({ "tpk": terminal.tpk, "tak": terminal.tak })))
        .collect();
    client.tell(&json!({ "terminals": keys }).to_string());
    let seen = client.hear();
    println!("checks of the terminal: {}", seen["checks"]);
    assert_eq!(seen["failures"], json!([]), "what the terminal found");
    client.end();

    for issuer in &mut issuers {
        issuer.tell("settle 60");
        assert_eq!(issuer.hear(), json!({ "owed": 0 }), "silent payments that were not reversed");
    }
    let books: Vec<Value> = issuers.into_iter().map(Talker::last_word).collect();
    switch.end();

    let mut compare = python();
    compare.args(["compare.py"]).arg(lab.path("terminal.json"));
    lab::write(&lab.path("terminal.json"), &seen);
    for (network, book) in lab.networks.iter().zip(&books) {
        let path = lab.path(&format!("{}.json", network.name));
        lab::write(&path, book);
        compare.arg(path);
        judge(network.name, book);
    }
    let output = compare.output().expect("python runs");
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("compare.py prints JSON");
    println!("books: {verdict}");
    assert_eq!(verdict["breaks"], json!([]));
    for population in ["open", "declined", "reversed", "never", "silent"] {
        assert!(verdict["looked"][population].as_u64() > Some(0), "no payment is {population}");
    }
}

/// What an issuer behind the switch must have seen, and what it must never see.
fn judge(network: &str, book: &Value) {
    println!("{network}: {}", book["counts"]);
    let count = |name: &str| book["counts"][name].as_u64().unwrap_or(0);
    assert_eq!(book["faults"], json!([]), "{network}: what should never reach an issuer");
    for never in ["wrong_macs", "card_data_forwarded", "damaged"] {
        assert_eq!(count(never), 0, "{network}: {never}");
    }
    for always in ["right_macs", "pins_right", "pins_wrong", "silent"] {
        assert_ne!(count(always), 0, "{network}: {always}");
    }
}
