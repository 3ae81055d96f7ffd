//! What a run of terminals counted.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::record::{Entry, Record, Standing};

/// Missed expectations that are told word by word.
const MAX_TOLD: usize = 50;

/// Counters by name.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Messages sent, by MTI.
    pub sent: BTreeMap<String, u64>,
    /// Transactions by network, kind and how they stand at the end of their conversation.
    pub transactions: BTreeMap<String, BTreeMap<String, BTreeMap<&'static str, u64>>>,
    /// Minor units that stand at the end, by network and kind.
    pub standing_minor: BTreeMap<String, BTreeMap<String, i64>>,
    /// Answers by DE39, ignored ones excluded.
    pub codes: BTreeMap<String, u64>,
    /// Answers that were ignored, by reason.
    pub problems: BTreeMap<String, u64>,
    /// Conversations played to their end, by topic or scenario.
    pub conversations: BTreeMap<String, u64>,
    /// Steps left out, since the step that they are about did not end as they need it.
    pub skipped_steps: u64,
    /// Conversations that found no connection in time.
    pub not_started: u64,
    /// Expectations met.
    pub met: u64,
    /// Expectations missed.
    pub missed: u64,
    /// The first of them, in words.
    pub told: Vec<String>,
    /// Connections made.
    pub connects: u64,
    /// Answers that do not decode.
    pub garbled: u64,
    /// Answers whose TPDU is for another line.
    pub misaddressed: u64,
    /// Answers that nobody waited for.
    pub unexpected: u64,
    /// Microseconds from request to answer of card requests.
    pub latency: Latency,
}

impl Tally {
    /// Counts a message of the book.
    pub fn message(&mut self, entry: &Entry) {
        match (entry.record, entry.problem) {
            (Record::Sent, _) => *self.sent.entry(entry.mti.to_string()).or_default() += 1,
            (Record::Seen, None) => *self.codes.entry(entry.de39.to_string()).or_default() += 1,
            (Record::Seen, Some(problem)) => {
                let name = serde_json::to_value(problem).ok().and_then(|name| name.as_str().map(str::to_owned));
                *self.problems.entry(name.unwrap_or_default()).or_default() += 1;
            }
            (Record::State, _) => {}
        }
    }

    /// Counts a transaction as it stands at the end.
    pub fn transaction(&mut self, network: &str, kind: &str, standing: Standing, stands: i64) {
        let kinds = self.transactions.entry(network.to_owned()).or_default();
        *kinds.entry(kind.to_owned()).or_default().entry(standing.as_str()).or_default() += 1;
        *self.standing_minor.entry(network.to_owned()).or_default().entry(kind.to_owned()).or_default() += stands;
    }

    /// Counts an expectation.
    pub fn expectation(&mut self, missed: Option<String>) {
        match missed {
            None => self.met += 1,
            Some(words) => {
                self.missed += 1;
                if self.told.len() < MAX_TOLD {
                    self.told.push(words);
                }
            }
        }
    }
}

/// A histogram of microseconds, up to ten minutes with three digits.
#[derive(Debug, Clone)]
pub struct Latency(Option<Histogram<u64>>);

impl Default for Latency {
    fn default() -> Self {
        // These bounds are always accepted.
        Self(Histogram::new_with_bounds(1, 600_000_000, 3).ok())
    }
}

impl Latency {
    /// Counts one.
    pub fn record(&mut self, microseconds: u64) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(microseconds);
        }
    }

    /// How it looks from outside.
    pub fn figures(&self) -> Figures {
        let at = |quantile: f64| self.0.as_ref().map_or(0, |histogram| histogram.value_at_quantile(quantile));
        Figures {
            count: self.0.as_ref().map_or(0, Histogram::len),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.0.as_ref().map_or(0, Histogram::max),
        }
    }
}

/// Quantiles in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// How many were measured.
    pub count: u64,
    /// Median.
    pub p50_us: u64,
    /// 90 of 100.
    pub p90_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// 999 of 1000.
    pub p999_us: u64,
    /// The slowest.
    pub max_us: u64,
}
