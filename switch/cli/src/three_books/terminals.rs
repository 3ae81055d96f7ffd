//! The terminals' book: what each of them saw of its transactions.

use std::collections::BTreeMap;
use std::path::Path;

use simulators::pos::record::{Entry, Record, Standing};

use super::{BookError, lines};

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
    /// DE49, numeric; nothing where the request had none.
    pub currency: Option<u16>,
    /// DE4 of the request, minor units.
    pub asked: i64,
    /// What the first approval said; nothing without one.
    pub approved: Option<i64>,
    /// How it stood at the end; nothing where it had no end, or the request was never sent.
    pub standing: Option<Standing>,
    /// Minor units that stand.
    pub stands: i64,
    /// DE39 of the answer that counted; empty without one.
    pub code: String,
}

/// See [`TerminalsBook::answered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// How many.
    pub count: u64,
    /// In which time.
    pub micros: u64,
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
    pub fn read(path: &Path) -> Result<Self, BookError> {
        Ok(Self::of(lines(path)?))
    }

    pub(super) fn of(messages: Vec<Entry>) -> Self {
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
                currency: entry.currency.as_str().parse().ok(),
                asked: entry.amount,
                approved: None,
                standing: None,
                stands: 0,
                code: String::new(),
            });
            if entry.record == Record::State {
                (seen.standing, seen.stands) = (entry.state, entry.stands.unwrap_or_default());
                seen.code = entry.de39.to_string();
                if entry.state == Some(Standing::Approved) && seen.approved.is_none() {
                    seen.approved = entry.stands;
                }
                // A terminal without references of its own learns it from the answer.
                if seen.rrn.is_empty() {
                    seen.rrn = entry.rrn.to_string();
                }
            }
        }
        Self { transactions: all.into_values().collect(), messages }
    }

    /// Purchases, authorizations and refunds that were answered, and the microseconds from the first
    /// request to the last answer.
    pub fn answered(&self) -> Answered {
        let authorization = |entry: &&Entry| matches!(entry.kind.as_str(), "purchase" | "authorization" | "refund");
        let at = |entry: &Entry| entry.at.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond);
        let of = |record| self.messages.iter().filter(authorization).filter(move |entry| entry.record == record);
        let answers = || of(Record::Seen).filter(|entry| entry.problem.is_none());
        let first = of(Record::Sent).filter_map(at).min();
        let last = answers().filter_map(at).max();
        let micros = first.zip(last).map_or(0, |(first, last)| u64::try_from(last - first).unwrap_or(0));
        Answered { count: answers().count() as u64, micros }
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
