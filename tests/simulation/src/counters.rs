//! What a run has been through. A kind of fault or a path that was never taken proves nothing, so a
//! counter that is zero at the end fails the run.

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $words:literal;)*) => {
        /// What is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Count {
            $(#[doc = $words] $(#[$doc])* $name,)*
        }

        impl Count {
            /// Every counter, in the order in which they are printed.
            pub const ALL: &'static [Count] = &[$(Count::$name,)*];

            /// What it counts.
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }
        }
    };
}

counters! {
    Purchases = "purchases begun";
    Authorizations = "authorizations begun";
    Refunds = "refunds begun";
    Balances = "balance enquiries begun";
    Approvals = "approvals that a terminal saw";
    Partials = "partial approvals that a terminal saw";
    PartialsRefused = "partial approvals that a terminal could not take";
    IssuerDeclines = "declines by an issuer";
    OwnDeclines = "declines by our own rules";
    TimeoutsTold = "terminals told that the network was silent";
    Unavailable = "requests refused with 91";
    Repeats = "repeats sent by terminals";
    Duplicates = "duplicates sent by terminals with an unchanged MTI";
    RepeatsServed = "repeats served with the stored answer, or with their original";
    Conflicts = "conflicts (94)";
    ReversalsBefore = "reversals that came before their original";
    ReversalsDuring = "reversals that came while their original was in flight";
    ReversalsAfter = "reversals of approved payments";
    ReversalRepeats = "0421s sent by terminals";
    PartialReversalsRefused = "partial reversals refused";
    Tombstones = "tombstones planted";
    TombstonesHit = "late originals refused by a tombstone";
    Completions = "completions accepted";
    CompletionsAbove = "completions above their authorization";
    ZeroCompletions = "completions of zero";
    TerminalCaptures = "sales captured by their terminal";
    CreditsAfterFreeze = "reversals that became credits after the freeze";
    Voids = "captures voided on their own day";
    LanesSent = "reversals and advices sent to networks";
    LaneRepeats = "0421s and 0221s sent to networks";
    LanesRetried = "owed messages answered with a code that wants a retry";
    NotFoundFinal = "originals not found (25) that ended a lane";
    LanesDead = "owed messages refused for good";
    LateApprovals = "approvals that came after their request was given up";
    LateReplies = "approvals that nobody waited for any more";
    LateApprovalsKept = "approvals of what was given up already";
    Unmatched = "answers that matched nothing";
    Failovers = "payments sent on the second route after proof that nothing left on the first";
    Recoveries = "payments without outcome found by a new owner";
    LanesResumed = "owed messages found by a new owner";
    Abandoned = "payments abandoned after COMMIT A, with proof that nothing was sent";
    Transfers = "credit transfers begun";
    TransfersExecuted = "credit transfers executed";
    TransfersRejected = "credit transfers rejected by the bank";
    TransfersWithoutFunds = "credit transfers refused for want of funds";
    TransferRepeats = "credit transfers sent again by their party";
    PartyEnquiries = "enquiries by instructing parties";
    Enquiries = "enquiries sent to the bank";
    EnquiriesResolved = "transfers resolved by an enquiry";
    Interim = "interim statuses of the bank";
    CutOvers = "business days cut over";
    DaysClosed = "business days closed";
    CutWithTraffic = "cut-overs with payments in flight";
    PackedByTerminals = "requests of terminals with packed digits";
    PackedAtNetworks = "messages to the network with packed digits";
    Dropped = "messages lost";
    Delayed = "messages delayed by seconds";
    Doubled = "messages doubled";
    Garbled = "messages garbled";
    BadMacs = "messages refused for their MAC or form";
    SilentNetwork = "requests that a network took and did not answer";
    LostInNetwork = "requests that got lost inside a network";
    LateAnswers = "answers that a network held back past the deadline";
    AnsweredTwice = "answers sent twice";
    WrongStan = "answers with another STAN";
    WrongAmount = "approvals of another amount";
    LinksCut = "links cut";
    HalfOpen = "links dead without anybody noticing";
    MidFrameCuts = "links cut in the middle of a frame";
    SignedOff = "sign-offs by a network";
    SignedOnAgain = "sign-ons by a network that had signed off";
    Left = "links signed off by a node that leaves";
    SignOnsRefused = "sign-ons refused";
    EchoesMissed = "echoes not answered";
    LinksReconnected = "links closed by the engine for want of echoes";
    NotSent = "messages provably not sent";
    MaybeSent = "messages perhaps sent";
    WithheldByDeadline = "messages withheld because their deadline had passed";
    WithheldByLease = "messages withheld because the lease was gone";
    NodeCrashes = "crashes of the node";
    CrashedBeforeCommit = "crashes with a commit on its way to the store";
    CrashedAfterCommit = "crashes between a commit and its report";
    CrashedAfterSend = "crashes just behind the write of a request";
    CrashedAfterReversal = "crashes just behind the write of a reversal or advice";
    CrashedAtAnswer = "crashes with an answer in hand";
    CrashedAtAcknowledgement = "crashes with an acknowledgement in hand";
    CrashedAtReply = "crashes with a reply in hand";
    Pauses = "pauses of the node";
    LeasesLost = "leases lost";
    Fenced = "commits of an old owner that were fenced out";
    Undeliverable = "replies that could not be delivered";
    StoreCrashes = "crashes of the store";
    StoreStalls = "stalls of the store";
    UnknownLanded = "commits of unknown outcome that had landed";
    UnknownLost = "commits of unknown outcome that were lost";
    UnknownLate = "commits of unknown outcome that landed late";
    ItemsRefused = "commands that the record refused";
    StaleReads = "lookups whose result was old when it came";
    ReadsFailed = "lookups that failed";
    HsmSlow = "PIN translations that took seconds";
    HsmDown = "PIN translations that were not done";
    PinWrong = "PIN blocks that could not be translated";
    PinsTranslated = "PINs translated";
    ClockJumps = "jumps of the wall clock";
    Reconfigured = "configurations swapped in mid traffic";
    Drains = "planned restarts with draining";
    StansWrapped = "STAN blocks that wrapped";
}

/// A number for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters(Vec<u64>);

impl Default for Counters {
    fn default() -> Self {
        Self(vec![0; Count::ALL.len()])
    }
}

impl Counters {
    /// One more.
    pub fn add(&mut self, what: Count) {
        if let Some(count) = self.0.get_mut(what as usize) {
            *count += 1;
        }
    }

    /// How many.
    pub fn get(&self, what: Count) -> u64 {
        self.0.get(what as usize).copied().unwrap_or(0)
    }

    /// Sums up several histories.
    pub fn absorb(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// What never happened.
    pub fn zero(&self) -> Vec<Count> {
        Count::ALL.iter().copied().filter(|what| self.get(*what) == 0).collect()
    }

    /// A table for people, one line each.
    pub fn table(&self) -> String {
        Count::ALL.iter().map(|what| format!("{:>10}  {}\n", self.get(*what), what.words())).collect()
    }
}
