//! Enumerations and currencies as the tables have them.

use ledger::command::{LaneEnd, LaneKind, PaymentKind};
use ledger::{CaptureKind, Clearing};
use payments::Currency;

use super::Unfit;

/// ISO 4217 numbers end at 999.
pub(super) fn currency(currency: Currency) -> Result<i16, Unfit> {
    i16::try_from(currency.numeric()).map_err(|_| Unfit::Batch(format!("currency {}", currency.numeric())))
}

pub(super) fn payment_kind(kind: PaymentKind) -> &'static str {
    match kind {
        PaymentKind::Purchase => "purchase",
        PaymentKind::Authorization => "authorization",
        PaymentKind::Refund => "refund",
        PaymentKind::Transfer => "transfer",
    }
}

pub(super) fn capture_kind(kind: CaptureKind) -> &'static str {
    match kind {
        CaptureKind::Sale => "sale",
        CaptureKind::Refund => "refund",
        CaptureKind::Void => "void",
        CaptureKind::Credit => "credit",
    }
}

pub(super) fn clearing(clearing: Clearing) -> &'static str {
    match clearing {
        Clearing::Presentment => "presentment",
        Clearing::Online => "online",
    }
}

pub(super) fn lane_kind(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Reversal => "reversal",
        LaneKind::Advice => "advice",
        LaneKind::Enquiry => "enquiry",
    }
}

pub(super) fn lane_end(end: LaneEnd) -> &'static str {
    match end {
        LaneEnd::Acknowledged => "acknowledged",
        LaneEnd::Dead => "dead",
    }
}
