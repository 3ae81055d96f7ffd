//! What every task of the shell shares: who is connected, which links are up, where the shards are.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use dialects::card::{Dialect, Dialects};
use engine::{ConnId, Event};
use hsm::Hsm;
use indexmap::IndexMap;
use payments::{AcquirerId, LinkId, MerchantId, Shard, Stan, Text};
use tokio::sync::{Semaphore, mpsc};

use crate::carried::Keep;
use crate::clock::Clock;
use crate::config::{Config, ListenerConfig, Protocol};
use crate::framed;
use crate::orders::Orders;
use crate::socket::{OutKind, Outbound};
use crate::writer::Queue;

/// Shared by every task.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) keep: Keep,
    pub(crate) hsm: Hsm,
    pub(crate) vault: vault::Vault,
    pub(crate) dialects: Dialects,
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
    /// Every link is signed off, and nothing more is sent.
    pub(crate) left: bool,
    pub(crate) links_ready: Vec<LinkId>,
}

impl Shared {
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The dialect of a card protocol. The configuration lets no other name in.
    pub(crate) fn dialect(&self, protocol: Protocol) -> Option<&Dialect> {
        match protocol {
            Protocol::Card(name) => self.dialects.get(name.as_str()),
            Protocol::Iso20022 => None,
        }
    }

    /// From now on this one holds; what has begun keeps what it began with.
    pub(crate) fn swap_config(&self, config: Arc<Config>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
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

/// An ingress connection as the shards see it, or the way back of one request on it: who sends with a
/// header (a TPDU) may speak for many terminals, so each request is answered to where it came from.
#[derive(Clone)]
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    /// The fixed header of an answer; empty for the connection itself.
    pub(crate) header: Bytes,
    pub(crate) out: mpsc::Sender<Outbound>,
    pub(crate) listener: Arc<ListenerConfig>,
    /// One permit per request that may be in flight; reading stops without.
    pub(crate) room: Arc<Semaphore>,
    /// Who on this connection has signed off, by the header of their answers.
    pub(crate) signed_off: Arc<Mutex<HashSet<Bytes>>>,
}

/// Peers of one connection that may be signed off at once; more of them are not remembered.
const SIGNED_OFF: usize = 4096;

impl Conn {
    /// Takes note of a sign-on or sign-off (0800). A new connection is signed on.
    pub(crate) fn signs(&self, on: bool) {
        let mut signed_off = self.signed_off.lock().unwrap_or_else(PoisonError::into_inner);
        if on {
            signed_off.remove(&self.header);
        } else if signed_off.len() < SIGNED_OFF {
            signed_off.insert(self.header.clone());
        }
    }

    /// Whether this peer has signed off, and not on again.
    pub(crate) fn is_signed_off(&self) -> bool {
        self.signed_off.lock().unwrap_or_else(PoisonError::into_inner).contains(&self.header)
    }

    /// Hands an answer to the connection's writer.
    pub(crate) async fn put(&self, message: &[u8]) {
        let Some(frame) = framed::frame(&self.listener.framing, &self.header, message) else { return };
        if self.out.send(Outbound::unwatched(frame, OutKind::Reply)).await.is_err() {
            metrics::counter!("switchyard_replies_undeliverable_total").increment(1);
        }
    }

    /// A request has had its answer, or will have none: there is room for another, and its way back is not needed any more.
    pub(crate) fn answered(&self, conns: &Conns) {
        self.room.add_permits(1);
        if !self.header.is_empty() {
            conns.remove(self.id);
        }
    }
}

/// Every ingress connection.
#[derive(Default)]
pub(crate) struct Conns {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Conn>>,
}

impl Conns {
    /// Adds a connection, or a way back, under an id of its own.
    pub(crate) fn add(&self, conn: impl FnOnce(ConnId) -> Conn) -> Conn {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let conn = conn(ConnId(id));
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(id, conn.clone());
        conn
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<Conn> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&id.0).cloned()
    }

    pub(crate) fn remove(&self, id: ConnId) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id.0);
    }

    /// Connections, without the ways back.
    pub(crate) fn len(&self) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.values().filter(|conn| conn.header.is_empty()).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Mac;

    fn listener(framing: &str) -> ListenerConfig {
        ListenerConfig {
            name: LinkId::default(),
            protocol: Protocol::Card(Text::literal("iso87-ascii")),
            listen: String::new(),
            acquirer: AcquirerId::default(),
            mac: Mac::None,
            framing: iso8583::Preset::named(framing).unwrap().framing,
            max_connections: 1,
            max_in_flight: 2,
            frame_within: Duration::ZERO,
            idle: Duration::ZERO,
            pacs: None,
        }
    }

    #[tokio::test]
    async fn two_terminals_behind_one_socket_are_answered_each_at_its_address() {
        let (out, mut sent) = mpsc::channel(2);
        let conns = Conns::default();
        let (listener, room) = (Arc::new(listener("nac")), Arc::new(Semaphore::new(0)));
        let socket = conns.add(|id| Conn { id, header: Bytes::new(), out, listener, room, signed_off: Arc::default() });
        let headers = [b"\x60\x00\x01\x00\x07", b"\x60\x00\x02\x00\x07"];
        let back = headers.map(|header| conns.add(|id| Conn { id, header: Bytes::from_static(header), ..socket.clone() }));
        assert_eq!(conns.len(), 1);
        for (request, header) in back.iter().zip(headers).rev() {
            let found = conns.get(request.id).unwrap();
            found.put(b"0210").await;
            found.answered(&conns);
            let frame = sent.recv().await.unwrap().frame;
            assert_eq!(frame, [b"\x00\x09", header.as_slice(), b"0210"].concat());
            assert!(conns.get(request.id).is_none());
        }
        assert_eq!(socket.room.available_permits(), 2);
        let [one, other] = &back;
        one.signs(false);
        assert_eq!([one, other].map(Conn::is_signed_off), [true, false], "its neighbour goes on");
        let later = conns.add(|id| Conn { id, ..one.clone() });
        assert!(later.is_signed_off(), "its next request comes under another number");
        later.signs(true);
        assert!(!one.is_signed_off());
        conns.remove(later.id);
        socket.answered(&conns);
        assert!(conns.get(socket.id).is_some(), "a connection outlives its answers");
    }
}
