//! Random histories: what engines of a busy shard would write, with the mistakes that a book must
//! refuse among it.

use payments::{BusinessDate, Cause, State};

use super::samples::{
    accept, accept_transfer, acknowledged, amount, approved, approved_late, captured, card, change, customer, day, declined,
    deposited, egress, euro, executed, id, reversed_by_acquirer, then, timed_out, tombstone, transfer,
};
use crate::command::{Command, LaneWrite, Payment, PaymentKind, PaymentWrite, Standing};

/// A seeded stream of commands. Each is to be tried on a book; [`History::settle`] says what it did.
#[derive(Debug, Clone)]
pub struct History {
    state: u64,
    next: u32,
    live: Vec<Live>,
    day: i32,
    opened: bool,
    closing: bool,
    deposits: u32,
    pending: Option<Pending>,
}

#[derive(Debug, Clone)]
struct Live {
    facts: Payment,
    standing: Standing,
    /// Whose money, for a transfer.
    from: u32,
    lanes: i16,
    owed: Option<i16>,
}

#[derive(Debug, Clone)]
enum Pending {
    New(Box<Live>),
    Changed(usize, Standing, i16, Option<i16>),
    DayOpened,
    DayClosed,
    Nothing,
}

impl History {
    /// How many customers have accounts.
    pub const CUSTOMERS: u32 = 3;

    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed, next: 1, live: Vec::new(), day: 0, opened: false, closing: false, deposits: 0, pending: None }
    }

    /// The next number below `below` (SplitMix64).
    pub fn below(&mut self, below: u32) -> u32 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((z ^ (z >> 31)) % u64::from(below.max(1))).unwrap_or(0)
    }

    /// The next command. It may be one that a book has to refuse.
    pub fn command(&mut self) -> Command {
        if !self.opened {
            self.pending = Some(Pending::DayOpened);
            return Command { day_opened: Some(day(0)), ..Command::at(super::samples::START) };
        }
        match self.below(20) {
            0..=6 => self.begin(),
            7 => self.deposit(),
            8 => self.nonsense(),
            9 if self.below(8) == 0 => self.turn_day(),
            _ => self.go_on(),
        }
    }

    /// Says whether the last command was taken.
    pub fn settle(&mut self, taken: bool) {
        match self.pending.take() {
            Some(Pending::New(live)) if taken => self.live.push(*live),
            Some(Pending::Changed(index, standing, lanes, owed)) if taken => {
                if let Some(live) = self.live.get_mut(index) {
                    (live.standing, live.lanes, live.owed) = (standing, lanes, owed);
                }
            }
            Some(Pending::DayOpened) if taken => {
                self.closing = self.opened;
                self.opened = true;
            }
            Some(Pending::DayClosed) if taken => self.closing = false,
            _ => {}
        }
    }

    fn begin(&mut self) -> Command {
        let n = self.next;
        self.next = self.next.saturating_add(1);
        let minor = i64::from(self.below(20_000)).saturating_add(1);
        let from = self.below(Self::CUSTOMERS);
        let (facts, command) = match self.below(8) {
            0..=3 => sale(card(n, PaymentKind::Purchase, euro(minor))),
            4 => sale(card(n, PaymentKind::Authorization, amount(minor, payments::Currency::USD))),
            5 => sale(card(n, PaymentKind::Refund, euro(minor))),
            _ => {
                let facts = transfer(n, from, euro(minor));
                (facts.clone(), accept_transfer(facts, from))
            }
        };
        let standing = standing_of(&command).unwrap_or(crate::book::NOTHING);
        self.pending = Some(Pending::New(Box::new(Live { facts, standing, from, lanes: 0, owed: None })));
        command
    }

    fn deposit(&mut self) -> Command {
        self.deposits = self.deposits.saturating_add(1);
        self.pending = Some(Pending::Nothing);
        let minor = i64::from(self.below(50_000)).saturating_add(1);
        let to = self.below(Self::CUSTOMERS);
        deposited(self.deposits, to, euro(minor))
    }

    fn turn_day(&mut self) -> Command {
        let at = super::samples::START;
        if self.closing {
            self.pending = Some(Pending::DayClosed);
            return Command { day_closed: Some(day(self.day.saturating_sub(1))), ..Command::at(at) };
        }
        self.day = self.day.saturating_add(1);
        self.pending = Some(Pending::DayOpened);
        Command { day_opened: Some(day(self.day)), ..Command::at(at) }
    }

    fn date(&mut self) -> BusinessDate {
        let back = i32::from(self.closing && self.below(2) == 0);
        day(self.day.saturating_sub(back))
    }

    /// The next step of some payment.
    fn go_on(&mut self) -> Command {
        let count = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        let index = usize::try_from(self.below(count)).unwrap_or(0);
        let (choice, date) = (self.below(6), self.date());
        let Some(live) = self.live.get(index).cloned() else { return self.deposit() };
        let Live { facts, standing, from, lanes, owed } = &live;
        let lane = lanes.saturating_add(1);
        let transfer = facts.kind == PaymentKind::Transfer;
        let command = match (standing.state, choice) {
            (State::Sent, 0) => timed_out(facts, standing, lane),
            (State::Sent | State::Enquiring, 1) => declined(facts, standing),
            (State::Sent, 2) if !transfer => rerouted(facts, standing),
            (State::Sent | State::Enquiring, _) if transfer => executed(facts, standing, *from, *owed),
            (State::Sent, _) if facts.kind == PaymentKind::Authorization => approved(facts, standing),
            (State::Sent, _) => captured(facts, standing, Cause::Capture, facts.amount, date),
            (State::Approved, 0) => {
                let more = facts.amount.minor().saturating_add(100);
                captured(facts, standing, Cause::Completion, amount(more, facts.amount.currency()), date)
            }
            (State::Approved, _) => captured(facts, standing, Cause::Completion, facts.amount, date),
            (State::Captured, 0) if standing.captured > 0 => reversed_by_acquirer(facts, standing, lane, date),
            (State::Reversing, 0 | 1) if !standing.approved_late => approved_late(facts, standing),
            (State::Reversing, _) => acknowledged(facts, standing, owed.unwrap_or(1)),
            _ => return self.begin(),
        };
        let after = standing_of(&command).unwrap_or(*standing);
        let owes = command.lanes.iter().any(|write| matches!(write, LaneWrite::Owe(_)));
        let ends = command.lanes.iter().any(|write| matches!(write, LaneWrite::End { .. }));
        let owed = if owes { Some(lane) } else { owed.filter(|_| !ends) };
        self.pending = Some(Pending::Changed(index, after, if owes { lane } else { *lanes }, owed));
        command
    }

    /// Something that no book may take, or that is harmless and rare.
    fn nonsense(&mut self) -> Command {
        self.pending = Some(Pending::Nothing);
        let count = u32::try_from(self.live.len()).unwrap_or(u32::MAX);
        let index = usize::try_from(self.below(count)).unwrap_or(0);
        let choice = self.below(9);
        let Some(live) = self.live.get(index).cloned() else { return tombstone(900_000) };
        let Live { facts, standing, from, lanes, .. } = &live;
        match choice {
            // A claim again, and a payment again under another claim.
            0 => accept(facts.clone()),
            1 => Command { claim: None, ..accept(facts.clone()) },
            // A lost update.
            2 => change(facts, Cause::Decline, *standing),
            // Captured from nowhere.
            3 => change(facts, Cause::Capture, Standing { captured: 1, approved: 1, ..then(standing, State::Captured) }),
            // A journal that does not balance.
            4 => {
                let mut command = deposited(800_000_u32.saturating_add(self.below(1000)), *from, euro(5));
                command.journals.iter_mut().for_each(|journal| journal.lines.truncate(1));
                command
            }
            // More than anybody has.
            5 => {
                let facts = transfer(700_000_u32.saturating_add(self.below(100_000)), *from, euro(i64::MAX));
                accept_transfer(facts, *from)
            }
            // A lane item twice, and one that never was.
            6 => timed_out(facts, standing, *lanes),
            7 => acknowledged(facts, standing, lanes.saturating_add(3)),
            // A day that is over.
            _ => captured(facts, standing, Cause::Capture, facts.amount, day(-3)),
        }
    }

    /// The accounts of the customers, which may never be overdrawn.
    pub fn customers() -> impl Iterator<Item = crate::AccountCode> {
        (0..Self::CUSTOMERS).map(customer)
    }

    /// Ids of the payments that were taken, in order.
    pub fn taken(&self) -> impl Iterator<Item = payments::PaymentId> {
        self.live.iter().map(|live| live.facts.id)
    }

    /// An id that no payment has.
    pub fn nobody() -> payments::PaymentId {
        id(u32::MAX)
    }
}

fn sale(facts: Payment) -> (Payment, Command) {
    (facts.clone(), accept(facts))
}

/// Nothing was sent on the first route; the next one gets a header of its own.
fn rerouted(facts: &Payment, before: &Standing) -> Command {
    let standing = then(before, State::Sent);
    let attempt = u8::try_from(standing.version).unwrap_or(u8::MAX);
    let egress = Some(Box::new(egress(1, attempt, facts.amount)));
    let payment = PaymentWrite::Change { id: facts.id, cause: Cause::Rerouted, standing, egress };
    Command { payment: Some(payment), ..change(facts, Cause::Rerouted, standing) }
}

fn standing_of(command: &Command) -> Option<Standing> {
    match command.payment.as_ref()? {
        PaymentWrite::Open { standing, .. } | PaymentWrite::Change { standing, .. } => Some(*standing),
    }
}
