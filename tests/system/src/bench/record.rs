//! What PostgreSQL and the switch count about themselves during a measurement.

use std::path::Path;

use store::Database;
use testkit::KitError;
use tokio_postgres::{Client, NoTls};

/// A connection to the cluster of a laboratory that runs, as its administrator.
///
/// # Errors
/// [`KitError::Record`].
pub async fn connect(data_dir: &Path) -> Result<Client, KitError> {
    let bad = |error: &dyn std::fmt::Display| KitError::Record(error.to_string());
    let socket = std::fs::read_to_string(data_dir.join("database-socket")).map_err(KitError::io("finding the database"))?;
    let database = Database::external(&format!("host={} port=5432 user=postgres dbname=switchyard", socket.trim()));
    let (client, connection) = database.map_err(|e| bad(&e))?.admin().connect(NoTls).await.map_err(|e| bad(&e))?;
    // Ends with the client.
    tokio::spawn(connection);
    Ok(client)
}

/// The first column of the first row, as text.
///
/// # Errors
/// [`KitError::Record`].
pub async fn ask(client: &Client, sql: &str) -> Result<String, KitError> {
    let rows = client.simple_query(sql).await.map_err(|error| KitError::Record(format!("{sql}: {error}")))?;
    let found = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    });
    found.ok_or_else(|| KitError::Record(format!("{sql}: no row")))
}

/// Counters of the log since the server started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Wal {
    /// Syncs of the log.
    pub syncs: f64,
    /// Bytes written to it.
    pub bytes: f64,
    /// Milliseconds spent in its syncs.
    pub sync_ms: f64,
}

impl Wal {
    /// Now, from `pg_stat_wal`, or from `pg_stat_io` where it counts the syncs (PostgreSQL 18).
    ///
    /// # Errors
    /// [`KitError::Record`].
    pub async fn read(client: &Client) -> Result<Self, KitError> {
        let newer = ask(client, "SELECT current_setting('server_version_num')::int >= 180000").await? == "t";
        let (syncs, time) = if newer {
            (
                "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'",
                "SELECT coalesce(sum(fsync_time), 0) FROM pg_stat_io WHERE object = 'wal'",
            )
        } else {
            ("SELECT wal_sync FROM pg_stat_wal", "SELECT wal_sync_time FROM pg_stat_wal")
        };
        let number = async |sql: &str| Ok::<f64, KitError>(ask(client, sql).await?.parse().unwrap_or(0.0));
        Ok(Self {
            syncs: number(syncs).await?,
            bytes: number("SELECT wal_bytes FROM pg_stat_wal").await?,
            sync_ms: number(time).await?,
        })
    }

    /// What was added since `before`.
    pub fn since(self, before: Self) -> Self {
        Self { syncs: self.syncs - before.syncs, bytes: self.bytes - before.bytes, sync_ms: self.sync_ms - before.sync_ms }
    }
}

/// `/metrics` of a switch.
///
/// # Errors
/// [`KitError::Drill`] when the admin port does not answer.
pub fn metrics(admin: &str) -> Result<String, KitError> {
    let none = |error: ureq::Error| KitError::Drill(format!("/metrics: {error}"));
    ureq::get(format!("http://{admin}/metrics")).call().map_err(none)?.body_mut().read_to_string().map_err(none)
}

/// The sum of a metric over its labels.
pub fn metric(text: &str, name: &str) -> f64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name).filter(|rest| rest.starts_with([' ', '{']))?;
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    });
    values.sum()
}

#[cfg(test)]
mod tests {
    use super::metric;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_not_over_longer_names() {
        let text = "# TYPE a_total counter\na_total{x=\"1\"} 2\na_total{x=\"2\"} 3\na_total_more 9\n";
        assert!((metric(text, "a_total") - 5.0).abs() < f64::EPSILON);
    }
}
