//! The store of the simulation: the contract of [`Store`] in memory, with faults on request.
//!
//! It refuses what PostgreSQL's constraints would refuse and nothing else, so that a bug in the book
//! shows here too. Handles are cheap clones of one store: several nodes of a simulation share it.

mod check;
mod faults;
mod proof;
mod tables;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use payments::Shard;

use crate::accounts::AccountState;
use crate::block::{BlockNo, merkle_root};
use crate::command::{Capture, Command};
use crate::store::{
    Batch, CommitError, Committed, Epoch, Fence, Found, Landed, Lookup, NodeId, OpenError, PaymentRecord, ReadError, Snapshot,
    Store,
};
pub use faults::Fault;
pub use proof::StoredRows;
pub use tables::{ClaimRow, HoldRow, LaneRow, Tables};

/// Shared between the nodes of a simulation. See the module's text.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    shards: BTreeMap<Shard, ShardStore>,
    unreachable: bool,
    /// Acknowledge before it is durable: what a database with `fsync` off does.
    early_ack: bool,
}

#[derive(Debug, Default)]
struct ShardStore {
    epoch: i64,
    owner: Option<NodeId>,
    tables: Tables,
    /// How many of the blocks a crash cannot take away.
    synced: usize,
    /// Sent, outcome not reported, still to land: the transaction that outlived its connection.
    in_doubt: Option<Batch>,
    faults: std::collections::VecDeque<Fault>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Store::open`], at once.
    pub fn open_now(&self, shard: Shard, me: NodeId) -> Result<(Fence, Snapshot), OpenError> {
        let mut inner = self.lock();
        inner.reachable().map_err(OpenError::Unavailable)?;
        let store = inner.shards.entry(shard).or_default();
        let fence = store.fence(shard, me);
        Ok((fence, store.tables.snapshot()))
    }

    /// As [`Store::commit`], at once.
    pub fn commit_now(&self, fence: &Fence, batch: &Batch) -> Result<Committed, CommitError> {
        let mut inner = self.lock();
        inner.reachable().map_err(CommitError::Unknown)?;
        let early_ack = inner.early_ack;
        let store = inner.shards.entry(fence.shard).or_default();
        let fault = store.faults.pop_front().unwrap_or(Fault::None);
        if fault == Fault::UnknownLost {
            return Err(CommitError::Unknown("connection lost before the batch arrived".into()));
        }
        if store.epoch != fence.epoch.0 {
            return Err(CommitError::Fenced { by: Epoch(store.epoch) });
        }
        if let Fault::Refuse { item, why } = fault
            && item < batch.items.len()
        {
            return Err(CommitError::Refused { item, why });
        }
        store.next(batch).map_err(CommitError::Broken)?;
        check::check(&store.tables, batch).map_err(|(item, why)| CommitError::Refused { item, why })?;
        check::accounts(&store.tables, batch).map_err(CommitError::Broken)?;
        if fault == Fault::UnknownLate {
            store.in_doubt = Some(batch.clone());
            return Err(CommitError::Unknown("connection lost while the transaction ran".into()));
        }
        store.tables.apply(batch);
        if !early_ack {
            store.synced = store.tables.blocks.len();
        }
        match fault {
            Fault::UnknownLanded => Err(CommitError::Unknown("connection lost behind the commit".into())),
            _ => Ok(batch.committed(fence)),
        }
    }

    /// As [`Store::resolve`], at once.
    pub fn resolve_now(&self, fence: &Fence, me: NodeId, batch: &Batch) -> Result<(Fence, Landed), OpenError> {
        let mut inner = self.lock();
        inner.reachable().map_err(OpenError::Unavailable)?;
        let store = inner.shards.entry(fence.shard).or_default();
        if store.epoch != fence.epoch.0 {
            return Err(OpenError::Fenced { by: Epoch(store.epoch) });
        }
        let fence = store.fence(fence.shard, me);
        match store.tables.block(batch.header.number) {
            Some(there) if there.hash == batch.hash => Ok((fence, Landed::Yes(batch.committed(&fence)))),
            Some(_) => Err(OpenError::Damaged(format!("block {} is another one", batch.header.number.0))),
            None => Ok((fence, Landed::No)),
        }
    }

    /// As [`Store::lookup`], at once.
    pub fn lookup_now(&self, shard: Shard, what: &Lookup) -> Result<Found, ReadError> {
        let mut inner = self.lock();
        inner.reachable().map_err(ReadError::Unavailable)?;
        Ok(inner.shards.entry(shard).or_default().tables.lookup(what))
    }

    /// Reads a shard's tables in place: for judges that look at much.
    pub fn read<T>(&self, shard: Shard, look: impl FnOnce(&Tables) -> T) -> T {
        look(&self.lock().shards.entry(shard).or_default().tables)
    }

    /// Every payment, oldest first.
    pub fn payments(&self, shard: Shard) -> Vec<PaymentRecord> {
        self.read(shard, |tables| tables.payments.values().cloned().collect())
    }

    /// Every account, by number.
    pub fn accounts(&self, shard: Shard) -> Vec<AccountState> {
        self.read(shard, |tables| tables.accounts.values().copied().collect())
    }

    /// Every lane item, ended or not, by payment and number.
    pub fn lanes(&self, shard: Shard) -> Vec<LaneRow> {
        self.read(shard, |tables| tables.lanes.values().cloned().collect())
    }

    /// Every capture item, by payment and number.
    pub fn captures(&self, shard: Shard) -> Vec<Capture> {
        self.read(shard, |tables| tables.captures.values().copied().collect())
    }

    /// Every block in order.
    pub fn blocks(&self, shard: Shard) -> Vec<Batch> {
        self.read(shard, |tables| tables.blocks.clone())
    }

    /// Every command in order, with the numbers that the book gave it.
    pub fn commands(&self, shard: Shard) -> Vec<Command> {
        self.read(shard, |tables| {
            tables.blocks.iter().flat_map(|block| block.items.iter().map(|item| item.command.clone())).collect()
        })
    }

    /// The epoch that holds a shard; 0 before the first owner.
    pub fn epoch(&self, shard: Shard) -> Epoch {
        Epoch(self.lock().shards.entry(shard).or_default().epoch)
    }

    /// The node that took a shard last.
    pub fn owner(&self, shard: Shard) -> Option<NodeId> {
        self.lock().shards.entry(shard).or_default().owner
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held was a failed assertion of a test; what it guards is still read.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn reachable(&self) -> Result<(), String> {
        if self.unreachable { Err("switched off by the simulation".into()) } else { Ok(()) }
    }
}

impl ShardStore {
    /// Takes a new epoch. A transaction that still runs is waited for, so it lands first.
    fn fence(&mut self, shard: Shard, me: NodeId) -> Fence {
        if let Some(batch) = self.in_doubt.take() {
            self.tables.apply(&batch);
            self.synced = self.tables.blocks.len();
        }
        self.epoch = self.epoch.saturating_add(1);
        self.owner = Some(me);
        Fence { shard, epoch: Epoch(self.epoch) }
    }

    /// Whether a batch is the next block, and what it says it is.
    fn next(&self, batch: &Batch) -> Result<(), String> {
        let (number, hash) = self.tables.head();
        if self.in_doubt.is_some() {
            return Err("a batch is in doubt and was not resolved".into());
        }
        if batch.header.number != BlockNo(number.0.saturating_add(1)) || batch.header.previous != hash {
            return Err(format!("block {} does not follow block {}", batch.header.number.0, number.0));
        }
        let root = merkle_root(batch.items.iter().map(|item| item.body.as_bytes()));
        let count = i32::try_from(batch.items.len()).ok();
        if batch.items.is_empty() || count != Some(batch.header.items) || root != batch.header.root {
            return Err(format!("block {} is not what its header says", batch.header.number.0));
        }
        if batch.header.hash() != batch.hash {
            return Err(format!("block {} has a wrong hash", batch.header.number.0));
        }
        Ok(())
    }
}

impl Store for MemoryStore {
    async fn open(&self, shard: Shard, me: NodeId) -> Result<(Fence, Snapshot), OpenError> {
        self.open_now(shard, me)
    }

    async fn commit(&self, fence: &Fence, batch: &Batch) -> Result<Committed, CommitError> {
        self.commit_now(fence, batch)
    }

    async fn resolve(&self, fence: &Fence, me: NodeId, batch: &Batch) -> Result<(Fence, Landed), OpenError> {
        self.resolve_now(fence, me, batch)
    }

    async fn lookup(&self, shard: Shard, what: &Lookup) -> Result<Found, ReadError> {
        self.lookup_now(shard, what)
    }
}
