//! What leaves the switch, canonical: requests towards networks and banks, answers towards those who
//! asked. A dialect turns each into bytes; secrets (PAN, expiry, PIN block) come from elsewhere.

use serde::{Deserialize, Serialize};

use crate::ids::ProcessingCode;
use crate::request::{Head, NetworkFunction, Passthrough, TransferFacts};
use crate::text::Text;
use crate::time::TransmissionTime;
use crate::{
    Amount, Answer, ApprovalCode, Evidence, InstitutionId, LinkId, LocalDateTime, MerchantId, PaymentId, ResponseCode, RouteId,
    Rrn, Stan, TerminalId,
};

/// How a route settles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageSystem {
    /// A purchase goes out as an authorization (0100) and is cleared by our presentment.
    Dual,
    /// The financial message (0200) itself moves the money; the network's totals are reconciled.
    Single,
}

/// The header of a request exactly as it is sent on its link. Frozen in COMMIT A, because a reversal
/// must name its original *as sent* (DE90), on another day and by another process if need be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// The link it goes out on.
    pub link: LinkId,
    /// The route that chose the link.
    pub route: RouteId,
    /// How that route settles.
    pub system: MessageSystem,
    /// 1 for the first route tried.
    pub attempt: u8,
    /// MTI.
    pub mti: Text<4>,
    /// DE11, of the link's block.
    pub stan: Stan,
    /// DE7.
    pub transmission: TransmissionTime,
    /// DE12 and DE13.
    pub local: LocalDateTime,
    /// DE32.
    pub institution: InstitutionId,
    /// DE33.
    pub forwarding: Option<InstitutionId>,
    /// DE37.
    pub rrn: Rrn,
    /// DE3.
    pub processing_code: ProcessingCode,
    /// DE4 and DE49.
    pub amount: Amount,
    /// DE41.
    pub terminal: TerminalId,
    /// DE42.
    pub merchant: MerchantId,
}

/// A message towards a network or bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// 0800.
    Network(NetworkOut),
    /// 0100 or 0200.
    Card(Box<CardOut>),
    /// 0220 or 0221.
    Advice(Box<AdviceOut>),
    /// 0420 or 0421.
    Reversal(Box<ReversalOut>),
    /// pacs.008.
    CreditTransfer(Box<TransferOut>),
    /// pacs.028.
    StatusRequest(Box<StatusRequestOut>),
    /// 0810 to a network's own 0800.
    Managed(NetworkResponse),
}

/// 0800 towards a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkOut {
    /// DE7.
    pub transmission: TransmissionTime,
    /// DE11.
    pub stan: Stan,
    /// DE32.
    pub institution: InstitutionId,
    /// DE70.
    pub function: NetworkFunction,
}

/// 0100 or 0200. PAN, expiry, card sequence number and the translated PIN block are added by the
/// shell from what it carries for the case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardOut {
    /// The frozen header.
    pub egress: Egress,
    /// DE18, 22, 23, 25, 43, 60, 61.
    pub evidence: Evidence,
    /// Whether a translated PIN block goes along.
    pub pin: bool,
    /// Allowed elements, unread.
    pub passthrough: Passthrough,
}

/// 0220 or 0221: a completion on a single-message route. PAN and expiry come from the sealed card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdviceOut {
    /// The advice's own frozen header; its MTI already says repeat or not.
    pub egress: Egress,
    /// DE38 of the authorization.
    pub approval: Option<ApprovalCode>,
    /// DE7 of this attempt.
    pub transmission: TransmissionTime,
}

/// 0420 or 0421.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReversalOut {
    /// MTI of this attempt.
    pub mti: Text<4>,
    /// DE7 of this attempt.
    pub transmission: TransmissionTime,
    /// The original as it was sent; DE90 and the key fields (DE3, 4, 11, 12, 13, 32, 37, 41, 42, 49) come from here.
    pub original: Egress,
    /// DE39, why: 68 for silence, 17 for the customer or acquirer, 96 for trouble here.
    pub reason: ResponseCode,
    /// DE38 where the original was approved.
    pub approval: Option<ApprovalCode>,
    /// DE95, the amount that shall finally stand, where it is partial.
    pub final_amount: Option<Amount>,
}

/// pacs.008 towards a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferOut {
    /// Our message id, derived from the payment: what pacs.028 and pacs.002 refer to.
    pub message_id: Text<35>,
    /// The facts; end-to-end id, transaction id and UETR are unchanged.
    pub facts: TransferFacts,
    /// Creation time.
    pub created: crate::Wall,
}

/// pacs.028 towards a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRequestOut {
    /// Our message id of this enquiry, new for each.
    pub message_id: Text<35>,
    /// Our message id of the pacs.008.
    pub original_message_id: Text<35>,
    /// The transfer asked about.
    pub facts: TransferFacts,
    /// Creation time.
    pub created: crate::Wall,
}

impl TransferOut {
    /// The message id of a payment's pacs.008: its UUID without hyphens, stable over restarts.
    pub fn message_id_of(payment: PaymentId) -> Text<35> {
        Text::new(&payment.0.simple().to_string()).unwrap_or_default()
    }
}

/// An answer that came in from a network or bank. It is not trusted yet: the engine matches it and
/// compares the echoes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// 0110, 0210, 0230, 0430.
    Card(Box<CardAnswer>),
    /// 0810.
    Network(NetworkAnswer),
    /// pacs.002.
    Transfer(Box<TransferAnswer>),
    /// No answer at all: the network's own 0800.
    Manage(crate::request::NetworkRequest),
}

/// 0110, 0210, 0230 or 0430 as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardAnswer {
    /// MTI.
    pub mti: Text<4>,
    /// DE11: with the link and the MTI's class, the key.
    pub stan: Stan,
    /// DE7, where echoed.
    pub transmission: Option<TransmissionTime>,
    /// DE37, where echoed.
    pub rrn: Option<Rrn>,
    /// DE41, where echoed.
    pub terminal: Option<TerminalId>,
    /// DE3, where echoed.
    pub processing_code: Option<ProcessingCode>,
    /// DE38, 39, 4, 15, 44, 54, 55, 63.
    pub answer: Answer,
}

/// 0810 as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAnswer {
    /// DE11.
    pub stan: Stan,
    /// DE39.
    pub code: ResponseCode,
    /// DE70, where echoed.
    pub function: Option<NetworkFunction>,
}

/// pacs.002 as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferAnswer {
    /// OrgnlMsgId: our message id of the pacs.008.
    pub original_message_id: Text<35>,
    /// OrgnlEndToEndId.
    pub end_to_end_id: Text<35>,
    /// OrgnlTxId.
    pub transaction_id: Text<35>,
    /// OrgnlUETR.
    pub uetr: Text<36>,
    /// `transfer` holds the status; `code` is 00 for ACSC, 05 for RJCT, 09 (in progress) for ACSP and PDNG.
    pub answer: Answer,
}

/// An answer towards the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// 0110, 0210, 0230, 0410, 0430.
    Card(Box<CardResponse>),
    /// 0810.
    Network(NetworkResponse),
    /// pacs.002.
    Transfer(Box<TransferResponse>),
}

/// 0110 and its kin: the head of *this* request is echoed (a repeat gets its own DE7 back), the
/// answer may be a stored one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardResponse {
    /// The request's head; the MTI of the answer follows from it.
    pub head: Head,
    /// DE3, echoed.
    pub processing_code: ProcessingCode,
    /// DE4 and DE49: as asked, or the approved amount of a partial approval.
    pub amount: Amount,
    /// DE37.
    pub rrn: Option<Rrn>,
    /// The answer.
    pub answer: Answer,
}

/// 0810.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkResponse {
    /// DE11, echoed.
    pub stan: Stan,
    /// DE7, echoed.
    pub transmission: Option<TransmissionTime>,
    /// DE70, echoed.
    pub function: NetworkFunction,
    /// DE39.
    pub code: ResponseCode,
}

/// pacs.002 towards the instructing party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferResponse {
    /// Our message id, unique.
    pub message_id: Text<35>,
    /// The transfer answered, as the party sent it.
    pub facts: TransferFacts,
    /// The status.
    pub status: crate::answer::TransferStatus,
    /// Creation time.
    pub created: crate::Wall,
}
