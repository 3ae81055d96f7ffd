//! The issuer's items against the ledger.

use std::collections::BTreeMap;

use ledger::PaymentKind;
use payments::outgoing::MessageSystem;
use payments::{PaymentId, State};

use super::book::BookItem;
use super::breaks::{Book, Break, Code};
use super::clearing::minor;
use super::report::{IssuerItem, ItemKind, ItemState};

/// What the comparison counted besides its breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counted {
    /// Items matched with a payment.
    pub matched: usize,
    /// Items that the issuer reversed and of which we never had more than a decline or a timeout.
    pub reversed_unmatched: usize,
    /// Payments whose reversal is still owed: they may stand either way at the issuer.
    pub reversals_owed: usize,
}

/// Compares every item both ways.
pub(super) fn compare(ledger: &[BookItem], issuer: &[IssuerItem], breaks: &mut Vec<Break>) -> Counted {
    let mut by_network_id = BTreeMap::new();
    let mut by_numbers = BTreeMap::new();
    for (at, item) in ledger.iter().enumerate() {
        if let Some(id) = item.network_id {
            by_network_id.insert(id, at);
        }
        by_numbers.insert((item.rrn, item.stan), at);
    }
    let mut counted = Counted::default();
    let mut of_payment: BTreeMap<usize, Vec<&IssuerItem>> = BTreeMap::new();
    for item in issuer {
        let found = by_network_id.get(&item.network_id).or_else(|| by_numbers.get(&(item.rrn, item.stan)));
        match found {
            Some(at) => of_payment.entry(*at).or_default().push(item),
            None if item.state == ItemState::Reversed => counted.reversed_unmatched += 1,
            None => breaks.push(differs(Code::MissingInSwitch, None, item, "nothing".to_owned())),
        }
    }
    for (at, item) in ledger.iter().enumerate() {
        let theirs = of_payment.get(&at).map_or(&[][..], Vec::as_slice);
        counted.matched += theirs.len();
        counted.reversals_owed += usize::from(item.is_reversing());
        compare_item(item, theirs, breaks);
    }
    counted
}

fn compare_item(item: &BookItem, theirs: &[&IssuerItem], breaks: &mut Vec<Break>) {
    // What has to stand at the issuer, if anything is known to stand there at all.
    let open = matches!(item.state, State::Approved | State::Captured);
    let approved = if open { i128::from(item.approved) } else { 0 };
    // A completion that went on as a message replaced the amount of the authorization.
    let online = open && item.system == MessageSystem::Single && item.state == State::Captured;
    let standing = if online { item.captured(None) } else { approved };
    if open && item.captured(None) > approved {
        let code = if item.forward_captures() > 1 { Code::Duplicate } else { Code::BeyondApproval };
        let captured = minor(item.captured(None), item.currency);
        let ours = format!("{captured} captured in {} items", item.forward_captures());
        match theirs.first() {
            Some(first) => breaks.push(differs(code, Some(item.payment), first, ours)),
            None => breaks.push(absent(code, item, ours)),
        }
    }
    let open_items = theirs.iter().filter(|item| item.state == ItemState::Open).count();
    if let (true, Some(second)) = (open_items > 1, theirs.last()) {
        return breaks.push(differs(Code::Duplicate, Some(item.payment), second, says(item, standing)));
    }
    // Of several, the open one counts; the others were reversed and have no effect.
    let chosen = theirs.iter().find(|item| item.state == ItemState::Open).or(theirs.first());
    let Some(their) = chosen else {
        if open && standing > 0 {
            breaks.push(absent(Code::MissingAtIssuer, item, says(item, standing)));
        }
        return;
    };
    if item.is_reversing() {
        return;
    }
    let mut say = |code| breaks.push(differs(code, Some(item.payment), their, says(item, standing)));
    // A reversal after the freeze goes into clearing, not to the issuer, whose item stays as it was.
    let stands = i128::from(their.amount);
    let credited = item.credited();
    let untouched =
        credited > 0 && their.state == ItemState::Open && (stands == standing + credited || stands == i128::from(item.approved));
    let refund = item.kind == PaymentKind::Refund;
    if their.currency != item.currency {
        say(Code::Currency);
    } else if refund != (their.kind == ItemKind::Refund) {
        say(Code::Direction);
    } else if untouched {
        // As it should be.
    } else if !open && their.state == ItemState::Open {
        say(Code::OpenAtIssuer);
    } else if open && their.state == ItemState::Reversed {
        say(Code::ReversedAtIssuer);
    } else if open && stands != standing {
        say(Code::Amount);
    } else if open {
        if their.captured != online {
            say(Code::Captured);
        } else if online && !item.settlement_date.is_empty() && their.settlement_date != item.settlement_date {
            say(Code::SettlementDate);
        }
    }
}

fn says(item: &BookItem, standing: i128) -> String {
    let system = if item.system == MessageSystem::Single { "single" } else { "dual" };
    let mut text = format!("{:?} {} on a {system}-message route, {}", item.kind, item.state, minor(standing, item.currency));
    if !item.settlement_date.is_empty() {
        text.push_str(&format!(", settlement date {}", item.settlement_date));
    }
    text
}

fn differs(code: Code, payment: Option<PaymentId>, theirs: &IssuerItem, ours: String) -> Break {
    let amount = minor(i128::from(theirs.amount), theirs.currency);
    let how = if theirs.captured { "by message" } else { "by presentment" };
    Break {
        code,
        payment,
        rrn: theirs.rrn.to_string(),
        network_id: theirs.network_id.to_string(),
        ard: String::new(),
        one: (Book::Ledger, ours),
        other: (
            Book::Issuer,
            format!("{:?} {:?} {how}, {amount}, settlement date {}", theirs.kind, theirs.state, theirs.settlement_date),
        ),
    }
}

fn absent(code: Code, item: &BookItem, ours: String) -> Break {
    Break {
        code,
        payment: Some(item.payment),
        rrn: item.rrn.to_string(),
        network_id: item.network_id.map_or(String::new(), |id| id.to_string()),
        ard: String::new(),
        one: (Book::Ledger, ours),
        other: (Book::Issuer, "nothing".to_owned()),
    }
}
