//! The contract of a store: it commits a batch whole or not at all, durably, under a fence, and can
//! say later whether a batch whose outcome was lost has landed.

use std::future::Future;

use payments::{BusinessDate, LinkId, PaymentId, Rrn, Shard, Stan, Text};

use crate::accounts::AccountState;
use crate::block::{BlockHeader, BlockNo, Hash};
use crate::claim::{BodyHash, ClaimKey};
use crate::command::{Command, LaneItem, Payment, Standing};

/// Order of the engine's commands; per engine, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub u64);

/// The term of a writer. A higher one fences the lower ones out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub i64);

/// Who wants to write: a node, by a random id per process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub uuid::Uuid);

/// The right to write a shard, as long as nobody took a higher epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The shard.
    pub shard: Shard,
    /// The term.
    pub epoch: Epoch,
}

/// Checked commands with their numbers and the block that they make. Built by [`crate::Book`] only.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The block.
    pub header: BlockHeader,
    /// Its hash.
    pub hash: Hash,
    /// The items in order.
    pub items: Vec<Item>,
    /// Every account that the items touch, as it stands after them; new ones have `opened` set.
    pub accounts: Vec<AccountWrite>,
    /// Last STAN used per link, of all links so far, and the oldest payment in state `Sent`: what a
    /// new owner needs and would otherwise have to search for.
    pub marks: Marks,
}

/// An account as it stands after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountWrite {
    /// The account.
    pub state: AccountState,
    /// Its version before the batch; 0 with `opened` for a new one.
    pub before: i64,
    /// Whether this batch opens it.
    pub opened: bool,
}

/// What a new owner needs and would otherwise have to search for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Last STAN used per link.
    pub stans: Vec<(LinkId, Stan)>,
    /// The oldest payment that has no outcome yet; all open ones have this or a later id.
    pub oldest_open: Option<PaymentId>,
}

/// One command in its block.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The engine's number of it.
    pub seq: Seq,
    /// Canonical JSON of `command`: what the chain hashes and the store keeps.
    pub body: String,
    /// The command with the book's numbers in it.
    pub command: Command,
    /// For each line of each journal in order: the account's number, its version after the entry and
    /// its net credit balance after it.
    pub entries: Vec<EntryNumbers>,
}

/// The numbers of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryNumbers {
    /// The account's number.
    pub account: i64,
    /// The account's version after it.
    pub version: i64,
    /// Credits less debits after it.
    pub balance_after: i64,
}

/// Evidence that a batch is durable: the only source of the engine's `Durable` proofs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    epoch: Epoch,
    block: BlockNo,
    seqs: Vec<Seq>,
}

impl Batch {
    /// The evidence that this batch is durable. Only a [`Store`] may say so, and only once the
    /// commit's success was reported by the database or read back.
    pub fn committed(&self, fence: &Fence) -> Committed {
        Committed { epoch: fence.epoch, block: self.header.number, seqs: self.items.iter().map(|item| item.seq).collect() }
    }
}

impl Committed {
    /// Under which epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Which block.
    pub fn block(&self) -> BlockNo {
        self.block
    }

    /// Which commands, in order.
    pub fn seqs(&self) -> &[Seq] {
        &self.seqs
    }
}

/// What a lookup wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// A claim, its stored answer and its payment.
    Claim(ClaimKey),
    /// A payment.
    Payment(PaymentId),
    /// Payments of a terminal by DE37.
    Rrn {
        /// DE41.
        terminal: Text<8>,
        /// DE37.
        rrn: Rrn,
    },
    /// Open lane items behind `(payment, number)`, in order, at most `max`.
    Lanes {
        /// Behind this one.
        after: (PaymentId, i16),
        /// At most so many.
        max: usize,
    },
    /// The last message that a payment owed, where it ended dead.
    Dead(PaymentId),
}

/// What a lookup found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The claim, if it is there.
    Claim(Option<Box<ClaimRecord>>),
    /// The payments, oldest first; none, one or (by DE37) several.
    Payments(Vec<PaymentRecord>),
    /// Open lane items.
    Lanes(Vec<OpenLane>),
    /// Of this payment, the last message that it owed, which ended dead; none where it did not.
    Dead(PaymentId, Option<Box<OpenLane>>),
}

/// A claim as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimRecord {
    /// What to compare.
    pub body: BodyHash,
    /// Whether a reversal planted it before its original came.
    pub tombstone: bool,
    /// The stored answer, once there is one.
    pub answer: Option<payments::Answer>,
    /// The payment, unless it is a tombstone or an operator's act.
    pub payment: Option<PaymentRecord>,
}

/// A payment as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PaymentRecord {
    /// Its facts.
    pub facts: Payment,
    /// Where it stands.
    pub standing: Standing,
    /// The number of lane items it ever had.
    pub lane_items: i16,
}

/// An owed message and the payment that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenLane {
    /// The item.
    pub item: LaneItem,
    /// The payment.
    pub payment: PaymentRecord,
}

/// What a new owner of a shard starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The last block's number and hash; `BlockNo(0)` and genesis for an empty shard.
    pub head: (BlockNo, Hash),
    /// Every account.
    pub accounts: Vec<AccountState>,
    /// Last journal number.
    pub journal: i64,
    /// Last capture number.
    pub capture: i64,
    /// Last outbox number.
    pub outbox: i64,
    /// The business day that is open for new payments, if one was ever opened.
    pub day: Option<BusinessDate>,
    /// A day that was cut but is not closed yet.
    pub closing: Option<BusinessDate>,
    /// Payments in state `Sent` or `Enquiring`: each owes a resolution.
    pub open: Vec<PaymentRecord>,
    /// Open lane items, the oldest [`Snapshot::LANES`] of them.
    pub lanes: Vec<OpenLane>,
    /// Whether there are more.
    pub more_lanes: bool,
    /// See [`Marks`].
    pub marks: Marks,
}

impl Snapshot {
    /// How many lane items a snapshot holds at the most; the rest is looked up when these are done.
    pub const LANES: usize = 4096;

    /// An empty shard.
    pub fn empty() -> Self {
        Self {
            head: (BlockNo(0), Hash::GENESIS),
            accounts: Vec::new(),
            journal: 0,
            capture: 0,
            outbox: 0,
            day: None,
            closing: None,
            open: Vec::new(),
            lanes: Vec::new(),
            more_lanes: false,
            marks: Marks::default(),
        }
    }
}

/// Whether a batch of unknown outcome is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landed {
    /// It is: its block has our hash.
    Yes(Committed),
    /// It is not; the same batch may be sent again.
    No,
}

/// Why a commit did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Somebody else owns the shard now. Drop the engine whole.
    #[error("fenced out by epoch {}", by.0)]
    Fenced {
        /// The epoch that holds the shard.
        by: Epoch,
    },
    /// One item cannot be; nothing was written. Rebuild the block without it.
    #[error("item {item} refused: {why:?}")]
    Refused {
        /// Index in [`Batch::items`].
        item: usize,
        /// Why.
        why: crate::Refusal,
    },
    /// The connection was lost, or success is in doubt: ask [`Store::resolve`].
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// The store or the book is broken; stop.
    #[error("store broken: {0}")]
    Broken(String),
}

/// Why a shard could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not reachable; try again.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// A higher epoch took the shard.
    #[error("fenced out by epoch {}", by.0)]
    Fenced {
        /// The epoch that holds the shard.
        by: Epoch,
    },
    /// What is stored contradicts itself; refuse to start.
    #[error("stored record is damaged: {0}")]
    Damaged(String),
}

/// Why a read failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not reachable; try again.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// What is stored cannot be understood.
    #[error("stored record is damaged: {0}")]
    Damaged(String),
}

/// A place where batches become durable. Two exist: PostgreSQL, and memory for the simulation; one
/// conformance suite holds both to this contract.
pub trait Store: Send + Sync + 'static {
    /// Takes the shard: a new epoch above every earlier one, then what stands there.
    fn open(&self, shard: Shard, me: NodeId) -> impl Future<Output = Result<(Fence, Snapshot), OpenError>> + Send;

    /// Commits the batch whole, durable when it returns `Ok`. The fence and the previous block are
    /// checked inside the transaction.
    fn commit(&self, fence: &Fence, batch: &Batch) -> impl Future<Output = Result<Committed, CommitError>> + Send;

    /// Finds out what became of a batch whose commit ended `Unknown`: takes a new epoch first (which
    /// waits for a transaction of ours that may still run, and shuts out what comes late), then reads
    /// the block.
    fn resolve(
        &self,
        fence: &Fence,
        me: NodeId,
        batch: &Batch,
    ) -> impl Future<Output = Result<(Fence, Landed), OpenError>> + Send;

    /// Reads what is committed. Sees at least every batch whose commit returned before the call.
    fn lookup(&self, shard: Shard, what: &Lookup) -> impl Future<Output = Result<Found, ReadError>> + Send;
}
