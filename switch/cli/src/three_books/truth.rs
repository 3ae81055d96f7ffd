//! The judge of the three books, by the truth table of payment semantics, item by item (DE37): what a
//! terminal saw, what the issuer has at the end, what our record says and captures.
//!
//! | terminal saw | issuer | record |
//! |---|---|---|
//! | approval | open for that amount, once | one payment, approved or captured once |
//! | approval, then its reversal | reversed once, or never there | not captured, nothing owed |
//! | the same, after the presentment was frozen | open, once | captured and credited in clearing |
//! | decline, or nothing | declined with the same code, absent, or reversed once | not captured, nothing owed |
//! | balance | nothing | no journal |

use std::collections::BTreeMap;

use serde::Serialize;
use simulators::issuer::line::{Kind, Standing as AtIssuer};
use simulators::pos::record::Standing;
use store::reports::History;

use super::Finding;
use super::issuer::{IssuerBook, Item};
use super::record::Payments;
use super::terminals::{Seen, TerminalsBook};

/// What the judge looked at, and what he found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verdict {
    /// Items by row of the truth table.
    pub populations: BTreeMap<&'static str, u64>,
    /// What does not agree.
    pub findings: Vec<Finding>,
}

/// Rows of the truth table that every trial must have looked at: a check of nothing proves nothing.
pub const ROWS: [&str; 6] = [
    "sale approved",
    "authorization approved",
    "refund approved",
    "declined by the issuer",
    "taken back once at the issuer",
    "never at the issuer",
];

impl Verdict {
    /// Items looked at.
    pub fn items(&self) -> u64 {
        self.populations.values().sum()
    }

    /// Adds another one's counts and findings.
    pub fn add(&mut self, other: Verdict) {
        for (row, count) in other.populations {
            *self.populations.entry(row).or_default() += count;
        }
        self.findings.extend(other.findings);
    }

    /// Rows that nothing was found for.
    pub fn unseen(&self) -> Vec<&'static str> {
        ROWS.into_iter().filter(|row| self.populations.get(row).is_none_or(|count| *count == 0)).collect()
    }
}

/// Holds the books against each other. `issuers` by the name of the network.
pub fn judge(terminals: &TerminalsBook, issuers: &BTreeMap<String, IssuerBook>, record: &Payments) -> Verdict {
    let mut verdict = Verdict::default();
    for seen in &terminals.transactions {
        let items = issuers.get(&seen.network).map(|book| book.of_rrn(&seen.rrn)).unwrap_or_default();
        let payments = record.of_rrn(&seen.rrn);
        let (row, wrong) = weigh(seen, items, payments);
        *verdict.populations.entry(row).or_default() += 1;
        if let Some(what) = wrong {
            verdict.findings.push(Finding { item: seen.rrn.clone(), what, books: told(seen, items, payments) });
        }
    }
    verdict
}

/// Items that stand at an issuer and that no terminal knows of, and payments in the record that no
/// terminal asked for. `all` is every terminals' book of the laboratory.
pub fn strangers(all: &[TerminalsBook], issuers: &BTreeMap<String, IssuerBook>, record: &Payments) -> Vec<Finding> {
    let known: std::collections::BTreeSet<&str> =
        all.iter().flat_map(|book| &book.transactions).map(|seen| seen.rrn.as_str()).collect();
    let open = issuers.values().flat_map(IssuerBook::all).filter(|item| item.is_open() && !known.contains(item.rrn.as_str()));
    let mut found: Vec<Finding> = open
        .map(|item| Finding {
            item: item.rrn.clone(),
            what: "open at the issuer, no terminal asked for it".to_owned(),
            books: format!("{item:?}"),
        })
        .collect();
    if record.count() != record.in_record {
        found.push(Finding {
            item: String::new(),
            what: "the record has payments that no terminal asked for".to_owned(),
            books: format!("{} in the record, {} of terminals", record.in_record, record.count()),
        });
    }
    found
}

type Weighed = (&'static str, Option<String>);

fn weigh(seen: &Seen, items: &[Item], payments: &[History]) -> Weighed {
    if seen.kind == "balance" {
        let effect = !items.is_empty() || payments.iter().any(|payment| !payment.journals.is_empty());
        return ("balance", effect.then(|| "a balance enquiry has an effect".to_owned()));
    }
    match seen.standing {
        Some(Standing::Approved | Standing::Completed) => approved(seen, items, payments),
        // Nobody takes back what was asked with a wrong MAC: it must not have been taken in.
        Some(Standing::Declined | Standing::Reversed | Standing::Unanswered) => taken_back(seen, items, payments),
        Some(Standing::Reversing) | None => {
            ("without an end at the terminal", Some("the terminal never learned how it ended".to_owned()))
        }
    }
}

fn approved(seen: &Seen, items: &[Item], payments: &[History]) -> Weighed {
    let completed = seen.standing == Some(Standing::Completed);
    let row = match seen.kind.as_str() {
        "refund" => "refund approved",
        "authorization" if completed => "authorization completed",
        "authorization" => "authorization approved",
        _ => "sale approved",
    };
    let [payment] = payments else { return (row, Some(format!("approved, {} payments in the record", payments.len()))) };
    let [item] = items else { return (row, Some(format!("approved, {} items at the issuer", items.len()))) };
    let captured = net_captures(payment);
    let wrong = if item.standing != AtIssuer::Open {
        Some("approved, not open at the issuer")
    } else if open_nets(payment) {
        Some("approved, a reversal is still owed")
    } else if seen.kind == "authorization" && !completed {
        (payment.state != "approved" || payment.approved != seen.stands || item.stands != seen.stands || captured != (0, 0))
            .then_some("an open authorization is not approved for its amount in all books")
    } else if payment.state != "captured" {
        Some("approved, not captured in the record")
    } else if captured != (1, seen.stands) {
        Some("not captured exactly once for what the terminal saw")
    } else if item.kind == Kind::Authorization && completed {
        // Completed by our presentment: the network's own book keeps the authorization.
        (item.stands != payment.approved).then_some("the authorization differs between issuer and record")
    } else {
        let cleared_by_us = completed || item.kind == Kind::Authorization;
        (item.stands != seen.stands && !(cleared_by_us && item.stands == payment.approved))
            .then_some("the issuer has another amount open")
    };
    (row, wrong.map(str::to_owned))
}

/// Reversed by its terminal when the presentment was frozen already: the file that follows takes it back.
fn credited(seen: &Seen, items: &[Item], payment: &History) -> Weighed {
    let wrong = match items {
        _ if payment.state != "reversed" => Some("a credit in clearing, not reversed in the record"),
        _ if open_nets(payment) => Some("a credit in clearing, and a reversal is owed"),
        _ if net_captures(payment) != (1, 0) => Some("the credit is not for what was captured once"),
        [item] if item.is_open() && Some(item.stands) == seen.approved => None,
        _ => Some("a credit in clearing, and the issuer has it not open once for what was approved"),
    };
    ("credited after the freeze", wrong.map(str::to_owned))
}

/// Whether its reversal became a credit in clearing.
pub(super) fn is_credited(payment: &History) -> bool {
    payment.events.iter().any(|event| event.cause == "clearing-credit")
}

fn taken_back(seen: &Seen, items: &[Item], payments: &[History]) -> Weighed {
    if let ([payment], Some(Standing::Reversed)) = (payments, seen.standing)
        && is_credited(payment)
    {
        return credited(seen, items, payment);
    }
    let declined = seen.standing == Some(Standing::Declined);
    let row = match items.first().map(|item| item.standing) {
        None => "never at the issuer",
        Some(AtIssuer::Declined) => "declined by the issuer",
        Some(AtIssuer::Open | AtIssuer::Reversed | AtIssuer::Unknown) => "taken back once at the issuer",
    };
    let open = items.iter().any(Item::is_open);
    let twice = items.len() > 1 || items.iter().any(|item| item.reversed > 1);
    let not_taken_back = items.iter().any(|item| item.standing == AtIssuer::Reversed && item.reversed != 1);
    let wrong = if open {
        Some("the terminal has nothing, the issuer has it open")
    } else if twice {
        Some("an effect at the issuer more than once")
    } else if not_taken_back {
        Some("reversed without a reversal")
    } else if payments.len() > 1 {
        Some("more than one payment in the record")
    } else if let Some(payment) = payments.first() {
        let settled = matches!(payment.state.as_str(), "declined" | "reversed" | "abandoned");
        let code = payment.code.as_deref().unwrap_or_default();
        let by_issuer = items.first().filter(|item| item.standing == AtIssuer::Declined);
        if !settled {
            Some("the terminal has nothing, the record has it standing")
        } else if net_captures(payment).1 != 0 {
            Some("the terminal has nothing, the record captured it")
        } else if open_nets(payment) {
            Some("a reversal is still owed")
        } else if declined
            && payment.state == "declined"
            && by_issuer.is_some_and(|item| item.code != seen.code || code != seen.code)
        {
            Some("declined with different codes")
        } else {
            None
        }
    } else {
        // Never accepted by us, so nothing of it may be anywhere else.
        (!items.is_empty()).then_some("at the issuer, and not in the record")
    };
    (row, wrong.map(str::to_owned))
}

/// Sales and refunds, and what is left of them after voids and credits.
fn net_captures(payment: &History) -> (usize, i64) {
    let takes = |kind: &str| matches!(kind, "sale" | "refund");
    let count = payment.captures.iter().filter(|capture| takes(&capture.kind)).count();
    let sum = payment.captures.iter().map(|capture| if takes(&capture.kind) { capture.amount } else { -capture.amount }).sum();
    (count, sum)
}

/// Whether any message to the network is still owed.
fn open_nets(payment: &History) -> bool {
    payment.lanes.iter().any(|lane| lane.ended.is_none())
}

fn told(seen: &Seen, items: &[Item], payments: &[History]) -> String {
    let issuer: Vec<String> = items
        .iter()
        .map(|item| format!("{:?} {} code {} reversed {}x", item.standing, item.stands, item.code, item.reversed))
        .collect();
    let record: Vec<String> = payments
        .iter()
        .map(|payment| {
            let causes: Vec<&str> = payment.events.iter().map(|event| event.cause.as_str()).collect();
            let lanes: Vec<String> =
                payment.lanes.iter().map(|lane| format!("{} {}", lane.kind, lane.ended.as_deref().unwrap_or("owed"))).collect();
            let (captures, net) = net_captures(payment);
            format!(
                "{} {} code {} by {causes:?} lanes {lanes:?} captures {captures} net {net}",
                payment.state,
                payment.approved,
                payment.code.as_deref().unwrap_or("none")
            )
        })
        .collect();
    format!(
        "{} on {}: terminal {} {} code {:?}; issuer [{}]; record [{}]",
        seen.kind,
        seen.network,
        seen.standing.map_or("without an end", Standing::as_str),
        seen.stands,
        seen.code,
        issuer.join(", "),
        record.join(", ")
    )
}
