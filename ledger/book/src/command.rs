//! Commands: everything one step of the engine means for the record, committed whole or not at all.
//!
//! A command's canonical JSON, with the numbers that the book assigned, is an item of the block: the
//! audit chain hashes it, and the tables can be rebuilt from it. Field order is part of the format.

use payments::outgoing::Egress;
use payments::request::{Head, TransferFacts};
use payments::{
    AcquirerId, Amount, Answer, ApprovalCode, BusinessDate, CardRef, Cause, Evidence, LinkId, Mono, PaymentId, ResponseCode, Rrn,
    Stan, State, Text, Wall,
};
use serde::{Deserialize, Serialize};

use crate::accounts::{AccountCode, Side};
use crate::claim::{BodyHash, ClaimKey};

/// What one step commits. Every part is optional; all parts are one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Engine time.
    pub at: Wall,
    /// A payment begins or changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentWrite>,
    /// A claim is taken. A claim that exists refuses the whole command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<TakenClaim>,
    /// A tombstone: the claim of an original that was never seen, taken by its reversal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstone: Option<TakenClaim>,
    /// Answers stored for repeats of claims: the request's own, and the original's where a reversal
    /// ends it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<(ClaimKey, Answer)>,
    /// Journals, each balanced per currency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journals: Vec<Journal>,
    /// A hold on an account that we keep for somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldWrite>,
    /// An item for the scheme's money, or one taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
    /// Owed messages begun or ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<LaneWrite>,
    /// Facts for presentment and disputes, kept when money moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceRow>,
    /// The business day that this command opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_opened: Option<BusinessDate>,
    /// The business day that this command closes: nothing of it is in flight any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_closed: Option<BusinessDate>,
    /// The last STAN used on a link, so that a new owner goes on behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stan: Option<(LinkId, Stan)>,
    /// An event for other consumers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox: Option<Outbox>,
    /// Not worth committing from then on: nobody waits for it any more. Not part of the record.
    #[serde(skip)]
    pub by: Option<Mono>,
}

impl Command {
    /// A command that does nothing yet.
    pub fn at(at: Wall) -> Self {
        Self {
            at,
            payment: None,
            claim: None,
            tombstone: None,
            answers: Vec::new(),
            journals: Vec::new(),
            hold: None,
            capture: None,
            lanes: Vec::new(),
            evidence: None,
            day_opened: None,
            day_closed: None,
            stan: None,
            outbox: None,
            by: None,
        }
    }

    /// Whether it is too late for it.
    pub fn is_overdue(&self, now: Mono) -> bool {
        self.by.is_some_and(|by| now >= by)
    }
}

/// A claim as it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenClaim {
    /// The key.
    pub key: ClaimKey,
    /// What is compared when it comes again. A tombstone's is never compared.
    pub body: BodyHash,
    /// The payment it belongs to; none for a tombstone or an operator's act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
    /// Business date, for retention.
    pub on: BusinessDate,
}

/// A payment begins or changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaymentWrite {
    /// Version 1.
    Open {
        /// Facts that never change.
        facts: Box<Payment>,
        /// Why it begins: COMMIT A, an own decline, an advice.
        cause: Cause,
        /// Where it stands.
        standing: Standing,
    },
    /// The next version; refused unless the stored version is `standing.version - 1`.
    Change {
        /// Which payment.
        id: PaymentId,
        /// Why it changes.
        cause: Cause,
        /// Where it stands now.
        standing: Standing,
        /// After a failover: the request exactly as it will be sent on the next route, in place of
        /// the one in the facts. What a store returns as facts has the latest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        egress: Option<Box<Egress>>,
    },
}

/// What a payment is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaymentKind {
    /// A sale.
    Purchase,
    /// An authorization, completed later.
    Authorization,
    /// Money back to a card.
    Refund,
    /// A credit transfer between banks.
    Transfer,
}

/// The facts of a payment as COMMIT A froze them: enough, alone, to build its reversal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// What it is about.
    pub kind: PaymentKind,
    /// When it was accepted.
    pub accepted: Wall,
    /// Ingress link.
    pub link: LinkId,
    /// Party that the ingress link is bound to.
    pub acquirer: AcquirerId,
    /// Its claim.
    pub claim: ClaimKey,
    /// DE37, one for its life.
    pub rrn: Rrn,
    /// The amount asked for.
    pub amount: Amount,
    /// Card message head as received; none for a transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// DE3 as received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_code: Option<payments::ProcessingCode>,
    /// The card: token, masked digits, sealed PAN, expiry and sequence number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardRef>,
    /// DE18, 22, 23, 25, 43, 55, 60, 61.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The transfer, for credit transfers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferFacts>,
    /// What risk decided: rule set version and decision word.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub risk: Text<48>,
    /// Version of what it was decided by (configuration, registry, routes, risk rules): a digest of the files,
    /// so that the same files have the same version in every process and on every node.
    pub tables: u64,
    /// The request exactly as it will be sent; none where nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,
    /// Egress link of a transfer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank: Option<LinkId>,
    /// No byte may leave after this.
    pub send_by: Wall,
    /// When silence becomes unknown.
    pub answer_by: Wall,
    /// When nobody waits for the reply any more.
    pub reply_by: Wall,
    /// Keys used, for example the ZPK of the egress link and the terminal's TPK, as `id.generation`; an id alone
    /// is generation 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Text<48>>,
    /// Epoch of the writer that accepted it.
    pub epoch: i64,
}

/// Where a payment stands: what changes with each version. Minor units of the payment's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// 1 for the first.
    pub version: i32,
    /// The state.
    pub state: State,
    /// What the issuer approved (after a partial reversal: what it still holds).
    pub approved: i64,
    /// What is captured and not taken back; never more than `approved` but for a flagged advice.
    pub captured: i64,
    /// Captures, credits and voids so far; the next [`Capture::number`] is one more.
    pub captures: i16,
    /// The business day of the capture, fixed when accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture_date: Option<BusinessDate>,
    /// DE38.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalCode>,
    /// DE39 that the outside was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ResponseCode>,
    /// The issuer approved it, and the outside was told otherwise: too late, or in a way that the terminal
    /// does not take part in. It has the money until its reversal is acknowledged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved_late: bool,
}

impl Standing {
    /// Of a payment that begins: its first version, with no money in it.
    pub const fn begins(state: State) -> Self {
        Self {
            version: 1,
            state,
            approved: 0,
            captured: 0,
            captures: 0,
            capture_date: None,
            approval: None,
            code: None,
            approved_late: false,
        }
    }
}

/// Why a journal was written. The numbers are stored: never renumber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(i16)]
#[serde(rename_all = "kebab-case")]
pub enum JournalKind {
    /// A captured sale.
    Capture = 1,
    /// A refund.
    Refund = 2,
    /// A capture or refund taken back.
    Reversal = 3,
    /// Taken beyond an authorization.
    Exposure = 4,
    /// An executed credit transfer.
    Transfer = 5,
    /// Money put on an account that we keep.
    Deposit = 6,
    /// The clearing file was sent.
    ClearingSent = 7,
}

/// A journal: facts of one posting step, balanced per currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Assigned by the book, gapless per shard; 0 until then.
    #[serde(default)]
    pub number: i64,
    /// Which step.
    pub kind: JournalKind,
    /// Business date.
    pub date: BusinessDate,
    /// The payment it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
    /// Two or more lines.
    pub lines: Vec<Line>,
}

/// One entry of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The account; opened by its first entry.
    pub account: AccountCode,
    /// Debit or credit.
    pub side: Side,
    /// More than zero.
    pub amount: Amount,
}

/// A hold on an account that we keep for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldWrite {
    /// Refused when the account's floor would be crossed.
    Place {
        /// The payment it is for; one hold each.
        payment: PaymentId,
        /// The account.
        account: AccountCode,
        /// How much.
        amount: Amount,
    },
    /// The hold ends; where the money moved, a journal of the same command moves it.
    Release {
        /// The payment it was for.
        payment: PaymentId,
        /// The account.
        account: AccountCode,
        /// How much was held.
        amount: Amount,
    },
}

/// Who makes the scheme's money move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clearing {
    /// Our presentment in a clearing file (dual message).
    Presentment,
    /// The network's own totals (single message).
    Online,
}

/// What a capture item does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaptureKind {
    /// Debit the cardholder.
    Sale,
    /// Credit the cardholder.
    Refund,
    /// Takes an item of the same, still open, day out again: neither is presented.
    Void,
    /// Takes back an item whose presentment is frozen: a reversal in the next file.
    Credit,
}

/// One item for the scheme's money. `(payment, number)` is unique: exactly once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Assigned by the book, gapless per shard; 0 until then.
    #[serde(default)]
    pub seq: i64,
    /// The payment.
    pub payment: PaymentId,
    /// 1 for its first item.
    pub number: i16,
    /// Business day that it belongs to.
    pub date: BusinessDate,
    /// What it does.
    pub kind: CaptureKind,
    /// Who moves the money.
    pub clearing: Clearing,
    /// The network, by its link.
    pub network: LinkId,
    /// How much.
    pub amount: Amount,
}

/// What a lane item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneKind {
    /// 0420, then 0421.
    Reversal,
    /// 0220, then 0221.
    Advice,
    /// pacs.028 until the outcome is known.
    Enquiry,
}

/// A message owed to a network or bank, with everything that its sending needs besides the payment's
/// own facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneItem {
    /// The payment.
    pub payment: PaymentId,
    /// 1 for its first item; the lane of a payment on a link sends them in order.
    pub number: i16,
    /// The link.
    pub link: LinkId,
    /// What is owed.
    pub kind: LaneKind,
    /// Not to be sent before: a reversal must not overtake its original.
    pub not_before: Wall,
    /// For a reversal: the original as sent. For an advice: its own header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,
    /// For a reversal, DE39: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ResponseCode>,
    /// DE38, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalCode>,
    /// DE95.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_amount: Option<Amount>,
}

/// How an owed message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneEnd {
    /// The other side acknowledged it.
    Acknowledged,
    /// The other side refused it; an operator must look.
    Dead,
}

/// Owed messages begun or ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneWrite {
    /// Owed from now on.
    Owe(Box<LaneItem>),
    /// Not owed any more.
    End {
        /// The payment.
        payment: PaymentId,
        /// The item.
        number: i16,
        /// How.
        end: LaneEnd,
        /// The DE39 that ended it.
        code: Option<ResponseCode>,
    },
}

/// Facts for presentment and disputes in columns of their own (SEMANTICS rule 23).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// The payment.
    pub payment: PaymentId,
    /// Request side.
    pub request: Evidence,
    /// Answer side: network id, DE38, DE15, results.
    pub answer: Answer,
}

/// Money put on an account that we keep, by an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// The account.
    pub account: AccountCode,
    /// How much.
    pub amount: Amount,
}

/// An event for other consumers: at least once, in order per payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    /// Assigned by the book, gapless per shard; 0 until then.
    #[serde(default)]
    pub seq: i64,
    /// For example `payment.captured`.
    pub topic: Text<32>,
    /// The payment it is about.
    pub payment: PaymentId,
}

impl Outbox {
    /// An event that has no number yet.
    pub fn new(topic: Text<32>, payment: PaymentId) -> Self {
        Self { seq: 0, topic, payment }
    }
}
