//! Proof: what is stored is what was committed, and what was committed adds up.
//!
//! Two verifiers read the same stream of blocks. [`AuditVerifier`] holds the chain of hashes against
//! heads that were exported: it finds an edit, a cut, a reordering, a re-chained history.
//! [`LedgerVerifier`] replays the commands out of the blocks' items on its own, checks that they are
//! sound, and compares every row of every table with what the replay expects. Neither trusts the book
//! that built the blocks, nor the store that kept them.

mod audit;
pub(crate) mod expect;
mod replay;
mod rows;
mod soundness;

use std::fmt;

pub use audit::{AuditVerifier, ChainReport};
pub use replay::{LedgerVerifier, Report, StoredBlock, Trial};
pub use rows::{Row, Table, Value};

/// Where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A block.
    Block(i64),
    /// An item of a block, counted from 0.
    Item {
        /// The block.
        block: i64,
        /// The item.
        item: usize,
    },
    /// A row of a table, by its key.
    Row {
        /// The table.
        table: Table,
        /// Its key, as `column=value` pairs.
        key: String,
    },
    /// A payment, by what it did rather than by its row.
    Payment(payments::PaymentId),
    /// A sum over a currency.
    Currency(payments::Currency),
}

/// One thing that is wrong: what had to be there and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What had to be there.
    pub want: String,
    /// What was found.
    pub got: String,
}

impl Finding {
    pub(crate) fn new(place: Place, want: impl Into<String>, got: impl Into<String>) -> Self {
        Self { place, want: want.into(), got: got.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(block) => write!(f, "block {block}"),
            Self::Item { block, item } => write!(f, "block {block} item {item}"),
            Self::Row { table, key } => write!(f, "{table} {key}"),
            Self::Payment(id) => write!(f, "payment {id}"),
            Self::Currency(currency) => write!(f, "currency {currency}"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: wanted {}, found {}", self.place, self.want, self.got)
    }
}
