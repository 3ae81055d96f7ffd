//! Messages that are still owed.

use ledger::{OpenLane, ReadError};
use payments::PaymentId;
use tokio_postgres::GenericClient;

use super::record::{Damaged, PAYMENT, PAYMENT_COLUMNS, PAYMENT_FROM, lane_item, payment};
use crate::error::describe;

impl From<Damaged> for ReadError {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged.0)
    }
}

/// The first `max` open lane items behind a payment's, by payment and number.
pub(super) async fn open(
    client: &impl GenericClient,
    shard: i16,
    after: (PaymentId, i16),
    max: usize,
) -> Result<Vec<OpenLane>, ReadError> {
    let text = format!(
        "select {PAYMENT}, l.payment, l.number, b.body from ledger.lane l
         join ledger.item b on b.shard = l.shard and b.block = l.block and b.idx = l.idx
         join ledger.payment p on p.shard = l.shard and p.id = l.payment {PAYMENT_FROM}
         where l.shard = $1 and l.ended is null and (l.payment, l.number) > ($2, $3)
         order by l.payment, l.number limit $4"
    );
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = client.query(&text, &[&shard, &after.0.0, &after.1, &limit]).await;
    let rows = rows.map_err(|error| ReadError::Unavailable(describe(&error)))?;
    let lane = |row: &tokio_postgres::Row| {
        let owner = PaymentId(row.try_get(PAYMENT_COLUMNS)?);
        let item = lane_item(row.try_get(PAYMENT_COLUMNS + 2)?, owner, row.try_get(PAYMENT_COLUMNS + 1)?)?;
        Ok(OpenLane { item, payment: payment(row, 0)? })
    };
    Ok(rows.iter().map(lane).collect::<Result<_, Damaged>>()?)
}
