//! What is proved at the end of a demonstration: the record while it runs, and the three books once
//! everything has stopped.

use std::path::{Path, PathBuf};

use payments::outgoing::MessageSystem;
use payments::{BusinessDate, LinkId, State};
use serde_json::{Value, json};
use settlement::reconciliation::{BookCapture, BookItem, Cleared, Report, reconcile};
use settlement::record::{read_book, reconcile_network};

use super::judge;
use super::steps::Steps;
use crate::books::Books;
use crate::exit::{CHECK, Exit, IO, OrExit, UNAVAILABLE};
use crate::stack::Stack;
use crate::token::runtime;

/// Columns of SEMANTICS rule 23 that a demonstration does not fill, and why.
const NOT_FILLED: [(&str, &str); 0] = [];

/// Trial balance, replay of the chain, audit, columns, settings, counters.
pub(super) fn record(steps: &mut Steps, stack: &Stack) -> Result<(), Exit> {
    steps.begin("the record: trial balance, replay, audit chain, columns");
    let trial = stack.command(&["ledger", "trial", "--json"], None);
    let lines: Vec<Value> =
        trial.as_deref().unwrap_or_default().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    steps.check("the books balance per currency", trial.is_ok());
    steps.population("currencies with entries", lines.len() as u64);
    steps.fact("trial_balance", lines);
    let replay = stack.command(&["ledger", "verify"], None);
    steps.check("every row of every table is what a replay of the chain gives", replay.is_ok());
    tell(steps, &replay);
    let audit = stack.command(&["audit", "verify"], None);
    steps.check("the audit chain holds from the first block to the last", audit.is_ok());
    tell(steps, &audit);
    runtime()?.block_on(async {
        let books = Books::open(&stack.config()).await?;
        let client = books.connect().await?;
        for column in store::reports::evidence_columns(&client).await.or_exit(UNAVAILABLE)? {
            let reason = NOT_FILLED.iter().find(|(name, _)| *name == column.column);
            match reason {
                Some((name, why)) if column.filled == 0 => steps.say(format!("column {name} is empty: {why}")),
                _ => {
                    if column.filled == 0 {
                        steps.check(format!("column {} of the evidence is filled", column.column), false);
                    }
                }
            }
        }
        let settings = store::reports::durability_settings(&client).await.or_exit(UNAVAILABLE)?;
        let durable = settings.iter().all(|(name, value)| name == "wal_sync_method" || value == "on");
        steps.check(format!("PostgreSQL syncs what it confirms: {settings:?}"), durable && settings.len() == 4);
        let syncs = store::reports::wal_syncs(&client).await.or_exit(UNAVAILABLE)?;
        steps.population("WAL syncs", u64::try_from(syncs).unwrap_or(0));
        steps.fact("wal_syncs", syncs);
        let by_state = store::reports::payments_by_state(&client).await.or_exit(UNAVAILABLE)?;
        let rows: Vec<Value> =
            by_state.iter().map(|(kind, state, count)| json!({ "kind": kind, "state": state, "count": count })).collect();
        steps.fact("ledger_payments", rows);
        Ok::<_, Exit>(())
    })?;
    steps.end();
    Ok(())
}

fn tell(steps: &Steps, output: &Result<String, crate::stack::StackError>) {
    match output {
        Ok(text) => text.lines().for_each(|line| steps.say(line)),
        Err(error) => steps.say(error.to_string()),
    }
}

/// Terminals, ledger, clearing file and issuers, item by item; and that planted breaks are found.
pub(super) fn books(steps: &mut Steps, config: &Path, dir: &Path, reports: &[PathBuf; 2]) -> Result<(), Exit> {
    steps.begin("three books kept by separate processes, item by item");
    runtime()?.block_on(async {
        let books = Books::open(config).await?;
        let mut client = books.connect().await?;
        let directory = config.with_file_name("clearing");
        let (cleared, last) = crate::verbs::clearing::cleared(config)?;
        let through = last.ok_or_else(|| Exit::new(CHECK, "no clearing file was published"))?;
        let mut everything = Vec::new();
        let mut standing = Vec::new();
        let mut breaks = 0;
        for (name, report) in ["dual", "single"].iter().zip(reports) {
            let network = LinkId::new(name).or_exit(IO)?;
            let source = || std::fs::File::open(report).map(std::io::BufReader::new).or_exit(IO);
            let done = reconcile_network(&mut client, &directory, &network, source()?).await.or_exit(CHECK)?;
            steps.check(format!("{name}: file, ledger and issuer's report agree, {} breaks", done.breaks.len()), done.proves());
            done.breaks.iter().take(5).for_each(|found| steps.say(format!("break {}", json!(found))));
            steps.say(format!("{name}: {} report sha256 {}", json!(done.population), done.report_sha256));
            breaks += done.breaks.len();
            steps.fact(&format!("reconciliation_{name}"), json!(done.population));
            let tx = client.transaction().await.or_exit(UNAVAILABLE)?;
            let items = read_book(&tx, &network).await.or_exit(UNAVAILABLE)?;
            tx.rollback().await.or_exit(UNAVAILABLE)?;
            let report = Report::read(source()?).or_exit(CHECK)?;
            plant(steps, name, &cleared, &items, &report, through);
            standing.push((*name, judge::standing_at_issuer(&report, &items)));
            everything.extend(items);
        }
        steps.fact("breaks", breaks);
        let mut seen = Vec::new();
        for book in ["pos", "late-reversal", "load"] {
            let path = dir.join(format!("{book}.book.ndjson"));
            if path.exists() {
                seen.extend(judge::read(&path).or_exit(IO)?);
            }
        }
        let verdict = judge::compare(&seen, &everything);
        steps.population("transactions of terminals compared with the ledger", verdict.compared as u64);
        steps.check(
            format!("what terminals saw is what the ledger has, {} differences", verdict.differences.len()),
            verdict.differences.is_empty(),
        );
        verdict.differences.iter().take(10).for_each(|difference| steps.say(difference));
        for (network, at_issuer) in standing {
            let at_terminals = seen.iter().filter(|one| one.network == network && one.stands > 0 && one.kind != "balance").count();
            let system = if network == "dual" { MessageSystem::Dual } else { MessageSystem::Single };
            let in_ledger = everything.iter().filter(|item| item.system == system && judge::standing(item) > 0).count();
            steps.check(
                format!("{network}: payments that stand: {at_terminals} at terminals, {in_ledger} in the ledger, {at_issuer} at the issuer"),
                at_terminals > 0 && at_terminals == in_ledger && in_ledger == at_issuer,
            );
        }
        for kind in ["purchase", "refund", "authorization", "balance"] {
            let count: u64 = verdict.by_kind.get(kind).into_iter().flatten().map(|(_, count)| count).sum();
            steps.population(&format!("{kind} rows at the terminals"), count);
        }
        steps.fact("terminal_rows", json!(verdict.by_kind));
        Ok::<_, Exit>(())
    })?;
    steps.end();
    Ok(())
}

/// A reconciliation that finds nothing proves nothing: plants a wrong amount at the issuer, a double
/// capture in the ledger and a presentment that stands twice in copies of the real books, and must
/// find each of them.
fn plant(steps: &mut Steps, name: &str, cleared: &[Cleared], ledger: &[BookItem], report: &Report, through: BusinessDate) {
    let find = |cleared: &[Cleared], ledger: &[BookItem], report: &Report| {
        let found = reconcile(cleared, ledger, report, through).breaks;
        let codes: std::collections::BTreeSet<String> = found.iter().map(|found| format!("{:?}", found.code)).collect();
        (!codes.is_empty(), codes.into_iter().collect::<Vec<_>>().join(", "))
    };
    let cleared = if name == "dual" { cleared } else { &[] };
    steps.check(format!("{name}: nothing is found before anything is planted"), {
        reconcile(cleared, ledger, report, through).breaks.is_empty()
    });
    let mut wrong = report.clone();
    if let Some(item) = wrong.items.iter_mut().find(|item| item.amount > 0) {
        item.amount += 1;
        item.approved += 1;
    }
    let (found, codes) = find(cleared, ledger, &wrong);
    steps.check(format!("{name}: a planted wrong amount is found ({codes})"), found);
    let mut doubled = ledger.to_vec();
    let captured = doubled.iter_mut().find(|item| item.state == State::Captured && item.captures.len() == 1);
    if let Some(item) = captured
        && let Some(capture) = item.captures.first().copied()
    {
        item.captures.push(BookCapture { number: capture.number + 1, ..capture });
    }
    let (found, codes) = find(cleared, &doubled, report);
    steps.check(format!("{name}: a planted double capture is found ({codes})"), found);
    if let Some(first) = cleared.first() {
        let twice: Vec<Cleared> = cleared.iter().chain([first]).cloned().collect();
        let (found, codes) = find(&twice, ledger, report);
        steps.check(format!("{name}: a presentment that stands twice is found ({codes})"), found);
    }
}
