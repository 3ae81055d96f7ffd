//! A node: the real engine and book, and a shell around them that carries out effects in virtual time.
//! It does what the tokio shell does and nothing more.

mod commits;
mod effects;
mod links;
mod requests;
pub(crate) mod watch;

use std::collections::{BTreeMap, VecDeque};

use dialects::card::CardSecrets;
use engine::{ConnId, Engine, Event, LinkEvent};
use indexmap::IndexMap;
use ledger::{Book, Command, Fence, NodeId, Seq, Staged};
use payments::{LinkId, Mono, Now, PinBlock, Wall};

use crate::clock::{MS, SEC, Time};
use crate::counters::Count;
use crate::queue::What;
use crate::setup::{LINES, SHARD, tables};
use crate::world::World;

/// Who is at the other end of an ingress connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Terminal(usize),
    Party,
}

/// What is kept for the engine behind a handle.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) card: CardSecrets,
    pub(crate) translated: Option<PinBlock>,
}

/// A node's socket to a counterparty.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line {
    pub(crate) up: bool,
    /// Up, but nothing goes through, and nobody notices.
    pub(crate) dead: bool,
    /// The engine may hear of it only from then on, so that it hears of a cut before the next connect.
    pub(crate) quiet_until: Time,
}

/// A batch on its way to the store and back.
#[derive(Debug)]
pub(crate) struct Committing {
    pub(crate) staged: Staged,
    /// The evidence, once the store gave it.
    pub(crate) evidence: Option<ledger::Committed>,
    pub(crate) stalled: bool,
    /// The engine was told before it was true: only under [`crate::Mutation::EarlyAck`].
    pub(crate) told: bool,
    pub(crate) injected: ledger::Fault,
    pub(crate) at_store: bool,
}

/// One process.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) me: NodeId,
    /// None once it crashed or dropped its engine.
    pub(crate) engine: Option<Engine>,
    /// Epoch under which the engine was opened.
    pub(crate) opened: ledger::Epoch,
    pub(crate) book: Book,
    pub(crate) fence: Fence,
    pub(crate) boot: Time,
    pub(crate) wall_offset_us: i64,
    pub(crate) paused: bool,
    /// When its lease ends; none while it is renewed.
    pub(crate) lease_until: Option<Time>,
    pub(crate) pending: VecDeque<(Seq, Command)>,
    pub(crate) committing: Option<Committing>,
    /// Commands that the store has confirmed, and the epoch of the confirmation.
    pub(crate) durable: BTreeMap<u64, i64>,
    pub(crate) keep: IndexMap<u64, Kept>,
    pub(crate) next_carried: u64,
    pub(crate) next_conn: u64,
    pub(crate) conns: BTreeMap<u64, Peer>,
    pub(crate) lines: IndexMap<LinkId, Line>,
    pub(crate) wake_at: Option<Time>,
    /// What came while it was paused, in order.
    pub(crate) deferred: VecDeque<What>,
}

impl Node {
    pub(crate) fn alive(&self) -> bool {
        self.engine.is_some()
    }

    pub(crate) fn mono(&self, at: Time) -> Mono {
        Mono(at - self.boot)
    }
}

impl World {
    /// A new process takes the shard.
    pub(crate) fn open_node(&mut self) {
        // Whoever holds the lease keeps the shard.
        if self.serving.and_then(|n| self.nodes.get(n)).is_some_and(|node| node.alive() && node.lease_until.is_none()) {
            return;
        }
        let me = NodeId(uuid::Builder::from_random_bytes(self.dice.wide().to_be_bytes()).into_uuid());
        let (fence, snapshot) = match self.store.open_now(SHARD, me) {
            Ok(opened) => opened,
            Err(ledger::OpenError::Unavailable(_)) => {
                let at = self.now + self.dice.between(200, 900) * MS;
                return self.queue.push(at, What::Open);
            }
            Err(error) => return self.object(format!("the shard cannot be opened: {error}"), &[]),
        };
        let sent = snapshot.open.iter().filter(|record| record.standing.state == payments::State::Sent).count();
        (0..sent).for_each(|_| self.counters.add(Count::Recoveries));
        (0..snapshot.lanes.len()).for_each(|_| self.counters.add(Count::LanesResumed));
        let n = self.nodes.len();
        let (boot, wall_offset_us) = (self.now, self.wall_offset_us);
        self.trace.tell(self.now, || format!("node {n} opens the shard under epoch {}", fence.epoch.0));
        let now = Now { mono: Mono(0), wall: self.wall_at(wall_offset_us) };
        let mut out = Vec::new();
        let book = Book::open(SHARD, &snapshot);
        let tables = tables(&self.plan, self.version);
        let engine = Engine::open(SHARD, tables, self.dice.bits(), fence.epoch, snapshot, now, &mut out);
        self.nodes.push(Node {
            me,
            engine: Some(engine),
            opened: fence.epoch,
            book,
            fence,
            boot,
            wall_offset_us,
            paused: false,
            lease_until: None,
            pending: VecDeque::new(),
            committing: None,
            durable: BTreeMap::new(),
            keep: IndexMap::new(),
            next_carried: 0,
            next_conn: 0,
            conns: BTreeMap::new(),
            lines: LINES.iter().map(|link| (*link, Line::default())).collect(),
            wake_at: None,
            deferred: VecDeque::new(),
        });
        self.serving = Some(n);
        self.carry_out(n, out);
        for link in LINES {
            let at = self.now + self.dice.between(20, 2_000) * MS;
            self.queue.push(at, What::LineUp { node: n, link });
        }
        self.queue.push(self.now + SEC, What::Deposits { node: n });
    }

    /// The process is gone, with everything that was in it.
    pub(crate) fn kill_node(&mut self, n: usize, why: &'static str) {
        let Some(node) = self.nodes.get_mut(n) else { return };
        if node.engine.take().is_none() {
            return;
        }
        node.pending.clear();
        node.deferred.clear();
        node.conns.clear();
        node.lines.values_mut().for_each(|line| *line = Line::default());
        if self.serving == Some(n) {
            self.serving = None;
        }
        self.trace.tell(self.now, || format!("node {n} ends: {why}"));
    }

    /// Hands an event to a node's engine and carries out what it wants.
    pub(crate) fn step(&mut self, n: usize, event: Event) {
        let wall = self.nodes.get(n).map(|node| self.wall_at(node.wall_offset_us)).unwrap_or_default();
        let Some(node) = self.nodes.get_mut(n) else { return };
        let now = Now { mono: node.mono(self.now), wall };
        let Some(engine) = node.engine.as_mut() else { return };
        let mut out = Vec::new();
        engine.step(now, event, &mut out);
        self.carry_out(n, out);
    }

    /// Sees to it that the engine is woken when it wants to be.
    pub(crate) fn rewake(&mut self, n: usize) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(n) else { return };
        let Some(wake) = node.engine.as_ref().and_then(Engine::next_wake) else { return };
        let at = wake.0.saturating_add(node.boot).max(now);
        if node.wake_at.is_none_or(|set| set > at) {
            node.wake_at = Some(at);
            self.queue.push(at, What::Wake { node: n, at });
        }
    }

    pub(crate) fn on_wake(&mut self, n: usize, at: Time) {
        let Some(node) = self.nodes.get_mut(n) else { return };
        if node.wake_at == Some(at) {
            node.wake_at = None;
            self.step(n, Event::Tick);
        }
    }

    /// An event that reaches the engine a little later, in the order in which such events are made.
    pub(crate) fn soon(&mut self, n: usize, event: Event) {
        self.queue.push(self.now, What::Step { node: n, event: Box::new(event) });
    }

    /// The connection under which a terminal or party talks to the serving node; a new one where its
    /// old one is gone.
    pub(crate) fn connection(&mut self, peer: Peer, known: Option<(usize, ConnId)>) -> Option<(usize, ConnId)> {
        let n = self.serving?;
        let node = self.nodes.get_mut(n)?;
        if let Some((at, conn)) = known
            && at == n
            && node.conns.get(&conn.0) == Some(&peer)
        {
            return known;
        }
        node.next_conn += 1;
        let conn = ConnId(node.next_conn);
        node.conns.insert(conn.0, peer);
        Some((n, conn))
    }

    pub(crate) fn wall_at(&self, offset_us: i64) -> Wall {
        Wall(self.plan.epoch_us + offset_us + i64::try_from(self.now / 1000).unwrap_or(0))
    }

    /// A link is told to the engine as up.
    pub(crate) fn line_up(&mut self, n: usize, link: LinkId) {
        let stans = self.plan.block();
        let Some(node) = self.nodes.get_mut(n) else { return };
        let Some(line) = node.lines.get_mut(&link) else { return };
        if line.up || self.now < line.quiet_until {
            return;
        }
        *line = Line { up: true, dead: false, quiet_until: 0 };
        self.trace.tell(self.now, || format!("node {n} link {link} is up"));
        self.step(n, Event::Link { link, is: LinkEvent::Up { stans, owner: true } });
    }
}
