//! One line of the issuer's book. The book's state is made by applying lines, so that a book that is
//! read back gives the same answers. No line holds card data: a card is its number in the population.

use payments::{Currency, LocalDateTime, ResponseCode, Stan, Text};
use serde::{Deserialize, Serialize};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// Something changed: an approval, a completion, a reversal.
    Effect,
    /// A request was answered without effect: a decline, a reversal of an unknown original.
    Answer,
    /// Something worth knowing that changed nothing: a repeat, a conflict.
    Note,
}

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// 0100 with DE3 00.
    Authorization,
    /// 0200 with DE3 00.
    Purchase,
    /// DE3 20.
    Refund,
    /// DE3 31.
    Balance,
    /// 0220.
    Completion,
    /// 0400 and 0420.
    Reversal,
}

impl Kind {
    /// Its name in books and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Purchase => "purchase",
            Self::Refund => "refund",
            Self::Balance => "balance",
            Self::Completion => "completion",
            Self::Reversal => "reversal",
        }
    }
}

/// How the item stands after the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Something of it stands.
    Open,
    /// Declined: nothing ever stood.
    Declined,
    /// Taken back whole.
    Reversed,
    /// There is no such item.
    Unknown,
}

/// Why a note was written, or what is odd about an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// A balance was asked for: told, without effect.
    Enquiry,
    /// The same request again; it got the same answer.
    Repeat,
    /// The same key with another amount or card: 94, without effect.
    Conflict,
    /// The request came after its own reversal and was refused.
    Tombstone,
    /// The reversal named no request that is in the book.
    UnknownOriginal,
    /// The reversal's DE90 differs from the original as it was received here.
    OriginalMismatch,
    /// Another reversal of what was reversed already: no second effect.
    AlreadyReversed,
    /// A reversal of a request that had been declined: nothing to take back.
    NothingStood,
    /// A replacement amount above what stands: refused.
    AboveStanding,
    /// A completion without an open authorization: accepted as an item of its own.
    UnmatchedCompletion,
    /// A completion of what was completed already: no second effect.
    AlreadyCompleted,
    /// A completion above the authorized amount: accepted.
    AboveAuthorized,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Number in this book, from 1.
    pub n: u64,
    /// When it was written, RFC 3339 UTC.
    pub at: String,
    /// What the line is.
    pub record: Record,
    /// What was asked.
    pub kind: Kind,
    /// MTI as received.
    pub mti: Text<4>,
    /// DE37.
    pub rrn: Text<12>,
    /// DE11.
    pub stan: Stan,
    /// DE7.
    pub de7: Text<10>,
    /// DE13 and DE12, `MMDDhhmmss`.
    pub local: LocalDateTime,
    /// DE32.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub acquirer: Text<11>,
    /// DE33.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub forwarder: Text<11>,
    /// DE41.
    pub terminal: Text<8>,
    /// DE42.
    pub merchant: Text<15>,
    /// The card's number in the population; absent where it is not in it or was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<u32>,
    /// DE4 as received, minor units.
    pub amount: i64,
    /// DE49.
    pub currency: Currency,
    /// DE39 of the answer.
    pub de39: ResponseCode,
    /// DE38 of the answer.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub de38: Text<6>,
    /// DE44 of the answer.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub de44: Text<3>,
    /// DE63 of the answer: the item's id on this network.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub network_id: Text<32>,
    /// DE15 of the answer, `MMDD`.
    pub settlement_date: Text<4>,
    /// How the item stands after this line.
    pub state: Standing,
    /// Minor units that were approved for the item, after this line.
    pub approved: i64,
    /// Minor units of it that stand after this line.
    pub stands: i64,
    /// Of a reversal: MTI and STAN of the original, from DE90.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub original: Text<10>,
    /// The line of the item that this one changes, or is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u64>,
    /// Why a note was written, or what is odd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
}
