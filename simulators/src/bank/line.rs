//! Lines of the bank's book: one per transfer, with its final state, one when it is first asked about,
//! and one each time it comes again.

use serde::{Deserialize, Serialize};

use super::rules::Act;

/// What a line records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A transfer, executed or rejected.
    Transfer,
    /// An enquiry about a transfer that never came. It was told so, and the transfer is refused if it
    /// comes after all.
    Unknown,
    /// The first enquiry about a transfer in the book, with the state that the transfer has.
    Enquiry,
    /// A transfer that had come before: a switch must never send it again. Nothing was booked.
    Again,
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
    /// GrpHdr/MsgId of the pacs.008; OrgnlMsgId of an enquiry about one that never came.
    pub message_id: String,
    /// EndToEndId.
    pub end_to_end_id: String,
    /// TxId, empty where there is none.
    pub transaction_id: String,
    /// UETR.
    pub uetr: String,
    /// IntrBkSttlmAmt in minor units; 0 where the transfer never came.
    pub amount_minor: i64,
    /// Its currency.
    pub currency: String,
    /// DbtrAcct.
    pub debtor_account: String,
    /// CdtrAcct.
    pub creditor_account: String,
    /// ACSC or RJCT.
    pub status: String,
    /// Reason of RJCT.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The rule that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Act>,
}

impl Line {
    /// Whether the money was credited.
    pub fn executed(&self) -> bool {
        self.status == "ACSC"
    }
}
