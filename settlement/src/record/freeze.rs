//! The freeze transaction: which captures are in the file of a date, under which number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ledger::{Clearing, postings};
use payments::{BusinessDate, Currency, Wall};
use tokio_postgres::{Client, IsolationLevel, Transaction};
use vault::Sealer;

use super::captures;
use super::error::Error;
use super::publish::VaultCards;
use super::value::{amount, currency, get, net, payment, shard, to_word, word};
use crate::clearing::{Endpoint, FileKey, Frozen, Manifest, Movement, SetAside, freeze, set_aside};

/// A frozen file as it is recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct FrozenDay {
    /// The set.
    pub frozen: Frozen,
    /// The endpoint's settings when it was frozen.
    pub endpoint: Endpoint,
    /// What the ledger's journals moved, net by currency.
    pub ledger: BTreeMap<Currency, i128>,
    /// The manifest, once it is published.
    pub published: Option<Manifest>,
}

/// One freeze of an endpoint at a time. Unique keys are what keeps it right; this keeps it quiet.
const LOCK: &str = "select pg_advisory_lock(hashtextextended('settlement.freeze/' || $1, 0))";
const UNLOCK: &str = "select pg_advisory_unlock(hashtextextended('settlement.freeze/' || $1, 0))";

/// Shards that knew the date or an earlier one, and such of them as have not closed it.
const CLOSED: &str = "
select count(*) as shards, count(*) filter (where d.closed is not true) as open
from (select shard, min(day) as first from ledger.business_day_v1 group by shard) s
left join ledger.business_day_v1 d on d.shard = s.shard and d.day = $1::text::date
where s.first <= $1::text::date";

const EARLIER: &str = "
select min(d.day)::text as day
from (select distinct day from ledger.business_day_v1 where day < $3::text::date) d
where not exists (
    select 1 from settlement.clearing_file f where f.endpoint = $1 and f.business_date = d.day and f.state <> 'void')
  and exists (
    select 1 from ledger.capture_v1 c where c.network = $2 and c.clearing = 'presentment' and c.date = d.day)";

const FILE: &str = "
select sequence, file_id, settings, frozen_at, items, ledger_net, manifest, state
from settlement.clearing_file
where endpoint = $1 and business_date = $2::text::date and state <> 'void'";

const NEXT: &str = "
select coalesce(max(sequence), 0) + 1 as sequence
from settlement.clearing_file
where endpoint = $1 and business_date = $2::text::date";

/// Everything that the journals ever put on the network's accounts: what is presented and what is not.
const ACCOUNTS: &str = "
select currency, sum(posted_debit::numeric - posted_credit)::text as net
from ledger.account_v1
where code = any($1)
group by currency";

/// What all files of the network present, and what was set aside from them.
const PRESENTED: &str = "
select i.currency, sum(case when i.movement in ('sale', 'refund_reversal') then i.amount else -i.amount end)::text as net
from (
  select endpoint, business_date, sequence, movement, amount, currency from settlement.clearing_item
  union all
  select endpoint, business_date, sequence, movement, amount, currency from settlement.set_aside
) i
join settlement.clearing_file f using (endpoint, business_date, sequence)
where f.network = $1
group by i.currency";

/// What later dates captured.
const LATER: &str = "
select c.currency,
  sum(case when (c.payment_kind = 'refund') = (c.kind in ('void', 'credit')) then c.amount else -c.amount end)::text as net
from ledger.capture_v1 c
where c.network = $1 and c.clearing = 'presentment' and c.date > $2::text::date
group by c.currency";

const ADD_FILE: &str = "
insert into settlement.clearing_file (endpoint, business_date, sequence, file_id, network, state, settings, frozen_at, items, ledger_net)
values ($1, $2::text::date, $3, $4, $5, 'frozen', $6, $7, $8, $9)";

const ADD_ITEMS: &str = "
insert into settlement.clearing_item (payment, presentment, endpoint, business_date, sequence, shard, capture_seq, movement, amount, currency, ard, note)
select u.payment, u.presentment, $1, $2::text::date, $3, u.shard, u.seq, u.movement, u.amount, u.currency, u.ard, u.note
from unnest($4::uuid[], $5::int2[], $6::int2[], $7::int8[], $8::text[], $9::int8[], $10::int2[], $11::text[], $12::text[])
  as u (payment, presentment, shard, seq, movement, amount, currency, ard, note)";

const ADD_SET_ASIDE: &str = "
insert into settlement.set_aside (payment, presentment, endpoint, business_date, sequence, shard, capture_seq, movement, amount, currency, reason)
values ($4, $5, $1, $2::text::date, $3, $6, $7, $8, $9, $10, $11)";

const SET_ASIDE: &str = "
select payment, presentment, shard, capture_seq, movement, amount, currency, reason
from settlement.set_aside
where endpoint = $1 and business_date = $2::text::date and sequence = $3
order by shard, capture_seq";

const ITEMS: &str = "
select payment, movement, amount, currency, ard
from settlement.clearing_item
where endpoint = $1 and business_date = $2::text::date and sequence = $3
order by shard, capture_seq";

/// Freezes the file of a closed business date, or gives the one that is frozen already. `now` and `cards` are
/// used the first time only: what is frozen was proved to make a file, and what cannot be presented is set
/// aside. One transaction, one snapshot: number, items, and the ledger's sums belong together.
pub async fn freeze_day(
    client: &mut Client,
    endpoint: &Endpoint,
    date: BusinessDate,
    cards: Arc<dyn Sealer>,
    now: Wall,
) -> Result<FrozenDay, Error> {
    endpoint.validate()?;
    let name = endpoint.name.to_string();
    // Before the transaction, so that its snapshot sees what the one before it committed.
    client.execute(LOCK, &[&name]).await?;
    let frozen = freeze_locked(client, endpoint, date, cards, now).await;
    client.execute(UNLOCK, &[&name]).await?;
    frozen
}

async fn freeze_locked(
    client: &mut Client,
    endpoint: &Endpoint,
    date: BusinessDate,
    cards: Arc<dyn Sealer>,
    now: Wall,
) -> Result<FrozenDay, Error> {
    let tx = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start().await?;
    let day = match read_frozen(&tx, endpoint, date).await? {
        Some(day) => day,
        None => freeze_new(&tx, endpoint, date, cards, now).await?,
    };
    tx.commit().await?;
    Ok(day)
}

async fn freeze_new(
    tx: &Transaction<'_>,
    endpoint: &Endpoint,
    date: BusinessDate,
    cards: Arc<dyn Sealer>,
    now: Wall,
) -> Result<FrozenDay, Error> {
    let (name, network, on) = (endpoint.name.as_str(), endpoint.network.as_str(), date.to_string());
    let row = tx.query_one(CLOSED, &[&on]).await?;
    let (shards, open): (i64, i64) = (get(&row, "shards", "business day")?, get(&row, "open", "business day")?);
    if shards == 0 || open > 0 {
        return Err(Error::NotClosed(date));
    }
    let row = tx.query_one(EARLIER, &[&name, &network, &on]).await?;
    if get::<Option<&str>>(&row, "day", "date")?.is_some() {
        return Err(Error::EarlierDay(super::value::date(&row, "day")?));
    }
    let row = tx.query_one(NEXT, &[&name, &on]).await?;
    let sequence: i32 = get(&row, "sequence", "sequence")?;
    let sequence = u32::try_from(sequence).map_err(|_| Error::Damaged("sequence"))?;
    let captures = captures::read(tx, &endpoint.network, date).await?;
    let frozen = freeze(endpoint, FileKey { date, sequence, frozen_at: now }, captures)?;
    let settings = endpoint.clone();
    let proving = tokio::task::spawn_blocking(move || set_aside(&settings, frozen, &mut VaultCards(cards)));
    let frozen = proving.await.map_err(|_| Error::Task)??;
    let ledger = ledger_net(tx, endpoint, date).await?;
    let settings = serde_json::to_string(endpoint).map_err(|_| Error::Damaged("settings"))?;
    let nets: Vec<(u16, String)> = ledger.iter().map(|(currency, net)| (currency.numeric(), net.to_string())).collect();
    let nets = serde_json::to_string(&nets).map_err(|_| Error::Damaged("sum"))?;
    let number = i32::try_from(sequence).map_err(|_| Error::Damaged("sequence"))?;
    let count = i64::try_from(frozen.items.len()).map_err(|_| Error::Damaged("number of items"))?;
    tx.execute(
        ADD_FILE,
        &[&name, &on, &number, &frozen.id.as_str(), &network, &settings, &frozen.key.frozen_at.0, &count, &nets],
    )
    .await?;
    add_items(tx, name, &on, number, &frozen).await?;
    add_set_aside(tx, name, &on, number, &frozen.set_aside).await?;
    Ok(FrozenDay { frozen, endpoint: endpoint.clone(), ledger, published: None })
}

async fn add_items(tx: &Transaction<'_>, name: &str, on: &str, number: i32, frozen: &Frozen) -> Result<(), Error> {
    let items = &frozen.items;
    let payments: Vec<uuid::Uuid> = items.iter().map(|item| item.capture.item.payment.0).collect();
    let presentments: Vec<i16> = items.iter().map(|item| item.capture.item.number).collect();
    let shards: Result<Vec<i16>, _> = items.iter().map(|item| i16::try_from(item.capture.shard.0)).collect();
    let shards = shards.map_err(|_| Error::Damaged("shard"))?;
    let seqs: Vec<i64> = items.iter().map(|item| item.capture.item.seq).collect();
    let movements: Vec<String> = items.iter().map(|item| to_word(&item.movement)).collect();
    let amounts: Vec<i64> = items.iter().map(|item| item.amount.minor()).collect();
    let currencies: Result<Vec<i16>, _> = items.iter().map(|item| i16::try_from(item.amount.currency().numeric())).collect();
    let currencies = currencies.map_err(|_| Error::Damaged("currency"))?;
    let ards: Vec<&str> = items.iter().map(|item| item.ard.as_str()).collect();
    let notes: Vec<Option<String>> = items.iter().map(|item| item.note.as_ref().map(to_word)).collect();
    tx.execute(
        ADD_ITEMS,
        &[&name, &on, &number, &payments, &presentments, &shards, &seqs, &movements, &amounts, &currencies, &ards, &notes],
    )
    .await?;
    Ok(())
}

async fn add_set_aside(tx: &Transaction<'_>, name: &str, on: &str, number: i32, aside: &[SetAside]) -> Result<(), Error> {
    for aside in aside {
        let shard = i16::try_from(aside.shard.0).map_err(|_| Error::Damaged("shard"))?;
        let currency = i16::try_from(aside.amount.currency().numeric()).map_err(|_| Error::Damaged("currency"))?;
        let (movement, amount) = (to_word(&aside.movement), aside.amount.minor());
        let (payment, reason) = (aside.payment.0, aside.reason.as_str());
        tx.execute(
            ADD_SET_ASIDE,
            &[&name, &on, &number, &payment, &aside.number, &shard, &aside.seq, &movement, &amount, &currency, &reason],
        )
        .await?;
    }
    Ok(())
}

async fn read_set_aside(tx: &Transaction<'_>, name: &str, on: &str, number: i32) -> Result<Vec<SetAside>, Error> {
    let one = |row: &tokio_postgres::Row| {
        Ok(SetAside {
            payment: payment(row, "payment")?,
            number: get(row, "presentment", "capture")?,
            shard: shard(row)?,
            seq: get(row, "capture_seq", "capture")?,
            movement: word(get(row, "movement", "movement")?, "movement")?,
            amount: amount(row)?,
            reason: get(row, "reason", "reason")?,
        })
    };
    tx.query(SET_ASIDE, &[&name, &on, &number]).await?.iter().map(one).collect()
}

/// What the ledger's journals of a date moved on the network's accounts: all that is on them, less what
/// earlier files presented, less what later dates captured. It does not come from the items of the file, so
/// that a capture without its journal, or a journal without its capture, is found.
async fn ledger_net(tx: &Transaction<'_>, endpoint: &Endpoint, date: BusinessDate) -> Result<BTreeMap<Currency, i128>, Error> {
    let network = &endpoint.network;
    let accounts = [postings::scheme_receivable(network, Clearing::Presentment), postings::scheme_cleared(network)];
    let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    let (network, on) = (network.as_str(), date.to_string());
    let mut all = net(&tx.query(ACCOUNTS, &[&accounts]).await?)?;
    let presented = net(&tx.query(PRESENTED, &[&network]).await?)?;
    let later = net(&tx.query(LATER, &[&network, &on]).await?)?;
    for (currency, sum) in presented.into_iter().chain(later) {
        *all.entry(currency).or_default() -= sum;
    }
    all.retain(|_, sum| *sum != 0);
    Ok(all)
}

/// The file of a date as it was frozen: made anew from the captures, and compared with what was kept.
async fn read_frozen(tx: &Transaction<'_>, endpoint: &Endpoint, date: BusinessDate) -> Result<Option<FrozenDay>, Error> {
    let (name, on) = (endpoint.name.as_str(), date.to_string());
    let Some(row) = tx.query_opt(FILE, &[&name, &on]).await? else { return Ok(None) };
    let endpoint: Endpoint = serde_json::from_str(get(&row, "settings", "settings")?).map_err(|_| Error::Damaged("settings"))?;
    let number: i32 = get(&row, "sequence", "sequence")?;
    let sequence = u32::try_from(number).map_err(|_| Error::Damaged("sequence"))?;
    let key = FileKey { date, sequence, frozen_at: Wall(get(&row, "frozen_at", "time")?) };
    let mut frozen = freeze(&endpoint, key, captures::read(tx, &endpoint.network, date).await?)?;
    frozen.set_aside = read_set_aside(tx, name, &on, number).await?;
    let aside: BTreeSet<_> = frozen.set_aside.iter().map(|aside| (aside.shard, aside.seq)).collect();
    frozen.items.retain(|item| !aside.contains(&(item.capture.shard, item.capture.item.seq)));
    let kept = tx.query(ITEMS, &[&name, &on, &number]).await?;
    if kept.len() != frozen.items.len() || get::<&str>(&row, "file_id", "file id")? != frozen.id.as_str() {
        return Err(Error::Changed(date));
    }
    for (kept, item) in kept.iter().zip(&frozen.items) {
        let movement: Movement = word(get(kept, "movement", "movement")?, "movement")?;
        let same = payment(kept, "payment")? == item.capture.item.payment
            && movement == item.movement
            && get::<i64>(kept, "amount", "amount")? == item.amount.minor()
            && currency(kept)? == item.amount.currency()
            && get::<&str>(kept, "ard", "reference")? == item.ard.as_str();
        if !same {
            return Err(Error::Changed(date));
        }
    }
    let damaged = Error::Damaged("sum");
    let nets: Vec<(u16, String)> = serde_json::from_str(get(&row, "ledger_net", "sum")?).map_err(|_| damaged.clone())?;
    let net = |(code, net): (u16, String)| {
        let currency = Currency::from_numeric(code).map_err(|_| damaged.clone())?;
        Ok((currency, net.parse().map_err(|_| damaged.clone())?))
    };
    let ledger = nets.into_iter().map(net).collect::<Result<_, Error>>()?;
    let manifest: Option<&str> = get(&row, "manifest", "manifest")?;
    let published = manifest.map(serde_json::from_str).transpose().map_err(|_| Error::Damaged("manifest"))?;
    Ok(Some(FrozenDay { frozen, endpoint, ledger, published }))
}
