//! Canonical requests: an enum by family with a common head. A field stands here only if engine,
//! risk, ledger or settlement reads it; the rest that may travel on rides in [`Passthrough`].

use serde::{Deserialize, Serialize};

use crate::ids::ProcessingCode;
use crate::text::Text;
use crate::time::TransmissionTime;
use crate::{AcquirerId, Amount, CardRef, Evidence, InstitutionId, LocalDateTime, MerchantId, Rrn, Stan, TerminalId};

/// A request that came in on an ingress link, identity bound and MAC verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// 0800: sign-on, sign-off, echo.
    Network(NetworkRequest),
    /// 0100 and 0200: purchase, authorization, refund, balance.
    Card(Box<CardRequest>),
    /// 0220: completion of an authorization.
    Completion(Box<Completion>),
    /// 0400 and 0420.
    Reversal(Box<Reversal>),
    /// pacs.008.
    CreditTransfer(Box<CreditTransfer>),
    /// pacs.028 from the instructing party: what became of my transfer?
    StatusEnquiry(Box<StatusEnquiry>),
}

/// What every card message has, as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The acquirer that the link is bound to.
    pub acquirer: AcquirerId,
    /// MTI as received; its repeat digit tells [`Head::repeat`].
    pub mti: Text<4>,
    /// DE11.
    pub stan: Stan,
    /// DE12 and DE13.
    pub local: LocalDateTime,
    /// DE7.
    pub transmission: Option<TransmissionTime>,
    /// DE32, or the registry's institution of the acquirer.
    pub institution: InstitutionId,
    /// DE33.
    pub forwarding: Option<InstitutionId>,
    /// DE37 as received; the switch fills one in where it is absent.
    pub rrn: Option<Rrn>,
    /// DE41.
    pub terminal: TerminalId,
    /// DE42.
    pub merchant: MerchantId,
}

impl Head {
    /// Whether the MTI says that the message is a repeat (x1 in the last digit).
    pub fn repeat(&self) -> bool {
        matches!(self.mti.as_bytes().last(), Some(b'1' | b'3' | b'5'))
    }
}

/// What a card request wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardKind {
    /// 0200 with DE3 00: a sale, captured when approved.
    Purchase,
    /// 0100 with DE3 00: funds set aside, captured by a later completion.
    Authorization,
    /// 0200 with DE3 20: money back to the card.
    Refund,
    /// DE3 31: no effect on money.
    Balance,
}

/// How the PIN block was encrypted by the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinEntry {
    /// Under the terminal's static key (TPK).
    Static,
    /// Under a DUKPT transaction key; the key serial number as sent.
    Dukpt {
        /// 10 bytes (TDES) or 12 (AES), left-aligned.
        ksn: [u8; 12],
        /// Bytes used in `ksn`.
        len: u8,
    },
}

/// 0100 or 0200.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardRequest {
    /// The common head.
    pub head: Head,
    /// What it wants.
    pub kind: CardKind,
    /// DE3 as received.
    pub processing_code: ProcessingCode,
    /// DE4 with DE49.
    pub amount: Amount,
    /// The card: token, masked digits and sealed data.
    pub card: CardRef,
    /// [`crate::Pan::well_formed`]: a number that is not can be approved by nobody, nor presented.
    pub well_formed: bool,
    /// Whether and how a PIN came.
    pub pin: Option<PinEntry>,
    /// Facts for clearing and disputes.
    pub evidence: Evidence,
    /// Elements of the allow list that travel on unread.
    pub passthrough: Passthrough,
}

/// 0220 completion: the final amount of an authorization. Never refused on business grounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The common head; DE37 names the authorization.
    pub head: Head,
    /// DE3 as received.
    pub processing_code: ProcessingCode,
    /// The amount to capture.
    pub amount: Amount,
    /// DE38 of the authorization, where the terminal sends it.
    pub approval: Option<crate::ApprovalCode>,
    /// The card (DE2, 14, 23), where it came: the authorization is another one if its card is.
    pub card: Option<CardRef>,
    /// Facts for clearing and disputes, for where no authorization is found that has them.
    pub evidence: Evidence,
}

/// 0400 or 0420.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversal {
    /// The common head.
    pub head: Head,
    /// DE3 as received.
    pub processing_code: ProcessingCode,
    /// DE4: the original amount.
    pub amount: Amount,
    /// The original, by DE90 and the reversal's own DE12/DE13, which a terminal keeps for the life
    /// of a transaction.
    pub original: OriginalKey,
    /// DE95: the amount that shall finally stand, for a partial reversal.
    pub final_amount: Option<Amount>,
    /// Whether it is an advice (0420), which is answered 0430 and never refused.
    pub advice: bool,
}

/// How a reversal names its original (DE90).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalKey {
    /// The original's MTI.
    pub mti: Text<4>,
    /// The original's DE11.
    pub stan: Stan,
    /// The original's DE12 and DE13.
    pub local: LocalDateTime,
}

/// DE70 of a network management message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkFunction {
    /// 001.
    SignOn,
    /// 002.
    SignOff,
    /// 301.
    Echo,
}

/// 0800.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkRequest {
    /// DE11.
    pub stan: Stan,
    /// DE7.
    pub transmission: Option<TransmissionTime>,
    /// DE70.
    pub function: NetworkFunction,
}

/// pacs.008, one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditTransfer {
    /// The party that the link is bound to.
    pub acquirer: AcquirerId,
    /// Its facts; also what A keeps.
    pub facts: TransferFacts,
}

/// A credit transfer as it will be sent (pacs.008 names in brackets).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferFacts {
    /// GrpHdr/MsgId as received.
    pub message_id: Text<35>,
    /// PmtId/InstrId.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub instruction_id: Text<35>,
    /// PmtId/EndToEndId.
    pub end_to_end_id: Text<35>,
    /// PmtId/TxId.
    pub transaction_id: Text<35>,
    /// PmtId/UETR.
    pub uetr: Text<36>,
    /// IntrBkSttlmAmt.
    pub amount: Amount,
    /// IntrBkSttlmDt.
    pub settlement_date: crate::BusinessDate,
    /// DbtrAgt BICFI.
    pub debtor_agent: Text<11>,
    /// CdtrAgt BICFI.
    pub creditor_agent: Text<11>,
    /// DbtrAcct IBAN or other id.
    pub debtor_account: Text<34>,
    /// CdtrAcct IBAN or other id.
    pub creditor_account: Text<34>,
    /// Dbtr/Nm. Text outside ASCII is kept.
    pub debtor_name: String,
    /// Cdtr/Nm.
    pub creditor_name: String,
    /// RmtInf/Ustrd.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remittance: String,
}

/// pacs.028 as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEnquiry {
    /// The party that the link is bound to.
    pub acquirer: AcquirerId,
    /// GrpHdr/MsgId of the enquiry.
    pub message_id: Text<35>,
    /// OrgnlMsgId.
    pub original_message_id: Text<35>,
    /// OrgnlEndToEndId.
    pub end_to_end_id: Text<35>,
    /// OrgnlTxId.
    pub transaction_id: Text<35>,
    /// OrgnlUETR.
    pub uetr: Text<36>,
}

/// Wire elements of a dialect's allow list that travel on unread, element number and content. Card
/// data has been taken out (DE55 tags 57, 5A, 5F20 and the like); everything unknown was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passthrough(pub Vec<(u8, Vec<u8>)>);
