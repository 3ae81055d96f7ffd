//! What a clearing record is made of: a capture item of the ledger and the facts of its payment.

use files::ipm::Ard;
use ledger::{CaptureKind, PaymentKind};
use payments::{
    AcquirerId, ApprovalCode, CardRef, Evidence, LocalDateTime, MerchantId, NetworkTransactionId, ProcessingCode, Rrn, Shard,
    TerminalId, Wall,
};

/// A capture item with what its presentment needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Captured {
    /// The shard that numbered it.
    pub shard: Shard,
    /// The item of the ledger.
    pub item: ledger::Capture,
    /// Facts of its payment.
    pub facts: Facts,
    /// For [`CaptureKind::Credit`]: the presentment that it takes back.
    pub takes_back: Option<Presented>,
}

/// Facts of a payment that a presentment carries. The PAN is not among them: it is sealed in `card`.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The acquirer.
    pub acquirer: AcquirerId,
    /// DE42.
    pub merchant: MerchantId,
    /// DE41.
    pub terminal: TerminalId,
    /// DE37.
    pub rrn: Rrn,
    /// What it is about.
    pub kind: PaymentKind,
    /// Local date and time of the transaction, as the terminal says them.
    pub local: LocalDateTime,
    /// When the payment was accepted: it stands in for a date of the terminal that cannot be.
    pub accepted: Wall,
    /// DE3 of the request.
    pub processing_code: ProcessingCode,
    /// The card, sealed.
    pub card: CardRef,
    /// DE18, 22, 43, 55 and the electronic commerce indicator.
    pub evidence: Evidence,
    /// DE38.
    pub approval: Option<ApprovalCode>,
    /// The network's transaction id.
    pub network_id: Option<NetworkTransactionId>,
}

/// A presentment of an earlier file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presented {
    /// Its reference.
    pub ard: Ard,
    /// What it did.
    pub kind: CaptureKind,
}
