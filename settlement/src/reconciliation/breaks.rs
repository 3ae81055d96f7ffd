//! Breaks: what does not agree, of which item, and what each book says.

use payments::PaymentId;
use serde::{Deserialize, Serialize};

/// Whose book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Book {
    /// A clearing file.
    Clearing,
    /// Our ledger.
    Ledger,
    /// The issuer's report.
    Issuer,
}

/// What is wrong. The words are stored and shown: never rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The ledger captured it, no clearing file has it.
    MissingInClearing,
    /// The ledger captured it, and it was set aside from its clearing file: it cannot be presented.
    SetAside,
    /// A clearing file or the issuer has it, the ledger does not.
    MissingInSwitch,
    /// The ledger has it open, the issuer does not know it.
    MissingAtIssuer,
    /// The amounts differ.
    Amount,
    /// The currencies differ.
    Currency,
    /// A sale in one book, a refund in the other.
    Direction,
    /// Twice in one book.
    Duplicate,
    /// It was reversed or never captured, and is in a clearing file.
    ReversedButCleared,
    /// It is in a clearing file before its business day was closed.
    Early,
    /// We reversed it, the issuer has it open.
    OpenAtIssuer,
    /// We have it open, the issuer reversed it.
    ReversedAtIssuer,
    /// More captured than approved.
    BeyondApproval,
    /// One book says that a message moves its money, the other that a presentment does.
    Captured,
    /// The settlement dates differ.
    SettlementDate,
    /// The network's totals differ from our captures.
    NetworkTotals,
}

impl Code {
    /// All of them.
    pub const ALL: [Code; 16] = [
        Code::MissingInClearing,
        Code::SetAside,
        Code::MissingInSwitch,
        Code::MissingAtIssuer,
        Code::Amount,
        Code::Currency,
        Code::Direction,
        Code::Duplicate,
        Code::ReversedButCleared,
        Code::Early,
        Code::OpenAtIssuer,
        Code::ReversedAtIssuer,
        Code::BeyondApproval,
        Code::Captured,
        Code::SettlementDate,
        Code::NetworkTotals,
    ];
}

/// One break.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Break {
    /// What is wrong.
    pub code: Code,
    /// Our payment, where there is one.
    pub payment: Option<PaymentId>,
    /// DE37; empty for a total.
    pub rrn: String,
    /// The network's transaction id, where one book has it.
    pub network_id: String,
    /// The acquirer reference, where it is about a presentment.
    pub ard: String,
    /// One book and what it says.
    pub one: (Book, String),
    /// The other and what it says.
    pub other: (Book, String),
}

impl std::fmt::Display for Break {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((one, says), (other, contradicts)) = (&self.one, &self.other);
        write!(f, "{:?} rrn={} network_id={}", self.code, self.rrn, self.network_id)?;
        if !self.ard.is_empty() {
            write!(f, " ard={}", self.ard)?;
        }
        write!(f, ": {one:?} says {says}, {other:?} says {contradicts}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_code() {
        let document = include_str!("../../../docs/clearing.md");
        let table = document.split("## Reconciliation").nth(1).unwrap();
        for code in Code::ALL {
            let word = serde_json::to_value(code).unwrap();
            assert!(table.contains(&format!("`{}`", word.as_str().unwrap())), "{word}");
        }
    }
}
