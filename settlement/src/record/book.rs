//! The ledger's side of a reconciliation: payments of a network with what they captured.

use std::collections::BTreeMap;

use files::ipm::Ard;
use ledger::PaymentKind;
use payments::outgoing::MessageSystem;
use payments::{LinkId, PaymentId, Rrn, Stan, State};
use tokio_postgres::{Row, Transaction};

use super::error::Error;
use super::value::{amount, currency, date, filled, get, payment, text, word};
use crate::reconciliation::{BookCapture, BookItem};

/// Declined and abandoned payments have no effect anywhere and are left out.
const LEGS: &str = "
select payment, kind, state, currency, approved, approval, system, stan, rrn, network_id, settlement_date
from settlement.leg
where network = $1 and state in ('sent', 'approved', 'captured', 'reversing', 'reversed')
order by payment";

const CAPTURES: &str = "
select c.payment, c.number, c.date::text as date, c.kind, c.amount, c.currency, i.ard, s.reason, s.amount as set_aside
from ledger.capture_v1 c
left join settlement.clearing_item i on i.payment = c.payment and i.presentment = c.number
left join settlement.set_aside s on s.payment = c.payment and s.presentment = c.number
where c.network = $1
order by c.payment, c.number";

/// Reads all payments of a network, in one snapshot of the caller.
pub async fn read_book(tx: &Transaction<'_>, network: &LinkId) -> Result<Vec<BookItem>, Error> {
    let name = network.as_str();
    let mut captures: BTreeMap<PaymentId, Vec<BookCapture>> = BTreeMap::new();
    let mut reasons: BTreeMap<PaymentId, String> = BTreeMap::new();
    for row in tx.query(CAPTURES, &[&name]).await? {
        let payment = payment(&row, "payment")?;
        captures.entry(payment).or_default().push(capture(&row)?);
        if let Some(reason) = get(&row, "reason", "reason")? {
            reasons.entry(payment).or_insert(reason);
        }
    }
    let mut items = Vec::new();
    for row in tx.query(LEGS, &[&name]).await? {
        let mut item = item(&row)?;
        item.captures = captures.remove(&item.payment).unwrap_or_default();
        item.set_aside = reasons.remove(&item.payment);
        items.push(item);
    }
    // A capture of a payment that is not there would vanish from the comparison.
    if captures.is_empty() { Ok(items) } else { Err(Error::Damaged("capture without its payment")) }
}

fn item(row: &Row) -> Result<BookItem, Error> {
    let (stan, rrn): (i32, &str) = (get(row, "stan", "stan")?, get(row, "rrn", "rrn")?);
    let state: &str = get(row, "state", "state")?;
    Ok(BookItem {
        payment: payment(row, "payment")?,
        kind: word::<PaymentKind>(get(row, "kind", "kind")?, "kind")?,
        system: word::<MessageSystem>(get(row, "system", "message system")?, "message system")?,
        rrn: Rrn::new(rrn.as_bytes()).map_err(|_| Error::Damaged("rrn"))?,
        stan: u32::try_from(stan).ok().and_then(|stan| Stan::new(stan).ok()).ok_or(Error::Damaged("stan"))?,
        network_id: filled(row, "network_id", "network id")?,
        approval: filled(row, "approval", "approval code")?,
        settlement_date: text(row, "settlement_date", "settlement date")?,
        state: State::ALL.into_iter().find(|known| known.to_string() == state).ok_or(Error::Damaged("state"))?,
        currency: currency(row)?,
        approved: get(row, "approved", "approved amount")?,
        captures: Vec::new(),
        set_aside: None,
    })
}

fn capture(row: &Row) -> Result<BookCapture, Error> {
    let ard: Option<&str> = get(row, "ard", "reference")?;
    Ok(BookCapture {
        number: get(row, "number", "capture")?,
        date: date(row, "date")?,
        kind: word(get(row, "kind", "capture")?, "capture")?,
        amount: amount(row)?,
        set_aside: get::<Option<i64>>(row, "set_aside", "amount")?.unwrap_or(0),
        ard: ard.map(|ard| Ard::parse(ard.as_bytes()).map_err(|_| Error::Damaged("reference"))).transpose()?,
    })
}
