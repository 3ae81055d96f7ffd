//! Test support: the laws that every [`Store`] keeps, as functions that panic where one is broken.
//!
//! Each law takes a store and a shard of its own, so that one database serves all of them. The
//! memory store runs them in this package, PostgreSQL in its own: what passes here cannot differ.

pub mod history;
pub mod samples;

mod laws;

pub use history::History;
pub use laws::{
    a_claim_exists_once, a_dead_letter_is_found_until_it_is_owed_anew, a_version_exists_once, an_old_writer_is_fenced_out,
    an_unknown_outcome_is_found_out, any_split_into_batches_gives_the_same, captures_and_holds_exist_once, commands_come_back,
    lanes_are_read_in_pages, payments_are_found_by_rrn, reopening_gives_what_the_book_knows,
};

use payments::Shard;

use crate::book::{Book, Staged};
use crate::command::Command;
use crate::store::{CommitError, Committed, Fence, NodeId, Seq, Store};

/// Runs every law, on the shards from `first` on.
pub async fn all(store: &impl Store, first: Shard) {
    let shard = |n: u16| Shard(first.0.saturating_add(n));
    commands_come_back(store, shard(0)).await;
    a_claim_exists_once(store, shard(1)).await;
    a_version_exists_once(store, shard(2)).await;
    an_old_writer_is_fenced_out(store, shard(3)).await;
    an_unknown_outcome_is_found_out(store, shard(4)).await;
    captures_and_holds_exist_once(store, shard(5)).await;
    payments_are_found_by_rrn(store, shard(6)).await;
    lanes_are_read_in_pages(store, shard(7)).await;
    reopening_gives_what_the_book_knows(store, shard(8)).await;
    a_dead_letter_is_found_until_it_is_owed_anew(store, shard(9)).await;
    any_split_into_batches_gives_the_same(store, shard(10)).await;
}

/// How many shards [`all`] uses.
pub const SHARDS: u16 = 11 + laws::SPLITS;

/// A node by a number.
pub fn node(n: u128) -> NodeId {
    NodeId(uuid::Uuid::from_u128(n))
}

/// A writer as a shell has it: the fence, the book, and the next number of a command.
#[derive(Debug)]
pub struct Writer<'a, S> {
    /// The store it writes to.
    pub store: &'a S,
    /// Its right to write.
    pub fence: Fence,
    /// Its book.
    pub book: Book,
    seq: u64,
}

impl<'a, S: Store> Writer<'a, S> {
    /// Takes a shard.
    pub async fn open(store: &'a S, shard: Shard, node: NodeId) -> Self {
        let (fence, snapshot) = store.open(shard, node).await.expect("the shard can be taken");
        Self { store, fence, book: Book::open(shard, &snapshot), seq: 0 }
    }

    /// Stages commands behind all that landed.
    pub fn stage(&mut self, commands: Vec<Command>) -> Staged {
        let numbered = commands.into_iter().map(|command| {
            self.seq += 1;
            (Seq(self.seq), command)
        });
        self.book.stage(&self.fence, numbered.collect())
    }

    /// Commits what was staged; rebuilds the block without what the store refuses, as a shell does.
    /// Returns what was refused, by the book or by the store.
    pub async fn write(&mut self, commands: Vec<Command>) -> Vec<(Seq, crate::Refusal)> {
        let mut staged = self.stage(commands);
        while !staged.batch.items.is_empty() {
            match self.store.commit(&self.fence, &staged.batch).await {
                Ok(committed) => {
                    self.check(&staged, &committed);
                    let refused = staged.refused.clone();
                    self.book.landed(staged);
                    return refused;
                }
                Err(CommitError::Refused { item, why }) => staged = self.book.without(&self.fence, staged, item, why),
                Err(other) => panic!("commit of block {}: {other}", staged.batch.header.number.0),
            }
        }
        staged.refused
    }

    /// Commits commands of which none may be refused.
    pub async fn must(&mut self, commands: Vec<Command>) {
        let refused = self.write(commands).await;
        assert!(refused.is_empty(), "{refused:?}");
    }

    fn check(&self, staged: &Staged, committed: &Committed) {
        assert_eq!(committed.block(), staged.batch.header.number);
        assert_eq!(committed.epoch(), self.fence.epoch);
        let seqs: Vec<Seq> = staged.batch.items.iter().map(|item| item.seq).collect();
        assert_eq!(committed.seqs(), seqs);
    }
}
