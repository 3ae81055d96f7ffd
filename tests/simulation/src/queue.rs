//! What is going to happen, in the order of virtual time. Events of one instant come in the order in
//! which they were put in, so that a seed is one history.

use std::collections::BTreeMap;

use engine::{CallId, ConnId, Event, LegId, Proof};
use ledger::Lookup;
use payments::outgoing::Outgoing;
use payments::{LinkId, Mono};

use crate::clock::Time;

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum What {
    /// An event for the engine of a node.
    Step { node: usize, event: Box<Event> },
    /// A node's engine wanted to be woken.
    Wake { node: usize, at: Time },
    /// A frame of a terminal or party comes in at a node.
    Frame { node: usize, from: ConnId, frame: Vec<u8> },
    /// A frame of a network or bank comes in at a node.
    LineFrame { node: usize, link: LinkId, frame: Vec<u8> },
    /// A node writes a frame to a link.
    Write(Box<Write>),
    /// A node's batch arrives at the store.
    Lands { node: usize },
    /// A node hears what became of its batch.
    Reported { node: usize },
    /// A node asks what became of a batch of unknown outcome.
    Resolve { node: usize },
    /// The store answers a lookup of a node.
    Read { node: usize, call: CallId, what: Lookup },
    /// A node's link is connected.
    LineUp { node: usize, link: LinkId },
    /// A node opens the shard, as a new process.
    Open,
    /// A paused node goes on.
    Resume { node: usize },
    /// A node's lease runs out.
    LeaseEnds { node: usize },
    /// A frame reaches a terminal.
    ToTerminal { terminal: usize, frame: Vec<u8> },
    /// A terminal begins something new.
    NextSale { terminal: usize },
    /// A terminal's patience with what it sent last is at its end.
    Impatient { terminal: usize, sale: usize, turn: u32 },
    /// A terminal does what it had planned for a sale.
    FollowUp { terminal: usize, sale: usize },
    /// A frame reaches a network.
    ToNetwork { link: LinkId, frame: Vec<u8> },
    /// A network answers.
    FromNetwork { link: LinkId, frame: Vec<u8> },
    /// A frame reaches the bank.
    ToBank { frame: Vec<u8> },
    /// The bank executes or answers.
    FromBank { frame: Vec<u8> },
    /// A frame reaches the instructing party.
    ToParty { frame: Vec<u8> },
    /// The party begins a transfer.
    NextTransfer,
    /// The party's patience with a transfer is at its end.
    PartyImpatient { transfer: usize, turn: u32 },
    /// Something goes wrong.
    Trouble(Trouble),
    /// Deposits, until they are in the record.
    Deposits { node: usize },
    /// Faults stop.
    Calm,
}

/// A frame on its way to a socket.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) node: usize,
    pub(crate) leg: LegId,
    pub(crate) link: LinkId,
    /// None where it could not be made.
    pub(crate) frame: Option<Vec<u8>>,
    pub(crate) by: Mono,
    /// Why it may leave, and what it is: looked at when it does.
    pub(crate) proof: Proof,
    pub(crate) message: Box<Outgoing>,
    /// A request that would have an effect on money.
    pub(crate) financial: bool,
}

/// Something that goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    Crash,
    Pause,
    LoseLease,
    CutLink,
    HalfOpen,
    CrashStore,
    StoreBack,
    Stall,
    JumpClock,
    Swap,
    CutOver,
    Drain,
    Drained { node: usize },
    Left { node: usize },
    SignOff,
    SignOn { link: LinkId },
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    events: BTreeMap<(Time, u64), What>,
    order: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Time, what: What) {
        self.order += 1;
        self.events.insert((at, self.order), what);
    }

    pub(crate) fn pop(&mut self) -> Option<(Time, What)> {
        self.events.pop_first().map(|((at, _), what)| (at, what))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &What> {
        self.events.values()
    }
}
