//! Setting aside: an item that cannot be presented must not hold up the others. It is kept with its reason,
//! counted in the manifest, and a break of every reconciliation until somebody settles it.

use ledger::PaymentKind;
use payments::{Amount, PaymentId, Shard};

use super::build::{CannotUnseal, Unseal, write};
use super::capture::Captured;
use super::endpoint::Endpoint;
use super::error::Error;
use super::freeze::{Frozen, Movement};
use super::prove::prove_items;

/// A capture that stands in no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The payment.
    pub payment: PaymentId,
    /// Number of the capture item in its payment.
    pub number: i16,
    /// The shard that numbered it.
    pub shard: Shard,
    /// Number of the capture in the shard.
    pub seq: i64,
    /// What its presentment would have done.
    pub movement: Movement,
    /// What it would have presented.
    pub amount: Amount,
    /// Why it cannot be presented; no card data.
    pub reason: String,
}

impl SetAside {
    fn of(capture: &Captured, movement: Movement, amount: Amount, reason: String) -> Self {
        let item = &capture.item;
        Self { payment: item.payment, number: item.number, shard: capture.shard, seq: item.seq, movement, amount, reason }
    }

    pub(super) fn credit_without_presentment(capture: &Captured) -> Self {
        let refund = capture.facts.kind == PaymentKind::Refund;
        let movement = if refund { Movement::RefundReversal } else { Movement::SaleReversal };
        Self::of(capture, movement, capture.item.amount, "a credit, and nothing was presented that it takes back".to_owned())
    }
}

/// Proves each item: a file of it alone is written and read back. What does not pass is set aside, so that
/// the file of the others can be made whatever one of them holds. Needs every card once.
///
/// # Errors
/// What is no item's fault: the vault opens nothing, the settings make no file. Then nothing may be frozen.
pub fn set_aside(endpoint: &Endpoint, frozen: Frozen, cards: &mut dyn Unseal) -> Result<Frozen, Error> {
    let Frozen { key, id, items, mut set_aside } = frozen;
    let (count, mut kept) = (items.len(), Vec::with_capacity(items.len()));
    let (mut closed, mut buffer) = (0, Vec::new());
    for item in items {
        buffer.clear();
        let alone = std::slice::from_ref(&item);
        let written = write(endpoint, id, alone, cards, &mut buffer).map(|_| ());
        match written.and_then(|()| prove_items(buffer.as_slice(), endpoint.format(), id, alone)) {
            Ok(_) => kept.push(item),
            Err(error) => {
                closed += usize::from(matches!(error, Error::Unseal { .. }));
                let reason = reason(error)?;
                set_aside.push(SetAside::of(&item.capture, item.movement, item.amount, reason));
            }
        }
    }
    if closed > 1 && closed == count {
        return Err(Error::NoCardOpens(closed));
    }
    set_aside.sort_by_key(|aside| (aside.shard, aside.seq));
    Ok(Frozen { key, id, items: kept, set_aside })
}

/// Why an item cannot be presented, or the error back where it is not the item's fault.
fn reason(error: Error) -> Result<String, Error> {
    let record = |fault: &files::ipm::Fault| match fault.field {
        Some(field) => format!("DE{field}: {}", fault.reason),
        None => fault.reason.to_string(),
    };
    match &error {
        Error::Fact { field, reason, .. } => Ok(format!("DE{field}: {reason}")),
        Error::Record { fault, .. } => Ok(record(fault)),
        Error::Unreadable { fault: Some(fault), .. } => Ok(record(fault)),
        Error::Differs { field, .. } => Ok(format!("its record does not read back as written: {field}")),
        Error::Unseal { why: CannotUnseal::Card(why), .. } => Ok(format!("the card cannot be opened: {why}")),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ledger::CaptureKind;
    use payments::{CardRef, Currency, Pan, ProcessingCode, Text};

    use super::*;
    use crate::clearing::endpoint::tests::sample as endpoint;
    use crate::clearing::tests::{captured, date, key, payment, unseal};
    use crate::clearing::{Presented, Unsealed, build, freeze, prove};

    /// A good sale, and others that each have one thing wrong.
    fn day() -> Vec<Captured> {
        let sale = |number| captured(number, number, CaptureKind::Sale, 100 * number, Currency::EUR);
        let with = |number, change: fn(&mut Captured)| {
            let mut capture = sale(number);
            change(&mut capture);
            capture
        };
        vec![
            sale(1),
            with(2, |capture| capture.facts.processing_code = ProcessingCode::new(b"200000").unwrap()),
            with(3, |capture| capture.facts.evidence.merchant_category = Text::literal("58AB")),
            with(4, |capture| capture.facts.card.sealed = b"5413330000000040".to_vec()),
            with(5, |capture| capture.facts.evidence.emv = vec![(Text::literal("9F26"), "XY".into())]),
            with(6, |capture| capture.facts.card.sealed = b"no card".to_vec()),
            with(7, |capture| capture.item.kind = CaptureKind::Credit),
            sale(8),
        ]
    }

    fn sifted() -> Frozen {
        set_aside(&endpoint(), freeze(&endpoint(), key(1), day()).unwrap(), &mut unseal).unwrap()
    }

    #[test]
    fn an_item_that_cannot_be_presented_does_not_hold_up_the_others() {
        let frozen = sifted();
        let kept: Vec<_> = frozen.items.iter().map(|item| item.capture.item.payment).collect();
        assert_eq!(kept, [payment(1), payment(8)]);
        let aside: Vec<_> = frozen.set_aside.iter().map(|aside| (aside.seq, aside.movement, aside.reason.as_str())).collect();
        assert_eq!(
            aside,
            [
                (2, Movement::Sale, "DE3: a value out of range"),
                (3, Movement::Sale, "DE26: not a digit"),
                (4, Movement::Sale, "DE2: the check digit of the account number is wrong"),
                (5, Movement::Sale, "DE55: the chip data is malformed"),
                (6, Movement::Sale, "the card cannot be opened: byte 0 is not a digit"),
                (7, Movement::SaleReversal, "a credit, and nothing was presented that it takes back"),
            ]
        );
    }

    #[test]
    fn the_file_and_what_is_set_aside_are_what_the_ledger_captured() {
        let frozen = sifted();
        let (bytes, manifest) = build(&endpoint(), &frozen, &mut unseal, Vec::new()).unwrap();
        let ledger = BTreeMap::from([(Currency::EUR, 100 + 200 + 300 + 400 + 500 + 600 - 700 + 800)]);
        let proved = |ledger: &_| prove(bytes.as_slice(), endpoint().format(), &frozen, ledger);
        assert_eq!(proved(&ledger), Ok(()));
        assert!(proved(&BTreeMap::from([(Currency::EUR, 900)])).is_err(), "what is set aside is captured money too");
        assert_eq!((manifest.presentments, manifest.sent().unwrap()[0].sales.minor()), (2, 900), "only the file is sent");
        let aside: Vec<_> = manifest.set_aside.iter().map(|total| (total.movement, total.count, total.amount)).collect();
        assert_eq!(aside, [(Movement::Sale, 5, 2000), (Movement::SaleReversal, 1, 700)]);
    }

    #[test]
    fn a_vault_that_opens_nothing_sets_nothing_aside() {
        let frozen = || freeze(&endpoint(), key(1), day()).unwrap();
        let mut down = |_: PaymentId, _: &CardRef| -> Unsealed { Err(CannotUnseal::Vault("the HSM is away".to_owned())) };
        assert!(matches!(set_aside(&endpoint(), frozen(), &mut down), Err(Error::Unseal { .. })));
        let mut foreign = |_: PaymentId, _: &CardRef| -> Unsealed { Err(CannotUnseal::Card("not authentic".to_owned())) };
        assert_eq!(set_aside(&endpoint(), frozen(), &mut foreign), Err(Error::NoCardOpens(7)));
    }

    #[test]
    fn a_credit_of_a_presented_refund_is_no_credit_without_presentment() {
        let mut credit = captured(1, 1, CaptureKind::Credit, 100, Currency::EUR);
        credit.facts.kind = PaymentKind::Refund;
        let alone = freeze(&endpoint(), key(1), vec![credit.clone()]).unwrap();
        assert_eq!(alone.set_aside[0].movement, Movement::RefundReversal);
        credit.facts.processing_code = ProcessingCode::new(b"200000").unwrap();
        let ard = files::ipm::Ard::build(7, b"541234", date().parts().0, 1, 1).unwrap();
        credit.takes_back = Some(Presented { ard, kind: CaptureKind::Refund });
        let frozen = set_aside(&endpoint(), freeze(&endpoint(), key(1), vec![credit]).unwrap(), &mut unseal).unwrap();
        assert_eq!((frozen.items.len(), frozen.set_aside.len()), (1, 0));
        assert!(Pan::new(b"5413330000000040").is_ok_and(|pan| !pan.luhn_valid()), "the sample above means what it says");
    }
}
