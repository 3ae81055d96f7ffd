//! What is proved at the end of a demonstration: the record while it runs, and the books of all
//! processes once everything has stopped.

use std::collections::BTreeMap;
use std::path::Path;

use payments::LinkId;
use serde_json::{Value, json};
use settlement::clearing::Movement;
use settlement::reconciliation::Report;
use settlement::record::{read_book, reconcile_network};
use simulators::pos::record::Standing;

use super::steps::{Steps, listed};
use super::{evidence, pairs, plant};
use crate::books::Books;
use crate::exit::{CHECK, Exit, IO, OrExit, UNAVAILABLE};
use crate::stack::Stack;
use crate::three_books::issuer::IssuerBook;
use crate::three_books::kinds::{self, Kind};
use crate::three_books::record::{Owed, Payments, Transfers};
use crate::three_books::terminals::TerminalsBook;
use crate::three_books::transfers::{self, BankBook, Outcome, PartyBook};
use crate::three_books::{Finding, truth};
use crate::token::runtime;
use crate::verbs::clearing;

/// The card networks; the first one is cleared by our presentments.
const NETWORKS: [&str; 2] = ["dual", "single"];
/// Books that terminals kept, as far as they ran, and the listener that they were at.
const TERMINALS: [(&str, &str); 5] =
    [("pos", "pos"), ("one-of-each", "pos"), ("load", "pos"), ("pos-binary", "pos-binary"), ("one-of-each-binary", "pos-binary")];
/// Findings that are told word by word.
const TOLD: usize = 10;

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
        let columns = store::reports::evidence_columns(&client).await.or_exit(UNAVAILABLE)?;
        evidence::check(steps, &columns);
        let settings = store::reports::durability_settings(&client).await.or_exit(UNAVAILABLE)?;
        let durable = settings.iter().all(|(name, value)| name == "wal_sync_method" || value == "on");
        steps.check(format!("PostgreSQL syncs what it confirms: {settings:?}"), durable && settings.len() == 4);
        let syncs = store::reports::wal_syncs(&client).await.or_exit(UNAVAILABLE)?;
        steps.population("WAL syncs", u64::try_from(syncs).unwrap_or(0));
        steps.fact("wal_syncs", syncs);
        let by_state = store::reports::payments_by_state(&client).await.or_exit(UNAVAILABLE)?;
        let rows: Vec<Value> =
            by_state.iter().map(|(kind, state, count)| json!({ "kind": kind, "state": state, "count": count })).collect();
        steps.fact("record_payments", rows);
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

/// What the issuers and the bank counted for themselves.
pub(super) fn counts(steps: &mut Steps, issuers: &[(&str, &Value)], bank: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    for (name, counted) in issuers {
        steps.population(&format!("{name}: PINs that the issuer verified"), number(&counted["pins_verified"]));
        steps.population(&format!("{name}: wrong PINs that it found"), number(&counted["pins_wrong"]));
        steps.population(&format!("{name}: reversals with effect"), number(&counted["reversals_effective"]));
        steps.population(&format!("{name}: reversals that were sent again (0421)"), number(&counted["reversal_repeats"]));
        let wrong = number(&counted["macs_wrong"]) + number(&counted["pin_blocks_undecodable"]);
        steps.check(format!("{name}: {wrong} wrong MACs and undecodable PIN blocks"), wrong == 0);
    }
    let wrong = ["resent", "after_enquiry", "conflicts"].map(|name| number(&bank[name]));
    steps.check(
        format!("the bank: {} transfers that came again, {} after an enquiry, {} changed", wrong[0], wrong[1], wrong[2]),
        wrong == [0; 3],
    );
    let issuers: serde_json::Map<String, Value> =
        issuers.iter().map(|(name, counted)| ((*name).to_owned(), (*counted).clone())).collect();
    steps.fact("issuers", issuers);
    steps.fact("bank", bank.clone());
}

/// Clearing files, ledger and issuers' reports agree; and what is planted in them is found.
pub(super) fn reconciled(steps: &mut Steps, config: &Path, dir: &Path) -> Result<(), Exit> {
    steps.begin("reconciliation: clearing files, ledger and issuers' reports");
    runtime()?.block_on(async {
        let books = Books::open(config).await?;
        let mut client = books.connect().await?;
        let directory = config.with_file_name("clearing");
        let (cleared, last) = clearing::cleared(config)?;
        let through = last.ok_or_else(|| Exit::new(CHECK, "no clearing file was published"))?;
        let (mut breaks, mut planted, mut done_of) = (0, Vec::new(), serde_json::Map::new());
        for name in NETWORKS {
            let network = LinkId::new(name).or_exit(IO)?;
            let path = dir.join(format!("{name}.report.ndjson"));
            let source = || std::fs::File::open(&path).map(std::io::BufReader::new).or_exit(IO);
            let done = reconcile_network(&mut client, &directory, &network, source()?).await.or_exit(CHECK)?;
            steps.check(format!("{name}: file, ledger and issuer's report agree, {} breaks", done.breaks.len()), done.proves());
            done.breaks.iter().take(TOLD).for_each(|found| steps.say(format!("break {}", json!(found))));
            steps.say(format!("{name}: {} report sha256 {}", json!(done.population), done.report_sha256));
            breaks += done.breaks.len();
            done_of.insert(name.to_owned(), json!({ "population": done.population, "report_sha256": done.report_sha256 }));
            let tx = client.transaction().await.or_exit(UNAVAILABLE)?;
            let ledger = read_book(&tx, &network).await.or_exit(UNAVAILABLE)?;
            tx.rollback().await.or_exit(UNAVAILABLE)?;
            let report = Report::read(source()?).or_exit(CHECK)?;
            let presented = if name == NETWORKS[0] { cleared.as_slice() } else { &[] };
            let books = plant::Books { network: name, cleared: presented, ledger: &ledger, report: &report, through };
            planted.extend(plant::check(steps, &books));
        }
        steps.fact("breaks", breaks);
        steps.fact("planted", planted);
        steps.fact("reconciliation", done_of);
        Ok::<_, Exit>(())
    })?;
    steps.end();
    Ok(())
}

/// Terminals, issuers and record, item by item and per kind of payment.
pub(super) fn card_books(steps: &mut Steps, config: &Path, dir: &Path) -> Result<(), Exit> {
    steps.begin("three books kept by separate processes: terminals, issuers, record");
    let book = |name: &str| dir.join(format!("{name}.book.ndjson"));
    let (listeners, terminals): (Vec<&str>, Vec<TerminalsBook>) = TERMINALS
        .into_iter()
        .map(|(name, listener)| (listener, book(name)))
        .filter(|(_, path)| path.exists())
        .map(|(listener, path)| Ok((listener, TerminalsBook::read(&path).or_exit(IO)?)))
        .collect::<Result<Vec<_>, Exit>>()?
        .into_iter()
        .unzip();
    let issuers: BTreeMap<String, IssuerBook> = NETWORKS
        .into_iter()
        .map(|name| Ok((name.to_owned(), IssuerBook::read(&book(name)).or_exit(IO)?)))
        .collect::<Result<_, Exit>>()?;
    let rrns = terminals.iter().flat_map(|book| &book.transactions).map(|seen| seen.rrn.as_str());
    let record = runtime()?.block_on(async {
        let books = Books::open(config).await?;
        let client = books.connect().await?;
        Payments::from(&client, rrns).await.or_exit(UNAVAILABLE)
    })?;
    items(steps, &terminals, &issuers, &record);
    kinds(steps, &terminals, &issuers, &record);
    presented(steps, &terminals, &record, config)?;
    reversals(steps, &issuers, &record);
    let at: Vec<(&str, &TerminalsBook)> = listeners.into_iter().zip(&terminals).collect();
    pairs::check(steps, &pairs::Dialects::read(config)?, &at);
    steps.end();
    Ok(())
}

/// By the truth table of payment semantics.
fn items(steps: &mut Steps, terminals: &[TerminalsBook], issuers: &BTreeMap<String, IssuerBook>, record: &Payments) {
    let mut verdict = truth::Verdict::default();
    for book in terminals {
        verdict.add(truth::judge(book, issuers, record));
    }
    verdict.findings.extend(truth::strangers(terminals, issuers, record));
    steps.population("transactions compared item by item", verdict.items());
    for (row, count) in &verdict.populations {
        steps.say(format!("      {row}: {count}"));
    }
    let unseen = verdict.unseen();
    steps.check(format!("every row of the truth table has some; without: {}", listed(&unseen)), unseen.is_empty());
    agreed(steps, "the three books agree on every one of them", &verdict.findings);
    let mut outcomes: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, u64>>> = BTreeMap::new();
    for seen in terminals.iter().flat_map(|book| &book.transactions) {
        let standing = seen.standing.map_or("without-end", Standing::as_str);
        let kinds = outcomes.entry(&seen.network).or_default();
        *kinds.entry(&seen.kind).or_default().entry(standing).or_default() += 1;
    }
    steps.fact("payments", json!(outcomes));
    steps.fact("truth_table", json!(verdict.populations));
    steps.fact("differences", verdict.findings.len());
}

/// Rows and sums of each kind in each book.
fn kinds(steps: &mut Steps, terminals: &[TerminalsBook], issuers: &BTreeMap<String, IssuerBook>, record: &Payments) {
    let rows = kinds::count(terminals, issuers, record);
    steps.say(format!("      {:<22} {:<7} {:>17} {:>17} {:>17}", "rows / minor units", "", "terminals", "issuer", "record"));
    for row in &rows {
        let [at_terminals, at_issuer, in_record] =
            [row.terminals, row.issuer, row.record].map(|sum| format!("{} / {}", sum.count, sum.minor));
        let words = format!("{:<22} {:<7} {at_terminals:>17} {at_issuer:>17} {in_record:>17}", row.kind.as_str(), row.network);
        steps.check(words, row.agrees());
    }
    steps.say(format!("      ({}: completions with what was authorized, what was taken follows)", NETWORKS[0]));
    for network in NETWORKS {
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Credit || network == NETWORKS[0]) {
            if !rows.iter().any(|row| row.kind == kind && row.network == network) {
                steps.check(format!("{} on {network}: some in any book", kind.as_str()), false);
            }
        }
    }
    steps.fact("kinds", json!(rows));
}

/// What was taken of authorizations reaches the dual-message network in clearing files alone.
fn presented(steps: &mut Steps, terminals: &[TerminalsBook], record: &Payments, config: &Path) -> Result<(), Exit> {
    let (cleared, _) = clearing::cleared(config)?;
    let completed: BTreeMap<&str, i64> = terminals
        .iter()
        .flat_map(|book| &book.transactions)
        .filter(|seen| seen.standing == Some(Standing::Completed) && seen.network == NETWORKS[0])
        .map(|seen| (seen.rrn.as_str(), seen.stands))
        .collect();
    let in_record: i64 = completed.keys().flat_map(|rrn| record.of_rrn(rrn)).map(|payment| payment.captured).sum();
    let sales = cleared.iter().filter(|item| item.row.movement == Movement::Sale);
    let in_files: i64 =
        sales.filter(|item| completed.contains_key(item.row.rrn.as_str())).map(|item| item.row.amount.minor()).sum();
    let at_terminals: i64 = completed.values().sum();
    steps.check(
        format!(
            "{}: {} completions took {at_terminals} at terminals, {in_record} in the record, {in_files} in clearing files",
            NETWORKS[0],
            completed.len()
        ),
        at_terminals > 0 && at_terminals == in_record && in_record == in_files,
    );
    Ok(())
}

/// Reversals that the record says were owed, and that each reached its issuer.
fn reversals(steps: &mut Steps, issuers: &BTreeMap<String, IssuerBook>, record: &Payments) {
    let by_network = record.owed("reversal");
    let all = by_network.values().fold(Owed::default(), |all, one| all.and(*one));
    let Owed { owed, acknowledged, dead, still_owed } = all;
    steps.check(
        format!("reversals owed {owed}, acknowledged {acknowledged}, dead {dead}, still owed {still_owed}"),
        owed > 0 && acknowledged == owed && dead == 0 && still_owed == 0,
    );
    let reversed = record.all().flat_map(|payment| payment.lanes.iter().map(move |lane| (payment, lane)));
    let reversed = reversed.filter(|(_, lane)| lane.kind == "reversal" && lane.ended.as_deref() == Some("acknowledged"));
    let unheard = |rrn: &str, link: &str| issuers.get(link).is_none_or(|book| book.reversals_of(rrn) == 0);
    let without: Vec<&str> = reversed
        .map(|(payment, lane)| (payment.rrn.as_str(), lane.link.as_str()))
        .filter(|(rrn, link)| unheard(rrn, link))
        .map(|(rrn, _)| rrn)
        .collect();
    steps.check(format!("each acknowledged reversal is in its issuer's book; without: {}", listed(&without)), without.is_empty());
    let advices = record.owed("advice").values().fold(Owed::default(), |all, one| all.and(*one));
    steps.check(
        format!("advices owed {}, acknowledged {}", advices.owed, advices.acknowledged),
        advices.owed > 0 && advices.acknowledged == advices.owed,
    );
    steps.fact("reversals", json!(all));
    steps.fact("reversals_by_network", json!(by_network));
    steps.fact("advices", json!(advices));
}

/// Instructing party, bank and record, item by item and per outcome.
pub(super) fn transfer_books(steps: &mut Steps, config: &Path, dir: &Path) -> Result<(), Exit> {
    steps.begin("credit transfers: books of the instructing party, of the bank, and the record");
    let party = PartyBook::read(&dir.join("party.book.ndjson")).or_exit(IO)?;
    let bank = BankBook::read(&dir.join("bank.book.ndjson")).or_exit(IO)?;
    let record = runtime()?.block_on(async {
        let books = Books::open(config).await?;
        let client = books.connect().await?;
        Transfers::from(&client, bank.ids()).await.or_exit(UNAVAILABLE)
    })?;
    let verdict = transfers::judge(&party, &bank, &record);
    steps.population("transfers compared item by item", verdict.compared);
    agreed(steps, "the three books agree on every one of them", &verdict.findings);
    steps.say(format!("      {:<22} {:>17} {:>17} {:>17}", "rows / minor units", "party", "bank", "record"));
    for outcome in Outcome::ALL {
        let row = verdict.outcomes.get(&outcome).copied().unwrap_or_default();
        let [party, bank, record] = [row.party, row.bank, row.record].map(|sum| format!("{} / {}", sum.count, sum.minor));
        steps.check(format!("{:<22} {party:>17} {bank:>17} {record:>17}", outcome.as_str()), row.agrees(outcome));
    }
    steps.check(
        format!("asked about: {} by the bank's book, {} owed by the record", verdict.asked_about, verdict.enquiries_owed),
        verdict.asked_about > 0 && verdict.asked_about <= verdict.enquiries_owed,
    );
    steps.check(format!("sent to the bank again: {} of {}", bank.again.len(), party.count()), bank.again.is_empty());
    steps.fact("transfers", json!(verdict));
    steps.end();
    Ok(())
}

fn agreed(steps: &mut Steps, what: &str, findings: &[Finding]) {
    steps.check(format!("{what}, {} differences", findings.len()), findings.is_empty());
    findings.iter().take(TOLD).for_each(|finding| steps.say(finding.to_string()));
}
