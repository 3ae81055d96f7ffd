//! Posting rules: which accounts each step moves, by the table of postings in `docs/postings.md`.

use payments::{AcquirerId, Amount, BusinessDate, LinkId, MerchantId, PaymentId, Text};

use crate::accounts::{AccountCode, Side};
use crate::command::{CaptureKind, Clearing, Journal, JournalKind, Line};

/// A scheme's account: what it owes us, or we it, and not yet (`uncleared`) or already presented.
pub fn scheme_receivable(network: &LinkId, clearing: Clearing) -> AccountCode {
    match clearing {
        Clearing::Presentment => code(&["scheme-receivable", "uncleared", network.as_str()]),
        Clearing::Online => code(&["scheme-receivable", "online", network.as_str()]),
    }
}

/// A scheme's account for what was presented and accepted.
pub fn scheme_cleared(network: &LinkId) -> AccountCode {
    code(&["scheme-receivable", "cleared", network.as_str()])
}

/// What we owe a merchant and have not funded yet.
pub fn merchant_pending(acquirer: &AcquirerId, merchant: &MerchantId) -> AccountCode {
    code(&["merchant-payable", "pending", acquirer.as_str(), merchant.as_str()])
}

/// What a merchant took beyond its authorizations.
pub fn merchant_exposure(acquirer: &AcquirerId, merchant: &MerchantId) -> AccountCode {
    code(&["exposure", acquirer.as_str(), merchant.as_str()])
}

/// An account that we keep for a customer, by its IBAN or other id.
pub fn customer(account: &Text<34>) -> AccountCode {
    code(&["customer", account.as_str()])
}

/// Where a bank's transfers settle.
pub fn bank_clearing(bank: &LinkId) -> AccountCode {
    code(&["bank-clearing", bank.as_str()])
}

/// Where customers' deposits come from.
pub fn deposits() -> AccountCode {
    code(&["bank-settlement", "deposits"])
}

/// A captured sale or refund, or one taken back. Void and credit mirror what they take back.
pub fn capture(
    payment: PaymentId,
    date: BusinessDate,
    kind: CaptureKind,
    takes_back: Option<CaptureKind>,
    (network, clearing): (&LinkId, Clearing),
    (acquirer, merchant): (&AcquirerId, &MerchantId),
    amount: Amount,
) -> Journal {
    let scheme = scheme_receivable(network, clearing);
    let payable = merchant_pending(acquirer, merchant);
    let is_sale = match kind {
        CaptureKind::Sale => true,
        CaptureKind::Refund => false,
        CaptureKind::Void | CaptureKind::Credit => takes_back == Some(CaptureKind::Refund),
    };
    let (debit, credit) = if is_sale { (scheme, payable) } else { (payable, scheme) };
    let step = match kind {
        CaptureKind::Sale => JournalKind::Capture,
        CaptureKind::Refund => JournalKind::Refund,
        CaptureKind::Void | CaptureKind::Credit => JournalKind::Reversal,
    };
    journal(step, date, Some(payment), debit, credit, amount)
}

/// What a completion took beyond its authorization, beside its [`capture`]: the merchant is not owed it
/// until the issuer has let it stand. An advice is never refused, so it has to go somewhere.
pub fn exposure(
    payment: PaymentId,
    date: BusinessDate,
    (acquirer, merchant): (&AcquirerId, &MerchantId),
    excess: Amount,
) -> Journal {
    let (debit, credit) = (merchant_pending(acquirer, merchant), merchant_exposure(acquirer, merchant));
    journal(JournalKind::Exposure, date, Some(payment), debit, credit, excess)
}

/// Exposure ends, because the capture was taken back or the issuer let it stand.
pub fn exposure_released(
    payment: PaymentId,
    date: BusinessDate,
    (acquirer, merchant): (&AcquirerId, &MerchantId),
    excess: Amount,
) -> Journal {
    let (debit, credit) = (merchant_exposure(acquirer, merchant), merchant_pending(acquirer, merchant));
    journal(JournalKind::Reversal, date, Some(payment), debit, credit, excess)
}

/// An executed credit transfer: the debtor's account pays the bank's clearing account.
pub fn transfer(payment: PaymentId, date: BusinessDate, debtor: AccountCode, bank: &LinkId, amount: Amount) -> Journal {
    journal(JournalKind::Transfer, date, Some(payment), debtor, bank_clearing(bank), amount)
}

/// Money put on a customer's account.
pub fn deposit(date: BusinessDate, account: AccountCode, amount: Amount) -> Journal {
    journal(JournalKind::Deposit, date, None, deposits(), account, amount)
}

/// A clearing file was sent: what it presented is cleared, net per network (gross per direction).
pub fn clearing_sent(date: BusinessDate, network: &LinkId, sales: Amount, refunds: Amount) -> Vec<Journal> {
    let uncleared = scheme_receivable(network, Clearing::Presentment);
    let cleared = scheme_cleared(network);
    [(cleared, uncleared, sales), (uncleared, cleared, refunds)]
        .into_iter()
        .filter(|(_, _, amount)| !amount.is_zero())
        .map(|(debit, credit, amount)| journal(JournalKind::ClearingSent, date, None, debit, credit, amount))
        .collect()
}

fn journal(
    kind: JournalKind,
    date: BusinessDate,
    payment: Option<PaymentId>,
    debit: AccountCode,
    credit: AccountCode,
    amount: Amount,
) -> Journal {
    let line = |account, side| Line { account, side, amount };
    Journal { number: 0, kind, date, payment, lines: vec![line(debit, Side::Debit), line(credit, Side::Credit)] }
}

/// Joins the parts of a code. Identities are bounded so that the longest code fits. Only the last
/// part may hold a slash, or two parties could share an account: such a code comes out empty, and the
/// book refuses a journal on it.
fn code(parts: &[&str]) -> AccountCode {
    match parts.split_last() {
        Some((_, before)) if before.iter().all(|part| !part.contains('/')) => Text::new(&parts.join("/")).unwrap_or_default(),
        _ => AccountCode::EMPTY,
    }
}
