//! Counters of the record and its server: which columns are filled, how often the WAL was synced.

use serde::Serialize;
use tokio_postgres::GenericClient;

use crate::Error;

/// How often a column of `ledger.evidence` is filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnCount {
    /// The column.
    pub column: String,
    /// Rows in which it is filled.
    pub filled: i64,
}

/// Every column of `ledger.evidence` (SEMANTICS rule 23), with how many rows fill it. An empty text
/// counts as not filled.
pub async fn evidence_columns(client: &impl GenericClient) -> Result<Vec<ColumnCount>, Error> {
    let names = client
        .query(
            "select column_name::text from information_schema.columns
             where table_schema = 'ledger' and table_name = 'evidence' order by ordinal_position",
            &[],
        )
        .await?;
    let mut counts = Vec::new();
    for row in names {
        let column: String = row.try_get(0)?;
        // The name comes from the catalogue and is quoted, since a column cannot be a parameter.
        let quoted = column.replace('"', "\"\"");
        let text = format!("select count(*) from ledger.evidence where nullif(\"{quoted}\"::text, '') is not null");
        let filled: i64 = client.query_one(&text, &[]).await?.try_get(0)?;
        counts.push(ColumnCount { column, filled });
    }
    Ok(counts)
}

/// Syncs of the write-ahead log since the server's statistics began (`pg_stat_wal`).
pub async fn wal_syncs(client: &impl GenericClient) -> Result<i64, Error> {
    Ok(client.query_one("select wal_sync from pg_stat_wal", &[]).await?.try_get(0)?)
}

/// Payments by kind and state: the words that `payments` and `ledger` use for them.
pub async fn payments_by_state(client: &impl GenericClient) -> Result<Vec<(String, String, i64)>, Error> {
    let rows = client.query("select kind, state, count(*) from ledger.payment_v1 group by 1, 2 order by 1, 2", &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

/// Settings that durability rests on, as the server has them.
pub async fn durability_settings(client: &impl GenericClient) -> Result<Vec<(String, String)>, Error> {
    let rows = client
        .query(
            "select name, setting from pg_settings
             where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method') order by name",
            &[],
        )
        .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
