//! Programs by strangers judge us: a terminal, an issuer and a clearing reader in Python (`tests/peers`).

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::lab::{self, Form, Lab, MERCHANT, Talker};

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
    assert!(ran.is_some_and(|tests| tests >= 20), "only {ran:?} tests ran");
}

/// Seed of cards, amounts and keys.
const SEED: u64 = 20_261_121;
/// Payments of terminals of each form, over all networks, whose answer the issuer keeps to itself.
const SILENT: &str = "4";
/// What binary terminals have before each message; the listener's framing is `nac`.
const TPDU: &str = "6000010203";

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
            command.args(["--form", network.form.name()]);
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
    command.args(["client.py", "--seed", &seed, "--merchant", MERCHANT, "--tpdu", TPDU]).args(&prefixes);
    for form in Form::ALL {
        let address = ready["listeners"][form.listener()].as_str().expect("an address");
        command.args(["--connect", &format!("{}={address}", form.name())]);
    }
    command.args(["--payments", "120", "--silent", SILENT, "--no-partial-reversals", "--before-switch", lab.networks[0].prefix]);
    let mut client = Talker::start("client", &mut command);
    let keys: serde_json::Map<String, Value> = lab
        .terminals
        .iter()
        .map(|terminal| {
            let entry = json!({ "tpk": terminal.tpk, "tak": terminal.tak, "form": terminal.form.name() });
            (terminal.id.to_owned(), entry)
        })
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
    let admin = ready["admin"].as_str().expect("an address");
    completions_without_authorization_are_kept(admin, &seen["kept"]);
    for (network, issuer) in lab.networks.iter().zip(&mut issuers) {
        a_network_manages(admin, network.name, issuer);
    }
    for (network, issuer) in lab.networks.iter().zip(&mut issuers) {
        issuer.tell(&format!("report {}", lab.path(&format!("{}.ndjson", network.name)).display()));
        issuer.hear();
    }
    let items = clear(&lab, admin);
    for network in &lab.networks {
        let report = lab.path(&format!("{}.ndjson", network.name)).display().to_string();
        println!("{}", lab.verb(&["recon", "run"], &["--network", network.name, "--report", &report], ""));
    }
    a_lie_of_the_issuer_is_found(&lab);
    for proof in [["ledger", "trial"], ["ledger", "verify"], ["audit", "verify"]] {
        println!("{}", lab.verb(&proof, &[], ""));
    }
    // It drains and signs off, which the issuers hear.
    switch.terminate();
    let books: Vec<Value> = issuers.into_iter().map(Talker::last_word).collect();

    let mut compare = python();
    compare.arg("compare.py").arg("--clearing").arg(lab.path("items.json")).arg(lab.path("terminal.json"));
    lab::write(&lab.path("items.json"), &items);
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
    every_form_reached_every_network(&lab, &seen["book"]);
}

/// What belongs to no authorization is found by its DE37, with its amount.
fn completions_without_authorization_are_kept(admin: &str, kept: &Value) {
    let kept = kept.as_array().expect("a list");
    assert!(!kept.is_empty());
    for completion in kept {
        let found = lab::ask(admin, &format!("/v1/trace/{}", completion["rrn"].as_str().expect("a DE37")));
        let [found] = found.as_array().expect("a list").as_slice() else { panic!("{completion}: {found}") };
        assert_eq!(
            (&found["state"], &found["amount"], &found["captured"]),
            (&json!("unmatched"), &completion["amount"], &json!(0))
        );
        assert!(found["card"].as_str().is_some_and(|card| card.contains("******")), "{found}");
    }
    // An operator sees each, and no other.
    let listed = || lab::ask(admin, "/v1/completions").as_array().expect("a list").clone();
    let sorted = |list: &[Value]| {
        let mut numbers: Vec<String> = list.iter().map(|one| one["rrn"].as_str().unwrap_or_default().to_owned()).collect();
        numbers.sort();
        numbers
    };
    assert_eq!(sorted(&listed()), sorted(kept));
    let before = listed();
    let Some((first, rest)) = before.split_first() else { panic!("none is listed") };
    let id = first["payment"].as_str().expect("an id");
    let say = |words: &[&str]| {
        let output = Command::new(lab::binary()).args(["completion", words[0], "--admin", admin]).args(&words[1..]).output();
        let output = output.expect("switchyard starts");
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let (code, said) = say(&["match", id, "--authorization", id]);
    assert!(code == Some(1) && said.contains("the authorization is not open"), "{said}");
    let (code, said) = say(&["withdraw", id]);
    assert!(code == Some(0) && said.contains("withdrawn"), "{said}");
    let (code, said) = say(&["withdraw", id]);
    assert!(code == Some(0) && said.contains("already done"), "{said}");
    let (code, said) = say(&["match", id, "--authorization", id]);
    assert!(code == Some(1) && said.contains("it was withdrawn"), "{said}");
    assert_eq!(sorted(&listed()), sorted(rest));
}

/// A network's own echo, sign-off and sign-on: each is answered, and the switch does what it was told.
fn a_network_manages(admin: &str, name: &str, issuer: &mut Talker) {
    let down = || lab::ask(admin, "/readyz")["links_down"].as_array().is_some_and(|down| down.contains(&json!(name)));
    for (function, is_down) in [("301", false), ("002", true), ("001", false)] {
        issuer.tell(&format!("manage {function}"));
        assert_eq!(issuer.hear(), json!({ "function": function, "code": "00" }));
        lab::until(&format!("{name} took {function}"), || down() == is_down);
    }
}

/// Terminals of both forms were approved, declined and reversed on networks of both.
fn every_form_reached_every_network(lab: &Lab, book: &Value) {
    let entries = book.as_array().expect("a list");
    // Cards take turns on the prefixes, in the order of the networks.
    let on =
        |entry: &Value| entry["card"].as_u64().and_then(|card| usize::try_from(card).ok()).map(|card| card % lab.networks.len());
    for (at, network) in lab.networks.iter().enumerate() {
        for form in Form::ALL {
            for state in ["open", "declined", "reversed"] {
                let is = |entry: &&Value| on(entry) == Some(at) && entry["form"] == form.name() && entry["state"] == state;
                let count = entries.iter().filter(is).count();
                println!("{} terminals, {} network {}: {count} {state}", form.name(), network.form.name(), network.name);
                assert_ne!(count, 0, "{} terminals, {} network: none is {state}", form.name(), network.form.name());
            }
        }
    }
}

/// The reconciliation above can fail: the same report with one minor unit more does not pass.
fn a_lie_of_the_issuer_is_found(lab: &Lab) {
    let report = std::fs::read_to_string(lab.path("dual.ndjson")).expect("the report was written");
    let mut lines: Vec<String> = report.lines().map(str::to_owned).collect();
    let mut item: Value = serde_json::from_str(&lines[1]).expect("an item");
    for amount in ["approved", "amount"] {
        item[amount] = json!(item[amount].as_u64().expect("minor units") + 1);
    }
    lines[1] = item.to_string();
    let path = lab.path("lie.ndjson");
    std::fs::write(&path, lines.join("\n") + "\n").expect("the folder can be written to");
    let mut command = Command::new(lab::binary());
    command.args(["recon", "run", "--network", "dual", "--config"]).arg(lab.path("switchyard.toml")).arg("--report").arg(path);
    let output = command.output().expect("switchyard starts");
    let found: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    assert_eq!((output.status.code(), found["breaks"].as_array().map(Vec::len)), (Some(1), Some(1)), "{found}");
}

/// Closes the day, has its clearing file built and read by cardutil; the presentments that were found.
fn clear(lab: &Lab, admin: &str) -> Value {
    lab::until("nothing is owed", || {
        let status = lab::ask(admin, "/v1/status");
        let shards = status["shards"].as_array().cloned().unwrap_or_default();
        !shards.is_empty() && shards.iter().all(|shard| shard["owed"] == json!(0) && shard["in_flight"] == json!(0))
    });
    let status = lab::ask(admin, "/v1/status");
    let today: jiff::civil::Date = status["shards"][0]["business_date"].as_str().expect("a date").parse().expect("a date");
    let tomorrow = today.tomorrow().expect("there is one").to_string();
    let cut = Command::new(lab::binary()).args(["cut-over", "--admin", admin, &tomorrow]).status().expect("switchyard starts");
    assert!(cut.success(), "cut-over");
    lab::until("the day is cut", || lab::ask(admin, "/v1/status")["shards"][0]["business_date"] == json!(tomorrow));
    let built = lab.verb(&["clearing", "build"], &["--date", &today.to_string(), "--admin", admin], "");
    let built: Value = serde_json::from_str(built.trim()).expect("one line of JSON");
    let file = built["file"].as_str().expect("a path");
    println!("clearing file: {built}");
    let output = python().args(["clearing_check.py", "--items", file]).output().expect("python runs");
    let mut found: Value = serde_json::from_slice(&output.stdout).expect("clearing_check.py prints JSON");
    assert_eq!(found["breaks"], json!([]), "what cardutil and an independent reader found");
    assert_eq!(found["records"], found["cardutil_records"]);
    let items = found["items"].take();
    println!("clearing file as read: {found}");
    assert_eq!(json!(items.as_array().map(Vec::len)), built["records"]);
    json!({ "items": items })
}

/// What an issuer behind the switch must have seen, and what it must never see.
fn judge(network: &str, book: &Value) {
    println!("{network}: {}", book["counts"]);
    let count = |name: &str| book["counts"][name].as_u64().unwrap_or(0);
    assert_eq!(book["faults"], json!([]), "{network}: what should never reach an issuer");
    for never in ["wrong_macs", "card_data_forwarded", "damaged"] {
        assert_eq!(count(never), 0, "{network}: {never}");
    }
    // Signed on at the start, signed off at the end.
    assert_eq!((count("management_001"), count("management_002")), (1, 1), "{network}");
    for always in ["right_macs", "pins_right", "pins_wrong", "silent"] {
        assert_ne!(count(always), 0, "{network}: {always}");
    }
}
