//! After a run of the real processes, nothing that they left holds a secret of it, except the clearing
//! file its card numbers; and a secret that is planted in each place is found.

use std::time::Duration;

use serde_json::{Value, json};
use system::bench::record;
use system::secrets::{Allowed, Kind, Report, Scanner, Search, known};
use testkit::Laboratory;

use crate::lab::ask;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn nothing_that_a_run_leaves_holds_its_secrets() {
    let mut laboratory = Laboratory::new("secrets", |options| {
        let rules = [
            r#"{ do = "silent", amount_ends = "91" }"#,
            r#"{ do = "garbled", amount_ends = "94" }"#,
            r#"{ do = "wrong-mac", amount_ends = "95" }"#,
        ];
        options.dual_rules = rules.map(str::to_owned).into();
        options.single_rules = rules.map(str::to_owned).into();
        options.binary = true;
    })
    .expect("a laboratory");
    let stack = laboratory.stack().expect("it runs");
    stack.start_switch(&[]).expect("the switch starts");
    let today = stack.status().expect("a status")["shards"][0]["business_date"].as_str().expect("a day").to_owned();
    let sets = [
        "conversations = 50",
        "in_flight = 4",
        "seed = 11",
        "mischief_per_mille = 150",
        "mischief_ends = [\"91\", \"94\", \"95\"]",
        "mix.authorization-reduced = 0",
        "fleet.terminal.timer_ms = 6000",
        "fleet.terminal.retry_ms = 1000",
    ];
    let sets = |terminals: &str| {
        let own = format!("fleet.terminals = {terminals}");
        sets.iter().map(|set| (*set).to_owned()).chain([own]).collect::<Vec<_>>()
    };
    let ascii = stack.start_pos("pos", &sets(r#"["TERM0001", "TERM0002"]"#)).expect("terminals start");
    let packed = stack.start_binary_pos("pos-binary", &sets(r#"["TERM0003", "TERM0004"]"#)).expect("terminals start");
    for pos in [ascii, packed] {
        let (_, summary) = pos.wait(PATIENCE).expect("terminals end");
        assert!(summary["codes"]["00"].as_u64().is_some_and(|approved| approved > 10), "{}", summary["codes"]);
    }
    laboratory.settle_down(PATIENCE).expect("it settles");
    let stack = laboratory.stack().expect("it runs");
    let file = clear(stack, &today);

    let scanner = known::scanner(&stack.secrets.json).expect("the run's secrets");
    assert!(scanner.population().values().all(|patterns| *patterns > 0), "{:?}", scanner.population());
    let allowed = Allowed { path: stack.options.dir.join("conf/clearing").join(&file), kind: Kind::Pan };
    assert!(allowed.path.is_file(), "{}", allowed.path.display());
    let report = look(&mut laboratory, &scanner, vec![allowed.clone()]);
    println!("{report}");
    assert_eq!(report.findings, [], "{report}");
    assert!(report.allowed > 0, "the clearing file has no card number that is known: {report}");
    assert!(report.files > 100 && report.wal_segments > 0 && report.tables > 10, "{report}");

    // The same search finds what is planted, in a file, in a table, and in the files of that table.
    plant(&mut laboratory, &scanner);
    let report = look(&mut laboratory, &scanner, vec![allowed]);
    let found = |place: &str, kind| report.findings.iter().any(|it| it.place.contains(place) && it.kind == kind);
    for kind in [Kind::Pan, Kind::Track, Kind::ClearPinBlock, Kind::SentPinBlock, Kind::Key] {
        for place in ["switch.log", "planted.leak as text", "planted.leak as binary", "/base/", "/pg_wal/"] {
            assert!(found(place, kind), "{kind:?} was planted in {place} and not found: {report}");
        }
    }
}

/// Cuts over, builds the file of the day and names it.
fn clear(stack: &mut switchyard::stack::Stack, today: &str) -> String {
    let tomorrow = payments::BusinessDate::parse(today).expect("a day").next();
    let posted = ureq::post(format!("http://{}/v1/cut-over", stack.admin))
        .header("content-type", "application/json")
        .send(json!({ "date": tomorrow }).to_string());
    assert!(posted.is_ok(), "{posted:?}");
    let closed = |stack: &switchyard::stack::Stack| {
        let status = ask(&stack.admin, "/v1/status");
        let days = status["shards"][0]["closed"].as_array()?.clone();
        days.contains(&json!(today)).then_some(())
    };
    stack.wait("the day to close", PATIENCE, closed).expect("it closes");
    let line = stack
        .command_with(&["clearing", "build"], &["--date", today, "--admin", &stack.admin])
        .expect("a clearing file is built");
    let built: Value = serde_json::from_str(line.lines().last().unwrap_or_default()).expect("JSON");
    built["file"].as_str().and_then(|path| path.rsplit('/').next()).expect("a file name").to_owned()
}

/// Tables and a checkpoint, metrics, then every file.
fn look(laboratory: &mut Laboratory, scanner: &Scanner, allowed: Vec<Allowed>) -> Report {
    let mut search = Search::new(scanner, allowed);
    let stack = laboratory.stack().expect("it runs");
    let metrics = record::metrics(&stack.admin).expect("metrics");
    assert!(metrics.contains("switchyard_requests_total"));
    search.text("/metrics", &metrics);
    search.text("/v1/status", &ask(&stack.admin, "/v1/status").to_string());
    runtime().block_on(search.tables(&stack.data_dir())).expect("tables can be read");
    search.directory(laboratory.dir()).expect("files can be read");
    search.report()
}

/// One secret of each kind and form, appended to a log and put into a table.
fn plant(laboratory: &mut Laboratory, scanner: &Scanner) {
    use std::io::Write;
    let mut log = std::fs::OpenOptions::new().append(true).open(laboratory.dir().join("switch.log")).expect("a log");
    let stack_dir = laboratory.stack().expect("it runs").data_dir();
    let leaks = scanner.samples();
    for (_, _, bytes) in &leaks {
        log.write_all(bytes).and_then(|()| log.write_all(b"\n")).expect("a log can be written to");
    }
    runtime().block_on(async {
        let client = record::connect(&stack_dir).await.expect("the database answers");
        let make = "CREATE SCHEMA planted; CREATE TABLE planted.leak (raw bytea, said text)";
        client.batch_execute(make).await.expect("a table can be made");
        for (_, _, bytes) in &leaks {
            let said = String::from_utf8(bytes.clone()).ok().filter(|text| !text.contains('\0'));
            let row = client.execute("INSERT INTO planted.leak VALUES ($1, $2)", &[bytes, &said]).await;
            assert_eq!(row.expect("a row can be added"), 1);
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
