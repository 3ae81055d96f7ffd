use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use iso20022::{Document, Limits, StatusReport};
use payments::{Mono, Now, Wall};
use tokio::sync::oneshot;

use super::line::{Line, Record};
use super::party::{self, PartyOptions, line as sent};
use super::rules::Rule;
use super::{Action, Bank, BankOptions, serve};
use crate::Error;
use crate::journal::Scratch;

const NOW: Wall = Wall(1_795_224_600_000_000);

fn at(ms: u64) -> Now {
    Now { mono: Mono(ms * 1_000_000), wall: NOW }
}

fn rules(flags: &[&str]) -> Vec<Rule> {
    flags.iter().map(|flag| Rule::parse(flag).unwrap()).collect()
}

fn bank(flags: &[&str]) -> Bank {
    Bank::new(BankOptions { rules: rules(flags), ..BankOptions::default() }, 7).unwrap()
}

/// A party with one transfer of exactly 100.00 to an account that is open.
fn party(options: PartyOptions) -> party::Party {
    let amounts = PartyOptions { min_minor: 10_000, max_minor: 10_000, creditors: 1, transfers: 1, run: 9, ..options };
    party::Party::new(amounts, NOW).unwrap()
}

fn first(party: &mut party::Party) -> Vec<u8> {
    party.poll(at(0), |_| ()).unwrap().remove(0).envelopes.remove(0)
}

fn reports(actions: &[Action]) -> Vec<StatusReport> {
    let read = |envelope: &[u8]| match iso20022::read(envelope, &Limits::LINK).unwrap().value.document {
        Document::StatusReport(report) => report,
        other => panic!("{other:?}"),
    };
    let answers = actions.iter().filter_map(|action| match action {
        Action::Answer { envelope, .. } => Some(read(envelope)),
        Action::Close => None,
    });
    answers.collect()
}

fn status(report: &StatusReport) -> (String, String) {
    let transaction = &report.transactions[0];
    let text = |code: Option<&iso20022::Code>| code.map(|it| it.as_str().to_owned()).unwrap_or_default();
    (text(transaction.status.as_ref()), text(transaction.reasons.first()))
}

#[test]
fn a_transfer_is_booked_and_answered_about_itself() {
    let (mut bank, mut party) = (bank(&[]), party(PartyOptions::default()));
    let transfer = first(&mut party);
    let handled = bank.receive(NOW, &transfer);
    let line = handled.line.unwrap();
    assert_eq!((line.n, line.record, line.amount_minor, line.status.as_str()), (1, Record::Transfer, 10_000, "ACSC"));
    assert_eq!(bank.credited(&line.creditor_account), 10_000);
    let [Action::Answer { envelope, after_ms: 0 }] = handled.actions.as_slice() else { panic!("one answer") };
    let outcome = party.receive(at(5), envelope).unwrap();
    assert_eq!((outcome.record, outcome.status.as_str(), outcome.latency_us), (sent::Record::Outcome, "ACSC", Some(5000)));
    assert!(party.done());
}

#[test]
fn the_same_transfer_again_is_answered_the_same_and_not_booked_again() {
    let (mut bank, mut party) = (bank(&[]), party(PartyOptions::default()));
    let transfer = first(&mut party);
    let line = bank.receive(NOW, &transfer).line.unwrap();
    let again = bank.receive(NOW, &transfer);
    assert_eq!(status(&reports(&again.actions)[0]), ("ACSC".into(), String::new()));
    assert_eq!(again.line, Some(Line { n: 2, record: Record::Again, ..line.clone() }), "the book says so");
    assert_eq!((bank.counts().resent, bank.counts().conflicts), (1, 0));
    let changed = String::from_utf8(transfer).unwrap().replace(">100.00<", ">100.01<");
    let conflict = bank.receive(NOW, changed.as_bytes());
    assert_eq!(status(&reports(&conflict.actions)[0]), ("RJCT".into(), "AM05".into()));
    assert_eq!((bank.counts().resent, bank.counts().conflicts), (2, 1));
    assert_eq!(bank.credited(&line.creditor_account), 10_000);
}

#[test]
fn silence_is_asked_about_and_answered_later() {
    let mut bank = bank(&["silent,pending=1"]);
    let mut party = party(PartyOptions { ask_after_ms: 100, ask_every_ms: 50, ..PartyOptions::default() });
    let handled = bank.receive(NOW, &first(&mut party));
    assert!(handled.line.is_some_and(|line| line.executed()) && handled.actions.is_empty());
    assert!(party.poll(at(99), |_| ()).unwrap().is_empty());
    assert_eq!(party.next_wake(), Some(Mono(100_000_000)));
    for (ms, told, noted) in [(100, "PDNG", Some((2, Record::Enquiry))), (150, "ACSC", None)] {
        let enquiry = party.poll(at(ms), |_| ()).unwrap().remove(0).envelopes.remove(0);
        let handled = bank.receive(NOW, &enquiry);
        assert_eq!(handled.line.map(|line| (line.n, line.record)), noted, "once in the book");
        let answers = handled.actions;
        assert_eq!(status(&reports(&answers)[0]).0, told);
        let [Action::Answer { envelope, .. }] = answers.as_slice() else { panic!("one answer") };
        party.receive(at(ms), envelope);
    }
    let summary = party.summary();
    assert_eq!((summary.executed, summary.asked_about, summary.enquiries, summary.interim), (1, 1, 2, 1));
    assert_eq!((bank.counts().enquiries, bank.counts().asked_about, bank.counts().enquiries_answered), (2, 1, 1));
}

#[test]
fn a_transfer_that_never_came_is_refused_when_it_comes_after_the_enquiry() {
    let mut bank = bank(&["lost"]);
    let mut party = party(PartyOptions { ask_after_ms: 100, ..PartyOptions::default() });
    let transfer = first(&mut party);
    assert_eq!(bank.receive(NOW, &transfer), super::Handled::default());
    let enquiry = party.poll(at(100), |_| ()).unwrap().remove(0).envelopes.remove(0);
    let told = bank.receive(NOW, &enquiry);
    assert_eq!(told.line.unwrap().record, Record::Unknown);
    assert_eq!((bank.counts().asked_about, bank.receive(NOW, &enquiry).line, bank.counts().asked_about), (1, None, 1));
    assert_eq!(status(&reports(&told.actions)[0]), ("RJCT".into(), "NOOR".into()));
    let late = bank.receive(NOW, &transfer);
    assert_eq!((late.line, status(&reports(&late.actions)[0]).1), (None, "NOOR".into()));
    assert_eq!(bank.counts().after_enquiry, 1);
}

#[test]
fn a_bank_misbehaves_as_it_is_told() {
    let with = |flag: &str| {
        let (mut bank, mut party) = (bank(&[flag]), party(PartyOptions::default()));
        let handled = bank.receive(NOW, &first(&mut party));
        (handled.line.unwrap(), handled.actions, party)
    };
    let (line, answers, _) = with("reject,reason=AC06");
    assert_eq!((line.status.as_str(), status(&reports(&answers)[0])), ("RJCT", ("RJCT".into(), "AC06".into())));
    assert_eq!(reports(&with("twice").1).len(), 2);
    assert!(matches!(with("late,ms=30").1[..], [Action::Answer { after_ms: 30, .. }]));
    assert_eq!(with("disconnect-before").1, [Action::Close]);
    assert!(matches!(with("disconnect-after").1[..], [Action::Answer { .. }, Action::Close]));
    let (line, answers, _) = with("pending");
    assert_eq!((line.status.as_str(), status(&reports(&answers)[0]).0), ("ACSC", "PDNG".into()));
    for (flag, unreadable, strangers) in [("garbled", 1, 0), ("wrong-ids", 0, 1)] {
        let (_, answers, mut party) = with(flag);
        let [Action::Answer { envelope, .. }] = answers.as_slice() else { panic!("one answer") };
        assert_eq!(party.receive(at(1), envelope), None);
        assert_eq!((party.summary().unreadable, party.summary().strangers), (unreadable, strangers), "{flag}");
        assert!(!party.done());
    }
}

#[test]
fn accounts_currencies_and_limits_are_the_banks_own() {
    let reason = |options: BankOptions, wants: PartyOptions| {
        let mut party = party::Party::new(PartyOptions { transfers: 1, ..wants }, NOW).unwrap();
        let line = Bank::new(options, 1).unwrap().receive(NOW, &first(&mut party)).line.unwrap();
        line.reason
    };
    let one = PartyOptions { creditors: 1, ..PartyOptions::default() };
    assert_eq!(reason(BankOptions::default(), one.clone()), "");
    assert_eq!(reason(BankOptions { accounts: 0, ..BankOptions::default() }, one.clone()), "AC01");
    assert_eq!(reason(BankOptions { limit_minor: 0, ..BankOptions::default() }, one.clone()), "AM02");
    assert_eq!(reason(BankOptions::default(), PartyOptions { currency: "JPY".into(), ..one }), "AM03");
}

#[test]
fn a_final_status_that_changes_is_a_contradiction() {
    let (mut bank, mut party) = (bank(&[]), party(PartyOptions::default()));
    let actions = bank.receive(NOW, &first(&mut party)).actions;
    let [Action::Answer { envelope, .. }] = actions.as_slice() else { panic!("one answer") };
    party.receive(at(1), envelope);
    assert_eq!(party.receive(at(2), envelope), None);
    let other = String::from_utf8(envelope.clone()).unwrap().replace("ACSC", "RJCT");
    assert_eq!(party.receive(at(3), other.as_bytes()).unwrap().record, sent::Record::Contradiction);
    assert_eq!((party.summary().confirmed, party.summary().contradictions), (1, 1));
}

#[test]
fn any_bytes_are_survived() {
    let (mut bank, mut party) = (bank(&[]), party(PartyOptions::default()));
    let mut rng = fastrand::Rng::with_seed(3);
    let transfer = first(&mut party);
    for _ in 0..2000 {
        let mut bytes = transfer.clone();
        for _ in 0..rng.usize(1..4) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
        }
        bank.receive(NOW, &bytes);
        party.receive(at(1), &bytes);
    }
    assert!(bank.counts().unreadable > 0);
}

/// Runs a party against a bank over sockets; gives both summaries.
async fn meet(bank: BankOptions, party: PartyOptions) -> (super::Summary, party::Summary) {
    let (listening, address) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(serve(bank, |at| listening.send(at).unwrap(), async {
        stopped.await.map_err(|_| Error::Journal("the test has gone".to_owned()))
    }));
    let connect = address.await.unwrap().to_string();
    let told = party::drive(PartyOptions { connect, ..party }, std::future::pending()).await.unwrap();
    stop.send(()).unwrap();
    (serving.await.unwrap().unwrap(), told)
}

/// The last line of each UETR.
fn read<T: serde::de::DeserializeOwned>(path: &Path, uetr: impl Fn(&T) -> String) -> BTreeMap<String, T> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str::<T>(line).unwrap()).map(|line| (uetr(&line), line)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_books_agree_item_by_item_whatever_the_bank_does() {
    let scratch = Scratch::new("bank-books");
    let (banks, partys): (PathBuf, PathBuf) = (scratch.file("bank.ndjson"), scratch.file("party.ndjson"));
    let flags = [
        "silent,amount_ends=1,pending=2",
        "lost,amount_ends=2",
        "twice,amount_ends=3",
        "garbled,amount_ends=4",
        "wrong-ids,amount_ends=5",
        "pending,amount_ends=6,pending=1",
        "disconnect-before,amount_ends=7,times=4",
        "disconnect-after,amount_ends=8,times=4",
        "late,ms=5,amount_ends=9",
        "reject,reason=AG01,creditor_ends=0",
        "lost,on=pacs.028,per_mille=100",
    ];
    let bank = BankOptions { book: Some(banks.clone()), rules: rules(&flags), ..BankOptions::default() };
    let party = PartyOptions {
        book: Some(partys.clone()),
        transfers: 300,
        ask_after_ms: 40,
        ask_every_ms: 10,
        asks: u32::MAX,
        doubles_per_mille: 50,
        curious_per_mille: 100,
        ..PartyOptions::default()
    };
    let (bank, party) = meet(bank, party).await;
    assert_eq!((party.sent, party.unknown, party.contradictions), (300, 0, 0), "{party:?}");
    assert!(party.asked_about > 0 && party.confirmed > 0 && party.doubles > 0 && party.connections > 1, "{party:?}");
    assert!(bank.counts.resent > 0 && bank.counts.enquiries_unknown > 0 && bank.counts.conflicts == 0, "{bank:?}");
    assert!(flags.iter().all(|flag| bank.counts.acts.contains_key(flag.split(',').next().unwrap())), "{:?}", bank.counts.acts);
    let booked = read::<Line>(&banks, |line| line.uetr.clone());
    let told = read::<sent::Line>(&partys, |line| line.uetr.clone());
    assert_eq!(told.len(), 300);
    assert_eq!(bank.executed_in_book, usize::try_from(party.executed).unwrap());
    assert_eq!(bank.executed_minor, party.executed_minor);
    for (uetr, line) in &told {
        let other = &booked[uetr];
        let (this, that) = ((&line.status, &line.reason, &line.message_id), (&other.status, &other.reason, &other.message_id));
        assert_eq!(this, that, "{uetr}");
        if other.record != Record::Unknown {
            assert_eq!((line.amount_minor, &line.creditor_account), (other.amount_minor, &other.creditor_account));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn books_are_continued_and_open_transfers_asked_about() {
    let scratch = Scratch::new("bank-continued");
    let (banks, partys) = (scratch.file("bank.ndjson"), scratch.file("party.ndjson"));
    let silent = BankOptions { book: Some(banks.clone()), rules: rules(&["silent,pending=1"]), ..BankOptions::default() };
    let hasty = PartyOptions {
        book: Some(partys.clone()),
        transfers: 10,
        creditors: 10,
        ask_after_ms: 1,
        ask_every_ms: 1,
        asks: 1,
        ..PartyOptions::default()
    };
    let (bank, party) = meet(silent.clone(), hasty.clone()).await;
    assert_eq!((bank.executed_in_book, party.executed, party.unknown), (10, 0, 10));
    // A party that was killed has no outcome lines at all.
    let text = std::fs::read_to_string(&partys).unwrap();
    let only_sent: String =
        text.lines().filter(|line| line.contains("\"record\":\"sent\"")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&partys, only_sent).unwrap();
    let patient = PartyOptions { transfers: 0, asks: u32::MAX, ..hasty };
    let (bank, party) = meet(silent, patient).await;
    assert_eq!(bank.counts.asked_about, 0, "the book says that each was asked about before");
    assert_eq!((bank.executed_in_book, party.resumed, party.executed, party.sent), (10, 10, 10, 0));
    assert_eq!(bank.counts.transfers, 0, "asked about, never sent again");
}
