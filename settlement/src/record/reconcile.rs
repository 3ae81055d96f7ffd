//! A reconciliation over what is stored and published.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use payments::{BusinessDate, LinkId, Wall};
use serde::Serialize;
use tokio_postgres::{Client, IsolationLevel};

use super::book::read_book;
use super::error::Error;
use super::value::{date, get};
use crate::clearing::{Endpoint, read_manifest, read_rows};
use crate::reconciliation::{Break, Cleared, Reconciliation, Report, reconcile};

const FILES: &str = "
select endpoint, business_date::text as business_date, sequence, settings, sha256
from settlement.clearing_file
where network = $1 and state = 'published'
order by endpoint, business_date, sequence";

/// Last date whose captures are frozen, by whatever endpoint.
const THROUGH: &str = "
select max(business_date)::text as day from settlement.clearing_file where network = $1 and state <> 'void'";

/// Reconciles a network's payments with its published files in `directory` and the issuer's report. The
/// switch should be at rest: what is in flight stands in one book and not yet in another.
pub async fn reconcile_network(
    client: &mut Client,
    directory: &Path,
    network: &LinkId,
    report: impl BufRead,
) -> Result<Reconciliation, Error> {
    let report = Report::read(report)?;
    if report.network.as_str() != network.as_str() {
        return Err(Error::OtherNetwork { got: report.network.to_string(), want: *network });
    }
    let tx = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
    let book = read_book(&tx, network).await?;
    let name = network.as_str();
    let mut files = Vec::new();
    for row in tx.query(FILES, &[&name]).await? {
        let endpoint: Endpoint =
            serde_json::from_str(get(&row, "settings", "settings")?).map_err(|_| Error::Damaged("settings"))?;
        let (sequence, sha256): (i32, &str) = (get(&row, "sequence", "sequence")?, get(&row, "sha256", "hash")?);
        let stem = format!("{}-{}-{sequence:05}", endpoint.name, date(&row, "business_date")?);
        files.push((endpoint, directory.join(format!("{stem}.json")), sha256.to_owned()));
    }
    let row = tx.query_one(THROUGH, &[&name]).await?;
    let through = match get::<Option<&str>>(&row, "day", "date")? {
        Some(_) => date(&row, "day")?,
        // Nothing was ever frozen, so nothing is due.
        None => BusinessDate::from_days(0).map_err(|_| Error::Damaged("date"))?,
    };
    tx.commit().await?;
    let cleared = tokio::task::spawn_blocking(move || read_cleared(&files)).await.map_err(|_| Error::Task)??;
    Ok(reconcile(&cleared, &book, &report, through))
}

const KEEP: &str = "
insert into settlement.reconciliation (network, number, reconciled_at, report_sha256, through, proves, population, breaks)
select $1, coalesce(max(number), 0) + 1, $2, $3, $4::text::date, $5, $6, $7
from settlement.reconciliation where network = $1";

const LAST: &str = "
select number, reconciled_at, report_sha256, through::text as through, proves, breaks
from settlement.reconciliation where network = $1 order by number desc limit 1";

/// Keeps what a reconciliation found, so that its breaks can be worked on. Two at once: one is refused by its
/// number.
pub async fn keep(client: &Client, network: &LinkId, found: &Reconciliation, now: Wall) -> Result<(), Error> {
    let name = network.as_str();
    let json = |value: serde_json::Result<String>| value.map_err(|_| Error::Damaged("reconciliation"));
    let (population, breaks) = (json(serde_json::to_string(&found.population))?, json(serde_json::to_string(&found.breaks))?);
    let (through, proves) = (found.through.to_string(), found.proves());
    client.execute(KEEP, &[&name, &now.0, &found.report_sha256, &through, &proves, &population, &breaks]).await?;
    Ok(())
}

/// What is kept of a reconciliation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The network.
    pub network: LinkId,
    /// 1 for the network's first.
    pub number: i32,
    /// When it was made, microseconds since 1970.
    pub reconciled_at: Wall,
    /// The issuer's report that it was made with.
    pub report_sha256: String,
    /// The last business date whose captures were frozen.
    pub through: BusinessDate,
    /// Whether it proves that the books agree.
    pub proves: bool,
    /// What it found.
    pub breaks: Vec<Break>,
}

/// The last reconciliation of a network, where one was kept.
pub async fn last_kept(client: &Client, network: &LinkId) -> Result<Option<Kept>, Error> {
    let name = network.as_str();
    let Some(row) = client.query_opt(LAST, &[&name]).await? else { return Ok(None) };
    let breaks: &str = get(&row, "breaks", "breaks")?;
    Ok(Some(Kept {
        network: *network,
        number: get(&row, "number", "reconciliation")?,
        reconciled_at: Wall(get(&row, "reconciled_at", "time")?),
        report_sha256: get(&row, "report_sha256", "hash")?,
        through: date(&row, "through")?,
        proves: get(&row, "proves", "reconciliation")?,
        breaks: serde_json::from_str(breaks).map_err(|_| Error::Damaged("breaks"))?,
    }))
}

/// Reads the presentments of published files, each with its endpoint, its manifest's path and the hash that
/// was recorded. Blocking.
pub fn read_cleared(files: &[(Endpoint, PathBuf, String)]) -> Result<Vec<Cleared>, Error> {
    let mut cleared = Vec::new();
    for (endpoint, mark, sha256) in files {
        let manifest = read_manifest(mark)?.ok_or(crate::clearing::Error::Damaged("its manifest is gone"))?;
        if manifest.sha256.as_str() != sha256 {
            return Err(crate::clearing::Error::Damaged("its hash is not the recorded one").into());
        }
        let data = std::fs::File::open(mark.with_file_name(&manifest.file))
            .map_err(|error| crate::clearing::Error::Io { step: "open the file", kind: error.kind() })?;
        let (rows, _) = read_rows(data, endpoint.format())?;
        cleared.extend(rows.into_iter().map(|row| Cleared { file: manifest.file.clone(), row }));
    }
    Ok(cleared)
}
