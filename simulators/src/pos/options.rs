//! What terminals can be told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::generate::Topic;
use super::scenario::Scenario;
use crate::cards::PopulationOptions;
use crate::keys::SecretSource;

/// How a terminal behaves. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TerminalOptions {
    /// DE42 of terminals that `merchants` does not name.
    pub merchant: String,
    /// DE42 by DE41.
    pub merchants: BTreeMap<String, String>,
    /// DE18; empty sends none.
    pub category: String,
    /// DE43; empty sends none.
    pub acceptor: String,
    /// DE32; empty sends none.
    pub acquirer: String,
    /// DE49, ISO 4217 numeric.
    pub currency: u16,
    /// Whether DE37 is sent; else it is taken from the answer.
    pub send_rrn: bool,
    /// Whether messages carry a MAC and answers need one.
    pub mac: bool,
    /// Whether DE55 holds card data too, as with many terminals.
    pub chip_card_data: bool,
    /// The terminal's own timer.
    pub timer_ms: u64,
    /// Repeats (0201) after the timer, before the reversal.
    pub repeats: u32,
    /// Whether reversals are 0420 (advice) rather than 0400.
    pub reversal_advice: bool,
    /// Time between tries of a reversal or completion.
    pub retry_ms: u64,
    /// Tries of a reversal or completion before it is given up.
    pub attempts: u32,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        Self {
            merchant: "MERCHANT0000001".to_owned(),
            merchants: BTreeMap::new(),
            category: "5411".to_owned(),
            acceptor: "CORNER SHOP             BERLIN        DE".to_owned(),
            acquirer: String::new(),
            currency: 978,
            send_rrn: true,
            mac: true,
            chip_card_data: true,
            timer_ms: 15_000,
            repeats: 0,
            reversal_advice: false,
            retry_ms: 5_000,
            attempts: 60,
        }
    }
}

/// What stands before each message, by the names of `docs/iso8583/framing.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// A 2-byte length.
    #[default]
    Binary2,
    /// A 2-byte length and a TPDU, in which each connection has an address of its own.
    Nac,
}

/// How terminals reach the switch, shared by scenarios and load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FleetOptions {
    /// Address of the switch (or of anybody who speaks the dialect).
    pub connect: String,
    /// Dialect of the link: `iso87-ascii` or `iso87-binary`.
    pub dialect: String,
    /// Framing of the link.
    pub framing: Framing,
    /// Where the secrets come from.
    pub secrets: SecretSource,
    /// DE41 of the terminals; empty takes all that have keys.
    pub terminals: Vec<String>,
    /// Connections; 0 gives every terminal its own.
    pub connections: usize,
    /// How they behave.
    pub terminal: TerminalOptions,
    /// The cards.
    pub cards: PopulationOptions,
    /// The terminals' book; without one nothing is kept.
    pub log: Option<PathBuf>,
    /// Whether the book is synced at every step.
    pub sync: bool,
    /// How long a new transaction waits for a connection.
    pub connect_wait_ms: u64,
    /// Whether the end of standard input ends the run.
    pub stop_on_stdin_close: bool,
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            connect: "127.0.0.1:8583".to_owned(),
            dialect: "iso87-ascii".to_owned(),
            framing: Framing::default(),
            secrets: SecretSource::Stdin,
            terminals: Vec::new(),
            connections: 0,
            terminal: TerminalOptions::default(),
            cards: PopulationOptions::default(),
            log: None,
            sync: true,
            connect_wait_ms: 30_000,
            stop_on_stdin_close: false,
        }
    }
}

/// Options of [`super::run`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PosOptions {
    /// The terminals.
    pub fleet: FleetOptions,
    /// Scenario files, played first, one after another.
    pub scenarios: Vec<PathBuf>,
    /// Scenarios given directly, played after the files.
    pub given: Vec<Scenario>,
    /// Conversations of the random generator after that; 0 none.
    pub conversations: u64,
    /// Whether conversations go on until the run is stopped.
    pub until_stopped: bool,
    /// Seed of the generator.
    pub seed: u64,
    /// Weights of its topics; those that are not named have their default.
    pub mix: BTreeMap<Topic, u32>,
    /// Chance in thousandths that an amount ends as one of `mischief_ends`, so that an issuer's rule
    /// fires. Nothing is expected of such a conversation.
    pub mischief_per_mille: u16,
    /// Last digits of such amounts. Other amounts never end in 90 to 99.
    pub mischief_ends: Vec<String>,
    /// Conversations that one terminal has at a time.
    pub in_flight: usize,
    /// Pause of a terminal between conversations.
    pub pace_ms: u64,
    /// How long conversations may take to finish after a stop.
    pub drain_ms: u64,
}

impl Default for PosOptions {
    fn default() -> Self {
        Self {
            fleet: FleetOptions::default(),
            scenarios: Vec::new(),
            given: Vec::new(),
            conversations: 0,
            until_stopped: false,
            seed: 1,
            mix: BTreeMap::new(),
            mischief_per_mille: 0,
            mischief_ends: Vec::new(),
            in_flight: 1,
            pace_ms: 0,
            drain_ms: 60_000,
        }
    }
}
