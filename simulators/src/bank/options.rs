//! What a bank can be told.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::rules::Rule;

/// Options of [`super::run`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BankOptions {
    /// Address to listen on; port 0 takes a free one.
    pub listen: String,
    /// BIC of the bank.
    pub bic: String,
    /// Creditor accounts that it holds, numbered from 0.
    pub accounts: u32,
    /// Currencies that it takes; others are rejected with AM03.
    pub currencies: Vec<String>,
    /// Largest amount in minor units; more is rejected with AM02.
    pub limit_minor: i64,
    /// The book, continued where it exists. Without one nothing is durable.
    pub book: Option<PathBuf>,
    /// Whether the book is synced before an answer is sent.
    pub sync: bool,
    /// Misbehaviour.
    pub rules: Vec<Rule>,
    /// Seed of the chances of rules.
    pub seed: u64,
    /// Transfers that are remembered; when full, further ones are rejected with AB08 (offline).
    pub max_transfers: usize,
    /// Connections at one time; further ones are closed.
    pub max_connections: usize,
    /// Answers that may wait for the book or for their delay, per connection.
    pub max_waiting: usize,
    /// Milliseconds that an envelope may take from its first byte to its last.
    pub frame_deadline_ms: u64,
    /// Whether the end of standard input ends the bank.
    pub stop_on_stdin_close: bool,
}

impl Default for BankOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            bic: "BANKDEFFXXX".to_owned(),
            accounts: 1000,
            currencies: vec!["EUR".to_owned(), "USD".to_owned()],
            limit_minor: 10_000_000_000,
            book: None,
            sync: true,
            rules: Vec::new(),
            seed: 1,
            max_transfers: 2_000_000,
            max_connections: 64,
            max_waiting: 4096,
            frame_deadline_ms: 5000,
            stop_on_stdin_close: false,
        }
    }
}
