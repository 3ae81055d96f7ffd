//! Single-message routes: the network's settlement totals against our `online` captures.
//!
//! Net amounts are compared, by kind and currency over the whole report: a purchase that timed out here is
//! counted and reversed there and never was a capture of ours. Dates are compared item by item elsewhere.

use std::collections::BTreeMap;

use ledger::PaymentKind;
use payments::outgoing::MessageSystem;
use payments::{Currency, State};

use super::book::BookItem;
use super::breaks::{Book, Break, Code};
use super::clearing::minor;
use super::report::{ItemKind, Report};

/// Compares the totals. Returns how many rows there were to compare.
pub(super) fn compare(ledger: &[BookItem], report: &Report, breaks: &mut Vec<Break>) -> usize {
    let mut theirs: BTreeMap<(ItemKind, Currency), i128> = BTreeMap::new();
    for total in &report.totals {
        *theirs.entry((total.kind, total.currency)).or_default() += i128::from(total.amount) - i128::from(total.reversed_amount);
    }
    let mut ours: BTreeMap<(ItemKind, Currency), i128> = BTreeMap::new();
    for item in ledger.iter().filter(|item| item.system == MessageSystem::Single && item.state != State::Reversing) {
        let kind = match item.kind {
            PaymentKind::Purchase => ItemKind::Purchase,
            PaymentKind::Authorization => ItemKind::Completion,
            PaymentKind::Refund => ItemKind::Refund,
            PaymentKind::Transfer => continue,
        };
        let captured = item.captured(None);
        if captured != 0 {
            *ours.entry((kind, item.currency)).or_default() += captured;
        }
    }
    let groups: std::collections::BTreeSet<(ItemKind, Currency)> = ours.keys().chain(theirs.keys()).copied().collect();
    for (kind, currency) in &groups {
        let of = |sums: &BTreeMap<(ItemKind, Currency), i128>| sums.get(&(*kind, *currency)).copied().unwrap_or(0);
        if of(&ours) != of(&theirs) {
            let says = |sum| format!("{kind:?} {} net", minor(sum, *currency));
            breaks.push(Break {
                code: Code::NetworkTotals,
                payment: None,
                rrn: String::new(),
                network_id: String::new(),
                ard: String::new(),
                one: (Book::Ledger, says(of(&ours))),
                other: (Book::Issuer, says(of(&theirs))),
            });
        }
    }
    groups.len()
}
