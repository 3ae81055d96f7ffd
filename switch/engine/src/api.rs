//! Events and effects: plain data, so that they can also cross to another node.

use std::sync::Arc;

use ledger::{AccountCode, ClaimKey, Command, Committed, Found, Lookup, Refusal, Seq};
use payments::outgoing::{Incoming, Outgoing, Response};
use payments::request::PinEntry;
use payments::{Amount, BusinessDate, CardRef, LinkId, Mono, PaymentId, Request, ResponseCode, Rrn, Stan, State, Text};

use crate::proof::Proof;
use crate::tables::Tables;

/// An ingress connection, numbered by the shell and never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// One send of a payment on one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(pub u64);

/// A call to the HSM or the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

/// A handle to the secrets of one request (PAN, expiry, track, PIN block) that the shell keeps. The
/// engine gives every handle back exactly once, with [`Effect::Drop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Carried(pub u64);

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A request came in: decoded, identity bound, MAC verified.
    Request {
        /// Where the answer goes.
        from: ConnId,
        /// The ingress link.
        link: LinkId,
        /// The request.
        request: Request,
        /// Its secrets, for requests that have any.
        carried: Option<Carried>,
        /// Its sender has signed off: nothing new is taken on for it.
        signed_off: bool,
    },
    /// An answer came in from a network or bank; decoded and MAC verified, not matched yet.
    Answer {
        /// The link.
        link: LinkId,
        /// The answer.
        answer: Incoming,
    },
    /// Something came in that cannot be an answer: garbled, or with a wrong MAC. Recorded, no more:
    /// the request it may belong to waits on.
    Unusable {
        /// The link.
        link: LinkId,
        /// Why.
        why: &'static str,
    },
    /// The store reports.
    Store(StoreEvent),
    /// The HSM reports.
    Hsm {
        /// Which call.
        call: CallId,
        /// What came of it.
        result: Result<HsmDone, HsmFailure>,
    },
    /// A send was carried out, or not.
    Written {
        /// Which leg.
        leg: LegId,
        /// What is known about it.
        sent: Sent,
    },
    /// A link reports.
    Link {
        /// The link.
        link: LinkId,
        /// What.
        is: LinkEvent,
    },
    /// New configuration; cases in flight keep the old one.
    Config(Arc<Tables>),
    /// An operator's command, or the shell's schedule.
    Operator(Operator),
    /// Time has passed.
    Tick,
}

/// What is known about a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Provably no byte left: another route may be tried.
    NotSent,
    /// Some bytes may have left.
    MaybeSent,
    /// All bytes were handed to the kernel.
    Sent,
}

/// The store reports.
#[derive(Debug)]
pub enum StoreEvent {
    /// A batch is durable; what could not go in stands beside it.
    Done {
        /// The evidence. None where every command of the batch was refused.
        committed: Option<Committed>,
        /// Refused commands, and why.
        refused: Vec<(Seq, Refusal)>,
    },
    /// A lookup's result; `Err` when the store could not be read in time.
    Loaded {
        /// Which call.
        call: CallId,
        /// What was found.
        found: Result<Found, String>,
    },
    /// The store does not answer: take nothing new on.
    Stalled,
    /// It answers again.
    Resumed,
}

/// A link reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEvent {
    /// A first socket is up.
    Up {
        /// This shard's STANs on the link.
        stans: StanBlock,
        /// Whether this engine signs the link on and echoes (one shard does).
        owner: bool,
    },
    /// The network accepted the sign-on, or signed on itself (sent by the shell to every shard).
    SignedOn,
    /// The network signed off (sent by the shell to every shard): nothing new goes there, answers still come.
    SignedOff,
    /// The last socket is gone.
    Down,
}

/// STANs that the owner of a link granted to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StanBlock {
    /// First.
    pub first: Stan,
    /// Last, inclusive.
    pub last: Stan,
}

/// An operator's command.
#[derive(Debug)]
pub enum Operator {
    /// Opens the business day `date`; the day before is closed once nothing of it is in flight.
    CutOver {
        /// The day to open; later than the one that is open.
        date: BusinessDate,
    },
    /// Puts money on an account that we keep.
    Deposit {
        /// Makes it idempotent.
        reference: Text<32>,
        /// The account.
        account: AccountCode,
        /// How much.
        amount: Amount,
    },
    /// A clearing file of a closed day was published: post what it presented.
    ClearingSent {
        /// File id; makes it idempotent.
        file: Text<32>,
        /// The network.
        network: LinkId,
        /// Sum of sales.
        sales: Amount,
        /// Sum of refunds and credits.
        refunds: Amount,
    },
    /// Tries an owed message again now; one that ended dead is owed anew.
    RetryLane {
        /// Whose.
        payment: PaymentId,
    },
    /// The authorization that a completion without one belongs to was found: it is captured there.
    MatchCompletion {
        /// A payment in state unmatched.
        completion: PaymentId,
        /// A payment in state approved.
        authorization: PaymentId,
    },
    /// A completion without its authorization belongs to nothing: it moves nothing, and nobody looks for it.
    WithdrawCompletion {
        /// A payment in state unmatched.
        completion: PaymentId,
    },
    /// Signs a link off, or on again. It stays off when it is lost and comes back.
    SignLink {
        /// Which.
        link: LinkId,
        /// On, or off.
        on: bool,
    },
    /// No new requests (91); what is in flight ends.
    Drain,
    /// After [`Operator::Drain`]: nothing more is sent, and the owner of each link signs it off.
    SignOff,
}

/// An operator's command that is told its outcome, by what makes it idempotent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Order {
    /// A deposit or a clearing file that was sent, by its claim.
    Post(ClaimKey),
    /// A cut-over, by the day to open.
    CutOver(BusinessDate),
    /// An owed message that is tried again, by its payment.
    Retry(PaymentId),
    /// A completion that is matched, and the authorization that it belongs to.
    Match(PaymentId, PaymentId),
    /// A completion that is withdrawn.
    Withdraw(PaymentId),
}

/// What came of an operator's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderOutcome {
    /// It is durable.
    Durable,
    /// It was done before; nothing is done again.
    Already,
    /// What is owed already is tried now; nothing new is owed.
    TriedNow,
    /// The book refused it.
    Refused(Refusal),
    /// It does not fit what the record says: why, for the operator.
    Unfit(&'static str),
}

/// What is to be done.
#[derive(Debug)]
pub enum Effect {
    /// Commit; the order of emission is the order of the record.
    Commit {
        /// Numbers rise by one.
        seq: Seq,
        /// What.
        command: Box<Command>,
    },
    /// Send a message, unless `by` has passed just before the write.
    Send {
        /// Why it may leave.
        proof: Proof,
        /// Reported back by [`Event::Written`].
        leg: LegId,
        /// On which link.
        link: LinkId,
        /// What.
        message: Box<Outgoing>,
        /// Where its card data comes from.
        secrets: Secrets,
        /// Not after.
        by: Mono,
    },
    /// Answer the one who asked.
    Reply {
        /// Why it may leave.
        proof: Proof,
        /// Whom.
        to: ConnId,
        /// What.
        response: Box<Response>,
    },
    /// This request will have no answer: whoever sent it repeats it, or takes it back. The connection may
    /// send another.
    Silence(ConnId),
    /// Have the HSM do something.
    Hsm {
        /// Reported back by [`Event::Hsm`].
        call: CallId,
        /// What.
        job: HsmJob,
        /// Not worth doing after.
        by: Mono,
    },
    /// Look something up in the record.
    Load {
        /// Reported back by [`StoreEvent::Loaded`].
        call: CallId,
        /// What.
        what: Load,
    },
    /// Do something to a link.
    Link {
        /// Which.
        link: LinkId,
        /// What.
        act: LinkAct,
    },
    /// The secrets are not needed any more: wipe them.
    Drop(Carried),
    /// A fact for traces and metrics.
    Note(Note),
}

/// A lookup.
pub type Load = Lookup;

/// Where the card data of an outgoing message comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secrets {
    /// It has none.
    None,
    /// What came with the request.
    Carried(Carried),
    /// The sealed card of the record.
    Sealed(Box<CardRef>, UnsealReason),
}

/// Why a sealed card is opened; logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsealReason {
    /// For an 0420.
    Reversal,
    /// For an 0220.
    Advice,
}

/// A job for the HSM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HsmJob {
    /// Translate the carried PIN block to the egress link's key. The shell keeps the result with the
    /// handle, for that link.
    TranslatePin {
        /// Whose PIN block and PAN.
        carried: Carried,
        /// How it is encrypted.
        entry: PinEntry,
        /// Name of the terminal's key (TPK) or base key (BDK).
        from: Text<48>,
        /// Name of the egress link's key (ZPK).
        to: Text<48>,
    },
}

/// The HSM did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HsmDone {
    /// The translated PIN block is with the handle.
    PinTranslated,
}

/// The HSM did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HsmFailure {
    /// The PIN block or its key is wrong: 81.
    Crypto,
    /// Not reachable, overloaded or too late: 91.
    Unavailable,
}

/// Something to do to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkAct {
    /// It is signed on: tell every shard.
    SignedOn,
    /// The network signed off: tell every shard.
    SignedOff,
    /// Close its sockets and connect anew: echoes are not answered, or the sign-on was refused.
    Reconnect,
}

/// A fact for traces and metrics; no card data by type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A payment changed its state durably.
    Payment {
        /// Which.
        id: PaymentId,
        /// DE37.
        rrn: Rrn,
        /// Its state.
        state: State,
        /// DE39, where there is one.
        code: Option<ResponseCode>,
    },
    /// An answer that belongs to nothing that waits, and why.
    Unmatched {
        /// The link.
        link: LinkId,
        /// DE11 (0 for a transfer).
        stan: u32,
        /// Why.
        why: &'static str,
    },
    /// A request was refused without a trace in the record.
    Refused {
        /// DE39.
        code: ResponseCode,
        /// Why.
        why: &'static str,
    },
    /// A repeat got the stored answer, or waits with its original.
    Repeat,
    /// A reversal or advice was sent.
    LaneAttempt {
        /// Whose.
        payment: PaymentId,
        /// 1 for the first.
        attempt: u32,
    },
    /// A reversal or advice was refused; an operator must look.
    LaneDead {
        /// Whose.
        payment: PaymentId,
        /// DE39.
        code: ResponseCode,
    },
    /// A message that owes nothing was acknowledged.
    LaneDone {
        /// Whose.
        payment: PaymentId,
    },
    /// An alarm: a person should know.
    Alarm {
        /// What.
        what: &'static str,
        /// Which payment, if one.
        payment: Option<PaymentId>,
    },
    /// What came of an operator's order: one for each.
    Ordered {
        /// Which.
        order: Order,
        /// What came of it.
        outcome: OrderOutcome,
    },
    /// A business day was opened.
    DayOpened(BusinessDate),
    /// A business day was closed: settlement may build its file.
    DayClosed(BusinessDate),
}
