//! The audit chain: blocks in order, each hashed with the one before it.

use std::collections::BTreeMap;

use payments::Shard;

use super::{Finding, Place};
use crate::block::{BlockHeader, BlockNo, Hash, merkle_root};

/// Follows a shard's chain from its first block. Constant memory, but for the heads it is given.
#[derive(Debug)]
pub struct AuditVerifier {
    shard: Shard,
    last: (BlockNo, Hash),
    epoch: i64,
    items: u64,
    heads: BTreeMap<BlockNo, Hash>,
    /// Heads that were met on the way.
    met: usize,
}

/// What a chain was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainReport {
    /// The last block's number and hash.
    pub head: (BlockNo, Hash),
    /// How many items the blocks held.
    pub items: u64,
    /// How many exported heads lie on the chain.
    pub heads: usize,
}

impl AuditVerifier {
    /// For a shard, with the heads that were exported from it and are known to be genuine (their
    /// signatures were checked). Without any, a cut tail and a re-chained history cannot be seen.
    pub fn new(shard: Shard, heads: impl IntoIterator<Item = (BlockNo, Hash)>) -> Self {
        Self { shard, last: (BlockNo(0), Hash::GENESIS), epoch: 0, items: 0, heads: heads.into_iter().collect(), met: 0 }
    }

    /// The next stored block with the bodies of its items in stored order. Goes on from what is
    /// stored, so that one fault is one finding and not one in every block behind it.
    pub fn block<'a>(&mut self, header: &BlockHeader, hash: Hash, bodies: impl IntoIterator<Item = &'a str>) -> Vec<Finding> {
        let place = Place::Block(header.number.0);
        let mut found = Vec::new();
        let mut differs = |want: String, got: String| {
            if want != got {
                found.push(Finding::new(place.clone(), want, got));
            }
        };
        let next = self.last.0.0.saturating_add(1);
        differs(format!("block {next} next"), format!("block {} next", header.number.0));
        differs(format!("shard {}", self.shard.0), format!("shard {}", header.shard.0));
        differs(format!("previous hash {}", self.last.1), format!("previous hash {}", header.previous));
        let mut count = 0u64;
        let root = merkle_root(bodies.into_iter().inspect(|_| count += 1).map(str::as_bytes));
        differs(format!("root {root}"), format!("root {}", header.root));
        differs(format!("{count} items"), format!("{} items", header.items));
        differs(format!("hash {}", header.hash()), format!("hash {hash}"));
        if header.epoch < self.epoch {
            differs(format!("epoch {} or later", self.epoch), format!("epoch {}", header.epoch));
        }
        if let Some(head) = self.heads.get(&header.number) {
            differs(format!("exported head {head}"), format!("exported head {hash}"));
            self.met += 1;
        }
        self.last = (header.number, hash);
        self.epoch = self.epoch.max(header.epoch);
        self.items = self.items.saturating_add(count);
        found
    }

    /// The end of the chain: a head that was exported and never came is a cut tail.
    pub fn finish(self) -> (ChainReport, Vec<Finding>) {
        let missing = self.heads.range((std::ops::Bound::Excluded(self.last.0), std::ops::Bound::Unbounded));
        let found = missing
            .map(|(number, head)| {
                let want = format!("exported head {head}");
                Finding::new(Place::Block(number.0), want, format!("the chain ends with block {}", self.last.0.0))
            })
            .collect();
        (ChainReport { head: self.last, items: self.items, heads: self.met }, found)
    }
}
