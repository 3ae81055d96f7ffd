//! The book of a shard: checks commands in order, assigns numbers, builds the batch.
//!
//! [`Book::stage`] works on an overlay and leaves the book alone; [`Book::landed`] takes the overlay
//! over once the batch is durable. So a batch whose commit failed or is in doubt has no effect here.
//!
//! The book is exact on accounts, numbers, days and open payments, because it is the only writer. Of
//! claims and settled payments it remembers the recent ones only: there it refuses early what it
//! knows, and the store's unique keys and versions have the last word.

mod checks;
mod layer;
mod money;
mod recent;

use payments::{BusinessDate, Currency, LinkId, Mono, PaymentId, Shard};

use crate::accounts::{AccountCode, AccountState};
use crate::block::{BlockHeader, BlockNo, Hash, merkle_root};
use crate::claim::ClaimKey;
use crate::command::Command;
use crate::store::{AccountWrite, Batch, Fence, Item, Marks, Seq, Snapshot};
use layer::{Base, Layer, Trial};

pub(crate) use checks::NOTHING;
pub(crate) use layer::unresolved;

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
    /// The business day is not open (any more), or is opened or closed out of order.
    Day(BusinessDate),
    /// It was not durable before [`Command::by`].
    Late,
}

/// A built batch that is not durable yet, and what could not go in.
#[derive(Debug, Clone)]
pub struct Staged {
    /// What to commit. Empty `items` when everything was refused: then there is nothing to commit.
    pub batch: Batch,
    /// What was refused, and why.
    pub refused: Vec<(Seq, Refusal)>,
    /// The commands that the book refused, each with its place among all.
    left_out: Vec<(usize, Seq, Command)>,
    /// What the store refused so far, and what came too late for it.
    by_store: Vec<(Seq, Refusal)>,
    /// What the book becomes when the batch lands.
    changes: Layer,
}

/// The last numbers given out in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbers {
    /// Last account.
    pub account: i64,
    /// Last journal.
    pub journal: i64,
    /// Last capture item.
    pub capture: i64,
    /// Last outbox event.
    pub outbox: i64,
}

/// The book of one shard, held by its writer.
#[derive(Debug)]
pub struct Book {
    shard: Shard,
    head: (BlockNo, Hash),
    base: Base,
}

impl Book {
    /// How many claims and how many payments a book remembers. Older ones are the store's to judge.
    pub const RECENT: usize = 65_536;

    /// From what a store's `open` returned.
    pub fn open(shard: Shard, snapshot: &Snapshot) -> Self {
        Self { shard, head: snapshot.head, base: Base::from(snapshot) }
    }

    /// Checks the commands in order, each on top of those before it, and builds the block of those
    /// that pass. The book itself stays as it is. The same book and commands give the same bytes.
    pub fn stage(&self, fence: &Fence, commands: Vec<(Seq, Command)>) -> Staged {
        let mut changes = Layer::over(&self.base);
        let mut items = Vec::with_capacity(commands.len());
        let (mut refused, mut left_out) = (Vec::new(), Vec::new());
        for (place, (seq, mut command)) in commands.into_iter().enumerate() {
            let mut trial = Trial::new(&self.base, &changes);
            match checks::check(&mut trial, &mut command) {
                Ok((body, entries)) => {
                    let mine = trial.finish();
                    changes.absorb(mine);
                    items.push(Item { seq, body, command, entries });
                }
                Err(why) => {
                    refused.push((seq, why));
                    left_out.push((place, seq, command));
                }
            }
        }
        Staged { batch: self.build(fence, items, &changes), refused, left_out, by_store: Vec::new(), changes }
    }

    /// The block again without the item that the store refused. An item that does not exist changes
    /// nothing.
    pub fn without(&self, fence: &Fence, staged: Staged, item: usize, why: Refusal) -> Staged {
        self.rebuild(fence, staged, |index, _| (index == item).then_some(why))
    }

    /// The block again without what came too late, before it is handed to the store: for the first time,
    /// or again after it was found not to be there.
    pub fn without_overdue(&self, fence: &Fence, staged: Staged, now: Mono) -> Staged {
        if !staged.batch.items.iter().any(|item| item.command.is_overdue(now)) {
            return staged;
        }
        self.rebuild(fence, staged, |_, item| item.command.is_overdue(now).then_some(Refusal::Late))
    }

    /// The block again without the items that `refuses` gives a reason for. All others are checked and
    /// numbered anew, those that the book had refused too: each may have stood or fallen with one of them.
    fn rebuild(&self, fence: &Fence, staged: Staged, refuses: impl Fn(usize, &Item) -> Option<Refusal>) -> Staged {
        let mut by_store = staged.by_store;
        let mut passed = staged.batch.items.into_iter().enumerate();
        let mut left_out = staged.left_out.into_iter().peekable();
        let mut commands = Vec::new();
        for place in 0.. {
            if let Some((_, seq, command)) = left_out.next_if(|(at, ..)| *at == place) {
                commands.push((seq, command));
                continue;
            }
            match passed.next() {
                Some((index, item)) => match refuses(index, &item) {
                    Some(why) => by_store.push((item.seq, why)),
                    None => commands.push((item.seq, item.command)),
                },
                None => break,
            }
        }
        let mut again = self.stage(fence, commands);
        again.refused.extend(by_store.iter().copied());
        again.refused.sort_by_key(|(seq, _)| *seq);
        Staged { by_store, ..again }
    }

    /// Takes over what a batch changes, once it is durable.
    ///
    /// # Panics
    /// When the batch is not the next block: going on would fork the record, so the process must not.
    pub fn landed(&mut self, staged: Staged) {
        if staged.batch.items.is_empty() {
            return;
        }
        let header = &staged.batch.header;
        assert!(
            header.number == self.next_block() && header.previous == self.head.1,
            "block {} landed on a book whose next block is {}",
            header.number.0,
            self.next_block().0
        );
        self.head = (header.number, staged.batch.hash);
        self.base.take(staged.changes);
    }

    /// The number of the block that is staged next.
    pub fn next_block(&self) -> BlockNo {
        BlockNo(self.head.0.0.saturating_add(1))
    }

    /// The shard.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// The last block's number and hash.
    pub fn head(&self) -> (BlockNo, Hash) {
        self.head
    }

    /// The last numbers given out.
    pub fn numbers(&self) -> Numbers {
        self.base.numbers
    }

    /// Every account, by code and currency.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountState> {
        self.base.accounts.values()
    }

    /// An account, once something touched it.
    pub fn account(&self, code: AccountCode, currency: Currency) -> Option<&AccountState> {
        self.base.accounts.get(&(code, currency))
    }

    /// The business day that is open for new payments.
    pub fn day(&self) -> Option<BusinessDate> {
        self.base.days.open
    }

    /// The business day that was cut and is not closed yet.
    pub fn closing(&self) -> Option<BusinessDate> {
        self.base.days.closing
    }

    /// Payments in state `Sent` or `Enquiring`, oldest first.
    pub fn open_payments(&self) -> impl Iterator<Item = PaymentId> {
        self.base.open.iter().copied()
    }

    /// What a new owner would need (see [`Marks`]).
    pub fn marks(&self) -> Marks {
        self.base.marks(&Layer::over(&self.base))
    }

    fn build(&self, fence: &Fence, items: Vec<Item>, changes: &Layer) -> Batch {
        let header = BlockHeader {
            shard: self.shard,
            number: self.next_block(),
            previous: self.head.1,
            root: merkle_root(items.iter().map(|item| item.body.as_bytes())),
            items: i32::try_from(items.len()).unwrap_or(i32::MAX),
            epoch: fence.epoch.0,
            // As the engine's clock had it: wall time may jump back, and nothing is ordered by it.
            at: items.last().map_or_else(Default::default, |item| item.command.at),
        };
        let mut accounts: Vec<AccountWrite> = changes
            .accounts
            .iter()
            .map(|(key, state)| {
                let before = self.base.accounts.get(key);
                AccountWrite { state: *state, before: before.map_or(0, |a| a.version), opened: before.is_none() }
            })
            .collect();
        accounts.sort_by_key(|write| write.state.id);
        Batch { header, hash: header.hash(), items, accounts, marks: self.base.marks(changes) }
    }
}
