//! The terminals' book: what was sent, what was seen, and how each transaction stands for the one who
//! stands at the till. It is a judge's book, so it is written before the next step is taken.

use payments::{LocalDateTime, Text};
use serde::{Deserialize, Serialize};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A message is about to be sent.
    Sent,
    /// An answer arrived.
    Seen,
    /// How the transaction stands now. The last such line of a transaction counts.
    State,
}

/// How a transaction stands for the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Approved, not taken back.
    Approved,
    /// An approved authorization whose completion was acknowledged.
    Completed,
    /// Declined.
    Declined,
    /// Taken back whole, acknowledged.
    Reversed,
    /// A reversal was sent and never acknowledged.
    Reversing,
    /// No answer, and nothing to take back (balance, echo).
    Unanswered,
}

impl Standing {
    /// Its name in books and summaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Reversed => "reversed",
            Self::Reversing => "reversing",
            Self::Unanswered => "unanswered",
        }
    }
}

/// What was wrong with an answer that was therefore ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    /// It does not decode.
    Garbled,
    /// Its MTI does not answer the request.
    Mti,
    /// Its MAC is wrong.
    BadMac,
    /// It has no MAC.
    Unsigned,
    /// DE3, 4, 11, 12, 13, 37, 41, 42 or 49 is not that of the request.
    Echo,
    /// It was lost on purpose, as the scenario says.
    Lost,
    /// It came when nobody waited for it any more.
    Late,
}

/// One line. The transaction is (terminal, local, stan); `of` names the transaction that a reversal,
/// completion or repeat is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// RFC 3339 UTC.
    pub at: String,
    /// What the line is.
    pub record: Record,
    /// DE41.
    pub terminal: Text<8>,
    /// MTI of the message; of a state line that of the request.
    pub mti: Text<4>,
    /// What was asked: `purchase`, `reversal` and so on.
    pub kind: String,
    /// The network of the card.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub network: String,
    /// DE37.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub rrn: Text<12>,
    /// DE11.
    pub stan: Text<6>,
    /// DE7.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub de7: Text<10>,
    /// DE13 and DE12, `MMDDhhmmss`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalDateTime>,
    /// DE11 of the transaction that this one is about.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub of: Text<6>,
    /// DE4, minor units.
    #[serde(default)]
    pub amount: i64,
    /// DE49.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub currency: Text<3>,
    /// DE39.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub de39: Text<2>,
    /// DE38.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub de38: Text<6>,
    /// DE63.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub network_id: Text<32>,
    /// Of a state line: how it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Standing>,
    /// Of a state line: minor units that stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands: Option<i64>,
    /// Of a seen line: why the answer was ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}
