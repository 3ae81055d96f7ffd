//! The writer: one task per shard takes the engine's commands in the order of emission, has the book
//! build a batch of whatever queued while the last commit ran, and commits it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::{Event, StoreEvent};
use ledger::{Book, Command, CommitError, Fence, Landed, NodeId, PaymentWrite, Seq, Staged, Store};
use payments::{Cause, Shard};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::faults::{self, Point};

/// Commands of one batch at the most: past 256 a batch only adds latency.
const BATCH: usize = 256;

/// Under the drill `early-ack`: how long a batch is called durable before it is handed to the store.
const BROKEN_PROMISE: Duration = Duration::from_millis(100);

/// The queue between an engine and its writer. Bounded by what the engine has in flight: each case
/// has at most one commit under way.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<(Seq, Command)>>,
    wake: Notify,
}

impl Queue {
    pub(crate) fn push(&self, commands: impl Iterator<Item = (Seq, Command)>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).extend(commands);
        self.wake.notify_one();
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    async fn take(&self) -> Vec<(Seq, Command)> {
        loop {
            let batch: Vec<_> = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                let size = waiting.len().min(BATCH);
                waiting.drain(..size).collect()
            };
            if !batch.is_empty() {
                return batch;
            }
            self.wake.notified().await;
        }
    }
}

/// Why a writer ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriterEnd {
    #[error("shard {shard} belongs to another node now (epoch {epoch})")]
    Fenced { shard: u16, epoch: i64 },
    #[error("the store of shard {shard} is broken: {why}")]
    Broken { shard: u16, why: String },
}

/// What a writer works with.
pub(crate) struct Writer<S> {
    pub(crate) shard: Shard,
    pub(crate) me: NodeId,
    pub(crate) store: Arc<S>,
    pub(crate) fence: Fence,
    pub(crate) book: Book,
    pub(crate) queue: Arc<Queue>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) clock: Clock,
}

impl<S: Store> Writer<S> {
    /// Runs until the shard is lost.
    pub(crate) async fn run(mut self) -> WriterEnd {
        loop {
            let commands = self.queue.take().await;
            let is_a = commands.iter().any(|(_, command)| begins(command));
            let is_b = commands.iter().any(|(_, command)| ends(command));
            metrics::histogram!("switchyard_batch_commands").record(metric(commands.len()));
            let staged = self.book.stage(&self.fence, commands);
            let mut staged = self.book.without_overdue(&self.fence, staged, self.clock.now().mono);
            let early = faults::early_ack();
            if early {
                self.report(&staged, !staged.batch.items.is_empty()).await;
                // A promise broken too shortly to be noticed by anybody would prove nothing.
                tokio::time::sleep(BROKEN_PROMISE).await;
            }
            if is_a {
                faults::reach(Point::BeforeA);
            }
            if is_b {
                faults::reach(Point::BeforeB);
            }
            let landed = match self.commit(&mut staged).await {
                Ok(landed) => landed,
                Err(end) => return end,
            };
            if is_a {
                faults::reach(Point::AfterA);
            }
            if is_b {
                faults::reach(Point::AfterB);
            }
            if !early {
                self.report(&staged, landed).await;
            }
            if landed {
                self.book.landed(staged);
            }
        }
    }

    /// Commits a batch, whatever it takes: rebuilt without refused items, resolved when its outcome
    /// is unknown, sent again when it is not there. `false` when nothing was left to commit.
    async fn commit(&mut self, staged: &mut Staged) -> Result<bool, WriterEnd> {
        let mut stalled = false;
        let started = Instant::now();
        while !staged.batch.items.is_empty() {
            match self.store.commit(&self.fence, &staged.batch).await {
                Ok(_) => break,
                Err(CommitError::Refused { item, why }) => {
                    *staged = self.book.without(&self.fence, staged.clone(), item, why);
                    continue;
                }
                Err(CommitError::Fenced { by }) => return Err(WriterEnd::Fenced { shard: self.shard.0, epoch: by.0 }),
                Err(CommitError::Broken(why)) => return Err(WriterEnd::Broken { shard: self.shard.0, why }),
                Err(CommitError::Unknown(why)) => {
                    tracing::warn!(shard = self.shard.0, why, "outcome of a batch unknown; finding out");
                    if !std::mem::replace(&mut stalled, true) {
                        self.tell(StoreEvent::Stalled).await;
                    }
                    if self.resolve(staged).await? {
                        break;
                    }
                    // It is not there, and is sent again: what nobody waits for any more stays out.
                    *staged = self.book.without_overdue(&self.fence, staged.clone(), self.clock.now().mono);
                }
            }
        }
        metrics::histogram!("switchyard_commit_seconds").record(started.elapsed());
        if stalled {
            self.tell(StoreEvent::Resumed).await;
        }
        Ok(!staged.batch.items.is_empty())
    }

    /// Finds out whether a batch landed, as long as it takes. Nothing is told meanwhile.
    async fn resolve(&mut self, staged: &Staged) -> Result<bool, WriterEnd> {
        let mut wait = Duration::from_millis(50);
        loop {
            match self.store.resolve(&self.fence, self.me, &staged.batch).await {
                Ok((fence, landed)) => {
                    // Absent: the same block is sent again, under the new epoch.
                    self.fence = fence;
                    return Ok(matches!(landed, Landed::Yes(_)));
                }
                Err(ledger::OpenError::Unavailable(why)) => {
                    tracing::warn!(shard = self.shard.0, why, "the store does not answer yet");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(1));
                }
                Err(ledger::OpenError::Fenced { by }) => return Err(WriterEnd::Fenced { shard: self.shard.0, epoch: by.0 }),
                Err(ledger::OpenError::Damaged(why)) => return Err(WriterEnd::Broken { shard: self.shard.0, why }),
            }
        }
    }

    async fn report(&self, staged: &Staged, landed: bool) {
        let committed = landed.then(|| staged.batch.committed(&self.fence));
        self.tell(StoreEvent::Done { committed, refused: staged.refused.clone() }).await;
    }

    async fn tell(&self, event: StoreEvent) {
        // The engine's task ends only with the process.
        if self.events.send(Event::Store(event)).await.is_err() {
            tracing::error!("the engine is gone");
        }
    }
}

fn begins(command: &Command) -> bool {
    matches!(command.payment, Some(PaymentWrite::Open { cause: Cause::Accepted, .. }))
}

fn ends(command: &Command) -> bool {
    matches!(
        command.payment,
        Some(PaymentWrite::Change {
            cause: Cause::Approval | Cause::Capture | Cause::Decline | Cause::Timeout | Cause::Late,
            ..
        })
    )
}

/// A count as a metric takes it.
pub(crate) fn metric(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
