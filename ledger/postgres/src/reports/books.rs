//! Balances and statements.

use payments::Currency;
use serde::Serialize;
use tokio_postgres::{GenericClient, Row};

use crate::Error;
use crate::sql::At;
use crate::store::open::currency;

/// Debits and credits of one currency over all accounts of all shards, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TrialLine {
    /// The currency.
    pub currency: Currency,
    /// Accounts.
    pub accounts: i64,
    /// Sum of debits.
    pub debit: i128,
    /// Sum of credits.
    pub credit: i128,
    /// Debits on hold.
    pub pending: i128,
}

impl TrialLine {
    /// Nothing when the books balance.
    pub fn difference(&self) -> i128 {
        self.debit - self.credit
    }
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountLine {
    /// Its shard.
    pub shard: u16,
    /// Its code.
    pub code: String,
    /// Its currency.
    pub currency: Currency,
    /// Sum of debits, minor units.
    pub debit: i64,
    /// Sum of credits.
    pub credit: i64,
    /// Debits on hold.
    pub pending: i64,
    /// Credits less debits.
    pub net_credit: i64,
    /// Where it may not fall below.
    pub floor: Option<i64>,
    /// How many entries it has.
    pub entries: i64,
}

/// One entry of an account's statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementLine {
    /// Its place in the account, from 1.
    pub version: i64,
    /// Journal that it belongs to.
    pub journal: i64,
    /// Why that was written, its stored number.
    pub kind: i16,
    /// Business date.
    pub date: String,
    /// When, RFC 3339.
    pub at: String,
    /// `D` or `C`.
    pub side: String,
    /// Minor units.
    pub amount: i64,
    /// Credits less debits after it.
    pub balance_after: i64,
    /// The payment, where there is one.
    pub payment: Option<String>,
}

/// The trial balance.
pub async fn trial(client: &impl GenericClient) -> Result<Vec<TrialLine>, Error> {
    let text =
        "select currency, accounts, debit::text, credit::text, pending::text from ledger.trial_balance_v1 order by currency";
    client.query(text, &[]).await?.iter().map(trial_line).collect()
}

fn trial_line(row: &Row) -> Result<TrialLine, Error> {
    let sum = |column: usize| {
        row.try_get::<_, &str>(column)?.parse::<i128>().map_err(|_| Error::Damaged("a sum that is no number".into()))
    };
    Ok(TrialLine {
        currency: currency_of(row.try_get(0)?)?,
        accounts: row.try_get(1)?,
        debit: sum(2)?,
        credit: sum(3)?,
        pending: sum(4)?,
    })
}

/// The accounts whose code begins with `prefix`, by code, currency and shard; at most `max`.
pub async fn balance(client: &impl GenericClient, prefix: &str, max: u32) -> Result<Vec<AccountLine>, Error> {
    let text = "select shard, code, currency, posted_debit, posted_credit, pending_debit, net_credit, floor_minor, version
      from ledger.account_v1 where starts_with(code, $1) order by code, currency, shard limit $2";
    let line = |row: &Row| {
        Ok(AccountLine {
            shard: shard_of(row.try_get(0)?)?,
            code: row.try_get(1)?,
            currency: currency_of(row.try_get(2)?)?,
            debit: row.try_get(3)?,
            credit: row.try_get(4)?,
            pending: row.try_get(5)?,
            net_credit: row.try_get(6)?,
            floor: row.try_get(7)?,
            entries: row.try_get(8)?,
        })
    };
    client.query(text, &[&prefix, &i64::from(max)]).await?.iter().map(line).collect()
}

/// The entries of an account before the entry numbered `before` (`None`: the latest), the last first;
/// at most `max`. Costs the same at the end of a long history as at its beginning.
pub async fn statement(
    client: &impl GenericClient,
    shard: u16,
    code: &str,
    currency: Currency,
    before: Option<i64>,
    max: u32,
) -> Result<Vec<StatementLine>, Error> {
    let text = "select e.version, e.journal, j.kind, j.date::text, j.at, e.side, e.amount, e.balance_after, j.payment
      from ledger.account a
      join ledger.entry e on e.shard = a.shard and e.account = a.id
      join ledger.journal j on j.shard = e.shard and j.number = e.journal
      where a.shard = $1 and a.code = $2 and a.currency = $3 and e.version < $4
      order by e.version desc limit $5";
    let shard = i16::try_from(shard).map_err(|_| Error::Damaged(format!("shard {shard}")))?;
    let number = i16::try_from(currency.numeric()).map_err(|_| Error::Damaged("currency".into()))?;
    let before = before.unwrap_or(i64::MAX);
    let line = |row: &Row| {
        Ok(StatementLine {
            version: row.try_get(0)?,
            journal: row.try_get(1)?,
            kind: row.try_get(2)?,
            date: row.try_get(3)?,
            at: row.try_get::<_, At>(4)?.0.to_string(),
            side: row.try_get(5)?,
            amount: row.try_get(6)?,
            balance_after: row.try_get(7)?,
            payment: row.try_get::<_, Option<uuid::Uuid>>(8)?.map(|id| id.to_string()),
        })
    };
    let rows = client.query(text, &[&shard, &code, &number, &before, &i64::from(max)]).await?;
    rows.iter().map(line).collect()
}

pub(super) fn currency_of(number: i16) -> Result<Currency, Error> {
    currency(number).ok_or_else(|| Error::Damaged(format!("currency {number}")))
}

pub(super) fn shard_of(number: i16) -> Result<u16, Error> {
    u16::try_from(number).map_err(|_| Error::Damaged(format!("shard {number}")))
}
