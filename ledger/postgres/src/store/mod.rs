//! [`PgStore`]: the contract of [`ledger::Store`] on PostgreSQL.

mod commit;
mod flight;
mod lanes;
mod link;
mod lookup;
pub(crate) mod open;
pub(crate) mod record;
mod refusal;
mod rows;
mod statements;

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use ledger::{Batch, CommitError, Committed, Fence, Found, Landed, Lookup, NodeId, OpenError, ReadError, Snapshot, Store};
use payments::Shard;
use tokio::sync::Mutex;
use tokio_postgres::{Config, NoTls};

use crate::Error;
use crate::sql::shard_number;
use link::Link;

/// How a store is set up.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Connections for reads, at most.
    pub readers: usize,
    /// How long a read may wait for one of them.
    pub reader_wait: Duration,
    /// How long a commit, a read, or finding out what became of a commit may take. A server that hangs is
    /// then taken for one that is gone: the outcome is unknown and is resolved.
    pub within: Duration,
    /// Takes a server whose settings could lose what it confirmed.
    pub unsafe_test: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { readers: 4, reader_wait: Duration::from_secs(5), within: Duration::from_secs(3), unsafe_test: false }
    }
}

/// One writer's connection. Held for a whole commit; empty where the last one's outcome is unknown.
type Slot = Arc<Mutex<Option<Link>>>;

/// The record in PostgreSQL. One connection writes per shard; reads have a pool of their own, so that
/// a slow one never delays a commit.
#[derive(Debug)]
pub struct PgStore {
    config: Config,
    options: StoreOptions,
    pool: Pool,
    writers: StdMutex<HashMap<Shard, Slot>>,
}

impl PgStore {
    /// Over a database whose ledger schema is up to date, by a connection with the runtime role's
    /// rights ([`crate::Database::runtime`]). Refuses a server that could lose what it confirms.
    pub async fn connect(config: Config, options: StoreOptions) -> Result<Self, Error> {
        let pool = reader_pool(&config, &options)?;
        let client = pool.get().await.map_err(|error| Error::Unavailable(error.to_string()))?;
        if !options.unsafe_test {
            crate::settings::refuse_unsafe(&client).await?;
        }
        client.query("select 1 from ledger.writer_epoch limit 1", &[]).await?;
        Ok(Self { config, options, pool, writers: StdMutex::default() })
    }

    /// The pool of connections for reads, with the runtime role's rights and read-only.
    pub fn readers(&self) -> &Pool {
        &self.pool
    }

    fn slot(&self, shard: Shard) -> Slot {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(writers.entry(shard).or_default())
    }

    async fn link(&self) -> Result<Link, Error> {
        Link::connect(&self.config, self.options.unsafe_test).await
    }

    /// A new connection for opening: whatever the old one still did is cut off.
    async fn fresh(&self, slot: &mut Option<Link>) -> Result<Link, OpenError> {
        drop(slot.take());
        self.link().await.map_err(|error| OpenError::Unavailable(error.to_string()))
    }

    async fn resolve_over(&self, fence: &Fence, me: NodeId, batch: &Batch) -> Result<(Fence, Landed), OpenError> {
        let number = shard_number(fence.shard).ok_or_else(|| OpenError::Damaged(format!("shard {}", fence.shard.0)))?;
        let slot = self.slot(fence.shard);
        let mut slot = slot.lock().await;
        let link = self.fresh(&mut slot).await?;
        let fence = open::retake(&link, fence, number, me).await?;
        let landed = open::landed(&link, &fence, number, batch).await?;
        let there = landed != Landed::No;
        tracing::info!(shard = fence.shard.0, epoch = fence.epoch.0, block = batch.header.number.0, there, "outcome resolved");
        *slot = Some(link);
        Ok((fence, landed))
    }

    async fn commit_over(&self, fence: &Fence, batch: &Batch) -> Result<(), CommitError> {
        let slot = self.slot(fence.shard);
        let mut slot = slot.lock().await;
        // Taken out while it is used: if the caller drops this future in between, the connection goes
        // with it and is never used again with half an answer in it.
        let mut link = match slot.take().filter(|link| !link.is_closed()) {
            Some(link) => link,
            None => self.link().await.map_err(|error| CommitError::Unknown(error.to_string()))?,
        };
        let done = commit::commit(&mut link, fence, batch).await;
        if !matches!(done, Err(CommitError::Unknown(_))) {
            *slot = Some(link);
        }
        done
    }
}

fn reader_pool(config: &Config, options: &StoreOptions) -> Result<Pool, Error> {
    let mut config = config.clone();
    let own = config.get_options().map(|own| format!("{own} ")).unwrap_or_default();
    config.application_name("switchyard reader");
    config.options(format!("{own}-c default_transaction_read_only=on -c statement_timeout=30s"));
    let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
    Pool::builder(manager)
        .max_size(options.readers)
        .wait_timeout(Some(options.reader_wait))
        .create_timeout(Some(options.reader_wait))
        .runtime(deadpool_postgres::Runtime::Tokio1)
        .build()
        .map_err(|error| Error::Unavailable(error.to_string()))
}

impl Store for PgStore {
    async fn open(&self, shard: Shard, me: NodeId) -> Result<(Fence, Snapshot), OpenError> {
        let number = shard_number(shard).ok_or_else(|| OpenError::Damaged(format!("shard {}", shard.0)))?;
        let slot = self.slot(shard);
        let mut slot = slot.lock().await;
        let mut link = self.fresh(&mut slot).await?;
        let fence = open::take(&link, shard, number, me).await?;
        let snapshot = open::snapshot(&mut link, shard, number).await?;
        let (block, open) = (snapshot.head.0.0, snapshot.open.len());
        tracing::info!(shard = shard.0, epoch = fence.epoch.0, block, open, owed = snapshot.lanes.len(), "shard taken");
        *slot = Some(link);
        Ok((fence, snapshot))
    }

    async fn commit(&self, fence: &Fence, batch: &Batch) -> Result<Committed, CommitError> {
        let begun = Instant::now();
        let within = self.options.within;
        let done = match tokio::time::timeout(within, self.commit_over(fence, batch)).await {
            Ok(done) => done,
            Err(_) => Err(CommitError::Unknown(format!("no answer in {} ms", within.as_millis()))),
        };
        let outcome = match &done {
            Ok(()) => "committed",
            Err(CommitError::Fenced { .. }) => "fenced",
            Err(CommitError::Refused { .. }) => "refused",
            Err(CommitError::Unknown(_)) => "unknown",
            Err(CommitError::Broken(_)) => "broken",
        };
        metrics::counter!("ledger_commits_total", "outcome" => outcome).increment(1);
        match &done {
            Err(CommitError::Unknown(why) | CommitError::Broken(why)) => {
                tracing::warn!(shard = fence.shard.0, block = batch.header.number.0, outcome, why, "commit");
            }
            Err(CommitError::Fenced { by }) => tracing::warn!(shard = fence.shard.0, by = by.0, "fenced out"),
            Ok(()) | Err(CommitError::Refused { .. }) => {}
        }
        if done.is_ok() {
            metrics::histogram!("ledger_commit_seconds").record(begun.elapsed().as_secs_f64());
            metrics::counter!("ledger_items_total").increment(u64::try_from(batch.items.len()).unwrap_or(u64::MAX));
        }
        done.map(|()| batch.committed(fence))
    }

    async fn resolve(&self, fence: &Fence, me: NodeId, batch: &Batch) -> Result<(Fence, Landed), OpenError> {
        let within = self.options.within;
        match tokio::time::timeout(within, self.resolve_over(fence, me, batch)).await {
            Ok(found) => found,
            Err(_) => Err(OpenError::Unavailable(format!("no answer in {} ms", within.as_millis()))),
        }
    }

    async fn lookup(&self, shard: Shard, what: &Lookup) -> Result<Found, ReadError> {
        let number = shard_number(shard).ok_or_else(|| ReadError::Damaged(format!("shard {}", shard.0)))?;
        let within = self.options.within;
        match tokio::time::timeout(within, lookup::lookup(&self.pool, number, what)).await {
            Ok(found) => found,
            Err(_) => Err(ReadError::Unavailable(format!("no answer in {} ms", within.as_millis()))),
        }
    }
}
