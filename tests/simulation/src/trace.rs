//! The trace of a history: a hash that two runs of one seed must agree on, and, where it is asked for,
//! the story in words.

use crate::clock::{Time, shown};

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    events: u64,
    story: Option<Vec<(Time, String)>>,
}

impl Trace {
    pub(crate) fn new(story: bool) -> Self {
        Self { hash: 0xCBF2_9CE4_8422_2325, events: 0, story: story.then(Vec::new) }
    }

    /// Folds something that happened into the hash.
    pub(crate) fn fold(&mut self, at: Time, kind: u8, bytes: &[u8]) {
        self.events += 1;
        let mut hash = self.hash;
        for byte in at.to_le_bytes().iter().chain(&[kind]).chain(bytes) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        self.hash = hash;
    }

    /// Tells something, where the story is wanted. Nothing of a card may be in it.
    pub(crate) fn tell(&mut self, at: Time, words: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push((at, words()));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// The last `count` lines that name one of `about`; all of the last ones where `about` is empty.
    pub(crate) fn story(&self, about: &[String], count: usize) -> Vec<String> {
        let all = self.story.as_deref().unwrap_or_default();
        let names = |words: &str| about.is_empty() || about.iter().any(|name| words.contains(name.as_str()));
        let mut lines: Vec<String> = all
            .iter()
            .rev()
            .filter(|(_, words)| names(words))
            .take(count)
            .map(|(at, words)| format!("{} {words}", shown(*at)))
            .collect();
        lines.reverse();
        lines
    }
}
