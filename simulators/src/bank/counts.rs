//! What a bank counts while it runs.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counters of one run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// pacs.008 received, those that a rule lost included.
    pub transfers: u64,
    /// Transfers credited.
    pub executed: u64,
    /// Transfers rejected.
    pub rejected: u64,
    /// pacs.008 with a UETR that had come before: a switch must never do that.
    pub resent: u64,
    /// Of these, those that said something else than the first.
    pub conflicts: u64,
    /// pacs.008 that came after an enquiry was told that there was none.
    pub after_enquiry: u64,
    /// pacs.028 received.
    pub enquiries: u64,
    /// Transfers that were asked about at least once, those that never came included.
    pub asked_about: u64,
    /// pacs.028 answered with a final status.
    pub enquiries_answered: u64,
    /// pacs.028 about a transfer that never came.
    pub enquiries_unknown: u64,
    /// Envelopes that could not be read or are not expected.
    pub unreadable: u64,
    /// Rules used, by act.
    pub acts: BTreeMap<&'static str, u64>,
}
