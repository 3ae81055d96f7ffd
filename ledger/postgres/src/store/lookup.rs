//! Reads of what is committed, over a pool of their own.

use deadpool_postgres::Pool;
use ledger::{BodyHash, ClaimKey, ClaimRecord, Found, Lookup, PaymentRecord, ReadError};
use tokio_postgres::types::ToSql;

use super::lanes;
use super::record::{Damaged, PAYMENT, PAYMENT_COLUMNS, PAYMENT_FROM, payment};
use crate::error::describe;
use crate::sql::bytes;

fn unavailable(error: tokio_postgres::Error) -> ReadError {
    ReadError::Unavailable(describe(&error))
}

/// As [`ledger::Store::lookup`].
pub(super) async fn lookup(pool: &Pool, shard: i16, what: &Lookup) -> Result<Found, ReadError> {
    let client = pool.get().await.map_err(|error| ReadError::Unavailable(error.to_string()))?;
    match what {
        Lookup::Claim(key) => Ok(Found::Claim(claim(&client, shard, key).await?.map(Box::new))),
        Lookup::Payment(id) => {
            let text = format!("select {PAYMENT} from ledger.payment p {PAYMENT_FROM} where p.shard = $1 and p.id = $2");
            Ok(Found::Payments(payments(&client, &text, &[&shard, &id.0]).await?))
        }
        Lookup::Rrn { terminal, rrn } => {
            let text = format!(
                "select {PAYMENT} from ledger.payment p {PAYMENT_FROM}
                 where p.rrn = $3 and p.shard = $1 and p.terminal = $2 order by p.id"
            );
            Ok(Found::Payments(payments(&client, &text, &[&shard, &terminal.as_str(), &rrn.as_str()]).await?))
        }
        Lookup::Lanes { after, max } => Ok(Found::Lanes(lanes::open(&**client, shard, *after, *max).await?)),
        Lookup::Dead(id) => Ok(Found::Dead(*id, lanes::dead(&**client, shard, *id).await?.map(Box::new))),
    }
}

async fn payments(
    client: &deadpool_postgres::Client,
    text: &str,
    params: &[&(dyn ToSql + Sync)],
) -> Result<Vec<PaymentRecord>, ReadError> {
    let statement = client.prepare_cached(text).await.map_err(unavailable)?;
    let rows = client.query(&statement, params).await.map_err(unavailable)?;
    Ok(rows.iter().map(|row| payment(row, 0)).collect::<Result<_, Damaged>>()?)
}

async fn claim(client: &deadpool_postgres::Client, shard: i16, key: &ClaimKey) -> Result<Option<ClaimRecord>, ReadError> {
    let text = format!(
        "select {PAYMENT}, c.body, c.tombstone, c.payment,
           (select a.answer from ledger.answer a where a.shard = c.shard and a.key = c.key
            order by a.block desc, a.idx desc limit 1)
         from ledger.claim c
         left join ledger.payment p on p.shard = c.shard and p.id = c.payment
         left {PAYMENT_FROM}
         where c.shard = $1 and c.key = $2"
    );
    let statement = client.prepare_cached(&text).await.map_err(unavailable)?;
    let row = client.query_opt(&statement, &[&shard, &&key.0[..]]).await.map_err(unavailable)?;
    let Some(row) = row else { return Ok(None) };
    let damaged = |what: &str| Damaged(format!("claim {key:?}: {what}"));
    let column = |place: usize| PAYMENT_COLUMNS + place;
    let read = || -> Result<ClaimRecord, Damaged> {
        let owner: Option<uuid::Uuid> = row.try_get(column(2))?;
        let answer: Option<&str> = row.try_get(column(3))?;
        Ok(ClaimRecord {
            body: bytes(row.try_get(column(0))?).map(BodyHash).ok_or_else(|| damaged("body"))?,
            tombstone: row.try_get(column(1))?,
            answer: answer.map(serde_json::from_str).transpose().map_err(|_| damaged("answer"))?,
            payment: owner.map(|_| payment(&row, 0)).transpose()?,
        })
    };
    Ok(Some(read()?))
}
