//! What a drill tells at its end.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use testkit::judge::Verdict;
use testkit::{Finding, KitError, Laboratory};

use super::plan::Options;
use super::round::Round;

/// The whole drill.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Whether the promise was broken on purpose.
    pub early_ack: bool,
    /// Every round.
    pub rounds: Vec<Round>,
    /// Kills by edge and action.
    pub hits: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// All rounds judged together at the end.
    pub whole: Verdict,
    /// What else was wrong.
    pub problems: Vec<String>,
}

impl Report {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            seed: options.seed,
            early_ack: options.early_ack,
            rounds: Vec::new(),
            hits: BTreeMap::new(),
            whole: Verdict::default(),
            problems: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, round: Round) {
        *self.hits.entry(round.point).or_default().entry(round.action.name()).or_default() += 1;
        self.rounds.push(round);
    }

    /// The record's own proofs, from the running switch.
    pub(super) fn proofs(&mut self, laboratory: &mut Laboratory) -> Result<(), KitError> {
        for words in [["ledger", "verify"], ["audit", "verify"], ["ledger", "trial"]] {
            if let Err(error) = laboratory.stack()?.command(&words, None) {
                self.problems.push(error.to_string());
            }
        }
        Ok(())
    }

    /// Everything that the judges object to, in any round or at the end.
    pub fn findings(&self) -> Vec<&Finding> {
        self.rounds.iter().flat_map(|round| &round.verdict.findings).chain(&self.whole.findings).collect()
    }

    /// Everything that a drill that went well has none of, in words: objections of the judges, rounds
    /// that did not go as planned, rows of the truth table that were never looked at.
    pub fn objections(&self) -> Vec<String> {
        let mut all: Vec<String> = self.findings().into_iter().map(ToString::to_string).collect();
        all.extend(self.rounds.iter().flat_map(|round| {
            round.problems.iter().map(|problem| format!("round {} ({}): {problem}", round.round, round.point))
        }));
        all.extend(self.problems.iter().cloned());
        all.extend(self.whole.unseen().into_iter().map(|row| format!("nothing was looked at in the row: {row}")));
        all
    }

    /// Whether it shows what it was run for: that nothing is lost, or, with the promise broken, that
    /// the loss is found.
    pub fn good(&self) -> bool {
        if self.early_ack { !self.findings().is_empty() } else { self.objections().is_empty() }
    }

    /// One object for machines.
    pub fn to_json(&self) -> Value {
        let least = self.rounds.iter().map(|round| round.in_flight).min();
        json!({
            "good": self.good(),
            "in_flight_least": least,
            "objections": self.objections(),
            "report": self,
        })
    }
}
