//! The world of one history: everybody, the queue, and the loop.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{ClaimKey, MemoryStore};
use payments::{BusinessDate, LinkId, PaymentId};

use crate::bank::{Bank, Party};
use crate::clock::{MS, SEC, Time};
use crate::counters::{Count, Counters};
use crate::dice::Dice;
use crate::faults::Edge;
use crate::network::Networks;
use crate::node::Node;
use crate::node::watch::Told;
use crate::queue::{Queue, What};
use crate::setup::{BANK, Plan, Rates};
use crate::terminal::Terminal;
use crate::trace::Trace;
use crate::wire::Dialects;

/// A promise broken on purpose, to see that the judges notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mutation {
    /// None.
    #[default]
    None,
    /// The engine is told that a batch is durable before it is.
    EarlyAck,
    /// Reversals are not sent, and their acknowledgement is made up.
    DropReversals,
    /// Requests lie in the shell for longer than they may live.
    HoldBack,
    /// Requests go out twice, under another STAN.
    ForwardTwice,
    /// Deadlines and leases are not looked at before a write.
    WriteLate,
    /// Secrets are not given back.
    LeakSecrets,
    /// The store acknowledges what it has not synced, and loses it when it crashes.
    StoreForgets,
    /// Repeats get another approval code than the first answer had.
    ForgeRepeats,
    /// Terminals are told 00 where the network was silent.
    ApproveTimeouts,
    /// Every request goes out under the same STAN.
    ReuseStans,
    /// The record is judged with a capture in it twice.
    DoubleCapture,
    /// The record is judged with a hold that never ended.
    DropHold,
    /// The record is judged with a capture on another day.
    WrongDate,
}

/// Something that is wrong, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// What.
    pub what: String,
    /// Names by which its story is found: DE37, STAN, UETR, payment.
    pub about: Vec<String>,
}

/// Everything in one history.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) queue: Queue,
    pub(crate) dice: Dice,
    pub(crate) plan: Plan,
    pub(crate) trace: Trace,
    pub(crate) counters: Counters,
    pub(crate) objections: Vec<Objection>,
    pub(crate) mutation: Mutation,
    /// Messages are not watched, so that the judges at the end stand alone.
    pub(crate) blind: bool,
    pub(crate) dialects: Dialects,
    pub(crate) store: MemoryStore,
    pub(crate) nodes: Vec<Node>,
    pub(crate) serving: Option<usize>,
    pub(crate) terminals: Vec<Terminal>,
    pub(crate) networks: Networks,
    pub(crate) bank: Bank,
    pub(crate) party: Party,
    /// Faults have stopped.
    pub(crate) calm: bool,
    pub(crate) stalled_until: Time,
    pub(crate) wall_offset_us: i64,
    pub(crate) version: u64,
    pub(crate) told: BTreeMap<ClaimKey, Vec<Told>>,
    pub(crate) dead: BTreeSet<PaymentId>,
    pub(crate) alarms: Vec<(&'static str, Option<PaymentId>)>,
    pub(crate) closed: BTreeMap<BusinessDate, Vec<String>>,
    pub(crate) late_writes: u32,
    /// The process ends when it comes there.
    pub(crate) armed: Option<Edge>,
    /// Claims that an engine asked for and could not read: a duplicate that does not say so is new then.
    pub(crate) unreadable: BTreeSet<ClaimKey>,
    /// The last STAN that a node sent on a link.
    pub(crate) last_stans: BTreeMap<(usize, LinkId), u32>,
}

impl World {
    pub(crate) fn new(seed: u64, mutation: Mutation, blind: bool, story: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let careful = |dice: &mut Dice| dice.chance(500);
        let terminals = (0..plan.terminals).map(|index| Terminal::new(index, careful(&mut dice))).collect();
        let mut world = Self {
            now: 0,
            queue: Queue::default(),
            dice,
            plan,
            trace: Trace::new(story),
            counters: Counters::default(),
            objections: Vec::new(),
            mutation,
            blind,
            dialects: Dialects::new(),
            store: MemoryStore::new(),
            nodes: Vec::new(),
            serving: None,
            terminals,
            networks: Networks::default(),
            bank: Bank::default(),
            party: Party::default(),
            calm: false,
            stalled_until: 0,
            wall_offset_us: 0,
            version: 1,
            told: BTreeMap::new(),
            dead: BTreeSet::new(),
            alarms: Vec::new(),
            closed: BTreeMap::new(),
            late_writes: 0,
            armed: None,
            unreadable: BTreeSet::new(),
            last_stans: BTreeMap::new(),
        };
        world.store.acknowledge_early(mutation == Mutation::StoreForgets);
        world.queue.push(0, What::Open);
        for terminal in 0..world.terminals.len() {
            let at = world.dice.between(3_000, 9_000) * MS;
            world.queue.push(at, What::NextSale { terminal });
        }
        world.queue.push(4 * SEC, What::NextTransfer);
        world.plan_troubles();
        world.queue.push(world.plan.traffic, What::Calm);
        world
    }

    /// Plays the history to its end.
    pub(crate) fn play(&mut self) {
        let limit = self.plan.traffic + 3_000 * SEC;
        let mut looked = 0;
        while let Some((at, what)) = self.queue.pop() {
            self.now = at;
            self.happen(what);
            if self.calm && self.now >= looked + SEC {
                looked = self.now;
                if self.at_rest() {
                    return;
                }
            }
            if self.now > limit {
                return self.object_to_unrest();
            }
        }
    }

    /// Whether nothing is owed and nobody waits any more.
    fn at_rest(&self) -> bool {
        let engine = self.serving.and_then(|n| self.nodes[n].engine.as_ref());
        engine.is_some_and(|engine| engine.in_flight() == 0 && engine.owed() == 0)
            && self.serving.is_some_and(|n| self.nodes[n].committing.is_none() && self.nodes[n].pending.is_empty())
            && self.terminals_done()
            && self.party.book.iter().all(|ordered| ordered.executed.is_some())
            && !self.queue.iter().any(|what| matches!(what, What::ToNetwork { .. } | What::ToBank { .. } | What::Frame { .. }))
    }

    fn object_to_unrest(&mut self) {
        let (in_flight, owed) =
            self.serving.and_then(|n| self.nodes[n].engine.as_ref()).map_or((0, 0), |engine| (engine.in_flight(), engine.owed()));
        let about: Vec<String> = self
            .terminals
            .iter()
            .flat_map(|terminal| terminal.book.iter().map(|sale| (terminal.index, sale)))
            .filter(|(_, sale)| !matches!(sale.stage, crate::terminal::Stage::Done | crate::terminal::Stage::Reversed))
            .map(|(t, sale)| crate::terminal::name_of(t, sale))
            .take(2)
            .collect();
        let about: Vec<String> = about
            .into_iter()
            .chain(
                self.party.book.iter().filter(|ordered| ordered.executed.is_none()).map(|ordered| ordered.facts.uetr.to_string()),
            )
            .collect();
        let transfers = self.party.book.iter().filter(|ordered| ordered.executed.is_none()).count();
        let terminals = about.len() - transfers;
        let owing = self.store.read(crate::setup::SHARD, |tables| {
            let open = tables.owed.iter().filter_map(|(id, _)| tables.payments.get(id));
            open.map(|payment| payment.facts.rrn.to_string()).take(2).collect::<Vec<_>>()
        });
        let about: Vec<String> = about.into_iter().chain(owing).collect();
        self.object(
            format!("it does not come to rest: {in_flight} in flight, {owed} owed, {terminals} terminals and {transfers} transfers wait"),
            &about,
        );
    }

    fn happen(&mut self, what: What) {
        // A process that stands still takes nothing; what comes waits in its buffers.
        let node = match &what {
            What::Step { node, .. }
            | What::Wake { node, .. }
            | What::Frame { node, .. }
            | What::LineFrame { node, .. }
            | What::Reported { node }
            | What::Resolve { node }
            | What::Read { node, .. }
            | What::LineUp { node, .. }
            | What::Deposits { node } => Some(*node),
            What::Write(write) => Some(write.node),
            _ => None,
        };
        if let Some(node) = node.and_then(|n| self.nodes.get_mut(n))
            && node.paused
        {
            if node.alive() {
                node.deferred.push_back(what);
            }
            return;
        }
        match what {
            What::Step { node, event } => self.step(node, *event),
            What::Wake { node, at } => self.on_wake(node, at),
            What::Frame { node, from, frame } => self.request_frame(node, from, frame),
            What::LineFrame { node, link, frame } => self.line_frame(node, link, &frame),
            What::Write(write) => self.write(*write),
            What::Lands { node } => self.commit_lands(node),
            What::Reported { node } => self.commit_reported(node),
            What::Resolve { node } => self.resolve(node),
            What::Read { node, call, what } => self.read(node, call, &what),
            What::LineUp { node, link } => self.line_up(node, link),
            What::Open => self.open_node(),
            What::Resume { node } => self.resume(node),
            What::LeaseEnds { node } => self.lease_ends(node),
            What::ToTerminal { terminal, frame } => self.reach_terminal(terminal, &frame),
            What::NextSale { terminal } => self.next_sale(terminal),
            What::Impatient { terminal, sale, turn } => self.impatient(terminal, sale, turn),
            What::FollowUp { terminal, sale } => self.follow_up(terminal, sale),
            What::ToNetwork { link, frame } => self.reach_network(link, &frame),
            What::FromNetwork { link, frame } => self.hear_network(link, frame),
            What::ToBank { frame } => self.reach_bank(&frame),
            What::FromBank { frame } => self.hear_network(BANK, frame),
            What::ToParty { frame } => self.reach_party(&frame),
            What::NextTransfer => self.next_transfer(),
            What::PartyImpatient { transfer, turn } => self.party_impatient(transfer, turn),
            What::Trouble(trouble) => self.trouble(trouble),
            What::Deposits { node } => self.deposits(node),
            What::Calm => {
                self.calm = true;
                self.trace.tell(self.now, || "faults stop".to_owned());
            }
        }
    }

    pub(crate) fn object(&mut self, what: String, about: &[String]) {
        self.trace.tell(self.now, || format!("OBJECTION: {what}"));
        self.objections.push(Objection { what, about: about.to_vec() });
    }

    /// A message on its way, and what becomes of it there.
    pub(crate) fn carry(&mut self, rates: Rates, frame: Vec<u8>, longest: Time, to: impl Fn(Vec<u8>) -> What) {
        self.carry_later(rates, frame, longest, 0, to);
    }

    pub(crate) fn carry_later(
        &mut self,
        rates: Rates,
        frame: Vec<u8>,
        longest: Time,
        held_up: Time,
        to: impl Fn(Vec<u8>) -> What,
    ) {
        if self.dice.chance(rates.lost) {
            return self.counters.add(Count::Dropped);
        }
        let mut at = self.now + held_up + self.dice.between(2, 60) * MS;
        if self.dice.chance(rates.delayed) {
            self.counters.add(Count::Delayed);
            at += self.dice.between(SEC, longest);
        }
        if self.dice.chance(rates.doubled) {
            self.counters.add(Count::Doubled);
            let again = at + self.dice.between(1, 2_500) * MS;
            self.queue.push(again, to(frame.clone()));
        } else if self.dice.chance(rates.garbled) {
            self.counters.add(Count::Garbled);
            let mut frame = frame;
            if frame.first() == Some(&b'<') {
                frame.truncate(frame.len() * 2 / 3);
            } else {
                let place = self.dice.index(frame.len());
                frame[place] ^= 1 << self.dice.index(7);
            }
            return self.queue.push(at, to(frame));
        }
        self.queue.push(at, to(frame));
    }

    /// A request on its way into a network, where it may wander for most of its life.
    pub(crate) fn carry_to_network(&mut self, link: LinkId, frame: Vec<u8>) {
        let rates = self.network_rates(link);
        let longest = 50 * SEC;
        if link == BANK {
            self.carry(rates, frame, longest, |frame| What::ToBank { frame });
        } else {
            self.carry(rates, frame, longest, move |frame| What::ToNetwork { link, frame });
        }
    }

    /// The mutation [`Mutation::DropReversals`]: an 0430 that no network sent.
    pub(crate) fn forge_acknowledgement(&mut self, n: usize, link: LinkId, out: &payments::outgoing::ReversalOut) {
        let answer = payments::outgoing::CardAnswer {
            mti: payments::Text::literal("0430"),
            stan: out.original.stan,
            transmission: None,
            rrn: None,
            terminal: None,
            processing_code: None,
            answer: payments::Answer::code(payments::ResponseCode::APPROVED),
        };
        let event = engine::Event::Answer { link, answer: payments::outgoing::Incoming::Card(Box::new(answer)) };
        self.queue.push(self.now + 20 * MS, What::Step { node: n, event: Box::new(event) });
    }
}
