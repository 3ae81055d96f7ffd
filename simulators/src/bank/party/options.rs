//! What an instructing party can be told.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Options of [`super::run`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartyOptions {
    /// Address of the switch.
    pub connect: String,
    /// BIC of the party: `Fr` and the debtors' agent.
    pub bic: String,
    /// BIC of the switch: `To`.
    pub switch_bic: String,
    /// BIC of the creditors' agent.
    pub bank_bic: String,
    /// Transfers to send.
    pub transfers: u64,
    /// Transfers that may be without outcome at one time.
    pub in_flight: usize,
    /// Seed of accounts and amounts.
    pub seed: u64,
    /// Makes ids different from those of other runs; the time of the start where it is 0.
    pub run: u64,
    /// Debtor accounts, numbered from 0.
    pub debtors: u32,
    /// Creditor accounts, numbered from 0.
    pub creditors: u32,
    /// Currency.
    pub currency: String,
    /// Smallest amount, minor units.
    pub min_minor: i64,
    /// Largest amount, minor units.
    pub max_minor: i64,
    /// `IntrBkSttlmDt`, `YYYY-MM-DD`; the UTC date where nothing is said.
    pub settlement_date: Option<String>,
    /// Of each thousand transfers, how many are sent two times in a row.
    pub doubles_per_mille: u16,
    /// Of each thousand transfers, how many are asked about although their outcome is known.
    pub curious_per_mille: u16,
    /// Milliseconds of silence before the first pacs.028.
    pub ask_after_ms: u64,
    /// Milliseconds between one pacs.028 and the next about the same transfer.
    pub ask_every_ms: u64,
    /// Most pacs.028 about one transfer; after that its outcome is unknown.
    pub asks: u32,
    /// Milliseconds for everything.
    pub deadline_ms: u64,
    /// The book, continued where it exists: what was sent in earlier runs and has no outcome is asked
    /// about first.
    pub book: Option<PathBuf>,
    /// Whether a line is synced before the transfer is sent.
    pub sync: bool,
    /// Whether the end of standard input ends the party.
    pub stop_on_stdin_close: bool,
}

impl Default for PartyOptions {
    fn default() -> Self {
        Self {
            connect: "127.0.0.1:0".to_owned(),
            bic: "PRTYDEFFXXX".to_owned(),
            switch_bic: "SWYDDEFFXXX".to_owned(),
            bank_bic: "BANKDEFFXXX".to_owned(),
            transfers: 100,
            in_flight: 16,
            seed: 1,
            run: 0,
            debtors: 100,
            creditors: 1000,
            currency: "EUR".to_owned(),
            min_minor: 1,
            max_minor: 100_000,
            settlement_date: None,
            doubles_per_mille: 0,
            curious_per_mille: 0,
            ask_after_ms: 15_000,
            ask_every_ms: 2_000,
            asks: 60,
            deadline_ms: 120_000,
            book: None,
            sync: true,
            stop_on_stdin_close: false,
        }
    }
}
