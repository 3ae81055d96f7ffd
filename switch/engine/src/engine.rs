//! The engine itself: what it holds, how events are handed on, and the few doors through which every
//! effect goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use ledger::{ClaimKey, Command, Epoch, PaymentRecord, Refusal, Seq, Snapshot};
use payments::outgoing::{Outgoing, Response};
use payments::request::CardKind;
use payments::{BusinessDate, LinkId, Mono, Now, PaymentId, Request, Rrn, Shard, Text};

use crate::api::{CallId, Carried, ConnId, Effect, Event, LegId, Load, Note, Order, OrderOutcome, Secrets, Sent, StoreEvent};
use crate::cases::{Case, CaseId};
use crate::days::Days;
use crate::lanes::Active;
use crate::links::Link;
use crate::proof::{Durable, Proof, unclaimed_reply, unclaimed_send};
use crate::tables::Tables;
use crate::unmatched::Reading;

/// The engine of one shard.
#[derive(Debug)]
pub struct Engine {
    pub(crate) shard: Shard,
    pub(crate) epoch: Epoch,
    pub(crate) tables: Arc<Tables>,
    pub(crate) random: fastrand::Rng,
    /// Requests in flight.
    pub(crate) cases: IndexMap<CaseId, Case>,
    /// Which case holds a claim.
    pub(crate) claims: IndexMap<ClaimKey, CaseId>,
    /// Stored payments that something is being done to, or that owe a message.
    pub(crate) active: IndexMap<PaymentId, Active>,
    pub(crate) links: IndexMap<LinkId, Link>,
    /// Transfers in flight or being asked about, by our message id.
    pub(crate) transfers: IndexMap<Text<35>, PaymentId>,
    pub(crate) days: Days,
    pub(crate) velocity: risk::Velocity,
    /// The store does not answer.
    pub(crate) stalled: bool,
    /// No new requests.
    pub(crate) draining: bool,
    /// Nothing is sent any more: the links are being signed off.
    pub(crate) leaving: bool,
    pub(crate) lanes_left: bool,
    commits: BTreeMap<Seq, Pending>,
    calls: IndexMap<CallId, CaseId>,
    /// What is being read for an operator's order.
    pub(crate) readings: IndexMap<CallId, Reading>,
    legs: IndexMap<LegId, Leg>,
    timers: BTreeMap<(Mono, u64), Timer>,
    next: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    seq: u64,
    call: u64,
    leg: u64,
    case: u64,
    timer: u64,
    /// Milliseconds and count of the last payment id, so that ids of a shard rise.
    id: (u64, u16),
}

/// What goes on when a commit is durable or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pending {
    /// COMMIT A, or A again after a failover.
    Accept(CaseId),
    /// The last commit of a case: answer, then forget.
    Outcome(CaseId),
    /// A change to a stored payment.
    Change(PaymentId),
    /// A business day was opened.
    DayOpened(BusinessDate),
    /// A business day was closed.
    DayClosed(BusinessDate),
    /// An operator waits for the outcome.
    Order(Order),
    /// Nothing goes on.
    Nothing,
}

/// What a leg belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leg {
    /// A request of a case.
    Case(CaseId),
    /// An owed message.
    Lane(PaymentId),
    /// Network management.
    Network,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A request was not answered.
    Answer(CaseId),
    /// An owed message is due, or was not acknowledged.
    Lane(PaymentId),
    /// A link is idle, or its echo was not answered.
    Link(LinkId),
}

/// Effects of one step, on the way out.
pub(crate) type Out<'a> = &'a mut Vec<Effect>;

impl Engine {
    /// Takes a shard over from what the store holds. Payments without outcome are resolved at once: a
    /// card owes its reversal, a transfer its enquiry.
    pub fn open(
        shard: Shard,
        tables: Arc<Tables>,
        seed: u64,
        epoch: Epoch,
        snapshot: Snapshot,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Self {
        let links = tables.links.keys().map(|name| (*name, Link::default())).collect();
        let mut engine = Self {
            shard,
            epoch,
            tables,
            random: fastrand::Rng::with_seed(seed),
            cases: IndexMap::new(),
            claims: IndexMap::new(),
            active: IndexMap::new(),
            links,
            transfers: IndexMap::new(),
            days: Days::default(),
            velocity: risk::Velocity::default(),
            stalled: false,
            draining: false,
            leaving: false,
            lanes_left: snapshot.more_lanes,
            commits: BTreeMap::new(),
            calls: IndexMap::new(),
            readings: IndexMap::new(),
            legs: IndexMap::new(),
            timers: BTreeMap::new(),
            next: Counters::default(),
        };
        engine.recover(snapshot, now, out);
        engine
    }

    /// Takes one event. Effects are appended to `out` in the order in which they are to be done.
    pub fn step(&mut self, now: Now, event: Event, out: &mut Vec<Effect>) {
        match event {
            Event::Request { from, link, request, carried, signed_off } => {
                self.on_request(now, from, link, request, (carried, signed_off), out);
            }
            Event::Answer { link, answer } => self.on_answer(now, link, answer, out),
            Event::Unusable { link, why } => {
                self.heard(now, link);
                out.push(Effect::Note(Note::Unmatched { link, stan: 0, why }));
            }
            Event::Store(event) => self.on_store(now, event, out),
            Event::Hsm { call, result } => {
                if let Some(case) = self.calls.swap_remove(&call) {
                    self.on_pin(now, case, result, out);
                }
            }
            Event::Written { leg, sent } => self.on_written(now, leg, sent, out),
            Event::Link { link, is } => self.on_link(now, link, is, out),
            Event::Config(tables) => self.on_tables(now, tables),
            Event::Operator(command) => self.on_operator(now, command, out),
            Event::Tick => {}
        }
        self.run_timers(now, out);
    }

    /// When it wants the next [`Event::Tick`].
    pub fn next_wake(&self) -> Option<Mono> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Requests in flight: what the shell's admission reads.
    pub fn in_flight(&self) -> usize {
        self.cases.len()
    }

    /// Payments that owe a message.
    pub fn owed(&self) -> usize {
        self.active.values().filter(|active| active.owes()).count()
    }

    /// The business day that is open for new payments.
    pub fn business_date(&self) -> BusinessDate {
        self.days.open
    }

    /// Whether the store does not answer.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Whether it was told to sign off, and no link's sign-off waits for its answer.
    pub fn has_left(&self) -> bool {
        self.leaving && !self.links.values().any(Link::signs_off)
    }

    /// Whether a link is ready for requests.
    pub fn link_ready(&self, link: &LinkId) -> bool {
        self.links.get(link).is_some_and(Link::is_ready)
    }

    fn on_request(
        &mut self,
        now: Now,
        from: ConnId,
        link: LinkId,
        request: Request,
        (carried, signed_off): (Option<Carried>, bool),
        out: Out<'_>,
    ) {
        match request {
            Request::Network(network) => self.on_network_request(from, &network, out),
            Request::Card(card) => self.on_card(now, from, link, card, (carried, signed_off), out),
            Request::Completion(completion) => self.on_completion(now, from, link, completion, carried, out),
            Request::Reversal(reversal) => self.on_reversal(now, from, link, reversal, carried, out),
            Request::CreditTransfer(transfer) => self.on_transfer(now, from, link, transfer, out),
            Request::StatusEnquiry(enquiry) => self.on_enquiry(now, from, link, *enquiry, out),
        }
    }

    fn on_store(&mut self, now: Now, event: StoreEvent, out: Out<'_>) {
        match event {
            StoreEvent::Done { committed, refused } => {
                // In the order of the record: a case that both commits and is refused does not exist.
                if let Some(committed) = &committed {
                    for durable in Durable::mint(committed) {
                        if let Some(pending) = self.commits.remove(&durable.at()) {
                            self.on_durable(now, pending, durable, out);
                        }
                    }
                }
                for (seq, why) in refused {
                    if let Some(pending) = self.commits.remove(&seq) {
                        self.on_refused(now, pending, why, out);
                    }
                }
            }
            StoreEvent::Loaded { call, found } => {
                if let Some(case) = self.calls.swap_remove(&call) {
                    self.on_loaded(now, case, found, out);
                } else if let Some(reading) = self.readings.swap_remove(&call) {
                    self.on_read(now, reading, found, out);
                } else {
                    match found {
                        Ok(ledger::Found::Lanes(lanes)) => self.take_lanes(now, lanes),
                        Ok(ledger::Found::Dead(payment, dead)) => self.revive(now, payment, dead, out),
                        _ => {}
                    }
                }
            }
            StoreEvent::Stalled => self.stalled = true,
            StoreEvent::Resumed => self.stalled = false,
        }
    }

    fn on_durable(&mut self, now: Now, pending: Pending, durable: Durable, out: Out<'_>) {
        match pending {
            Pending::Accept(case) => self.accepted(now, case, durable, out),
            Pending::Outcome(case) => self.decided(now, case, durable, out),
            Pending::Change(payment) => self.changed(now, payment, durable, out),
            Pending::DayOpened(date) => self.day_opened(now, date, out),
            Pending::DayClosed(date) => out.push(Effect::Note(Note::DayClosed(date))),
            Pending::Order(order) => out.push(Effect::Note(Note::Ordered { order, outcome: OrderOutcome::Durable })),
            Pending::Nothing => {}
        }
    }

    fn on_refused(&mut self, now: Now, pending: Pending, why: Refusal, out: Out<'_>) {
        match pending {
            Pending::Accept(case) => self.accept_refused(now, case, why, out),
            Pending::Outcome(case) => self.outcome_refused(now, case, why, out),
            Pending::Change(payment) => self.change_refused(now, payment, why, out),
            Pending::DayOpened(date) => {
                out.push(Effect::Note(Note::Alarm { what: "a business day could not be recorded", payment: None }));
                out.push(Effect::Note(Note::Ordered { order: Order::CutOver(date), outcome: OrderOutcome::Refused(why) }));
            }
            Pending::DayClosed(_) => {
                out.push(Effect::Note(Note::Alarm { what: "a business day could not be recorded", payment: None }));
            }
            // The operator is told, and knows what it is about.
            Pending::Order(order) => out.push(Effect::Note(Note::Ordered { order, outcome: OrderOutcome::Refused(why) })),
            Pending::Nothing => out.push(Effect::Note(Note::Alarm { what: "an operator's command was refused", payment: None })),
        }
    }

    fn on_written(&mut self, now: Now, leg: LegId, sent: Sent, out: Out<'_>) {
        match self.legs.swap_remove(&leg) {
            Some(Leg::Case(case)) => self.case_written(now, case, sent, out),
            Some(Leg::Lane(payment)) => self.lane_written(now, payment, sent, out),
            Some(Leg::Network) | None => {}
        }
    }

    fn run_timers(&mut self, now: Now, out: Out<'_>) {
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now.mono {
                break;
            }
            match entry.remove() {
                Timer::Answer(case) => self.on_silence(now, case, out),
                Timer::Lane(payment) => self.run_lane(now, payment, out),
                Timer::Link(link) => self.on_link_timer(now, link, out),
            }
        }
    }

    fn on_tables(&mut self, now: Now, tables: Arc<Tables>) {
        for name in tables.links.keys() {
            self.links.entry(*name).or_default();
        }
        self.tables = tables;
        let _ = now;
    }

    // The doors through which every effect goes.

    pub(crate) fn commit(&mut self, command: Command, pending: Pending, out: Out<'_>) -> Seq {
        self.next.seq += 1;
        let seq = Seq(self.next.seq);
        self.commits.insert(seq, pending);
        out.push(Effect::Commit { seq, command: Box::new(command) });
        seq
    }

    pub(crate) fn send(
        &mut self,
        proof: Proof,
        of: Leg,
        link: LinkId,
        message: Outgoing,
        secrets: Secrets,
        by: Mono,
        out: Out<'_>,
    ) {
        self.next.leg += 1;
        let leg = LegId(self.next.leg);
        self.legs.insert(leg, of);
        out.push(Effect::Send { proof, leg, link, message: Box::new(message), secrets, by });
    }

    /// Sends what owes nothing. Refuses, with an alarm, what is not on the list.
    pub(crate) fn send_unclaimed(
        &mut self,
        of: Leg,
        link: LinkId,
        message: Outgoing,
        secrets: Secrets,
        kind: Option<CardKind>,
        by: Mono,
        out: Out<'_>,
    ) {
        match unclaimed_send(&message, kind) {
            Some(proof) => self.send(proof, of, link, message, secrets, by, out),
            None => out.push(Effect::Note(Note::Alarm { what: "a message without proof was held back", payment: None })),
        }
    }

    pub(crate) fn reply(&mut self, proof: Proof, to: ConnId, response: Response, out: Out<'_>) {
        out.push(Effect::Reply { proof, to, response: Box::new(response) });
    }

    /// Answers without a trace in the record; what is not on the list is held back with an alarm.
    pub(crate) fn reply_unclaimed(&mut self, to: ConnId, response: Response, kind: Option<CardKind>, out: Out<'_>) {
        match unclaimed_reply(&response, kind) {
            Some(proof) => self.reply(proof, to, response, out),
            None => out.push(Effect::Note(Note::Alarm { what: "an answer without proof was held back", payment: None })),
        }
    }

    pub(crate) fn load(&mut self, case: Option<CaseId>, what: Load, out: Out<'_>) -> CallId {
        let call = self.call(case);
        out.push(Effect::Load { call, what });
        call
    }

    pub(crate) fn call(&mut self, case: Option<CaseId>) -> CallId {
        self.next.call += 1;
        let call = CallId(self.next.call);
        if let Some(case) = case {
            self.calls.insert(call, case);
        }
        call
    }

    pub(crate) fn timer(&mut self, at: Mono, what: Timer) {
        self.next.timer += 1;
        self.timers.insert((at, self.next.timer), what);
    }

    pub(crate) fn next_case(&mut self) -> CaseId {
        self.next.case += 1;
        CaseId(self.next.case)
    }

    /// A new payment's id (UUID version 7: milliseconds, a count within them, 62 random bits) and the
    /// DE37 made of the same time and count, base 36, so that both are unique together.
    pub(crate) fn new_payment(&mut self, now: Now) -> (PaymentId, Rrn) {
        let ms = now.wall.unix_ms();
        let (last, count) = self.next.id;
        self.next.id = if ms > last {
            (ms, 0)
        } else if count < 0x0FFF {
            (last, count + 1)
        } else {
            (last + 1, 0)
        };
        let (ms, count) = self.next.id;
        let mut tail = self.random.u128(..).to_be_bytes();
        let [high, low] = count.to_be_bytes();
        tail[0] = high;
        tail[1] = low;
        let mut random = [0u8; 10];
        random.iter_mut().zip(tail).for_each(|(room, byte)| *room = byte);
        let id = uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid();
        let number = (u128::from(ms) << 18) | (u128::from(count) << 6) | u128::from(self.shard.0 & 0x3F);
        (PaymentId(id), rrn(number))
    }

    /// What is known of a stored payment now: something may have happened since it was read.
    pub(crate) fn freshest(&self, read: PaymentRecord) -> PaymentRecord {
        match self.active.get(&read.facts.id) {
            Some(active) if active.record.standing.version >= read.standing.version => active.record.clone(),
            _ => read,
        }
    }
}

/// Twelve base-36 digits of a number below 36^12.
fn rrn(mut number: u128) -> Rrn {
    let mut digits = [b'0'; 12];
    for place in digits.iter_mut().rev() {
        let digit = u8::try_from(number % 36).unwrap_or(0);
        *place = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
        number /= 36;
    }
    Rrn::new(&digits).expect("twelve alphanumeric characters are a DE37")
}
