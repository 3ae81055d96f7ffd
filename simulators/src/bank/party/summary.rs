//! What a party tells at its end.

use std::collections::BTreeMap;

use serde::Serialize;

/// The run in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Always `party`.
    pub simulator: &'static str,
    /// pacs.008 sent, doubles not counted.
    pub sent: u64,
    /// Transfers of earlier runs that were without outcome.
    pub resumed: u64,
    /// Executed (ACSC).
    pub executed: u64,
    /// Their amounts, minor units.
    pub executed_minor: i64,
    /// Rejected (RJCT).
    pub rejected: u64,
    /// By reason.
    pub reasons: BTreeMap<String, u64>,
    /// Without outcome at the end.
    pub unknown: u64,
    /// Answers with an interim status.
    pub interim: u64,
    /// Transfers asked about before their outcome was known.
    pub asked_about: u64,
    /// pacs.028 sent, curious ones included.
    pub enquiries: u64,
    /// pacs.008 sent a second time on purpose.
    pub doubles: u64,
    /// Final statuses that were told again and agree.
    pub confirmed: u64,
    /// Final statuses that contradict an earlier one.
    pub contradictions: u64,
    /// Answers about no transfer of this party.
    pub strangers: u64,
    /// Envelopes that could not be read.
    pub unreadable: u64,
    /// Connections made.
    pub connections: u64,
    /// Median of sending to outcome, microseconds.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
}
