//! Terminals straight to an issuer over real sockets. The wire is the same on both sides of a switch,
//! so with TPK = ZPK and TAK = ZAK they understand each other, and their two books have to agree.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use simulators::Error;
use simulators::cards::{CardRange, PopulationOptions};
use simulators::issuer::rules::{Act, Rule};
use simulators::issuer::{self, Announcement, IssuerOptions, MessageSystem};
use simulators::keys::Secrets;
use simulators::load::{self, LoadOptions};
use simulators::pos::scenario::Scenario;
use simulators::pos::{self, FleetOptions, PosOptions, TerminalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// A directory of one test, removed when it goes.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("switchyard-peers-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn secrets(terminals: usize) -> Secrets {
    let (pin, mac) = ("C1DCE6A46E073732DF9D2C20439EB6D6", "0123456789ABCDEFFEDCBA9876543210");
    let terminals: BTreeMap<String, Value> =
        (0..terminals).map(|n| (format!("TERM{n:04}"), serde_json::json!({"tpk": pin, "tak": mac}))).collect();
    let network = serde_json::json!({"zpk": pin, "zak": mac});
    let all = serde_json::json!({
        "terminals": terminals,
        "networks": {"dual": network, "single": network},
        "card_seed": "seed of peers",
        "pvk": "5D209843B60234F238852FDC80834A1A",
    });
    Secrets::parse(all.to_string().as_bytes()).unwrap()
}

/// Cards of one network only: there is no switch that would find the other one.
fn cards(network: &str) -> PopulationOptions {
    let bin = if network == "dual" { "541333" } else { "402400" };
    PopulationOptions { ranges: vec![CardRange { network: network.to_owned(), bin: bin.to_owned() }], size: 200 }
}

/// A running issuer.
struct Host {
    address: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<issuer::Summary, Error>>,
}

impl Host {
    async fn start(options: IssuerOptions) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, mut told) = mpsc::unbounded_channel();
        let running = tokio::spawn(async move {
            let secrets = secrets(0);
            let announce = move |what| {
                if let Announcement::Listening(address) = what {
                    tell.send(address.to_string()).unwrap();
                }
            };
            let stop = async {
                let _ = stopped.await;
                Ok(())
            };
            issuer::serve(options, &secrets, announce, stop).await
        });
        let address = told.recv().await.expect("the issuer listens");
        Self { address, stop, running }
    }

    async fn end(self) -> issuer::Summary {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap()
    }
}

fn issuer_options(scratch: &Scratch, network: &str) -> IssuerOptions {
    IssuerOptions {
        network: network.to_owned(),
        system: if network == "single" { MessageSystem::Single } else { MessageSystem::Dual },
        cards: cards(network),
        book: Some(scratch.file("issuer.ndjson")),
        report: Some(scratch.file("report.ndjson")),
        tombstones: true,
        ..IssuerOptions::default()
    }
}

fn fleet(scratch: &Scratch, address: &str, network: &str) -> FleetOptions {
    FleetOptions {
        connect: address.to_owned(),
        cards: cards(network),
        log: Some(scratch.file("pos.ndjson")),
        ..FleetOptions::default()
    }
}

fn lines(path: PathBuf) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(line: &'a Value, member: &str) -> &'a str {
    line[member].as_str().unwrap_or_default()
}

/// The truth table of three books, for two: what stands for the terminal stands at the issuer, once,
/// for the same amount, and nothing else does. Returns how many items stand.
fn books_agree(scratch: &Scratch) -> usize {
    let mut saw = BTreeMap::<String, (String, i64, String)>::new();
    for line in lines(scratch.file("pos.ndjson")).iter().filter(|line| text(line, "record") == "state") {
        let standing = (text(line, "state").to_owned(), line["stands"].as_i64().unwrap(), text(line, "network_id").to_owned());
        saw.insert(text(line, "rrn").to_owned(), standing);
    }
    let mut open = BTreeMap::<String, (i64, String)>::new();
    for item in lines(scratch.file("report.ndjson")).iter().filter(|line| text(line, "state") == "open") {
        let standing = (item["amount"].as_i64().unwrap(), text(item, "network_id").to_owned());
        assert_eq!(open.insert(text(item, "rrn").to_owned(), standing), None, "two open items of one RRN");
    }
    let mut checked = 0;
    for (rrn, (state, stands, network_id)) in &saw {
        match state.as_str() {
            "approved" | "completed" if *stands > 0 => {
                assert_eq!(open.remove(rrn), Some((*stands, network_id.clone())), "{rrn} {state}");
                checked += 1;
            }
            "approved" | "declined" | "reversed" | "unanswered" => assert_eq!(open.get(rrn), None, "{rrn} {state}"),
            other => panic!("{rrn} ended as {other}"),
        }
    }
    assert!(open.is_empty(), "open at the issuer, unknown to the terminals: {open:?}");
    checked
}

#[tokio::test]
async fn every_kind_of_payment_goes_through_and_both_books_agree() {
    for (network, dialect) in
        [("dual", "iso87-ascii"), ("single", "iso87-ascii"), ("dual", "iso87-binary"), ("single", "iso87-binary")]
    {
        let scratch = Scratch::new(&format!("kinds-{network}-{dialect}"));
        let host = Host::start(IssuerOptions { dialect: dialect.to_owned(), ..issuer_options(&scratch, network) }).await;
        let fleet = FleetOptions { dialect: dialect.to_owned(), ..fleet(&scratch, &host.address, network) };
        let options = PosOptions { fleet, conversations: 400, seed: 11, ..PosOptions::default() };
        let summary = pos::drive(options, &secrets(8), std::future::pending()).await.unwrap();
        let issuer = host.end().await;
        assert_eq!(summary.missed, Vec::<String>::new());
        assert_eq!((summary.expectations_missed, summary.skipped_steps, summary.not_started), (0, 0, 0));
        assert_eq!((summary.problems.len(), summary.garbled, summary.unexpected), (0, 0, 0), "{:?}", summary.problems);
        assert_eq!(summary.conversations.values().sum::<u64>(), 400);
        assert_eq!(summary.conversations.len(), pos::generate::MIX.len());
        for code in ["00", "14", "21", "51", "54", "55", "63", "94"] {
            assert!(summary.codes.get(code).is_some_and(|count| *count > 0), "no {code}: {:?}", summary.codes);
        }
        assert!(books_agree(&scratch) > 150);
        assert!(issuer.counts.pins_verified > 100 && issuer.counts.macs_wrong > 0 && issuer.counts.reversals_effective > 0);
        let report = issuer.report.unwrap();
        assert_eq!((report.items, report.sha256.len()), (issuer.items, 64));
        // No PAN of the whole population stands in any file.
        let population = simulators::cards::Population::derive(&cards(network), network, "seed of peers").unwrap();
        for file in ["pos.ndjson", "issuer.ndjson", "report.ndjson"] {
            let written = std::fs::read_to_string(scratch.file(file)).unwrap();
            for index in 0..population.size() {
                let card = population.card(index).unwrap();
                assert!(!written.contains(std::str::from_utf8(card.pan.reveal()).unwrap()), "{file}");
            }
        }
    }
}

#[tokio::test]
async fn whatever_the_issuer_does_wrong_the_books_agree_in_the_end() {
    for dialect in ["iso87-ascii", "iso87-binary"] {
        mischief(dialect).await;
    }
}

async fn mischief(dialect: &str) {
    let scratch = Scratch::new(&format!("mischief-{dialect}"));
    let rules = Rule::from_toml("mischief.toml", include_str!("../scenarios/mischief.toml")).unwrap();
    let host = Host::start(IssuerOptions { rules, dialect: dialect.to_owned(), ..issuer_options(&scratch, "dual") }).await;
    let terminal = TerminalOptions { timer_ms: 250, retry_ms: 150, ..TerminalOptions::default() };
    let options = PosOptions {
        fleet: FleetOptions { terminal, dialect: dialect.to_owned(), ..fleet(&scratch, &host.address, "dual") },
        conversations: 300,
        seed: 5,
        mischief_per_mille: 400,
        mischief_ends: (90..100).map(|end: u8| end.to_string()).collect(),
        ..PosOptions::default()
    };
    let summary = pos::drive(options, &secrets(24), std::future::pending()).await.unwrap();
    let issuer = host.end().await;
    for act in Act::ALL.into_iter().filter(|act| *act != Act::Partial) {
        assert!(issuer.counts.misbehaved.get(act.as_str()).is_some_and(|count| *count > 0), "no {}", act.as_str());
    }
    assert!(summary.garbled > 0 && summary.unexpected > 0 && summary.problems["bad-mac"] > 0);
    assert!(summary.connects > 24 && issuer.counts.reversal_repeats > 0);
    assert!(books_agree(&scratch) > 50);
}

#[tokio::test]
async fn an_issuer_that_is_started_again_continues_its_book() {
    let scratch = Scratch::new("restart");
    let scenario = |text: &str| Scenario::from_toml("inline", text).unwrap();
    let sale = scenario("name = 'sale'\n[[step]]\nsend = 'purchase'\nnetwork = 'single'\nexpect = { saw = 'approved' }");
    let mut items = Vec::new();
    for _ in 0..3 {
        let host = Host::start(issuer_options(&scratch, "single")).await;
        let options =
            PosOptions { fleet: fleet(&scratch, &host.address, "single"), given: vec![sale.clone()], ..PosOptions::default() };
        let summary = pos::drive(options, &secrets(1), std::future::pending()).await.unwrap();
        assert_eq!(summary.missed, Vec::<String>::new());
        items.push(host.end().await.items);
    }
    assert_eq!(items, [1, 2, 3]);
    let book = lines(scratch.file("issuer.ndjson"));
    assert_eq!(book.iter().map(|line| line["n"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn a_scenario_plays_every_operation_and_tells_what_it_missed() {
    let scratch = Scratch::new("scenario");
    let host = Host::start(issuer_options(&scratch, "dual")).await;
    // The last step expects what cannot be: each of the three terminals has to tell so.
    let last = "[[step]]\nsend = 'purchase'\ncard = 'empty'\nexpect = { code = ['00'] }\n";
    let file = scratch.file("everything.toml");
    std::fs::write(&file, include_str!("../scenarios/every-operation.toml").to_owned() + last).unwrap();
    let options = PosOptions {
        fleet: FleetOptions { connections: 1, ..fleet(&scratch, &host.address, "dual") },
        scenarios: vec![file],
        ..PosOptions::default()
    };
    let summary = pos::drive(options, &secrets(3), std::future::pending()).await.unwrap();
    let issuer = host.end().await;
    assert_eq!(summary.expectations_missed, 3, "{:?}", summary.missed);
    assert!(summary.missed.iter().all(|told| told.contains("step 17 (purchase): expected 00, saw 51")), "{:?}", summary.missed);
    assert_eq!((summary.connects, issuer.counts.sign_ons, issuer.counts.echoes), (1, 3, 3));
    assert_eq!(books_agree(&scratch), 9);
}

#[tokio::test]
async fn answers_may_come_on_any_connection_of_the_link() {
    let scratch = Scratch::new("anywhere");
    let options = IssuerOptions { answer_anywhere: true, ..issuer_options(&scratch, "dual") };
    let host = Host::start(options).await;
    // One connection only here, so that the answer finds its terminal; a switch has several.
    let options = PosOptions {
        fleet: FleetOptions { connections: 1, ..fleet(&scratch, &host.address, "dual") },
        conversations: 50,
        in_flight: 4,
        ..PosOptions::default()
    };
    let summary = pos::drive(options, &secrets(2), std::future::pending()).await.unwrap();
    assert_eq!(summary.missed, Vec::<String>::new());
    host.end().await;
    assert!(books_agree(&scratch) > 10);
}

#[tokio::test]
async fn a_report_is_written_on_request_while_the_issuer_runs() {
    let scratch = Scratch::new("request");
    let host = Host::start(issuer_options(&scratch, "dual")).await;
    let options = PosOptions { fleet: fleet(&scratch, &host.address, "dual"), conversations: 30, ..PosOptions::default() };
    pos::drive(options, &secrets(1), std::future::pending()).await.unwrap();
    // Issuers of other tests hear it too and write theirs, which harms nobody.
    let sent = std::process::Command::new("kill").args(["-USR1", &std::process::id().to_string()]).status().unwrap();
    assert!(sent.success());
    while !scratch.file("report.ndjson").exists() {
        tokio::task::yield_now().await;
    }
    assert!(books_agree(&scratch) > 5);
    host.end().await;
}

#[tokio::test]
async fn a_stop_lets_conversations_finish() {
    let scratch = Scratch::new("stop");
    let host = Host::start(issuer_options(&scratch, "dual")).await;
    let options = PosOptions { fleet: fleet(&scratch, &host.address, "dual"), until_stopped: true, ..PosOptions::default() };
    // Stop as soon as the terminals' book has something in it.
    let log = scratch.file("pos.ndjson");
    let stop = async move {
        while std::fs::metadata(&log).map_or(0, |meta| meta.len()) < 20_000 {
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    let summary = pos::drive(options, &secrets(4), stop).await.unwrap();
    host.end().await;
    assert_eq!(summary.cut_off, 0);
    assert!(books_agree(&scratch) > 0);
}

#[tokio::test]
async fn load_leaves_at_its_intended_times_and_every_request_is_accounted_for() {
    let scratch = Scratch::new("load");
    let host = Host::start(IssuerOptions { sync: false, ..issuer_options(&scratch, "dual") }).await;
    let options = LoadOptions {
        fleet: FleetOptions { sync: false, connections: 2, ..fleet(&scratch, &host.address, "dual") },
        rate: 200,
        seconds: 1,
        ..LoadOptions::default()
    };
    let summary = load::drive(options, &secrets(5), std::future::pending()).await.unwrap();
    let issuer = host.end().await;
    assert_eq!((summary.intended, summary.shed), (200, 0));
    assert_eq!(summary.outcomes.values().sum::<u64>(), 200);
    assert_eq!(issuer.counts.approved["purchase"], summary.approved_in_all);
    assert_eq!(issuer.counts.pins_verified, summary.pins_in_all);
    assert_eq!(summary.latency.count, 200);
    assert_eq!(u64::try_from(books_agree(&scratch)).unwrap(), summary.approved_in_all);
}

#[tokio::test]
async fn a_stranger_who_sends_nonsense_is_cut_off_and_others_do_not_notice() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let scratch = Scratch::new("nonsense");
    let host = Host::start(IssuerOptions { max_connections: 3, ..issuer_options(&scratch, "dual") }).await;
    for nonsense in [&b"\xFF\xFFtoo long"[..], b"\x00\x05hello", b"\x00\x00\x00\x04abcd"] {
        let mut stranger = tokio::net::TcpStream::connect(&host.address).await.unwrap();
        stranger.write_all(nonsense).await.unwrap();
        // Cut off: the end of the stream, or a reset where bytes were left unread.
        let mut rest = Vec::new();
        assert!(stranger.read_to_end(&mut rest).await.is_err() || rest.is_empty());
    }
    let options = PosOptions { fleet: fleet(&scratch, &host.address, "dual"), conversations: 20, ..PosOptions::default() };
    let summary = pos::drive(options, &secrets(2), std::future::pending()).await.unwrap();
    assert_eq!(summary.missed, Vec::<String>::new());
    assert_eq!(host.end().await.counts.unanswerable, 2);
}
