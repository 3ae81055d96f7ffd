//! The writer of a node: batches through the real book into the memory store, with every way in which
//! a commit can end.

use engine::{Event, StoreEvent};
use ledger::{CommitError, Fault, Landed, OpenError};

use crate::clock::{MS, SEC};
use crate::counters::Count;
use crate::faults::Edge;
use crate::node::Committing;
use crate::queue::What;
use crate::setup::SHARD;
use crate::world::{Mutation, World};

/// Commands of one batch at the most.
const BATCH: usize = 64;

impl World {
    /// Stages what waits, unless a batch is under way.
    pub(crate) fn start_commit(&mut self, n: usize) {
        let Some(node) = self.nodes.get_mut(n) else { return };
        if node.committing.is_some() || node.pending.is_empty() || !node.alive() {
            return;
        }
        let size = node.pending.len().min(BATCH);
        let commands: Vec<_> = node.pending.drain(..size).collect();
        let (now, staged) = (node.mono(self.now), node.book.stage(&node.fence, commands));
        let staged = node.book.without_overdue(&node.fence, staged, now);
        let nothing = staged.batch.items.is_empty();
        (0..staged.refused.len()).for_each(|_| self.counters.add(Count::ItemsRefused));
        let early = self.mutation == Mutation::EarlyAck;
        let evidence = (early && !nothing).then(|| staged.batch.committed(&node.fence));
        let refused = staged.refused.clone();
        node.committing =
            Some(Committing { staged, evidence: None, stalled: false, told: early, injected: Fault::None, at_store: false });
        let delay = self.dice.between(1, 12) * MS;
        self.queue.push(self.now + delay, if nothing { What::Reported { node: n } } else { What::Lands { node: n } });
        if early {
            self.step(n, Event::Store(StoreEvent::Done { committed: evidence, refused }));
        }
    }

    /// The batch is at the store.
    pub(crate) fn commit_lands(&mut self, n: usize) {
        if !self.nodes.get(n).is_some_and(|node| node.alive() && node.committing.is_some()) {
            return;
        }
        if self.now < self.stalled_until {
            return self.queue.push(self.stalled_until, What::Lands { node: n });
        }
        if self.crashes_at(n, Edge::BeforeCommit) {
            return;
        }
        let fault = if !self.calm && self.dice.chance(self.plan.commits) {
            self.dice.pick(&[Fault::UnknownLanded, Fault::UnknownLost, Fault::UnknownLate])
        } else {
            Fault::None
        };
        loop {
            let Some(node) = self.nodes.get_mut(n) else { return };
            let Some(committing) = node.committing.as_mut() else { return };
            if committing.staged.batch.items.is_empty() {
                return self.queue.push(self.now, What::Reported { node: n });
            }
            if fault != Fault::None {
                self.store.next_commit(SHARD, fault);
            }
            committing.injected = fault;
            committing.at_store = true;
            match self.store.commit_now(&node.fence, &committing.staged.batch) {
                Ok(evidence) => {
                    self.confirmed(n, evidence);
                    if self.dice.chance(300) {
                        self.store.sync();
                    }
                    if self.crashes_at(n, Edge::AfterCommit) {
                        return;
                    }
                    let delay = if self.dice.chance(20) { self.dice.between(20, 800) } else { self.dice.between(0, 5) };
                    return self.queue.push(self.now + delay * MS, What::Reported { node: n });
                }
                Err(CommitError::Refused { item, why }) => {
                    self.counters.add(Count::ItemsRefused);
                    committing.staged = node.book.without(&node.fence, committing.staged.clone(), item, why);
                }
                Err(CommitError::Unknown(_)) => {
                    let first = !std::mem::replace(&mut committing.stalled, true);
                    let delay = self.dice.between(20, 900) * MS;
                    self.queue.push(self.now + delay, What::Resolve { node: n });
                    if first {
                        self.soon(n, Event::Store(StoreEvent::Stalled));
                    }
                    return;
                }
                Err(CommitError::Fenced { .. }) => return self.fenced(n),
                Err(CommitError::Broken(why)) => return self.object(format!("the store is broken: {why}"), &[]),
            }
        }
    }

    fn fenced(&mut self, n: usize) {
        self.counters.add(Count::Fenced);
        self.kill_node(n, "fenced out");
    }

    /// The store has it: from now on messages may rest on it.
    fn confirmed(&mut self, n: usize, evidence: ledger::Committed) {
        self.trace.fold(self.now, b'c', &evidence.block().0.to_le_bytes());
        let Some(node) = self.nodes.get_mut(n) else { return };
        for seq in evidence.seqs() {
            node.durable.insert(seq.0, evidence.epoch().0);
        }
        if let Some(committing) = node.committing.as_mut() {
            committing.evidence = Some(evidence);
        }
    }

    /// What became of a batch of unknown outcome?
    pub(crate) fn resolve(&mut self, n: usize) {
        let Some(node) = self.nodes.get_mut(n).filter(|node| node.alive()) else { return };
        let now = node.mono(self.now);
        let Some(committing) = node.committing.as_mut() else { return };
        match self.store.resolve_now(&node.fence, node.me, &committing.staged.batch) {
            Ok((fence, landed)) => {
                node.fence = fence;
                let injected = committing.injected;
                match landed {
                    Landed::Yes(evidence) => {
                        let late = injected == Fault::UnknownLate;
                        self.counters.add(if late { Count::UnknownLate } else { Count::UnknownLanded });
                        self.confirmed(n, evidence);
                        self.queue.push(self.now, What::Reported { node: n });
                    }
                    Landed::No => {
                        self.counters.add(Count::UnknownLost);
                        committing.staged = node.book.without_overdue(&node.fence, committing.staged.clone(), now);
                        self.queue.push(self.now, What::Lands { node: n });
                    }
                }
            }
            Err(OpenError::Unavailable(_)) => self.queue.push(self.now + SEC / 2, What::Resolve { node: n }),
            Err(OpenError::Fenced { .. }) => self.fenced(n),
            Err(OpenError::Damaged(why)) => self.object(format!("the record is damaged: {why}"), &[]),
        }
    }

    /// The node hears of it.
    pub(crate) fn commit_reported(&mut self, n: usize) {
        // It stays "under way" until the book has it: what the engine commits now comes behind it.
        let Some(node) = self.nodes.get_mut(n).filter(|node| node.alive()) else { return };
        let Some(committing) = node.committing.as_mut() else { return };
        let (stalled, told) = (committing.stalled, committing.told);
        let (committed, refused) = (committing.evidence.take(), committing.staged.refused.clone());
        if stalled {
            self.step(n, Event::Store(StoreEvent::Resumed));
        }
        if !told && (committed.is_some() || !refused.is_empty()) {
            self.step(n, Event::Store(StoreEvent::Done { committed, refused }));
        }
        if let Some(node) = self.nodes.get_mut(n).filter(|node| node.alive())
            && let Some(committing) = node.committing.take()
        {
            node.book.landed(committing.staged);
        }
        self.start_commit(n);
    }
}
