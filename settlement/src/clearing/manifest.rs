//! The manifest beside a clearing file: what it is, what is in it, and the mark that it is published.

use std::collections::BTreeMap;

use files::ipm::Totals;
use payments::{Amount, BusinessDate, Currency, LinkId, Text, Wall};
use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use super::error::Error;
use super::freeze::{Frozen, Movement, Note};

/// What a manifest says that it is.
const FORMAT: &str = "switchyard.clearing-manifest.1";

/// Everything about a file that its receiver and its auditors compare. The order of the members is part of
/// its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `switchyard.clearing-manifest.1`.
    pub format: Text<40>,
    /// The endpoint's name.
    pub endpoint: Text<24>,
    /// The network whose captures these are.
    pub network: LinkId,
    /// The business date of the captures.
    pub business_date: BusinessDate,
    /// Number of the file on that date, from 1.
    pub sequence: u32,
    /// PDS0105 of header and trailer.
    pub file_id: Text<25>,
    /// Name of the data file, in the manifest's directory.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, hex.
    pub sha256: Text<64>,
    /// Messages, header and trailer among them (PDS0306).
    pub messages: u32,
    /// Presentments.
    pub presentments: u64,
    /// Sum of DE4 of all presentments, currencies mixed (PDS0301): a hash total.
    pub amount_checksum: i128,
    /// Sum of the sequence numbers in the acquirer references: a hash total.
    pub reference_checksum: u128,
    /// First and last capture of each shard.
    pub captures: Vec<Range>,
    /// By currency and movement.
    pub totals: Vec<Total>,
    /// What was set aside from it, by currency and movement: captured, and in no file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<Total>,
    /// What a reader of its records should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Noted>,
    /// When the set was frozen, microseconds since 1970.
    pub frozen_at: Wall,
}

/// A note and how many presentments have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// What.
    pub note: Note,
    /// How many.
    pub count: u64,
}

/// The captures of a shard in a file. Not every number between them is in it: voided and online items are
/// not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The shard.
    pub shard: u16,
    /// Number of its first capture in the file.
    pub first: i64,
    /// Number of its last.
    pub last: i64,
    /// How many.
    pub count: u64,
}

/// A sum of presentments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// The currency, ISO 4217 alphabetic.
    pub currency: Text<3>,
    /// What they do.
    pub movement: Movement,
    /// How many.
    pub count: u64,
    /// Minor units.
    pub amount: i128,
}

/// What the ledger posts once a file is sent, one posting per currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// File id and currency: posting it again under the same reference does nothing.
    pub reference: Text<32>,
    /// What cardholders pay: sales, and refunds taken back.
    pub sales: Amount,
    /// What cardholders are paid: refunds, and sales taken back.
    pub refunds: Amount,
}

impl Manifest {
    /// What the ledger has to post for this file: uncleared becomes cleared.
    pub fn sent(&self) -> Result<Vec<Sent>, Error> {
        let mut sums: BTreeMap<Text<3>, [i128; 2]> = BTreeMap::new();
        for total in &self.totals {
            let [sales, refunds] = sums.entry(total.currency).or_default();
            let side = if total.movement.sign() > 0 { sales } else { refunds };
            *side = side.checked_add(total.amount).ok_or(Error::Overflow)?;
        }
        let sent = |(code, [sales, refunds]): (Text<3>, [i128; 2])| {
            let currency = Currency::from_alpha(code.as_str()).ok_or(Error::Damaged("a currency of its manifest is unknown"))?;
            let amount = |sum| i64::try_from(sum).ok().and_then(|minor| Amount::new(minor, currency).ok()).ok_or(Error::Overflow);
            let reference = Text::new(&format!("{}/{code}", self.file_id)).map_err(|_| Error::Overflow)?;
            Ok(Sent { reference, sales: amount(sales)?, refunds: amount(refunds)? })
        };
        sums.into_iter().map(sent).collect()
    }

    pub(crate) fn of(endpoint: &Endpoint, frozen: &Frozen, totals: &Totals, bytes: u64, sha256: String) -> Result<Self, Error> {
        let mut notes: BTreeMap<Note, u64> = BTreeMap::new();
        let mut ranges: BTreeMap<u16, Range> = BTreeMap::new();
        let mut references = 0u128;
        for item in &frozen.items {
            if let Some(note) = item.note {
                *notes.entry(note).or_default() += 1;
            }
            references += u128::from(item.ard.sequence());
            let (shard, seq) = (item.capture.shard.0, item.capture.item.seq);
            let range = ranges.entry(shard).or_insert(Range { shard, first: seq, last: seq, count: 0 });
            (range.last, range.count) = (seq, range.count + 1);
        }
        Ok(Self {
            format: Text::literal(FORMAT),
            endpoint: endpoint.name,
            network: endpoint.network,
            business_date: frozen.key.date,
            sequence: frozen.key.sequence,
            file_id: Text::new(totals.id.as_str()).map_err(|_| Error::Overflow)?,
            file: format!("{}.ipm", Self::stem(endpoint, frozen)),
            bytes,
            sha256: Text::new(&sha256).map_err(|_| Error::Overflow)?,
            messages: totals.messages,
            presentments: u64::try_from(frozen.items.len()).unwrap_or(u64::MAX),
            amount_checksum: totals.checksum,
            reference_checksum: references,
            captures: ranges.into_values().collect(),
            totals: totals_of(frozen.items.iter().map(|item| (item.movement, item.amount)))?,
            set_aside: totals_of(frozen.set_aside.iter().map(|aside| (aside.movement, aside.amount)))?,
            notes: notes.into_iter().map(|(note, count)| Noted { note, count }).collect(),
            frozen_at: frozen.key.frozen_at,
        })
    }

    /// How many captures were set aside from it.
    pub fn set_aside_count(&self) -> u64 {
        self.set_aside.iter().map(|total| total.count).sum()
    }

    /// The name of data file and manifest without their endings.
    pub(crate) fn stem(endpoint: &Endpoint, frozen: &Frozen) -> String {
        format!("{}-{}-{:05}", endpoint.name, frozen.key.date, frozen.key.sequence)
    }

    /// Whether it is one that this program understands.
    pub(crate) fn is_known(&self) -> bool {
        self.format.as_str() == FORMAT
    }

    /// Its bytes: one line of JSON.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = serde_json::to_vec(self).map_err(|_| Error::Overflow)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Sums by currency and movement.
fn totals_of(items: impl Iterator<Item = (Movement, Amount)>) -> Result<Vec<Total>, Error> {
    let mut sums: BTreeMap<(Currency, Movement), (u64, i128)> = BTreeMap::new();
    for (movement, amount) in items {
        let sum = sums.entry((amount.currency(), movement)).or_default();
        (sum.0, sum.1) = (sum.0 + 1, sum.1 + i128::from(amount.minor()));
    }
    let total = |((currency, movement), (count, amount)): ((Currency, Movement), (u64, i128))| {
        Ok(Total { currency: Text::new(currency.alpha()).map_err(|_| Error::Overflow)?, movement, count, amount })
    };
    sums.into_iter().map(total).collect()
}
