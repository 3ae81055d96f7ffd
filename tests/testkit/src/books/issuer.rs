//! An issuer's book: what it approved, and what stands of it.

use std::collections::BTreeMap;
use std::path::Path;

use simulators::issuer::line::{Kind, Line, Record, Standing};

use super::lines;
use crate::KitError;

/// What an issuer has under a DE37.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// DE37.
    pub rrn: String,
    /// DE63, its id on the network.
    pub network_id: String,
    /// `purchase` and so on; an authorization that a message completed is a `completion`.
    pub kind: Kind,
    /// How it stands at the end.
    pub standing: Standing,
    /// Minor units that stand.
    pub stands: i64,
    /// DE39 of its answer.
    pub code: String,
    /// How often a reversal had an effect on it.
    pub reversed: usize,
}

impl Item {
    /// Whether anything of it stands.
    pub fn is_open(&self) -> bool {
        self.standing == Standing::Open && self.stands > 0
    }
}

/// Items by DE37, and by line within it.
#[derive(Debug, Clone, Default)]
pub struct IssuerBook {
    items: BTreeMap<String, Vec<Item>>,
}

impl IssuerBook {
    /// Reads a book.
    ///
    /// # Errors
    /// A line that is not one, named.
    pub fn read(path: &Path) -> Result<Self, KitError> {
        Ok(Self::of(&lines::<Line>(path)?))
    }

    fn of(lines: &[Line]) -> Self {
        let mut items: BTreeMap<u64, Item> = BTreeMap::new();
        for line in lines {
            if line.record == Record::Note || (line.record == Record::Answer && line.kind == Kind::Reversal) {
                continue;
            }
            match line.item.and_then(|item| items.get_mut(&item)) {
                Some(item) => {
                    (item.standing, item.stands) = (line.state, line.stands);
                    match line.kind {
                        Kind::Reversal => item.reversed += 1,
                        other => item.kind = other,
                    }
                }
                None => {
                    let item = Item {
                        rrn: line.rrn.to_string(),
                        network_id: line.network_id.to_string(),
                        kind: line.kind,
                        standing: line.state,
                        stands: line.stands,
                        code: line.de39.to_string(),
                        reversed: 0,
                    };
                    items.insert(line.n, item);
                }
            }
        }
        let mut book = Self::default();
        for item in items.into_values() {
            book.items.entry(item.rrn.clone()).or_default().push(item);
        }
        book
    }

    /// What it has under a DE37.
    pub fn of_rrn(&self, rrn: &str) -> &[Item] {
        self.items.get(rrn).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everything.
    pub fn all(&self) -> impl Iterator<Item = &Item> {
        self.items.values().flatten()
    }
}
