//! One round: traffic, a kill in the middle of it, a new start, and the books when all is quiet again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use testkit::books::issuer::IssuerBook;
use testkit::books::record::Payments;
use testkit::books::terminals::TerminalsBook;
use testkit::judge::{Verdict, judge};
use testkit::{KitError, Laboratory};

use super::plan::{Action, Fault, Options};
use super::{EACH, IN_FLIGHT};

/// What a round showed. Times in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Round {
    /// From 1.
    pub round: usize,
    /// The edge.
    pub point: &'static str,
    /// At which time that it was reached.
    pub count: u64,
    /// What was killed.
    pub action: Action,
    /// Card requests that were sent and not answered at that moment, by the terminals' book.
    pub in_flight: usize,
    /// From the start of the terminals to the kill.
    pub until_fault_ms: u128,
    /// From the kill until the switch took traffic again; nothing where it never went.
    pub down_ms: Option<u128>,
    /// From the kill until nothing was in flight or owed any more.
    pub settled_ms: u128,
    /// What the judge looked at and found.
    pub verdict: Verdict,
    /// What else was wrong.
    pub problems: Vec<String>,
}

/// Plays a round.
pub(super) fn play(
    laboratory: &mut Laboratory,
    options: &Options,
    number: usize,
    fault: Fault,
    books: &mut Vec<TerminalsBook>,
) -> Result<Round, KitError> {
    let mut faults = vec![fault.to_string()];
    if options.early_ack {
        faults.push("early-ack".to_owned());
    }
    let mut problems = Vec::new();
    let stack = laboratory.stack()?;
    stack.start_switch(&faults)?;
    let began = Instant::now();
    let name = format!("pos-{}", number + 1);
    let pos = stack.start_pos(&name, &terminals(options, number))?;
    let switch = stack.switch.as_mut().ok_or_else(|| KitError::Drill("the switch does not run".to_owned()))?;
    switch.expect_line("fault ", Duration::from_secs(60))?;
    let at = now();
    let killed = Instant::now();
    let mut down_ms = None;
    if fault.action.kills_switch() {
        ended(laboratory)?;
        laboratory.stack()?.start_switch(&[])?;
        down_ms = Some(killed.elapsed().as_millis());
    }
    // Its exit status tells of expectations that were missed, which a kill makes it miss.
    let (status, summary) = pos.wait(Duration::from_secs(180))?;
    if summary["simulator"] != json!("pos") {
        problems.push(format!("the terminals ended with {status} and told nothing"));
    }
    if summary["cut_off"] != json!(0) || summary["not_started"] != json!(0) {
        problems.push(format!("conversations cut off {}, not started {}", summary["cut_off"], summary["not_started"]));
    }
    if let Err(error) = laboratory.settle_down(Duration::from_secs(90)) {
        problems.push(format!("{error}: {}", laboratory.stack()?.status().unwrap_or(Value::Null)));
    }
    let settled_ms = killed.elapsed().as_millis();

    let book = TerminalsBook::read(&laboratory.dir().join(format!("{name}.book.ndjson")))?;
    let in_flight = book.in_flight_at(&at);
    if in_flight < IN_FLIGHT {
        problems.push(format!("only {in_flight} in flight at the kill"));
    }
    let one = [book];
    let record = record(laboratory, &one)?;
    let issuers = issuers(laboratory)?;
    let [book] = one;
    let verdict = judge(&book, &issuers, &record);
    books.push(book);
    let status = laboratory.stack()?.stop_switch()?;
    if !status.success() {
        problems.push(format!("the switch ended with {status}"));
    }
    Ok(Round {
        round: number + 1,
        point: fault.point.name(),
        count: fault.count,
        action: fault.action,
        in_flight,
        until_fault_ms: killed.duration_since(began).as_millis(),
        down_ms,
        settled_ms,
        verdict,
        problems,
    })
}

/// The record's payments for everything in these books, from the running switch.
pub(super) fn record(laboratory: &mut Laboratory, books: &[TerminalsBook]) -> Result<Payments, KitError> {
    let data = laboratory.stack()?.data_dir();
    Ok(Payments::read(&data, books.iter().flat_map(|book| &book.transactions).map(|seen| seen.rrn.as_str()))?)
}

/// The issuers' books. They are synced before an answer leaves, so they are complete when all is quiet.
pub(super) fn issuers(laboratory: &Laboratory) -> Result<BTreeMap<String, IssuerBook>, KitError> {
    let read = |network: &str| {
        let book = IssuerBook::read(&laboratory.dir().join(format!("{network}.book.ndjson")))?;
        Ok((network.to_owned(), book))
    };
    ["dual", "single"].into_iter().map(read).collect()
}

/// Waits for the end of a switch that was killed.
fn ended(laboratory: &mut Laboratory) -> Result<(), KitError> {
    let Some(switch) = laboratory.stack()?.switch.take() else { return Ok(()) };
    switch.wait(Duration::from_secs(30))?;
    Ok(())
}

fn terminals(options: &Options, number: usize) -> Vec<String> {
    let seed = options.seed.wrapping_mul(1_000_003).wrapping_add(u64::try_from(number).unwrap_or(0)) & 0xFFFF_FFFF;
    vec![
        format!("conversations = {}", options.conversations),
        format!("in_flight = {EACH}"),
        format!("seed = {seed}"),
        "mischief_per_mille = 150".to_owned(),
        "mischief_ends = [\"91\", \"92\", \"93\", \"96\"]".to_owned(),
        // Partial reversals (DE95) are refused by this version.
        "mix.authorization-reduced = 0".to_owned(),
        // More of what is rare, so that a short round has some of each.
        "mix.purchase-reversed = 10".to_owned(),
        "mix.authorized = 6".to_owned(),
        "fleet.terminal.timer_ms = 4000".to_owned(),
        "fleet.terminal.retry_ms = 1000".to_owned(),
        "fleet.terminal.attempts = 120".to_owned(),
        "fleet.connect_wait_ms = 60000".to_owned(),
    ]
}

/// Now, as the terminals' book writes it.
fn now() -> String {
    simulators::clock::Clock::start().now().wall.to_string()
}
