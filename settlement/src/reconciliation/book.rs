//! The ledger's side: payments with what they captured.

use files::ipm::Ard;
use ledger::{CaptureKind, PaymentKind};
use payments::outgoing::MessageSystem;
use payments::{Amount, ApprovalCode, BusinessDate, Currency, NetworkTransactionId, PaymentId, Rrn, Stan, State, Text};

/// A payment of the ledger that reached an issuer, with its capture items. Declined and abandoned payments
/// need not be given; where they are, they count as having no effect.
#[derive(Debug, Clone, PartialEq)]
pub struct BookItem {
    /// The payment.
    pub payment: PaymentId,
    /// What it is about.
    pub kind: PaymentKind,
    /// How its route settles.
    pub system: MessageSystem,
    /// DE37 as sent.
    pub rrn: Rrn,
    /// DE11 as sent to the network.
    pub stan: Stan,
    /// The network's transaction id, where an answer brought it.
    pub network_id: Option<NetworkTransactionId>,
    /// DE38.
    pub approval: Option<ApprovalCode>,
    /// DE15 of the answer, `MMDD`; empty where none came.
    pub settlement_date: Text<4>,
    /// Where it stands.
    pub state: State,
    /// Its currency.
    pub currency: Currency,
    /// What the issuer approved and still holds, minor units.
    pub approved: i64,
    /// Its capture items, by number.
    pub captures: Vec<BookCapture>,
    /// Why a capture of it was set aside from a clearing file, where one was.
    pub set_aside: Option<String>,
}

/// A capture item of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BookCapture {
    /// 1 for the payment's first.
    pub number: i16,
    /// Business date.
    pub date: BusinessDate,
    /// What it does.
    pub kind: CaptureKind,
    /// How much.
    pub amount: Amount,
    /// The reference under which it was frozen for a file, where it was.
    pub ard: Option<Ard>,
    /// What was set aside of it instead, minor units.
    pub set_aside: i64,
}

impl BookItem {
    /// Whether an issuer's approval was ever booked, so that it may still have effect.
    pub(crate) fn is_reversing(&self) -> bool {
        matches!(self.state, State::Reversing | State::Sent | State::Enquiring)
    }

    /// 1 for money that a cardholder pays, -1 for money that one gets.
    pub(crate) fn sign(&self) -> i128 {
        if self.kind == PaymentKind::Refund { -1 } else { 1 }
    }

    /// What is captured net of voids and credits up to a date, minor units, positive.
    pub(crate) fn captured(&self, through: Option<BusinessDate>) -> i128 {
        let due = self.captures.iter().filter(|capture| through.is_none_or(|through| capture.date <= through));
        due.map(|capture| match capture.kind {
            CaptureKind::Sale | CaptureKind::Refund => i128::from(capture.amount.minor()),
            CaptureKind::Void | CaptureKind::Credit => -i128::from(capture.amount.minor()),
        })
        .sum()
    }

    /// What is set aside from clearing files, net of credits, minor units: captured, and never presented.
    pub(crate) fn set_aside(&self) -> i128 {
        let signed = |capture: &BookCapture| match capture.kind {
            CaptureKind::Sale | CaptureKind::Refund => i128::from(capture.set_aside),
            CaptureKind::Void | CaptureKind::Credit => -i128::from(capture.set_aside),
        };
        self.captures.iter().map(signed).sum()
    }

    /// What clearing credits took back: an issuer that clears by presentment keeps its item as it is.
    pub(crate) fn credited(&self) -> i128 {
        let credits = self.captures.iter().filter(|capture| capture.kind == CaptureKind::Credit);
        credits.map(|capture| i128::from(capture.amount.minor())).sum()
    }

    /// How many captures move money towards the merchant or the cardholder, rather than back.
    pub(crate) fn forward_captures(&self) -> usize {
        self.captures.iter().filter(|capture| matches!(capture.kind, CaptureKind::Sale | CaptureKind::Refund)).count()
    }
}
