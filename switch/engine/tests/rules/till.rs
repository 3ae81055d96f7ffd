//! A till: one engine and its book over the memory store, and a clock that only the script moves. Effects
//! are carried out as the shell carries them out; whatever leaves is held against what is durable.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use engine::{ConnId, Effect, Engine, Event, LinkAct, LinkEvent, Note, Proof, Sent, StanBlock, StoreEvent};
use ledger::{Book, Command, CommitError, Epoch, Fence, Landed, MemoryStore, NodeId, Seq};
use payments::outgoing::{Incoming, NetworkAnswer, Outgoing, Response};
use payments::request::NetworkFunction;
use payments::{LinkId, Mono, Now, ResponseCode, Shard, Stan, TerminalId, Wall};

use crate::expect::{moves_no_money, tells_no_money};
use crate::tables::{BANK, DUAL, SINGLE, SPARE, TAKES_PART, tables};

pub(crate) const SHARD: Shard = Shard(1);
/// Noon of a day in 2026, microseconds since 1970, at monotonic time 0.
const NOON: i64 = 1_795_262_400_000_000;

/// A message that left.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) link: LinkId,
    pub(crate) message: Outgoing,
    pub(crate) proof: Proof,
}

pub(crate) struct Till {
    pub(crate) store: MemoryStore,
    /// Where the next request is made.
    pub(crate) terminal: TerminalId,
    /// Links that provably write nothing.
    /// Look-ups that are not answered yet, while they are held.
    unread: Option<VecDeque<Event>>,
    pub(crate) mute: BTreeSet<LinkId>,
    /// How long it takes to find out what became of a commit whose outcome is unknown.
    pub(crate) outage: Duration,
    pub(crate) notes: Vec<Note>,
    pub(crate) stan: u32,
    engine: Engine,
    book: Book,
    fence: Fence,
    opened: Epoch,
    now: Now,
    holds: bool,
    pending: Vec<(Seq, Command)>,
    durable: BTreeSet<(Seq, Epoch)>,
    pub(crate) left: VecDeque<Left>,
    pub(crate) told: VecDeque<(ConnId, Proof, Response)>,
    /// Whose request will have no answer.
    pub(crate) silenced: Vec<ConnId>,
    /// Whoever asks has signed off.
    pub(crate) signed_off: bool,
    /// 0800 that left.
    pub(crate) managed: Vec<(LinkId, NetworkFunction)>,
}

impl Till {
    /// An open shop: every link is up and signed on.
    pub(crate) fn open() -> Self {
        Self::over(MemoryStore::new(), Mono(0))
    }

    /// The process dies, another one takes the shard over.
    pub(crate) fn restart(self) -> Self {
        Self { stan: self.stan, ..Self::over(self.store, self.now.mono) }
    }

    fn over(store: MemoryStore, at: Mono) -> Self {
        let (fence, snapshot) = store.open_now(SHARD, me()).expect("the store is there");
        let (now, mut out) = (at_mono(at), Vec::new());
        let book = Book::open(SHARD, &snapshot);
        let engine = Engine::open(SHARD, tables(), 7, fence.epoch, snapshot, now, &mut out);
        let mut till = Self {
            store,
            terminal: TAKES_PART,
            mute: BTreeSet::new(),
            outage: Duration::ZERO,
            notes: Vec::new(),
            stan: 0,
            engine,
            book,
            opened: fence.epoch,
            fence,
            now,
            holds: false,
            unread: None,
            pending: Vec::new(),
            durable: BTreeSet::new(),
            left: VecDeque::new(),
            told: VecDeque::new(),
            silenced: Vec::new(),
            managed: Vec::new(),
            signed_off: false,
        };
        let mut events = VecDeque::new();
        out.into_iter().for_each(|effect| till.carry_out(effect, &mut events));
        till.commit_all();
        for link in [DUAL, SPARE, SINGLE, BANK] {
            till.connect(link);
        }
        till
    }

    /// A first socket of a link is up.
    pub(crate) fn connect(&mut self, link: LinkId) {
        let stan = |number| Stan::new(number).expect("a STAN");
        let stans = StanBlock { first: stan(500_001), last: stan(500_999) };
        self.step(Event::Link { link, is: LinkEvent::Up { stans, owner: true } });
    }

    /// An event, and everything that follows from it at once.
    pub(crate) fn step(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let mut out = Vec::new();
            self.engine.step(self.now, event, &mut out);
            out.into_iter().for_each(|effect| self.carry_out(effect, &mut events));
        }
        if !self.holds {
            self.commit();
        }
    }

    fn carry_out(&mut self, effect: Effect, events: &mut VecDeque<Event>) {
        match effect {
            Effect::Commit { seq, command } => self.pending.push((seq, *command)),
            Effect::Send { proof, leg, link, message, .. } => {
                self.watch(&proof, moves_no_money(&message), &message);
                let mute = self.mute.contains(&link);
                events.push_back(Event::Written { leg, sent: if mute { Sent::NotSent } else { Sent::Sent } });
                match *message {
                    _ if mute => {}
                    // A network that is there: it signs on, and answers echoes.
                    Outgoing::Network(out) => {
                        self.managed.push((link, out.function));
                        let answer = NetworkAnswer { stan: out.stan, code: ResponseCode::APPROVED, function: None };
                        events.push_back(Event::Answer { link, answer: Incoming::Network(answer) });
                    }
                    message => self.left.push_back(Left { link, message, proof }),
                }
            }
            Effect::Reply { proof, to, response } => {
                self.watch(&proof, tells_no_money(&response), &response);
                self.told.push_back((to, proof, *response));
            }
            Effect::Load { call, what } => {
                let found = self.store.lookup_now(SHARD, &what).map_err(|error| error.to_string());
                let loaded = Event::Store(StoreEvent::Loaded { call, found });
                match self.unread.as_mut() {
                    Some(unread) => unread.push_back(loaded),
                    None => events.push_back(loaded),
                }
            }
            Effect::Link { link, act: LinkAct::SignedOn } => {
                events.push_back(Event::Link { link, is: LinkEvent::SignedOn });
            }
            Effect::Link { link, act: LinkAct::SignedOff } => {
                events.push_back(Event::Link { link, is: LinkEvent::SignedOff });
            }
            Effect::Silence(to) => self.silenced.push(to),
            Effect::Note(note) => self.notes.push(note),
            Effect::Link { .. } | Effect::Hsm { .. } | Effect::Drop(_) => panic!("no script brings about {effect:?}"),
        }
    }

    /// Whatever leaves rests on what is durable now, or is on the list of what needs not.
    fn watch(&self, proof: &Proof, harmless: bool, what: &dyn std::fmt::Debug) {
        match proof {
            Proof::Durable(durable) => {
                assert!(self.durable.contains(&(durable.at(), durable.epoch())), "left before its commit: {what:?}");
            }
            Proof::Stored(stored) => assert_eq!(stored.epoch(), self.opened, "read under another epoch: {what:?}"),
            Proof::Unclaimed(_) => assert!(harmless, "left without a trace: {what:?}"),
        }
    }

    /// Commits stay with the writer from now on.
    pub(crate) fn hold_loads(&mut self) {
        self.unread = Some(VecDeque::new());
    }

    /// One look-up is answered, with what was there when it was asked.
    pub(crate) fn answer_one_load(&mut self) {
        let loaded = self.unread.as_mut().and_then(VecDeque::pop_front).expect("a look-up waits");
        self.step(loaded);
    }

    /// The look-ups that wait, for later; others are answered at once again.
    pub(crate) fn take_unread(&mut self) -> Vec<Event> {
        self.unread.take().into_iter().flatten().collect()
    }

    pub(crate) fn hold_commits(&mut self) {
        self.holds = true;
    }

    /// What was held is committed, and everything after it.
    pub(crate) fn commit_all(&mut self) {
        self.holds = false;
        self.commit();
    }

    fn commit(&mut self) {
        while !self.pending.is_empty() {
            self.commit_one_batch();
        }
    }

    /// What waits is committed, as the shell's writer does it; what follows from it stays held.
    pub(crate) fn commit_one_batch(&mut self) {
        let commands = std::mem::take(&mut self.pending);
        let staged = self.book.stage(&self.fence, commands);
        let mut staged = self.book.without_overdue(&self.fence, staged, self.now.mono);
        let mut committed = None;
        while !staged.batch.items.is_empty() && committed.is_none() {
            match self.store.commit_now(&self.fence, &staged.batch) {
                Ok(evidence) => committed = Some(evidence),
                Err(CommitError::Refused { item, why }) => staged = self.book.without(&self.fence, staged, item, why),
                Err(CommitError::Unknown(_)) => {
                    let held = std::mem::replace(&mut self.holds, true);
                    self.step(Event::Store(StoreEvent::Stalled));
                    self.advance(self.outage);
                    let (fence, landed) = self.store.resolve_now(&self.fence, me(), &staged.batch).expect("the store is back");
                    self.fence = fence;
                    match landed {
                        Landed::Yes(evidence) => committed = Some(evidence),
                        Landed::No => staged = self.book.without_overdue(&self.fence, staged, self.now.mono),
                    }
                    self.step(Event::Store(StoreEvent::Resumed));
                    self.holds = held;
                }
                Err(error) => panic!("{error}"),
            }
        }
        let refused = staged.refused.clone();
        if let Some(evidence) = &committed {
            self.durable.extend(evidence.seqs().iter().map(|seq| (*seq, evidence.epoch())));
            self.book.landed(staged);
        }
        self.step(Event::Store(StoreEvent::Done { committed, refused }));
    }

    /// Time passes, and the engine is woken when it wants to be.
    pub(crate) fn advance(&mut self, wait: Duration) {
        let until = self.now.mono.after(wait);
        while let Some(at) = self.engine.next_wake().filter(|at| *at <= until) {
            self.now = at_mono(at.max(self.now.mono));
            self.step(Event::Tick);
        }
        self.now = at_mono(until);
    }

    pub(crate) fn seconds(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn now(&self) -> Now {
        self.now
    }

    /// When the engine wants to be woken.
    pub(crate) fn next_wake(&self) -> Option<Mono> {
        self.engine.next_wake()
    }

    /// The last socket of a link is gone.
    pub(crate) fn cut(&mut self, link: LinkId) {
        self.step(Event::Link { link, is: LinkEvent::Down });
    }

    /// The store does not answer.
    pub(crate) fn stall(&mut self) {
        self.step(Event::Store(StoreEvent::Stalled));
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.engine.in_flight()
    }

    /// Whether every link is signed off for good.
    pub(crate) fn has_left(&self) -> bool {
        self.engine.has_left()
    }
}

fn me() -> NodeId {
    NodeId(uuid::Uuid::from_u128(1))
}

fn at_mono(mono: Mono) -> Now {
    Now { mono, wall: Wall(NOON).after(Duration::from_nanos(mono.0)) }
}
