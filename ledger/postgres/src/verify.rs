//! Proof of what is stored, in constant memory: blocks, items and rows are streamed in the order of
//! the chain to the verifiers of [`ledger::verify`], out of one snapshot of the database.

mod cursor;
mod tables;

use ledger::block::{BlockHeader, BlockNo, Hash};
use ledger::store::Marks;
use ledger::verify::{ChainReport, LedgerVerifier, Report, StoredBlock};
use ledger::{AuditVerifier, Finding, Place};
use payments::Shard;
use tokio_postgres::{Client, GenericClient, IsolationLevel, Transaction};

use crate::sql::shard_number;
use crate::store::open::block;
use crate::{Error, marks};
use cursor::Cursor;
use tables::{END, Rows, STREAMED};

/// How many findings are kept; the rest is counted. One cut in a chain can be a million findings.
pub const MOST_FINDINGS: usize = 1000;

/// What a chain was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Head, items, exported heads that were met.
    pub report: ChainReport,
    /// How many blocks were looked at.
    pub blocks: u64,
    /// What is wrong, the first [`MOST_FINDINGS`] of it.
    pub findings: Vec<Finding>,
    /// How much more is wrong.
    pub more: u64,
}

/// What a shard's tables were found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// How much was looked at.
    pub report: Report,
    /// What is wrong, the first [`MOST_FINDINGS`] of it.
    pub findings: Vec<Finding>,
    /// How much more is wrong.
    pub more: u64,
}

/// Every shard that was ever written.
pub async fn shards(client: &impl GenericClient) -> Result<Vec<Shard>, Error> {
    let text = "select shard from ledger.writer_epoch union select distinct shard from ledger.block order by shard";
    let shard = |row: &tokio_postgres::Row| {
        let number: i16 = row.try_get(0)?;
        u16::try_from(number).map(Shard).map_err(|_| Error::Damaged(format!("shard {number}")))
    };
    client.query(text, &[]).await?.iter().map(shard).collect()
}

/// Holds a shard's chain against heads that were exported from it and whose signatures were checked.
pub async fn audit(client: &mut Client, shard: Shard, heads: impl IntoIterator<Item = (BlockNo, Hash)>) -> Result<Audit, Error> {
    let transaction = snapshot(client).await?;
    let mut chain = Chain::open(&transaction, shard).await?;
    let mut verifier = AuditVerifier::new(shard, heads);
    let mut found = Found::default();
    let mut blocks = 0;
    while let Some(next) = chain.next(&mut found).await? {
        blocks += 1;
        found.add(verifier.block(&next.header, next.hash, next.bodies.iter().map(String::as_str)));
    }
    let (report, findings) = verifier.finish();
    found.add(findings);
    transaction.rollback().await?;
    Ok(Audit { report, blocks, findings: found.kept, more: found.more })
}

/// Replays a shard's chain and holds every row of every table against it.
pub async fn ledger(client: &mut Client, shard: Shard) -> Result<Books, Error> {
    let transaction = snapshot(client).await?;
    let mut chain = Chain::open(&transaction, shard).await?;
    let mut tables = Vec::new();
    for spec in &STREAMED {
        tables.push(Rows::open(&transaction, spec, chain.number).await?);
    }
    let mut verifier = LedgerVerifier::new(shard);
    let mut found = Found::default();
    while let Some(next) = chain.next(&mut found).await? {
        let bodies: Vec<&str> = next.bodies.iter().map(String::as_str).collect();
        let mut rows = Vec::new();
        for table in &mut tables {
            table.take_until(next.header.number.0, &mut rows).await?;
        }
        found.add(verifier.block(&StoredBlock { header: &next.header, marks: &next.marks, bodies: &bodies }, rows));
    }
    // Rows of blocks that do not exist: each is a finding, so no more of them than findings.
    let mut rows = Vec::new();
    for table in &mut tables {
        table.take_rest(MOST_FINDINGS, &mut rows).await?;
    }
    for spec in &END {
        Rows::open(&transaction, spec, chain.number).await?.take_rest(usize::MAX, &mut rows).await?;
    }
    let (report, findings) = verifier.finish(rows);
    found.add(findings);
    transaction.rollback().await?;
    Ok(Books { report, findings: found.kept, more: found.more })
}

async fn snapshot(client: &mut Client) -> Result<Transaction<'_>, Error> {
    let transaction = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
    transaction.batch_execute("set local work_mem = '64MB'; set local jit = off; set local statement_timeout = 0").await?;
    Ok(transaction)
}

#[derive(Debug, Default)]
struct Found {
    kept: Vec<Finding>,
    more: u64,
}

impl Found {
    fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if self.kept.len() < MOST_FINDINGS {
                self.kept.push(finding);
            } else {
                self.more += 1;
            }
        }
    }
}

/// A stored block with its items.
struct Stored {
    header: BlockHeader,
    hash: Hash,
    marks: Marks,
    bodies: Vec<String>,
}

/// A shard's blocks and items, side by side.
struct Chain<'t> {
    shard: Shard,
    number: i16,
    blocks: Cursor<'t>,
    items: Cursor<'t>,
}

impl<'t> Chain<'t> {
    async fn open(transaction: &'t Transaction<'t>, shard: Shard) -> Result<Self, Error> {
        let number = shard_number(shard).ok_or_else(|| Error::Damaged(format!("shard {}", shard.0)))?;
        let blocks =
            "select number, previous, root, hash, epoch, items, at, marks from ledger.block where shard = $1 order by number";
        let items = "select block, idx, body from ledger.item where shard = $1 order by block, idx";
        Ok(Self {
            shard,
            number,
            blocks: Cursor::open(transaction, blocks, &[&number]).await?,
            items: Cursor::open(transaction, items, &[&number]).await?,
        })
    }

    /// The next block. Items that belong to none are found on the way.
    async fn next(&mut self, found: &mut Found) -> Result<Option<Stored>, Error> {
        let Some(row) = self.blocks.next().await? else {
            self.orphans(i64::MAX, found).await?;
            return Ok(None);
        };
        let (header, hash) = block(&row, self.shard)?;
        self.orphans(header.number.0, found).await?;
        let mut bodies = Vec::new();
        while let Some(item) = self.items.next_if(|item| item.try_get::<_, i64>(0).ok() == Some(header.number.0)).await? {
            let idx: i32 = item.try_get(1)?;
            if usize::try_from(idx) != Ok(bodies.len()) {
                let place = Place::Item { block: header.number.0, item: bodies.len() };
                found.add([Finding { place, want: format!("idx {}", bodies.len()), got: format!("idx {idx}") }]);
            }
            bodies.push(item.try_get(2)?);
        }
        // Marks that cannot be read differ from what they must be.
        let marks = row.try_get("marks").ok().and_then(|value| marks::from_json(value).ok()).unwrap_or_default();
        Ok(Some(Stored { header, hash, marks, bodies }))
    }

    /// Items in front of a block, behind the one before it.
    async fn orphans(&mut self, before: i64, found: &mut Found) -> Result<(), Error> {
        while let Some(item) = self.items.next_if(|item| item.try_get::<_, i64>(0).is_ok_and(|block| block < before)).await? {
            let place =
                Place::Item { block: item.try_get(0)?, item: usize::try_from(item.try_get::<_, i32>(1)?).unwrap_or(usize::MAX) };
            found.add([Finding { place, want: "a block that it belongs to".into(), got: "none".into() }]);
        }
        Ok(())
    }
}
