//! Taking a shard over: a new epoch, then what stands there.

use ledger::accounts::{AccountState, Balances};
use ledger::block::{BlockHeader, BlockNo, Hash, merkle_root};
use ledger::store::{Epoch, Marks};
use ledger::{Batch, Fence, Landed, NodeId, OpenError, Snapshot};
use payments::{Currency, PaymentId, Shard, State, Text};
use tokio_postgres::{IsolationLevel, Row, Transaction};

use super::lanes;
use super::link::Link;
use super::record::{Damaged, PAYMENT, PAYMENT_FROM, payment};
use crate::error::describe;
use crate::marks;
use crate::sql::{At, Day, bytes};

impl From<Damaged> for OpenError {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged.0)
    }
}

fn unavailable(error: tokio_postgres::Error) -> OpenError {
    OpenError::Unavailable(describe(&error))
}

/// Takes a new epoch above every earlier one.
pub(super) async fn take(link: &Link, of: Shard, shard: i16, me: NodeId) -> Result<Fence, OpenError> {
    let text = "insert into ledger.writer_epoch as w (shard, epoch, owner, at) values ($1, 1, $2, now())
      on conflict (shard) do update set epoch = w.epoch + 1, owner = excluded.owner, at = excluded.at returning epoch";
    link.take_warning();
    let row = link.client().query_one(text, &[&shard, &me.0]).await.map_err(unavailable)?;
    certain(link)?;
    Ok(Fence { shard: of, epoch: Epoch(row.get(0)) })
}

/// Takes the next epoch if the shard is still ours. One that we took ourselves and did not hear of
/// counts as ours: its answer was lost.
pub(super) async fn retake(link: &Link, fence: &Fence, shard: i16, me: NodeId) -> Result<Fence, OpenError> {
    let text = "update ledger.writer_epoch set epoch = epoch + 1, owner = $2, at = now()
      where shard = $1 and (epoch = $3 or (epoch > $3 and owner = $2)) returning epoch";
    link.take_warning();
    let row = link.client().query_opt(text, &[&shard, &me.0, &fence.epoch.0]).await.map_err(unavailable)?;
    certain(link)?;
    match row {
        Some(row) => Ok(Fence { shard: fence.shard, epoch: Epoch(row.get(0)) }),
        None => {
            let text = "select epoch from ledger.writer_epoch where shard = $1";
            let row = link.client().query_opt(text, &[&shard]).await.map_err(unavailable)?;
            let row = row.ok_or_else(|| OpenError::Damaged("the shard's epoch is gone".into()))?;
            Err(OpenError::Fenced { by: Epoch(row.get(0)) })
        }
    }
}

/// An epoch that may not have reached the standby is no epoch.
fn certain(link: &Link) -> Result<(), OpenError> {
    link.take_warning().map_or(Ok(()), |warning| Err(OpenError::Unavailable(warning)))
}

/// Whether the batch is there, under the epoch just taken.
pub(super) async fn landed(link: &Link, fence: &Fence, shard: i16, batch: &Batch) -> Result<Landed, OpenError> {
    let number = batch.header.number.0;
    let text = "select hash from ledger.block where shard = $1 and number = $2";
    match link.client().query_opt(text, &[&shard, &number]).await.map_err(unavailable)? {
        None => Ok(Landed::No),
        Some(row) if bytes(row.get(0)) == Some(batch.hash.0) => Ok(Landed::Yes(batch.committed(fence))),
        Some(_) => Err(OpenError::Damaged(format!("block {number} is another one"))),
    }
}

/// Everything a new owner starts from, as of one moment.
pub(super) async fn snapshot(link: &mut Link, of: Shard, shard: i16) -> Result<Snapshot, OpenError> {
    let transaction = link.client_mut().build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = transaction.start().await.map_err(unavailable)?;
    let (head, marks) = head(&transaction, of, shard).await?;
    let (day, closing) = days(&transaction, shard).await?;
    let mut owed =
        lanes::open(&transaction, shard, (PaymentId::FIRST, 0), Snapshot::LANES + 1).await.map_err(|error| match error {
            ledger::ReadError::Unavailable(why) => OpenError::Unavailable(why),
            ledger::ReadError::Damaged(why) => OpenError::Damaged(why),
        })?;
    let more_lanes = owed.len() > Snapshot::LANES;
    owed.truncate(Snapshot::LANES);
    let snapshot = Snapshot {
        head,
        accounts: accounts(&transaction, shard).await?,
        journal: last(&transaction, "select coalesce(max(number), 0) from ledger.journal where shard = $1", shard).await?,
        capture: last(&transaction, "select coalesce(max(seq), 0) from ledger.capture where shard = $1", shard).await?,
        outbox: last(&transaction, "select coalesce(max(number), 0) from ledger.outbox where shard = $1", shard).await?,
        day,
        closing,
        open: open_payments(&transaction, shard, &marks).await?,
        lanes: owed,
        more_lanes,
        marks,
    };
    transaction.commit().await.map_err(unavailable)?;
    Ok(snapshot)
}

/// The last block, with its hash computed again from what is stored.
async fn head(transaction: &Transaction<'_>, of: Shard, shard: i16) -> Result<((BlockNo, Hash), Marks), OpenError> {
    let text = "select number, previous, root, hash, epoch, items, at, marks from ledger.block
      where shard = $1 order by number desc limit 1";
    let Some(row) = transaction.query_opt(text, &[&shard]).await.map_err(unavailable)? else {
        let text = "select exists (select 1 from ledger.item where shard = $1)";
        let orphans: bool = transaction.query_one(text, &[&shard]).await.map_err(unavailable)?.get(0);
        if orphans {
            return Err(OpenError::Damaged("items without any block".into()));
        }
        return Ok(((BlockNo(0), Hash::GENESIS), Marks::default()));
    };
    let (header, hash) = block(&row, of)?;
    let number = header.number.0;
    if header.hash() != hash {
        return Err(OpenError::Damaged(format!("block {number} does not have its hash")));
    }
    let text = "select body from ledger.item where shard = $1 and block = $2 order by idx";
    let items = transaction.query(text, &[&shard, &number]).await.map_err(unavailable)?;
    let bodies: Vec<&[u8]> = items.iter().map(|row| row.get::<_, &str>(0).as_bytes()).collect();
    if i32::try_from(bodies.len()).ok() != Some(header.items) || merkle_root(bodies) != header.root {
        return Err(OpenError::Damaged(format!("the items of block {number} do not have its root")));
    }
    let marks = marks::from_json(row.try_get("marks").map_err(Damaged::from)?);
    let marks = marks.map_err(|_| OpenError::Damaged(format!("the marks of block {number}")))?;
    Ok(((header.number, hash), marks))
}

/// A block's row: number, previous, root, hash, epoch, items, at.
pub(crate) fn block(row: &Row, shard: Shard) -> Result<(BlockHeader, Hash), Damaged> {
    let number: i64 = row.try_get("number")?;
    let hash = |column: &str| {
        let raw: &[u8] = row.try_get(column)?;
        bytes(raw).map(Hash).ok_or_else(|| Damaged(format!("block {number}: {column}")))
    };
    let header = BlockHeader {
        shard,
        number: BlockNo(number),
        previous: hash("previous")?,
        root: hash("root")?,
        items: row.try_get("items")?,
        epoch: row.try_get("epoch")?,
        at: row.try_get::<_, At>("at")?.0,
    };
    Ok((header, hash("hash")?))
}

async fn last(transaction: &Transaction<'_>, text: &str, shard: i16) -> Result<i64, OpenError> {
    Ok(transaction.query_one(text, &[&shard]).await.map_err(unavailable)?.get(0))
}

async fn days(
    transaction: &Transaction<'_>,
    shard: i16,
) -> Result<(Option<payments::BusinessDate>, Option<payments::BusinessDate>), OpenError> {
    let text = "select day, closed_block is null from ledger.business_day where shard = $1 order by day desc limit 2";
    let rows = transaction.query(text, &[&shard]).await.map_err(unavailable)?;
    let mut days = rows.iter().map(|row| Ok::<_, Damaged>((row.try_get::<_, Day>(0)?.0, row.try_get::<_, bool>(1)?)));
    let day = days.next().transpose()?;
    let closing = days.next().transpose()?.filter(|(_, open)| *open);
    Ok((day.map(|(day, _)| day), closing.map(|(day, _)| day)))
}

async fn accounts(transaction: &Transaction<'_>, shard: i16) -> Result<Vec<AccountState>, OpenError> {
    let text = "select id, code, currency, floor_minor, posted_debit, posted_credit, pending_debit, version
      from ledger.account where shard = $1 order by id";
    let rows = transaction.query(text, &[&shard]).await.map_err(unavailable)?;
    Ok(rows.iter().map(account).collect::<Result<_, Damaged>>()?)
}

/// An account's row.
pub(crate) fn account(row: &Row) -> Result<AccountState, Damaged> {
    let id: i64 = row.try_get("id")?;
    let damaged = |what: &str| Damaged(format!("account {id}: {what}"));
    Ok(AccountState {
        id,
        code: Text::new(row.try_get("code")?).map_err(|_| damaged("code"))?,
        currency: currency(row.try_get("currency")?).ok_or_else(|| damaged("currency"))?,
        floor_minor: row.try_get("floor_minor")?,
        balances: Balances {
            posted_debit: row.try_get("posted_debit")?,
            posted_credit: row.try_get("posted_credit")?,
            pending_debit: row.try_get("pending_debit")?,
        },
        version: row.try_get("version")?,
    })
}

/// A currency by its stored number.
pub(crate) fn currency(number: i16) -> Option<Currency> {
    Currency::from_numeric(u16::try_from(number).ok()?).ok()
}

/// Payments without an outcome. The mark says where to begin, so that no index has to follow a state
/// that changes with every payment.
async fn open_payments(
    transaction: &Transaction<'_>,
    shard: i16,
    marks: &Marks,
) -> Result<Vec<ledger::PaymentRecord>, OpenError> {
    let Some(oldest) = marks.oldest_open else { return Ok(Vec::new()) };
    let text = format!(
        "select {PAYMENT} from ledger.payment p {PAYMENT_FROM}
         where p.shard = $1 and p.id >= $2 and p.state = any($3) order by p.id"
    );
    let states = [State::Sent.code(), State::Enquiring.code()];
    let rows = transaction.query(&text, &[&shard, &oldest.0, &&states[..]]).await.map_err(unavailable)?;
    Ok(rows.iter().map(|row| payment(row, 0)).collect::<Result<_, Damaged>>()?)
}
