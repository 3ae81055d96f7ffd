//! The ledger's captures with what a presentment needs, out of `ledger.capture_v1`.

use std::collections::BTreeMap;
use std::pin::pin;

use files::ipm::Ard;
use futures_util::TryStreamExt;
use ledger::{Capture, CaptureKind, Clearing};
use payments::{BusinessDate, LinkId, PaymentId};
use tokio_postgres::{Row, Transaction};

use super::error::Error;
use super::value::{amount, filled, get, payment, shard, word};
use crate::clearing::{Captured, Facts, Movement, Presented};

const CAPTURES: &str = "
select c.shard, c.seq, c.payment, c.number, c.kind, c.amount, c.currency, c.approval, c.network_id, c.facts::text as facts
from ledger.capture_v1 c
where c.network = $1 and c.clearing = 'presentment' and c.date = $2::text::date
order by c.shard, c.seq";

/// Presentments of earlier files, for the credits that take them back.
const PRESENTED: &str = "
select distinct on (payment) payment, movement, ard
from settlement.clearing_item
where payment = any($1) and movement in ('sale', 'refund')
order by payment, presentment desc";

/// All items of a network and a date that clear by presentment, voids among them.
pub(super) async fn read(tx: &Transaction<'_>, network: &LinkId, date: BusinessDate) -> Result<Vec<Captured>, Error> {
    let parameters = [network.to_string(), date.to_string()];
    let mut rows = pin!(tx.query_raw(CAPTURES, parameters).await?);
    let mut captures = Vec::new();
    // One row after the other: facts are some kilobytes each, what is kept of them is not.
    while let Some(row) = rows.try_next().await? {
        captures.push(captured(&row, network, date)?);
    }
    let credits: Vec<uuid::Uuid> = captures
        .iter()
        .filter(|capture: &&Captured| capture.item.kind == CaptureKind::Credit)
        .map(|capture| capture.item.payment.0)
        .collect();
    if !credits.is_empty() {
        let mut presented = BTreeMap::new();
        for row in tx.query(PRESENTED, &[&credits]).await? {
            presented.insert(payment(&row, "payment")?, presentment(&row)?);
        }
        captures.iter_mut().for_each(|capture| capture.takes_back = take(&presented, capture));
    }
    Ok(captures)
}

fn take(presented: &BTreeMap<PaymentId, Presented>, capture: &Captured) -> Option<Presented> {
    presented.get(&capture.item.payment).copied().filter(|_| capture.item.kind == CaptureKind::Credit)
}

fn presentment(row: &Row) -> Result<Presented, Error> {
    let ard: &str = get(row, "ard", "reference")?;
    let kind = match word::<Movement>(get(row, "movement", "movement")?, "movement")? {
        Movement::Refund => CaptureKind::Refund,
        _ => CaptureKind::Sale,
    };
    Ok(Presented { ard: Ard::parse(ard.as_bytes()).map_err(|_| Error::Damaged("reference"))?, kind })
}

fn captured(row: &Row, network: &LinkId, date: BusinessDate) -> Result<Captured, Error> {
    let damaged = Error::Damaged("facts of a payment");
    let facts: ledger::Payment = serde_json::from_str(get(row, "facts", "facts of a payment")?).map_err(|_| damaged.clone())?;
    let (Some(head), Some(processing_code), Some(card), Some(evidence)) =
        (facts.head, facts.processing_code, facts.card, facts.evidence)
    else {
        return Err(damaged);
    };
    Ok(Captured {
        shard: shard(row)?,
        item: Capture {
            seq: get(row, "seq", "capture")?,
            payment: payment(row, "payment")?,
            number: get(row, "number", "capture")?,
            date,
            kind: word(get(row, "kind", "capture")?, "capture")?,
            clearing: Clearing::Presentment,
            network: *network,
            amount: amount(row)?,
        },
        facts: Facts {
            acquirer: facts.acquirer,
            merchant: head.merchant,
            terminal: head.terminal,
            // The network knows it by what was sent to it.
            rrn: facts.egress.as_ref().map_or(facts.rrn, |egress| egress.rrn),
            kind: facts.kind,
            local: head.local,
            accepted: facts.accepted,
            processing_code,
            card,
            evidence,
            approval: filled(row, "approval", "approval code")?,
            network_id: filled(row, "network_id", "network id")?,
        },
        takes_back: None,
    })
}
