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

    /// The first and the last `count` lines that name one of `about`; of all where `about` is empty.
    pub(crate) fn story(&self, about: &[String], count: usize) -> Vec<String> {
        let all = self.story.as_deref().unwrap_or_default();
        let names = |words: &str| about.is_empty() || about.iter().any(|name| words.contains(name.as_str()));
        let line = |(at, words): &(Time, String)| format!("{} {words}", shown(*at));
        let lines: Vec<String> = all.iter().filter(|(_, words)| names(words)).map(line).collect();
        match lines.len().checked_sub(2 * count) {
            None | Some(0) => lines,
            Some(left_out) => {
                let (first, rest) = lines.split_at(count);
                let between = format!("      … {left_out} more …");
                first.iter().cloned().chain([between]).chain(rest.iter().skip(left_out).cloned()).collect()
            }
        }
    }
}
