//! The book of a shard: checks commands in order, assigns numbers, builds the batch.

use payments::{LinkId, PaymentId, Shard};

use crate::accounts::AccountCode;
use crate::claim::ClaimKey;
use crate::command::Command;
use crate::store::{Batch, Committed, Fence, Seq, Snapshot};

/// Why a command was refused. Nothing of it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The claim exists already (also: twice in one batch).
    ClaimTaken(ClaimKey),
    /// The payment is not at the version that the command changes.
    Version(PaymentId),
    /// The account's floor would be crossed.
    Floor(AccountCode),
    /// A journal does not balance per currency, or has a line of zero.
    Unbalanced,
    /// A sum does not fit.
    Overflow,
    /// More captured than approved, or the state does not allow the change.
    Illegal(PaymentId),
    /// The capture item, hold or lane item exists already or is not there.
    Duplicate,
    /// The STAN mark names a link twice.
    Link(LinkId),
}

/// A built batch that is not durable yet, and what could not go in.
#[derive(Debug, Clone)]
pub struct Staged {
    /// What to commit. Empty `items` when everything was refused.
    pub batch: Batch,
    /// What was refused, and why.
    pub refused: Vec<(Seq, Refusal)>,
}

/// The book of one shard, held by its writer.
#[derive(Debug)]
pub struct Book {
    shard: Shard,
    snapshot: Snapshot,
}

impl Book {
    /// From what a store's `open` returned.
    pub fn open(shard: Shard, snapshot: &Snapshot) -> Self {
        Self { shard, snapshot: snapshot.clone() }
    }
}
