//! The audit chain: each committed batch is a block with a number, the hash before it and the Merkle
//! root of its items.

use std::fmt;

use payments::{Shard, Wall};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Number of a block in its shard, from 1 without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockNo(pub i64);

/// SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(#[serde(with = "hex::serde")] pub [u8; 32]);

impl Hash {
    /// What stands before the first block.
    pub const GENESIS: Self = Self([0; 32]);
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Everything of a block that its hash covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    /// The shard.
    pub shard: Shard,
    /// Its number.
    pub number: BlockNo,
    /// Hash of the block before it.
    pub previous: Hash,
    /// Merkle root of its items.
    pub root: Hash,
    /// How many items it has.
    pub items: i32,
    /// Epoch of the writer.
    pub epoch: i64,
    /// Engine time of its last item.
    pub at: Wall,
}

impl BlockHeader {
    /// SHA-256 over the fields in order, integers big-endian.
    pub fn hash(&self) -> Hash {
        let mut digest = Sha256::new();
        digest.update(b"switchyard block 1");
        digest.update(self.shard.0.to_be_bytes());
        digest.update(self.number.0.to_be_bytes());
        digest.update(self.previous.0);
        digest.update(self.root.0);
        digest.update(self.items.to_be_bytes());
        digest.update(self.epoch.to_be_bytes());
        digest.update(self.at.0.to_be_bytes());
        Hash(digest.finalize().into())
    }
}

/// Merkle root of items by RFC 6962 section 2.1 (leaves and nodes hashed with different prefixes, so
/// that no node passes as a leaf). No items: the hash of nothing.
pub fn merkle_root<'a>(items: impl IntoIterator<Item = &'a [u8]>) -> Hash {
    let leaves: Vec<[u8; 32]> = items
        .into_iter()
        .map(|item| {
            let mut digest = Sha256::new();
            digest.update([0]);
            digest.update(item);
            digest.finalize().into()
        })
        .collect();
    Hash(subtree(&leaves))
}

fn subtree(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(split);
            let mut digest = Sha256::new();
            digest.update([1]);
            digest.update(subtree(left));
            digest.update(subtree(right));
            digest.finalize().into()
        }
    }
}
