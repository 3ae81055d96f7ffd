//! The issuer's report for reconciliation, in the form of `docs/clearing.md`.

use std::io::Write;
use std::path::Path;

use payments::{Stan, Text};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::book::Book;
use super::line::{Kind, Standing};
use crate::Error;

#[derive(Serialize)]
struct Header<'a> {
    report: &'static str,
    network: &'a str,
}

#[derive(Serialize)]
struct ItemLine {
    rrn: Text<12>,
    network_id: Text<32>,
    stan: String,
    kind: Kind,
    approved: i64,
    amount: i64,
    currency: &'static str,
    state: Standing,
    captured: bool,
    settlement_date: Text<4>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reversal_date: Option<Text<4>>,
}

#[derive(Serialize)]
struct TotalsRow {
    settlement_date: Text<4>,
    kind: Kind,
    currency: &'static str,
    count: u64,
    amount: i64,
    reversed_count: u64,
    reversed_amount: i64,
}

#[derive(Serialize)]
struct End {
    end: bool,
    items: usize,
    totals: Vec<TotalsRow>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Where.
    pub report: String,
    /// Item lines.
    pub items: usize,
    /// SHA-256 of the whole file, hexadecimal.
    pub sha256: String,
}

/// The report as NDJSON.
pub fn render(network: &str, book: &Book) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 * (book.items().len() + 2));
    line(&mut out, &Header { report: "switchyard.issuer-items.1", network });
    for item in book.items() {
        line(
            &mut out,
            &ItemLine {
                rrn: item.rrn,
                network_id: item.network_id,
                stan: Stan::to_string(&item.stan),
                kind: item.kind,
                approved: item.approved,
                amount: item.stands,
                currency: item.currency.alpha(),
                state: item.standing(),
                captured: item.captured,
                settlement_date: item.settlement_date,
                reversal_date: item.reversal_date.filter(|_| item.stands < item.approved),
            },
        );
    }
    let totals = book
        .totals()
        .iter()
        .filter(|(_, row)| row.count > 0 || row.reversed_count > 0)
        .map(|((settlement_date, kind, currency), row)| TotalsRow {
            settlement_date: *settlement_date,
            kind: *kind,
            currency: currency.alpha(),
            count: row.count,
            amount: row.amount,
            reversed_count: row.reversed_count,
            reversed_amount: row.reversed_amount,
        })
        .collect();
    line(&mut out, &End { end: true, items: book.items().len(), totals });
    out
}

/// Writes a rendered report whole or not at all: beside its place first, synced, then renamed.
pub fn write(path: &Path, items: usize, report: &[u8]) -> Result<Written, Error> {
    let fail = || Error::io(format!("report {}", path.display()));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let mut file = std::fs::File::create(&beside).map_err(fail())?;
    file.write_all(report).and_then(|()| file.sync_all()).map_err(fail())?;
    std::fs::rename(&beside, path).map_err(fail())?;
    Ok(Written { report: path.display().to_string(), items, sha256: hex::encode(Sha256::digest(report)) })
}

fn line(out: &mut Vec<u8>, value: &impl Serialize) {
    // Plain structs of text and numbers always serialise, and a `Vec` takes every byte.
    let _ = serde_json::to_writer(&mut *out, value);
    out.push(b'\n');
}
