//! Reconciliation of three books that separate processes keep: our clearing files, our ledger, and the
//! issuer's report (`docs/clearing.md`).
//!
//! Everything is matched item by item and by sets, never by searching each for each; sums are compared
//! afterwards. A difference is a [`Break`] that names the item and both values. How many items were looked at
//! is part of the result: a reconciliation that looked at none proves nothing.

mod book;
mod breaks;
mod clearing;
mod issuer;
mod matching;
mod report;
mod totals;

#[cfg(test)]
mod tests;

pub use book::{BookCapture, BookItem};
pub use breaks::{Book, Break, Code};
pub use clearing::Cleared;
pub use matching::{Population, Reconciliation, reconcile};
pub use report::{IssuerItem, ItemKind, ItemState, Report, ReportError, Total};
