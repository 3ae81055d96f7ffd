//! Clearing files against the ledger.

use std::collections::{BTreeMap, BTreeSet};

use files::ipm::Ard;
use ledger::PaymentKind;
use payments::outgoing::MessageSystem;
use payments::{BusinessDate, Currency, PaymentId};

use super::book::BookItem;
use super::breaks::{Book, Break, Code};
use crate::clearing::Row;

/// A presentment and the file that it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    /// Name of the file.
    pub file: String,
    /// The presentment.
    pub row: Row,
}

impl Cleared {
    fn says(&self) -> String {
        let Row { number, amount, movement, .. } = &self.row;
        format!("{movement:?} of {amount}, presentment {number} of {}", self.file)
    }

    fn place(&self, code: Code, payment: Option<PaymentId>, ledger: String) -> Break {
        Break {
            code,
            payment,
            rrn: self.row.rrn.clone(),
            network_id: self.row.network_id.clone(),
            ard: self.row.ard.to_string(),
            one: (Book::Ledger, ledger),
            other: (Book::Clearing, self.says()),
        }
    }
}

/// How a presentment finds its payment.
pub(super) struct Index<'a> {
    by_ard: BTreeMap<Ard, usize>,
    by_network_id: BTreeMap<&'a str, usize>,
    by_rrn: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Index<'a> {
    pub(super) fn of(ledger: &'a [BookItem]) -> Self {
        let mut index = Self { by_ard: BTreeMap::new(), by_network_id: BTreeMap::new(), by_rrn: BTreeMap::new() };
        for (at, item) in ledger.iter().enumerate() {
            index.by_ard.extend(item.captures.iter().filter_map(|capture| Some((capture.ard?, at))));
            if let Some(id) = &item.network_id {
                index.by_network_id.insert(id.as_str(), at);
            }
            let approval = item.approval.as_ref().map_or("", |approval| approval.as_str());
            index.by_rrn.insert((item.rrn.as_str(), approval), at);
        }
        index
    }

    /// By reference, then by the network's id, then by DE37 and DE38.
    fn find(&self, row: &Row) -> Option<usize> {
        let by_id = || self.by_network_id.get(row.network_id.as_str()).filter(|_| !row.network_id.is_empty());
        let by_rrn = || self.by_rrn.get(&(row.rrn.as_str(), row.approval.as_str()));
        self.by_ard.get(&row.ard).or_else(by_id).or_else(by_rrn).copied()
    }
}

/// Compares the files with the ledger's captures of dual-message routes up to the last closed day.
pub(super) fn compare(ledger: &[BookItem], cleared: &[Cleared], through: BusinessDate, breaks: &mut Vec<Break>) {
    let index = Index::of(ledger);
    let mut of_payment: BTreeMap<usize, Vec<&Cleared>> = BTreeMap::new();
    for presentment in cleared {
        match index.find(&presentment.row) {
            Some(at) => of_payment.entry(at).or_default().push(presentment),
            None => breaks.push(presentment.place(Code::MissingInSwitch, None, "nothing".to_owned())),
        }
    }
    for (at, item) in ledger.iter().enumerate() {
        let presented = of_payment.get(&at).map_or(&[][..], Vec::as_slice);
        if item.system == MessageSystem::Dual || !presented.is_empty() {
            compare_item(item, presented, through, breaks);
        }
    }
}

fn compare_item(item: &BookItem, presented: &[&Cleared], through: BusinessDate, breaks: &mut Vec<Break>) {
    let aside = item.set_aside();
    let captured = if item.system == MessageSystem::Dual { item.captured(Some(through)) } else { 0 };
    let due = (captured - aside) * item.sign();
    let absent = |code, ours: String, files: String| Break {
        code,
        payment: Some(item.payment),
        rrn: item.rrn.to_string(),
        network_id: item.network_id.map_or(String::new(), |id| id.to_string()),
        ard: item.captures.iter().find_map(|capture| capture.ard).map_or(String::new(), |ard| ard.to_string()),
        one: (Book::Ledger, ours),
        other: (Book::Clearing, files),
    };
    if aside != 0 {
        let why = item.set_aside.as_deref().unwrap_or("no reason was recorded");
        let files = format!("{} set aside: {why}", minor(aside.abs(), item.currency));
        breaks.push(absent(Code::SetAside, says(item, captured), files));
    }
    let Some((last, _)) = presented.split_last() else {
        if due != 0 {
            breaks.push(absent(Code::MissingInClearing, says(item, due), "nothing".to_owned()));
        }
        return;
    };
    let mut say = |code, presentment: &Cleared| breaks.push(presentment.place(code, Some(item.payment), says(item, due)));
    if let Some(foreign) = presented.iter().find(|presentment| presentment.row.amount.currency() != item.currency) {
        return say(Code::Currency, foreign);
    }
    // The same reference may come once forward and once taken back, never twice the same way.
    let mut seen = BTreeSet::new();
    if let Some(again) = presented.iter().find(|presentment| !seen.insert((presentment.row.ard, presentment.row.movement))) {
        return say(Code::Duplicate, again);
    }
    let net: i128 = presented.iter().map(|p| p.row.movement.sign() * i128::from(p.row.amount.minor())).sum();
    if net == due {
        return;
    }
    let forward = presented.iter().filter(|p| p.row.movement.sign() == item.sign()).count();
    let code = match () {
        () if due == 0 && item.captured(None) * item.sign() == net => Code::Early,
        () if due == 0 => Code::ReversedButCleared,
        () if net == -due => Code::Direction,
        () if forward > item.forward_captures() && net.abs() > due.abs() => Code::Duplicate,
        () => Code::Amount,
    };
    say(code, last);
}

fn says(item: &BookItem, due: i128) -> String {
    let kind = match item.kind {
        PaymentKind::Refund => "refund",
        PaymentKind::Authorization => "authorization",
        PaymentKind::Purchase => "purchase",
        PaymentKind::Transfer => "transfer",
    };
    format!("{kind} {}, {} to be cleared", item.state, minor(due.abs(), item.currency))
}

/// A sum with its currency, also one that no single amount can hold.
pub(super) fn minor(sum: i128, currency: Currency) -> String {
    match i64::try_from(sum).ok().and_then(|minor| payments::Amount::new(minor, currency).ok()) {
        Some(amount) => amount.to_string(),
        None => format!("{sum} minor units {currency}"),
    }
}
