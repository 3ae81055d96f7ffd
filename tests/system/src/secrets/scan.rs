//! Many patterns in one pass over any stream of bytes: the first eight bytes of each pattern are looked
//! up in a filter of bits at every place, and the few that pass are compared.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

/// What a pattern is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A card number, or an unsalted hash of it.
    Pan,
    /// Track 2.
    Track,
    /// A PIN block that is not enciphered.
    ClearPinBlock,
    /// A PIN block under a working key, as a terminal or the switch sent it.
    SentPinBlock,
    /// A key, or the seed of the cards.
    Key,
    /// Digits of a PIN behind the word.
    LabelledPin,
}

/// Something that must not be there. It names the secret, it does not repeat it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where: a file, a table, the metrics.
    pub place: String,
    /// Byte of it, from 0.
    pub offset: u64,
    /// What.
    pub kind: Kind,
    /// Whose.
    pub whose: String,
    /// In which form.
    pub form: &'static str,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, offset, kind, whose, form } = self;
        write!(f, "{place}, byte {offset}: {kind:?} of {whose}, {form}")
    }
}

struct Pattern {
    kind: Kind,
    whose: u32,
    form: &'static str,
    bytes: Box<[u8]>,
}

/// Bits of the filter: 2 MiB, which stays in a processor's cache.
const FILTER_BITS: u32 = 24;
/// Shortest pattern: what the filter looks at.
const HEAD: usize = 8;
/// Longest pattern and label: what must be in the window behind a place.
const REACH: usize = 256;
/// Bytes that are searched at one time.
const WINDOW: usize = 1 << 20;

/// The patterns.
pub struct Scanner {
    filter: Vec<u64>,
    heads: BTreeMap<u64, Vec<u32>>,
    patterns: Vec<Pattern>,
    owners: Vec<String>,
    pins: HashSet<Vec<u8>>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self {
            filter: vec![0; 1 << (FILTER_BITS - 6)],
            heads: BTreeMap::new(),
            patterns: Vec::new(),
            owners: Vec::new(),
            pins: HashSet::new(),
        }
    }
}

fn slot(head: u64) -> (usize, u64) {
    let hash = head.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - FILTER_BITS);
    (usize::try_from(hash >> 6).unwrap_or(0), 1 << (hash & 63))
}

impl Scanner {
    /// Adds a pattern. Two forms that are the same bytes are one.
    pub fn add(&mut self, kind: Kind, whose: &str, form: &'static str, bytes: Vec<u8>) {
        assert!((HEAD..=REACH).contains(&bytes.len()), "{kind:?} as {form} has {} bytes", bytes.len());
        let head = bytes.first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
        let here = self.heads.entry(head).or_default();
        if here.iter().any(|known| self.patterns[*known as usize].bytes.as_ref() == bytes) {
            return;
        }
        if self.owners.last().is_none_or(|last| last != whose) {
            self.owners.push(whose.to_owned());
        }
        here.push(u32::try_from(self.patterns.len()).unwrap_or(u32::MAX));
        let whose = u32::try_from(self.owners.len() - 1).unwrap_or(u32::MAX);
        self.patterns.push(Pattern { kind, whose, form, bytes: bytes.into() });
        let (word, bit) = slot(head);
        self.filter[word] |= bit;
    }

    /// PINs that must not stand behind a label.
    pub fn labelled(&mut self, pins: HashSet<Vec<u8>>) {
        self.pins = pins;
    }

    /// Patterns by kind.
    pub fn population(&self) -> BTreeMap<Kind, usize> {
        let mut count = BTreeMap::from([(Kind::LabelledPin, self.pins.len())]);
        self.patterns.iter().for_each(|pattern| *count.entry(pattern.kind).or_default() += 1);
        count
    }

    /// One pattern of each kind and form, to be planted: (kind, form, bytes).
    pub fn samples(&self) -> Vec<(Kind, &'static str, Vec<u8>)> {
        let mut seen = BTreeMap::new();
        for pattern in &self.patterns {
            seen.entry((pattern.kind, pattern.form)).or_insert_with(|| pattern.bytes.to_vec());
        }
        seen.into_iter().map(|((kind, form), bytes)| (kind, form, bytes)).collect()
    }

    /// Searches a stream that is pushed piece by piece.
    pub fn stream(&self, place: impl Into<String>) -> Stream<'_> {
        Stream { scanner: self, place: place.into(), window: Vec::new(), offset: 0, found: Vec::new() }
    }

    fn compare(&self, head: u64, rest: &[u8], mut found: impl FnMut(&Pattern)) {
        for known in self.heads.get(&head).into_iter().flatten() {
            let pattern = &self.patterns[*known as usize];
            if rest.starts_with(&pattern.bytes) {
                found(pattern);
            }
        }
    }

    /// `pin`, a few marks, and exactly the digits of a PIN of the run.
    fn is_labelled_pin(&self, rest: &[u8], before: Option<u8>) -> bool {
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric()) {
            return false;
        }
        let behind = rest.get(3..).unwrap_or_default();
        let marks = behind.iter().take_while(|byte| b"\"'\\:= ".contains(byte)).count();
        let digits: Vec<u8> = behind.iter().skip(marks).take_while(|byte| byte.is_ascii_digit()).take(13).copied().collect();
        (1..=8).contains(&marks) && self.pins.contains(&digits)
    }
}

/// A stream under search.
pub struct Stream<'a> {
    scanner: &'a Scanner,
    place: String,
    window: Vec<u8>,
    /// Of the window's first byte.
    offset: u64,
    found: Vec<Finding>,
}

impl Stream<'_> {
    /// The next piece.
    pub fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let room = (WINDOW + REACH - self.window.len()).min(piece.len());
            let (now, later) = piece.split_at(room);
            self.window.extend_from_slice(now);
            piece = later;
            if self.window.len() >= WINDOW + REACH {
                self.search(WINDOW);
                self.window.drain(..WINDOW);
                self.offset += WINDOW as u64;
            }
        }
    }

    /// What was found, once the stream has ended, and its length in bytes.
    pub fn end(mut self) -> (Vec<Finding>, u64) {
        let rest = self.window.len();
        self.search(rest);
        (self.found, self.offset + rest as u64)
    }

    /// Every place below `until`, with what follows it in sight.
    fn search(&mut self, until: usize) {
        let scanner = self.scanner;
        for at in 0..until {
            let rest = &self.window[at..];
            if let Some(head) = rest.first_chunk::<HEAD>() {
                let head = u64::from_be_bytes(*head);
                let (word, bit) = slot(head);
                if scanner.filter[word] & bit != 0 {
                    let (place, offset, found) = (&self.place, self.offset + at as u64, &mut self.found);
                    scanner.compare(head, rest, |pattern| {
                        let whose = scanner.owners[pattern.whose as usize].clone();
                        found.push(Finding { place: place.clone(), offset, kind: pattern.kind, whose, form: pattern.form });
                    });
                }
            }
            if rest[0] | 0x20 == b'p' && rest.get(1..3).is_some_and(|two| two.eq_ignore_ascii_case(b"in")) {
                let before = at.checked_sub(1).map(|before| self.window[before]);
                if scanner.is_labelled_pin(rest, before) {
                    let (offset, whose) = (self.offset + at as u64, "some card".to_owned());
                    self.found.push(Finding { place: self.place.clone(), offset, kind: Kind::LabelledPin, whose, form: "ascii" });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::known;

    const RUN: &str = r#"{"terminals":{"TERM0001":{"tpk":"0123456789ABCDEFFEDCBA9876543210","tak":"1C587F1C13924FEF92A8C4F8E9B6A1D0"}},
        "networks":{"dual":{"zpk":"B5F84A3E7C6D1F2092A8C4F8E9B6A1D6","zak":"4F2C1A3B5D6E7F8091A2B3C4D5E6F708"}},
        "card_seed":"8A3C5E7F9B1D2F406C8EA0B2C4D6E8FA","pvk":"ABCDEF0123456789FEDCBA9876543210"}"#;

    fn planted() -> Scanner {
        // Parity of these keys is not the matter here.
        known::scanner(&with_odd_parity(RUN)).expect("a run's secrets")
    }

    /// Keys in the text are given odd parity, which the simulators insist on.
    fn with_odd_parity(json: &str) -> String {
        let mut value: serde_json::Value = serde_json::from_str(json).expect("JSON");
        fn fix(value: &mut serde_json::Value) {
            match value {
                serde_json::Value::Object(members) => members.values_mut().for_each(fix),
                serde_json::Value::String(text) => {
                    let raw = hex::decode(&*text).expect("hex");
                    let odd = |byte: u8| if byte.count_ones().is_multiple_of(2) { byte ^ 1 } else { byte };
                    *text = hex::encode_upper(raw.into_iter().map(odd).collect::<Vec<_>>());
                }
                _ => {}
            }
        }
        fix(&mut value);
        value.to_string()
    }

    #[test]
    fn a_planted_secret_of_each_kind_and_form_is_found_across_every_cut() {
        let scanner = planted();
        let samples = scanner.samples();
        assert!(samples.len() > 40, "{}", samples.len());
        for (kind, form, bytes) in samples {
            for before in [0, 1, WINDOW - 5, WINDOW + REACH - 3] {
                let mut stream = scanner.stream("here");
                for piece in [vec![0xA5; before], bytes.clone(), vec![0xA5; 40]].concat().chunks(70_001) {
                    stream.push(piece);
                }
                let (found, length) = stream.end();
                assert_eq!(length, (before + bytes.len() + 40) as u64);
                let hit = found.iter().any(|it| it.kind == kind && it.form == form && it.offset == before as u64);
                assert!(hit, "{kind:?} as {form} behind {before} bytes: {found:?}");
            }
        }
    }

    #[test]
    fn a_pin_is_found_behind_a_label_and_nowhere_else() {
        let scanner = planted();
        let pin = scanner.pins.iter().next().map(|pin| String::from_utf8_lossy(pin).into_owned()).expect("cards have PINs");
        let found = |text: String| {
            let mut stream = scanner.stream("here");
            stream.push(text.as_bytes());
            stream.end().0.len()
        };
        assert_eq!(found(format!("{{\"PIN\":\"{pin}\"}}")), 1);
        assert_eq!(found(format!("pin={pin} ok")), 1);
        for harmless in [format!("pins={pin}"), format!("spin={pin}"), format!("pin={pin}7"), format!("amount={pin}")] {
            assert_eq!(found(harmless.clone()), 0, "{harmless}");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let (found, length) = {
            let scanner = planted();
            let mut stream = scanner.stream("noise");
            let mut source = fastrand::Rng::with_seed(3);
            let noise: Vec<u8> = (0..4_000_000).map(|_| source.u8(..)).collect();
            stream.push(&noise);
            stream.end()
        };
        assert_eq!((found, length), (Vec::new(), 4_000_000));
    }
}
