//! What a simulation can do to the store.

use payments::Shard;

use super::MemoryStore;
use crate::Refusal;

/// What becomes of one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing unusual.
    None,
    /// It lands, but success is not reported.
    UnknownLanded,
    /// It is lost, which is not reported either.
    UnknownLost,
    /// It lands later: nobody sees it until the next owner or resolver takes an epoch, which waits for
    /// it, or until a crash, which takes it away.
    UnknownLate,
    /// One item is refused. Ignored where the batch has no such item.
    Refuse {
        /// Index in the batch.
        item: usize,
        /// Why.
        why: Refusal,
    },
}

impl MemoryStore {
    /// Says what becomes of the next commit of a shard. Several queue up, one for each commit.
    pub fn next_commit(&self, shard: Shard, fault: Fault) {
        self.lock().shards.entry(shard).or_default().faults.push_back(fault);
    }

    /// Switches the store off (everything is `Unavailable`, commits are `Unknown` and lost) or on.
    pub fn set_reachable(&self, reachable: bool) {
        self.lock().unreachable = !reachable;
    }

    /// Acknowledges commits before they are durable: a database with `fsync` off. A simulation that
    /// crashes such a store must find acknowledged payments lost, or it would find nothing.
    pub fn acknowledge_early(&self, early: bool) {
        self.lock().early_ack = early;
    }

    /// Makes everything durable that was acknowledged early.
    pub fn sync(&self) {
        for store in self.lock().shards.values_mut() {
            store.synced = store.tables.blocks.len();
        }
    }

    /// The store crashes and comes back: whatever was not synced is gone, a transaction that still
    /// ran too. Returns how many blocks were lost; 0 unless [`MemoryStore::acknowledge_early`].
    pub fn crash(&self) -> usize {
        let mut lost = 0usize;
        for store in self.lock().shards.values_mut() {
            store.in_doubt = None;
            let blocks = std::mem::take(&mut store.tables).blocks;
            lost = lost.saturating_add(blocks.len().saturating_sub(store.synced));
            blocks.iter().take(store.synced).for_each(|batch| store.tables.apply(batch));
        }
        lost
    }
}
