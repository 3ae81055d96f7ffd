//! The terminals' book: what each of them saw of its transactions.

use std::collections::BTreeMap;
use std::path::Path;

use simulators::pos::record::{Entry, Record, Standing};

use super::lines;
use crate::KitError;

/// A transaction as its terminal saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// DE41.
    pub terminal: String,
    /// DE37.
    pub rrn: String,
    /// `purchase`, `authorization`, `refund`, `balance`.
    pub kind: String,
    /// The network of the card.
    pub network: String,
    /// How it stood at the end; nothing where it had no end, or the request was never sent.
    pub standing: Option<Standing>,
    /// Minor units that stand.
    pub stands: i64,
    /// DE39 of the answer that counted; empty without one.
    pub code: String,
}

/// The book.
#[derive(Debug, Clone, Default)]
pub struct TerminalsBook {
    /// Transactions in the order of terminal, time and STAN.
    pub transactions: Vec<Seen>,
    messages: Vec<Entry>,
}

const MONEY: [&str; 4] = ["purchase", "authorization", "refund", "balance"];

impl TerminalsBook {
    /// Reads a book.
    ///
    /// # Errors
    /// A line that is not one, named.
    pub fn read(path: &Path) -> Result<Self, KitError> {
        Ok(Self::of(lines(path)?))
    }

    fn of(messages: Vec<Entry>) -> Self {
        let mut all: BTreeMap<(String, String, String), Seen> = BTreeMap::new();
        for entry in &messages {
            let Some(local) = entry.local.filter(|_| MONEY.contains(&entry.kind.as_str())) else { continue };
            if entry.record == Record::Seen {
                continue;
            }
            let key = (entry.terminal.to_string(), format!("{local:?}"), entry.stan.to_string());
            let seen = all.entry(key).or_insert_with(|| Seen {
                terminal: entry.terminal.to_string(),
                rrn: entry.rrn.to_string(),
                kind: entry.kind.clone(),
                network: entry.network.clone(),
                standing: None,
                stands: 0,
                code: String::new(),
            });
            if entry.record == Record::State {
                (seen.standing, seen.stands) = (entry.state, entry.stands.unwrap_or_default());
                seen.code = entry.de39.to_string();
            }
        }
        Self { transactions: all.into_values().collect(), messages }
    }

    /// Card requests that were sent and not answered by `at`, RFC 3339 UTC.
    pub fn in_flight_at(&self, at: &str) -> usize {
        let mut open = std::collections::BTreeSet::new();
        for entry in self.messages.iter().filter(|entry| entry.at.as_str() <= at) {
            let key = (entry.terminal, entry.stan);
            match entry.record {
                Record::Sent if MONEY.contains(&entry.kind.as_str()) => {
                    open.insert(key);
                }
                // Its reversal began: it is the reversal that is in flight now.
                Record::Sent => {
                    open.remove(&(entry.terminal, entry.of));
                }
                Record::Seen | Record::State => {
                    open.remove(&key);
                }
            }
        }
        open.len()
    }
}
