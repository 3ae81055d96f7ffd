//! The judge of credit transfers, item by item (UETR, and the message id that the switch made of its
//! payment): what the instructing party was told, what the bank booked, what our record says.
//!
//! | party was told | bank | record |
//! |---|---|---|
//! | ACSC | booked once, for that amount | executed, one journal for it, its hold ended |
//! | RJCT | rejected for that reason, or asked about and never there | declined, no journal, its hold ended |
//! | RJCT, by the switch | nothing | declined (counted only: nobody else has its id) |

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use simulators::bank::line::{Line as BankLine, Record as AtBank};
use simulators::bank::party::line::{Line as PartyLine, Record as AtParty};
use store::reports::History;

use super::record::Transfers;
use super::{BookError, Finding, Sum, lines};

/// The party's book: the last line about each transfer, by UETR.
#[derive(Debug, Clone, Default)]
pub struct PartyBook {
    transfers: BTreeMap<String, PartyLine>,
    /// Transfers of which two final statuses were told.
    pub contradicted: BTreeSet<String>,
}

/// The bank's book, by UETR.
#[derive(Debug, Clone, Default)]
pub struct BankBook {
    transfers: BTreeMap<String, BankLine>,
    /// Transfers that it was asked about.
    pub asked: BTreeSet<String>,
    /// Transfers that came more than once.
    pub again: BTreeSet<String>,
}

/// What became of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Booked by the bank.
    Executed,
    /// Rejected by the bank.
    Rejected,
    /// It never came to the bank, which said so when it was asked.
    NeverCame,
}

impl Outcome {
    /// Every outcome that a demonstration must show.
    pub const ALL: [Outcome; 3] = [Outcome::Executed, Outcome::Rejected, Outcome::NeverCame];

    /// Its name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Executed => "executed",
            Self::Rejected => "rejected",
            Self::NeverCame => "never came",
        }
    }
}

/// How many of an outcome each book has, and for how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Row {
    /// What the instructing party has.
    pub party: Sum,
    /// What the bank has. Of what never came it knows no amount.
    pub bank: Sum,
    /// What the record has.
    pub record: Sum,
}

impl Row {
    /// Whether the three books agree on something.
    pub fn agrees(&self, outcome: Outcome) -> bool {
        let amount = outcome == Outcome::NeverCame || self.bank.minor == self.party.minor;
        self.party.count > 0 && self.party.count == self.bank.count && amount && self.record == self.party
    }
}

/// What the judge looked at, and what he found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verdict {
    /// By outcome, as each book has it.
    pub outcomes: BTreeMap<Outcome, Row>,
    /// Transfers compared item by item.
    pub compared: u64,
    /// Of these, asked about by the switch, by the bank's book.
    pub asked_about: u64,
    /// Of these, asked about by the record: an enquiry was owed.
    pub enquiries_owed: u64,
    /// Told by the switch before anything was sent.
    pub own_declines: u64,
    /// What does not agree.
    pub findings: Vec<Finding>,
}

impl PartyBook {
    /// Reads a book.
    ///
    /// # Errors
    /// A line that is not one, named.
    pub fn read(path: &Path) -> Result<Self, BookError> {
        Ok(Self::of(lines(path)?))
    }

    pub(super) fn of(lines: Vec<PartyLine>) -> Self {
        let mut book = Self::default();
        for line in lines {
            if line.record == AtParty::Contradiction {
                book.contradicted.insert(line.uetr);
            } else {
                book.transfers.insert(line.uetr.clone(), line);
            }
        }
        book
    }

    /// Transfers.
    pub fn count(&self) -> u64 {
        self.transfers.len() as u64
    }
}

impl BankBook {
    /// Reads a book.
    ///
    /// # Errors
    /// A line that is not one, named.
    pub fn read(path: &Path) -> Result<Self, BookError> {
        Ok(Self::of(lines(path)?))
    }

    pub(super) fn of(lines: Vec<BankLine>) -> Self {
        let mut book = Self::default();
        for line in lines {
            let uetr = line.uetr.clone();
            match line.record {
                AtBank::Again => _ = book.again.insert(uetr),
                AtBank::Enquiry => _ = book.asked.insert(uetr),
                AtBank::Unknown => {
                    book.asked.insert(uetr.clone());
                    book.transfers.insert(uetr, line);
                }
                AtBank::Transfer => {
                    if book.transfers.insert(uetr.clone(), line).is_some() {
                        book.again.insert(uetr);
                    }
                }
            }
        }
        book
    }

    /// The message ids of everything in it.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.transfers.values().map(|line| line.message_id.as_str())
    }
}

/// Holds the three books against each other.
pub fn judge(party: &PartyBook, bank: &BankBook, record: &Transfers) -> Verdict {
    let mut verdict = Verdict::default();
    for (uetr, told) in &party.transfers {
        let booked = bank.transfers.get(uetr);
        let history = booked.and_then(|line| record.of_id(&line.message_id));
        let mut wrong = weigh(told, booked, history);
        if party.contradicted.contains(uetr) {
            wrong = Some("two final statuses were told");
        } else if bank.again.contains(uetr) {
            wrong = Some("sent to the bank more than once");
        }
        verdict.own_declines += u64::from(booked.is_none());
        if let Some(what) = wrong {
            verdict.findings.push(Finding { item: uetr.clone(), what: what.to_owned(), books: said(told, booked, history) });
        }
        verdict.count(told, booked, history, bank.asked.contains(uetr));
    }
    for (uetr, line) in bank.transfers.iter().filter(|(uetr, _)| !party.transfers.contains_key(*uetr)) {
        let what = "at the bank, and nobody instructed it".to_owned();
        verdict.findings.push(Finding { item: uetr.clone(), what, books: format!("bank {} {}", line.status, line.amount_minor) });
    }
    let known = verdict.compared + verdict.own_declines;
    if record.in_record != known {
        let books = format!("{} in the record, {known} of the party", record.in_record);
        let what = "the record has transfers that nobody instructed, or lacks some".to_owned();
        verdict.findings.push(Finding { item: String::new(), what, books });
    }
    verdict
}

impl Verdict {
    /// Each book's outcome by its own words.
    fn count(&mut self, told: &PartyLine, booked: Option<&BankLine>, history: Option<&History>, asked: bool) {
        let Some(booked) = booked else { return };
        let never_came = booked.record == AtBank::Unknown;
        let rejected = if never_came { Outcome::NeverCame } else { Outcome::Rejected };
        let outcome = |executed: bool| if executed { Outcome::Executed } else { rejected };
        self.compared += u64::from(history.is_some());
        self.asked_about += u64::from(asked);
        if !told.status.is_empty() {
            self.outcomes.entry(outcome(executed(&told.status))).or_default().party.add(told.amount_minor);
        }
        self.outcomes.entry(outcome(booked.executed())).or_default().bank.add(booked.amount_minor);
        let Some(history) = history else { return };
        self.enquiries_owed += u64::from(history.lanes.iter().any(|lane| lane.kind == "enquiry"));
        if matches!(history.state.as_str(), "executed" | "declined") {
            self.outcomes.entry(outcome(history.state == "executed")).or_default().record.add(history.amount);
        }
    }
}

/// What is wrong with a transfer, if anything.
fn weigh(told: &PartyLine, booked: Option<&BankLine>, history: Option<&History>) -> Option<&'static str> {
    let Some(booked) = booked else {
        return (told.status != "RJCT").then_some("the bank never saw it, and its party was not told that it is rejected");
    };
    let Some(history) = history else { return Some("at the bank, and not in the record") };
    let never_came = booked.record == AtBank::Unknown;
    let told_ids = (&told.end_to_end_id, &told.transaction_id);
    if told.status.is_empty() {
        Some("its party was never told the outcome")
    } else if executed(&told.status) != booked.executed() {
        Some("its party was told another outcome than the bank has")
    } else if told.reason != booked.reason {
        Some("its party was told another reason than the bank has")
    } else if told_ids != (&booked.end_to_end_id, &booked.transaction_id)
        || history.end_to_end_id.as_ref() != Some(&told.end_to_end_id)
    {
        Some("its ids differ")
    } else if history.amount != told.amount_minor || (!never_came && booked.amount_minor != told.amount_minor) {
        Some("its amounts differ")
    } else if !never_came
        && (&booked.currency, &booked.debtor_account, &booked.creditor_account)
            != (&told.currency, &told.debtor_account, &told.creditor_account)
    {
        Some("its accounts or currencies differ")
    } else if history.hold.as_ref().is_none_or(|hold| !hold.released || hold.amount != told.amount_minor) {
        Some("no hold for it that has ended")
    } else if history.lanes.iter().any(|lane| lane.ended.is_none()) {
        Some("an enquiry is still owed")
    } else if booked.executed() {
        let posted: i64 =
            history.journals.iter().flat_map(|journal| &journal.entries).filter(|e| e.side == "D").map(|e| e.amount).sum();
        (history.state != "executed" || history.journals.len() != 1 || posted != told.amount_minor)
            .then_some("executed at the bank, not posted once in the record")
    } else {
        (history.state != "declined" || !history.journals.is_empty()).then_some("rejected at the bank, not so in the record")
    }
}

fn executed(status: &str) -> bool {
    matches!(status, "ACSC" | "ACCC")
}

fn said(told: &PartyLine, booked: Option<&BankLine>, history: Option<&History>) -> String {
    let bank = booked.map_or("nothing".to_owned(), |line| format!("{} {} {}", line.status, line.reason, line.amount_minor));
    let record = history.map_or("nothing".to_owned(), |payment| {
        let hold = payment.hold.as_ref().map_or("none", |hold| if hold.released { "ended" } else { "open" });
        format!("{} {} journals {} hold {hold}", payment.state, payment.amount, payment.journals.len())
    });
    format!("party {} {} {}; bank {bank}; record {record}", told.status, told.reason, told.amount_minor)
}
