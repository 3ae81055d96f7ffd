//! What an issuer can be told.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::rules::Rule;
use crate::cards::PopulationOptions;
use crate::keys::SecretSource;

/// How the network settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageSystem {
    /// Authorizations by message, money by clearing file.
    #[default]
    Dual,
    /// Money by the network's own totals of messages.
    Single,
}

/// Options of [`super::run`]. Every number is a bound or a default that may be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerOptions {
    /// Name of the network: of its keys, of its card range and of the switch's link.
    pub network: String,
    /// How it settles.
    pub system: MessageSystem,
    /// Address to listen on; port 0 takes a free one.
    pub listen: String,
    /// Dialect of the link: `iso87-ascii` or `iso87-binary`.
    pub dialect: String,
    /// Where the secrets come from.
    pub secrets: SecretSource,
    /// The cards.
    pub cards: PopulationOptions,
    /// The book, continued where it exists. Without one nothing is durable.
    pub book: Option<PathBuf>,
    /// Whether the book is synced before an answer is sent.
    pub sync: bool,
    /// Where the report for reconciliation is written at the end.
    pub report: Option<PathBuf>,
    /// Whether every message but 08xx needs a right MAC.
    pub mac: bool,
    /// Whether payments before a sign-on are refused with 91.
    pub sign_on_required: bool,
    /// Whether DE90 must say exactly what was received here, else 25.
    pub strict_original: bool,
    /// Whether a reversal of an unknown original refuses that original when it comes late. Most real
    /// hosts do not.
    pub tombstones: bool,
    /// Answers go out in turn on all open connections instead of the one that asked.
    pub answer_anywhere: bool,
    /// Largest amount of one payment, minor units; more is declined with 61.
    pub limit_minor: i64,
    /// UTC time `hhmm` at which the network's settlement date changes.
    pub cut_over: String,
    /// A fixed settlement date `MMDD`, for tests.
    pub settlement_date: Option<String>,
    /// Misbehaviour.
    pub rules: Vec<Rule>,
    /// Seed of the chances of rules.
    pub seed: u64,
    /// Requests that are remembered; when full, further ones get 96.
    pub max_requests: usize,
    /// Connections at one time; further ones are closed.
    pub max_connections: usize,
    /// Answers of one connection that may wait for the book or for their delay.
    pub max_waiting: usize,
    /// Milliseconds that a message may take from its first byte to its last.
    pub frame_deadline_ms: u64,
    /// Whether the end of standard input ends the issuer.
    pub stop_on_stdin_close: bool,
}

impl Default for IssuerOptions {
    fn default() -> Self {
        Self {
            network: "dual".to_owned(),
            system: MessageSystem::Dual,
            listen: "127.0.0.1:0".to_owned(),
            dialect: "iso87-ascii".to_owned(),
            secrets: SecretSource::Stdin,
            cards: PopulationOptions::default(),
            book: None,
            sync: true,
            report: None,
            mac: true,
            sign_on_required: false,
            strict_original: true,
            tombstones: false,
            answer_anywhere: false,
            limit_minor: 500_000,
            cut_over: "2400".to_owned(),
            settlement_date: None,
            rules: Vec::new(),
            seed: 1,
            max_requests: 2_000_000,
            max_connections: 256,
            max_waiting: 4096,
            frame_deadline_ms: 5000,
            stop_on_stdin_close: false,
        }
    }
}
