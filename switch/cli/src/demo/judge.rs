//! The terminals' book against the ledger, item by item. (Ledger against issuer, and against the
//! clearing file, is what reconciliation does.)

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use ledger::CaptureKind;
use payments::State;
use serde::Deserialize;
use settlement::reconciliation::{BookItem, Report};

/// A line of the terminals' book, as far as it is judged.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    record: String,
    terminal: String,
    kind: String,
    #[serde(default)]
    network: String,
    #[serde(default)]
    rrn: String,
    stan: String,
    #[serde(default)]
    local: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    stands: Option<i64>,
}

/// How the terminals saw a transaction at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) rrn: String,
    pub(super) kind: String,
    pub(super) network: String,
    pub(super) state: String,
    pub(super) stands: i64,
}

/// What the comparison found.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Items compared.
    pub(super) compared: usize,
    /// By kind and state as the terminals saw it.
    pub(super) by_kind: BTreeMap<String, BTreeMap<String, u64>>,
    /// What does not agree.
    pub(super) differences: Vec<String>,
}

/// The last state line of every payment of a terminals' book.
pub(super) fn read(path: &Path) -> std::io::Result<Vec<Seen>> {
    let mut last: BTreeMap<(String, String, String), Seen> = BTreeMap::new();
    for line in BufReader::new(std::fs::File::open(path)?).lines() {
        let line: Line = serde_json::from_str(&line?).map_err(std::io::Error::other)?;
        let (Some(state), Some(local)) = (line.state, line.local) else { continue };
        let money = matches!(line.kind.as_str(), "purchase" | "refund" | "authorization" | "balance");
        if line.record != "state" || !money {
            continue;
        }
        let seen = Seen { rrn: line.rrn, kind: line.kind, network: line.network, state, stands: line.stands.unwrap_or_default() };
        last.insert((line.terminal, local, line.stan), seen);
    }
    Ok(last.into_values().collect())
}

/// Holds what the terminals saw against the ledger.
pub(super) fn compare(seen: &[Seen], books: &[BookItem]) -> Verdict {
    let mut ledger: BTreeMap<&str, Vec<&BookItem>> = BTreeMap::new();
    for item in books {
        ledger.entry(item.rrn.as_str()).or_default().push(item);
    }
    let mut verdict = Verdict::default();
    for one in seen {
        *verdict.by_kind.entry(one.kind.clone()).or_default().entry(one.state.clone()).or_default() += 1;
        if one.kind == "balance" {
            continue;
        }
        verdict.compared += 1;
        let items = ledger.get(one.rrn.as_str()).map(Vec::as_slice).unwrap_or_default();
        // A conflict (94) or a repeat carries the reference of its original: what stands is judged by
        // the transaction that stands.
        let stands: i64 = items.iter().map(|item| standing(item)).sum();
        let agrees = match one.state.as_str() {
            "approved" | "completed" => items.len() == 1 && stands == one.stands,
            "declined" | "reversed" | "reversing" | "unanswered" => {
                stands == 0 || seen.iter().any(|other| other.rrn == one.rrn && other.stands == stands)
            }
            _ => false,
        };
        if !agrees {
            let states: Vec<String> = items.iter().map(|item| format!("{} {}", item.state, standing(item))).collect();
            verdict.differences.push(format!(
                "{} {}: terminal saw {} {}, ledger has [{}]",
                one.kind,
                one.rrn,
                one.state,
                one.stands,
                states.join(", ")
            ));
        }
    }
    verdict
}

/// How many items stand at an issuer: open ones, less those that a clearing credit took back.
pub(super) fn standing_at_issuer(report: &Report, books: &[BookItem]) -> usize {
    let credited = |rrn: &str| {
        books
            .iter()
            .any(|item| item.rrn.as_str() == rrn && item.captures.iter().any(|capture| capture.kind == CaptureKind::Credit))
    };
    report.items.iter().filter(|item| item.amount > 0 && !credited(item.rrn.as_str())).count()
}

/// What stands of a payment for its cardholder, minor units.
pub(super) fn standing(item: &BookItem) -> i64 {
    match item.state {
        State::Approved => item.approved,
        State::Captured => item
            .captures
            .iter()
            .map(|capture| match capture.kind {
                CaptureKind::Sale | CaptureKind::Refund => capture.amount.minor(),
                CaptureKind::Void | CaptureKind::Credit => -capture.amount.minor(),
            })
            .sum(),
        _ => 0,
    }
}
