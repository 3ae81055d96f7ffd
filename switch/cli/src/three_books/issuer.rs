//! An issuer's book: what it approved, and what stands of it.

use std::collections::BTreeMap;
use std::path::Path;

use simulators::issuer::line::{Kind, Line, Record, Standing};

use super::{BookError, lines};

/// What an issuer has under a DE37.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// DE37.
    pub rrn: String,
    /// DE63, its id on the network.
    pub network_id: String,
    /// `purchase` and so on; an authorization that a message completed is a `completion`.
    pub kind: Kind,
    /// DE49, numeric.
    pub currency: u16,
    /// DE4 of the request, minor units.
    pub asked: i64,
    /// What was approved of it.
    pub approved: i64,
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

/// A balance that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enquiry {
    /// DE37.
    pub rrn: String,
    /// DE49, numeric.
    pub currency: u16,
    /// DE39 of its answer.
    pub code: String,
}

/// Items by DE37, and by line within it.
#[derive(Debug, Clone, Default)]
pub struct IssuerBook {
    items: BTreeMap<String, Vec<Item>>,
    reversals: BTreeMap<String, usize>,
    /// Balances that were asked for, in order.
    pub enquiries: Vec<Enquiry>,
}

impl IssuerBook {
    /// Reads a book.
    ///
    /// # Errors
    /// A line that is not one, named.
    pub fn read(path: &Path) -> Result<Self, BookError> {
        Ok(Self::of(&lines::<Line>(path)?))
    }

    pub(super) fn of(lines: &[Line]) -> Self {
        let mut items: BTreeMap<u64, Item> = BTreeMap::new();
        let mut book = Self::default();
        for line in lines {
            match line.kind {
                Kind::Balance => book.enquiries.push(Enquiry {
                    rrn: line.rrn.to_string(),
                    currency: line.currency.numeric(),
                    code: line.de39.to_string(),
                }),
                Kind::Reversal => *book.reversals.entry(line.rrn.to_string()).or_default() += 1,
                _ => {}
            }
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
                        currency: line.currency.numeric(),
                        asked: line.amount,
                        approved: line.approved,
                        standing: line.state,
                        stands: line.stands,
                        code: line.de39.to_string(),
                        reversed: 0,
                    };
                    items.insert(line.n, item);
                }
            }
        }
        for item in items.into_values() {
            book.items.entry(item.rrn.clone()).or_default().push(item);
        }
        book
    }

    /// What it has under a DE37.
    pub fn of_rrn(&self, rrn: &str) -> &[Item] {
        self.items.get(rrn).map(Vec::as_slice).unwrap_or_default()
    }

    /// How often it was asked to take back what has this DE37, with effect or without.
    pub fn reversals_of(&self, rrn: &str) -> usize {
        self.reversals.get(rrn).copied().unwrap_or(0)
    }

    /// Everything.
    pub fn all(&self) -> impl Iterator<Item = &Item> {
        self.items.values().flatten()
    }
}
