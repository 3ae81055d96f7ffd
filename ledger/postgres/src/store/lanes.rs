//! Messages that are still owed.

use ledger::{OpenLane, ReadError};
use payments::PaymentId;
use tokio_postgres::GenericClient;
use tokio_postgres::types::ToSql;

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
    let which = "l.ended is null and (l.payment, l.number) > ($2, $3) order by l.payment, l.number limit $4";
    let limit = i64::try_from(max).unwrap_or(i64::MAX);
    read(client, which, &[&shard, &after.0.0, &after.1, &limit]).await
}

/// The last message that a payment owed, where it ended dead.
pub(super) async fn dead(client: &impl GenericClient, shard: i16, id: PaymentId) -> Result<Option<OpenLane>, ReadError> {
    let which = "l.payment = $2 and l.ended = 'dead'
         and not exists (select 1 from ledger.lane later where later.shard = l.shard and later.payment = l.payment
           and later.number > l.number)";
    Ok(read(client, which, &[&shard, &id.0]).await?.pop())
}

/// Lane items of shard `$1` that are like `which`.
async fn read(client: &impl GenericClient, which: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<OpenLane>, ReadError> {
    let text = format!(
        "select {PAYMENT}, l.payment, l.number, b.body from ledger.lane l
         join ledger.item b on b.shard = l.shard and b.block = l.block and b.idx = l.idx
         join ledger.payment p on p.shard = l.shard and p.id = l.payment {PAYMENT_FROM}
         where l.shard = $1 and {which}"
    );
    let rows = client.query(&text, params).await.map_err(|error| ReadError::Unavailable(describe(&error)))?;
    let lane = |row: &tokio_postgres::Row| {
        let owner = PaymentId(row.try_get(PAYMENT_COLUMNS)?);
        let item = lane_item(row.try_get(PAYMENT_COLUMNS + 2)?, owner, row.try_get(PAYMENT_COLUMNS + 1)?)?;
        Ok(OpenLane { item, payment: payment(row, 0)? })
    };
    Ok(rows.iter().map(lane).collect::<Result<_, Damaged>>()?)
}
