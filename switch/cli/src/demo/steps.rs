//! Numbered, timed steps, and what was checked.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// The run of a demonstration: prints as it goes, and remembers what failed.
pub(super) struct Steps {
    quiet: bool,
    number: u32,
    since: Instant,
    failed: Vec<String>,
    checks: u32,
    /// What the final object says.
    pub(super) facts: Map<String, Value>,
}

impl Steps {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet, number: 0, since: Instant::now(), failed: Vec::new(), checks: 0, facts: Map::new() }
    }

    /// A step begins.
    pub(super) fn begin(&mut self, what: &str) {
        self.number += 1;
        self.since = Instant::now();
        if !self.quiet {
            println!("{:>2}. {what}", self.number);
        }
    }

    /// Something that a person wants to know.
    pub(super) fn say(&self, what: impl AsRef<str>) {
        if !self.quiet {
            println!("    {}", what.as_ref());
        }
    }

    /// A step has ended.
    pub(super) fn end(&self) {
        self.say(format!("done in {}", seconds(self.since.elapsed())));
    }

    /// A check: true, or the demonstration ends with 1.
    pub(super) fn check(&mut self, what: impl Into<String>, holds: bool) {
        self.checks += 1;
        let what = what.into();
        if holds {
            self.say(format!("ok    {what}"));
        } else {
            self.say(format!("FAIL  {what}"));
            self.failed.push(what);
        }
    }

    /// A count that must not be zero: a check that looked at nothing is no check.
    pub(super) fn population(&mut self, what: &str, count: u64) {
        self.check(format!("{what}: {count}"), count > 0);
    }

    /// Keeps a fact for the final object.
    pub(super) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// What failed, and how many checks there were.
    pub(super) fn outcome(&self) -> (&[String], u32) {
        (&self.failed, self.checks)
    }
}

/// Names in a row, for people.
pub(super) fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// A duration for people: `1.25 s`.
fn seconds(time: Duration) -> String {
    format!("{}.{:02} s", time.as_secs(), time.subsec_millis() / 10)
}
