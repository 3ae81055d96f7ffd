//! Lines of the party's book: one before a transfer is sent, one when its outcome is known.

use serde::{Deserialize, Serialize};

/// What a line records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// About to be sent.
    Sent,
    /// The outcome: ACSC, RJCT with its reason, or nothing where it stayed unknown.
    Outcome,
    /// A final status that contradicts the first one. There must be none.
    Contradiction,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Number of the line, from 1.
    pub n: u64,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// What it records.
    pub record: Record,
    /// GrpHdr/MsgId.
    pub message_id: String,
    /// EndToEndId.
    pub end_to_end_id: String,
    /// TxId.
    pub transaction_id: String,
    /// UETR.
    pub uetr: String,
    /// Amount in minor units.
    pub amount_minor: i64,
    /// Its currency.
    pub currency: String,
    /// DbtrAcct.
    pub debtor_account: String,
    /// CdtrAcct.
    pub creditor_account: String,
    /// Final status, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Reason of RJCT.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// pacs.028 sent about it so far.
    #[serde(default)]
    pub asks: u32,
    /// Answers with an interim status (PDNG) so far.
    #[serde(default)]
    pub interim: u32,
    /// Microseconds from sending to outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
}
