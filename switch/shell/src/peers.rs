//! What every task of the shell shares: who is connected, which links are up, where the shards are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use dialects::iso87::Iso87;
use engine::{ConnId, Event};
use hsm::Hsm;
use indexmap::IndexMap;
use payments::{AcquirerId, LinkId, MerchantId, Shard, Stan, Text};
use tokio::sync::{Semaphore, mpsc};

use crate::carried::Keep;
use crate::clock::Clock;
use crate::config::{Config, ListenerConfig};
use crate::orders::Orders;
use crate::socket::Outbound;
use crate::writer::Queue;

/// Shared by every task.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) keep: Keep,
    pub(crate) hsm: Hsm,
    pub(crate) vault: vault::Vault,
    pub(crate) iso87: Iso87,
    pub(crate) config: RwLock<Arc<Config>>,
    pub(crate) conns: Conns,
    pub(crate) links: Mutex<IndexMap<LinkId, Arc<LinkState>>>,
    pub(crate) shards: Vec<ShardHandle>,
}

/// Where a shard's engine is reached.
pub(crate) struct ShardHandle {
    pub(crate) number: Shard,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) status: Arc<Mutex<ShardStatus>>,
    pub(crate) orders: Orders,
}

/// What the admin port tells about a shard.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShardStatus {
    pub(crate) business_date: Option<payments::BusinessDate>,
    pub(crate) closed: Vec<payments::BusinessDate>,
    pub(crate) in_flight: usize,
    pub(crate) owed: usize,
    pub(crate) stalled: bool,
    pub(crate) ready: bool,
    pub(crate) links_ready: Vec<LinkId>,
}

impl Shared {
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The shard of a merchant.
    pub(crate) fn shard_of(&self, acquirer: &AcquirerId, merchant: &MerchantId) -> Option<&ShardHandle> {
        let count = u16::try_from(self.shards.len()).unwrap_or(u16::MAX);
        self.shards.get(usize::from(Shard::of(acquirer, merchant, count).0))
    }

    /// The shard of an account that we keep: everything that touches it is in one place.
    pub(crate) fn shard_of_account(&self, account: &Text<34>) -> Option<&ShardHandle> {
        let text = account.as_str();
        let tail = text.get(text.len().saturating_sub(15)..).unwrap_or_default();
        self.shard_of(&AcquirerId::default(), &MerchantId::new(tail).unwrap_or_default())
    }

    /// The shard whose STAN block holds a STAN.
    pub(crate) fn shard_of_stan(&self, stan: Stan) -> Option<&ShardHandle> {
        let size = Self::block_size(self.shards.len());
        let index = usize::try_from((stan.get() - 1) / size).unwrap_or(0);
        self.shards.get(index.min(self.shards.len().saturating_sub(1)))
    }

    /// STANs per shard.
    pub(crate) fn block_size(shards: usize) -> u32 {
        999_999 / u32::try_from(shards.max(1)).unwrap_or(1)
    }

    pub(crate) fn link(&self, name: &LinkId) -> Option<Arc<LinkState>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(Arc::clone)
    }
}

/// A link as its sockets and the shards share it.
pub(crate) struct LinkState {
    pub(crate) name: LinkId,
    sockets: Mutex<Vec<(u64, mpsc::Sender<Outbound>)>>,
    turn: AtomicU64,
    pub(crate) reconnect: tokio::sync::Notify,
}

impl LinkState {
    pub(crate) fn new(name: LinkId) -> Self {
        Self { name, sockets: Mutex::default(), turn: AtomicU64::new(0), reconnect: tokio::sync::Notify::new() }
    }

    /// The next socket in turn.
    pub(crate) fn socket(&self) -> Option<mpsc::Sender<Outbound>> {
        let sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = usize::try_from(self.turn.fetch_add(1, Ordering::Relaxed)).unwrap_or(0);
        sockets.get(turn.checked_rem(sockets.len())?).map(|(_, socket)| socket.clone())
    }

    /// Adds a socket; true when it is the first.
    pub(crate) fn add(&self, id: u64, socket: mpsc::Sender<Outbound>) -> bool {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.push((id, socket));
        sockets.len() == 1
    }

    /// Takes a socket away; true when it was the last.
    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let before = sockets.len();
        sockets.retain(|(other, _)| *other != id);
        before > 0 && sockets.is_empty()
    }

    pub(crate) fn is_up(&self) -> bool {
        !self.sockets.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// An ingress connection as the shards see it.
#[derive(Clone)]
pub(crate) struct Conn {
    pub(crate) out: mpsc::Sender<Outbound>,
    pub(crate) listener: Arc<ListenerConfig>,
    /// One permit per request that may be in flight; reading stops without.
    pub(crate) room: Arc<Semaphore>,
}

/// Every ingress connection.
#[derive(Default)]
pub(crate) struct Conns {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Conn>>,
}

impl Conns {
    pub(crate) fn add(&self, conn: Conn) -> ConnId {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, conn);
        ConnId(id)
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<Conn> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&id.0).cloned()
    }

    pub(crate) fn remove(&self, id: ConnId) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
