//! Where to look: every file below a directory (logs, books, token, data directory with its write-ahead
//! log), every row of every table as text and in binary, and the text of the metrics.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::pin::pin;

use futures_util::TryStreamExt;
use serde::Serialize;
use testkit::KitError;

use super::{Finding, Kind, Scanner};
use crate::bench::record;

/// A file that may hold something: the clearing file its card numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The file itself, not a directory.
    pub path: PathBuf,
    /// What may be in it.
    pub kind: Kind,
}

/// What was looked at, and what was found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What was searched for.
    pub patterns: BTreeMap<Kind, usize>,
    /// Files searched.
    pub files: u64,
    /// Segments of the write-ahead log among them.
    pub wal_segments: u64,
    /// Tables searched, twice each.
    pub tables: u64,
    /// Bytes searched.
    pub bytes: u64,
    /// Found where it may be.
    pub allowed: u64,
    /// Found where it must not be; the first of each kind and form in a place.
    pub findings: Vec<Finding>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let patterns: Vec<String> = self.patterns.iter().map(|(kind, count)| format!("{count} of {kind:?}")).collect();
        write!(
            f,
            "{} findings, {} where they may be; {} files ({} of the log), {} tables, {} bytes, for {}",
            self.findings.len(),
            self.allowed,
            self.files,
            self.wal_segments,
            self.tables,
            self.bytes,
            patterns.join(", ")
        )
    }
}

/// A search under way.
pub struct Search<'a> {
    scanner: &'a Scanner,
    allowed: Vec<Allowed>,
    report: Report,
}

impl<'a> Search<'a> {
    /// Begins one.
    pub fn new(scanner: &'a Scanner, allowed: Vec<Allowed>) -> Self {
        let report = Report { patterns: scanner.population(), ..Report::default() };
        Self { scanner, allowed, report }
    }

    /// What it found.
    pub fn report(self) -> Report {
        self.report
    }

    /// A text that is no file.
    pub fn text(&mut self, place: &str, text: &str) {
        let mut stream = self.scanner.stream(place);
        stream.push(text.as_bytes());
        self.take(stream.end(), None);
    }

    /// Every file below a directory. A file that disappears meanwhile is none; links are not followed.
    ///
    /// # Errors
    /// What cannot be read: an unread file would be a hole.
    pub fn directory(&mut self, dir: &Path) -> Result<(), KitError> {
        let mut folders = vec![dir.to_owned()];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries.map_err(KitError::io(folder.display().to_string()))?,
            };
            for entry in entries {
                let entry = entry.map_err(KitError::io(folder.display().to_string()))?;
                let kind = entry.file_type().map_err(KitError::io(entry.path().display().to_string()))?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    self.file(&entry.path())?;
                }
            }
        }
        Ok(())
    }

    /// One file.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn file(&mut self, path: &Path) -> Result<(), KitError> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            file => file.map_err(KitError::io(path.display().to_string()))?,
        };
        // Names can leak too.
        let mut stream = self.scanner.stream(path.display().to_string());
        let mut piece = vec![0; 1 << 16];
        loop {
            let read = file.read(&mut piece).map_err(KitError::io(path.display().to_string()))?;
            if read == 0 {
                break;
            }
            stream.push(&piece[..read]);
        }
        self.report.files += 1;
        self.report.wal_segments += u64::from(path.parent().is_some_and(|folder| folder.ends_with("pg_wal")));
        self.take(stream.end(), Some(path));
        Ok(())
    }

    /// Every table of a laboratory that runs, then a checkpoint, so that the files have what memory had.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tables(&mut self, data_dir: &Path) -> Result<(), KitError> {
        let client = record::connect(data_dir).await?;
        let bad = |what: &str, error: tokio_postgres::Error| KitError::Record(format!("{what}: {error}"));
        let listed = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                      WHERE c.relkind IN ('r', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1";
        let rows = client.query(listed, &[]).await.map_err(|error| bad("listing tables", error))?;
        let tables: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        // Samples of column values, and statements under way, are copies too.
        let copies = ["pg_catalog.pg_stats", "pg_catalog.pg_stat_activity"].map(|view| (view.to_owned(), "text"));
        let all = tables.iter().flat_map(|table| ["text", "binary"].map(|format| (table.clone(), format)));
        for (table, format) in all.chain(copies) {
            let copy = format!("COPY (SELECT * FROM {table}) TO STDOUT (FORMAT {format})");
            let rows = client.copy_out(&copy).await.map_err(|error| bad(&table, error))?;
            let mut rows = pin!(rows);
            let mut stream = self.scanner.stream(format!("{table} as {format}"));
            while let Some(piece) = rows.try_next().await.map_err(|error| bad(&table, error))? {
                stream.push(&piece);
            }
            self.take(stream.end(), None);
        }
        self.report.tables += tables.len() as u64;
        client.batch_execute("CHECKPOINT").await.map_err(|error| bad("CHECKPOINT", error))
    }

    fn take(&mut self, (found, bytes): (Vec<Finding>, u64), path: Option<&Path>) {
        self.report.bytes += bytes;
        for finding in found {
            if self
                .allowed
                .iter()
                .any(|allowed| Some(allowed.path.as_path()) == path && allowed.kind == finding.kind && is_clear(&finding))
            {
                self.report.allowed += 1;
                continue;
            }
            let same = |known: &Finding| (&known.place, known.kind, known.form) == (&finding.place, finding.kind, finding.form);
            if !self.report.findings.iter().any(same) {
                self.report.findings.push(finding);
            }
        }
    }
}

/// Allowed are numbers, not hashes of them.
fn is_clear(finding: &Finding) -> bool {
    !finding.form.contains("md5") && !finding.form.contains("sha-")
}
