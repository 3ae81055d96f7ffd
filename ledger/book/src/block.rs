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

#[cfg(test)]
mod tests {
    use super::*;

    /// Roots of the reference tree of Certificate Transparency, after 1 to 8 leaves.
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn roots_are_those_of_rfc_6962() {
        let leaves: [&[u8]; 8] = [b"", b"\x00", b"\x10", b" !", b"01", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"];
        for (count, root) in (1..).zip(ROOTS) {
            assert_eq!(merkle_root(leaves.iter().copied().take(count)).to_string(), root);
        }
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(merkle_root([]).to_string(), nothing);
    }

    #[test]
    fn a_node_does_not_pass_as_a_leaf() {
        let (a, b) = (merkle_root([&b"a"[..]]), merkle_root([&b"b"[..]]));
        let joined = [&a.0[..], &b.0[..]].concat();
        assert_ne!(merkle_root([&joined[..]]), merkle_root([&b"a"[..], &b"b"[..]]));
    }

    #[test]
    fn every_field_of_a_header_is_in_its_hash() {
        let header = BlockHeader {
            shard: Shard(1),
            number: BlockNo(2),
            previous: Hash([3; 32]),
            root: Hash([4; 32]),
            items: 5,
            epoch: 6,
            at: Wall(7),
        };
        let others = [
            BlockHeader { shard: Shard(0), ..header },
            BlockHeader { number: BlockNo(0), ..header },
            BlockHeader { previous: Hash::GENESIS, ..header },
            BlockHeader { root: Hash::GENESIS, ..header },
            BlockHeader { items: 0, ..header },
            BlockHeader { epoch: 0, ..header },
            BlockHeader { at: Wall(0), ..header },
        ];
        others.into_iter().for_each(|other| assert_ne!(other.hash(), header.hash(), "{other:?}"));
    }
}
