//! The three-way reconciliation: files against the ledger, issuer against the ledger, network's totals.

use payments::BusinessDate;
use payments::outgoing::MessageSystem;
use serde::Serialize;

use super::book::BookItem;
use super::breaks::Break;
use super::clearing::{self, Cleared};
use super::report::Report;
use super::{issuer, totals};

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Population {
    /// Presentments in clearing files.
    pub presentments: usize,
    /// Payments of the ledger.
    pub payments: usize,
    /// Of these, such as were due for a clearing file.
    pub due_for_clearing: usize,
    /// Of these, such as the network captured by message.
    pub online: usize,
    /// Items of the issuer's report.
    pub issuer_items: usize,
    /// Of these, such as were matched with a payment.
    pub matched: usize,
    /// Items that the issuer reversed and of which we never had more than a decline or a timeout.
    pub reversed_unmatched: usize,
    /// Payments whose reversal is still owed; how they stand at the issuer is not compared.
    pub reversals_owed: usize,
    /// Rows of network totals.
    pub total_rows: usize,
}

/// What a reconciliation found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Breaks, ordered by what is wrong and by payment: the same books give the same list.
    pub breaks: Vec<Break>,
    /// How much was looked at.
    pub population: Population,
    /// SHA-256 of the issuer's report.
    pub report_sha256: String,
    /// The last business date whose captures were frozen.
    pub through: BusinessDate,
}

impl Reconciliation {
    /// Whether it proves that the books agree: no break, and something was looked at in each of them.
    pub fn proves(&self) -> bool {
        let Population { payments, issuer_items, matched, presentments, due_for_clearing, .. } = self.population;
        self.breaks.is_empty() && payments > 0 && issuer_items > 0 && matched > 0 && (presentments > 0 || due_for_clearing == 0)
    }
}

/// Reconciles the payments of one network. `cleared` are the presentments of all its published files,
/// `ledger` all its payments, `through` the last business day whose captures were frozen.
pub fn reconcile(cleared: &[Cleared], ledger: &[BookItem], report: &Report, through: BusinessDate) -> Reconciliation {
    let mut breaks = Vec::new();
    clearing::compare(ledger, cleared, through, &mut breaks);
    let counted = issuer::compare(ledger, &report.items, &mut breaks);
    let total_rows = totals::compare(ledger, report, &mut breaks);
    breaks.sort();
    let of = |system| ledger.iter().filter(move |item| item.system == system);
    let population = Population {
        presentments: cleared.len(),
        payments: ledger.len(),
        due_for_clearing: of(MessageSystem::Dual).filter(|item| item.captured(Some(through)) != 0).count(),
        online: of(MessageSystem::Single).filter(|item| item.captured(None) != 0).count(),
        issuer_items: report.items.len(),
        matched: counted.matched,
        reversed_unmatched: counted.reversed_unmatched,
        reversals_owed: counted.reversals_owed,
        total_rows,
    };
    Reconciliation { breaks, population, report_sha256: report.sha256.clone(), through }
}
