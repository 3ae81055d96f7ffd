//! Rows as the contract's records.

use ledger::command::{Command, LaneWrite, PaymentWrite};
use ledger::{LaneItem, Payment, PaymentRecord, Standing};
use payments::{PaymentId, ResponseCode, State, Text};
use tokio_postgres::Row;

use crate::sql::Day;

/// Why a row could not be understood. Holds no values of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damaged(pub(crate) String);

impl From<tokio_postgres::Error> for Damaged {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(error.to_string())
    }
}

/// Columns of a payment `p`, in the order that [`payment`] reads them; joined with [`PAYMENT_FROM`].
pub(crate) const PAYMENT: &str =
    "p.id, p.version, p.state, p.approved, p.captured, p.captures, p.capture_date, p.approval, p.code, p.approved_late,
  (select coalesce(max(n.number), 0::int2) from ledger.lane n where n.shard = p.shard and n.payment = p.id),
  i.body, r.body, p.idx, p.block";

/// The items that hold a payment's facts and the egress of its last route.
pub(crate) const PAYMENT_FROM: &str = "join ledger.item i on i.shard = p.shard and i.block = p.block and i.idx = p.idx
  left join ledger.item r on r.shard = p.shard and r.block = p.egress_block and r.idx = p.egress_idx";

/// How many columns [`PAYMENT`] has.
pub(crate) const PAYMENT_COLUMNS: usize = 15;

/// Reads a payment from the columns that begin at `at`.
pub(crate) fn payment(row: &Row, at: usize) -> Result<PaymentRecord, Damaged> {
    let id = PaymentId(row.try_get(at)?);
    let damaged = |what: &str| Damaged(format!("payment {id}: {what}"));
    let state: i16 = row.try_get(at + 2)?;
    let standing = Standing {
        version: row.try_get(at + 1)?,
        state: State::from_code(state).ok_or_else(|| damaged("state"))?,
        approved: row.try_get(at + 3)?,
        captured: row.try_get(at + 4)?,
        captures: row.try_get(at + 5)?,
        capture_date: row.try_get::<_, Option<Day>>(at + 6)?.map(|day| day.0),
        approval: row.try_get::<_, Option<&str>>(at + 7)?.map(Text::new).transpose().map_err(|_| damaged("approval code"))?,
        code: row.try_get::<_, Option<&str>>(at + 8)?.map(code).transpose().map_err(|()| damaged("response code"))?,
        approved_late: row.try_get(at + 9)?,
    };
    let mut facts = facts(row.try_get(at + 11)?).ok_or_else(|| damaged("facts"))?;
    if facts.id != id {
        return Err(damaged("facts of another payment"));
    }
    if let Some(later) = row.try_get::<_, Option<&str>>(at + 12)? {
        match command(later).and_then(|command| command.payment) {
            Some(PaymentWrite::Change { id: of, egress: Some(egress), .. }) if of == id => facts.egress = Some(*egress),
            _ => return Err(damaged("egress")),
        }
    }
    Ok(PaymentRecord { facts, standing, lane_items: row.try_get(at + 10)? })
}

/// A response code as stored.
pub(crate) fn code(text: &str) -> Result<ResponseCode, ()> {
    ResponseCode::new(text.as_bytes()).map_err(|_| ())
}

/// The command of an item's body.
pub(crate) fn command(body: &str) -> Option<Command> {
    serde_json::from_str(body).ok()
}

fn facts(body: &str) -> Option<Payment> {
    match command(body)?.payment? {
        PaymentWrite::Open { facts, .. } => Some(*facts),
        PaymentWrite::Change { .. } => None,
    }
}

/// The owed message that the body of an item began.
pub(crate) fn lane_item(body: &str, payment: PaymentId, number: i16) -> Result<LaneItem, Damaged> {
    let found = command(body).into_iter().flat_map(|command| command.lanes).find_map(|write| match write {
        LaneWrite::Owe(item) if item.payment == payment && item.number == number => Some(*item),
        _ => None,
    });
    found.ok_or_else(|| Damaged(format!("lane item {number} of payment {payment}")))
}
