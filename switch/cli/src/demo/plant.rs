//! A reconciliation that finds nothing proves nothing: a break, a double capture and a double
//! presentment are planted in copies of the real books, and each must be found for what it is.

use std::collections::BTreeMap;

use payments::{BusinessDate, State};
use serde_json::{Value, json};
use settlement::reconciliation::{BookCapture, BookItem, Cleared, Code, Report, reconcile};

use super::steps::Steps;

/// The books of one network.
pub(super) struct Books<'a> {
    pub(super) network: &'a str,
    /// Presentments of published files; none where the network clears by its totals.
    pub(super) cleared: &'a [Cleared],
    pub(super) ledger: &'a [BookItem],
    pub(super) report: &'a Report,
    /// The last day whose captures were frozen.
    pub(super) through: BusinessDate,
}

/// Plants and finds; a line for each of what was planted.
pub(super) fn check(steps: &mut Steps, books: &Books<'_>) -> Vec<Value> {
    let Books { network, cleared, ledger, report, through } = *books;
    let breaks = |cleared: &[Cleared], ledger: &[BookItem], report: &Report| reconcile(cleared, ledger, report, through).breaks;
    steps.check(format!("{network}: nothing is found before anything is planted"), breaks(cleared, ledger, report).is_empty());
    let mut told = Vec::new();
    let mut found = |what: &str, code: Code, rrn: Option<&str>, breaks: Vec<settlement::reconciliation::Break>| {
        let right = rrn.is_some() && breaks.iter().any(|found| found.code == code && Some(found.rrn.as_str()) == rrn);
        let codes: std::collections::BTreeSet<String> = breaks.iter().map(|found| format!("{:?}", found.code)).collect();
        let codes: Vec<String> = codes.into_iter().collect();
        steps.check(format!("{network}: a planted {what} is found ({})", codes.join(", ")), right);
        told.push(json!({ "network": network, "planted": what, "item": rrn, "found": codes }));
    };

    let mut wrong = report.clone();
    // One that stands in the record as it stands at the issuer: of what was taken back or credited since, the
    // break would rightly go by another name.
    let stands = |rrn: &str| ledger.iter().any(|item| item.rrn.as_str() == rrn && item.state == State::Captured);
    let mut of_rrn: BTreeMap<String, usize> = BTreeMap::new();
    wrong.items.iter().for_each(|item| *of_rrn.entry(item.rrn.to_string()).or_default() += 1);
    let once = |rrn: &str| of_rrn.get(rrn) == Some(&1);
    let item = wrong.items.iter_mut().find(|item| item.amount > 0 && once(item.rrn.as_str()) && stands(item.rrn.as_str()));
    let rrn = item.map(|item| {
        item.amount += 1;
        item.approved += 1;
        item.rrn
    });
    let rrn = rrn.as_ref().map(|rrn| rrn.as_str());
    found("break, a wrong amount at the issuer,", Code::Amount, rrn, breaks(cleared, ledger, &wrong));

    let mut doubled = ledger.to_vec();
    let item = doubled.iter_mut().find(|item| item.state == State::Captured && item.captures.len() == 1);
    let rrn = item.and_then(|item| {
        let capture = item.captures.first().copied()?;
        item.captures.push(BookCapture { number: capture.number + 1, ..capture });
        Some(item.rrn)
    });
    let rrn = rrn.as_ref().map(|rrn| rrn.as_str());
    found("double capture", Code::Duplicate, rrn, breaks(cleared, &doubled, report));

    if let Some(first) = cleared.first() {
        let twice: Vec<Cleared> = cleared.iter().chain([first]).cloned().collect();
        let rrn = Some(first.row.rrn.as_str());
        found("presentment that stands twice", Code::Duplicate, rrn, breaks(&twice, ledger, report));
    }
    told
}
