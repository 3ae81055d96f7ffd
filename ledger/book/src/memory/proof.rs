//! The memory store's rows for the proof, and the proof itself for the judges of a simulation.

use std::collections::BTreeMap;

use payments::{PaymentId, Shard};

use super::{MemoryStore, Tables};
use crate::block::BlockNo;
use crate::book::Numbers;
use crate::claim::ClaimKey;
use crate::command::{Command, HoldWrite, LaneWrite, PaymentWrite};
use crate::verify::{AuditVerifier, ChainReport, Finding, LedgerVerifier, Report, Row, StoredBlock, expect};

use expect::Origin;

/// Rows by the block they are handed over with, and those that come at the end.
#[derive(Debug, Clone, Default)]
pub struct StoredRows {
    /// See [`LedgerVerifier::block`].
    pub blocks: BTreeMap<BlockNo, Vec<Row>>,
    /// See [`LedgerVerifier::finish`].
    pub end: Vec<Row>,
}

/// Where things were written, by reading through the blocks.
#[derive(Default)]
struct Origins {
    claims: BTreeMap<ClaimKey, Origin>,
    /// First and last change, and the last change of the egress.
    payments: BTreeMap<PaymentId, (Origin, Origin, Option<Origin>)>,
    lanes: BTreeMap<(PaymentId, i16), (Origin, Option<Origin>)>,
    holds: BTreeMap<PaymentId, (Origin, Option<Origin>)>,
    days: BTreeMap<payments::BusinessDate, (Origin, Option<Origin>)>,
}

impl MemoryStore {
    /// The whole proof over a shard: chain, replay, every row. No finding means that all is well; the
    /// reports say how much was looked at.
    pub fn prove(&self, shard: Shard) -> (ChainReport, Report, Vec<Finding>) {
        self.read(shard, |tables| {
            let mut rows = tables.rows();
            let (mut chain, mut ledger) = (AuditVerifier::new(shard, []), LedgerVerifier::new(shard));
            let mut found = Vec::new();
            for block in &tables.blocks {
                let bodies: Vec<&str> = block.items.iter().map(|item| item.body.as_str()).collect();
                found.extend(chain.block(&block.header, block.hash, bodies.iter().copied()));
                let stored = StoredBlock { header: &block.header, marks: &block.marks, bodies: &bodies };
                found.extend(ledger.block(&stored, rows.blocks.remove(&block.header.number).unwrap_or_default()));
            }
            let (chain, cut) = chain.finish();
            let (report, wrong) = ledger.finish(rows.end);
            found.extend(cut.into_iter().chain(wrong));
            (chain, report, found)
        })
    }
}

impl Tables {
    /// The rows as a database would hold them. Answers, events and evidence are kept here as their
    /// latest only, so those rows are taken from the blocks.
    pub fn rows(&self) -> StoredRows {
        let (mut origins, mut rows) = (Origins::default(), StoredRows::default());
        let mut numbers = Numbers::default();
        for block in &self.blocks {
            for (item, idx) in block.items.iter().zip(0i32..) {
                let at = Origin { block: block.header.number.0, idx };
                origins.note(at, &item.command);
                let facts = expect::facts(at, &item.command, &item.entries);
                let latest_only = facts.into_iter().filter(|row| expect::latest_only(row.table));
                rows.blocks.entry(block.header.number).or_default().extend(latest_only);
                numbers = self.numbered(at, &item.command, numbers, &mut rows);
            }
        }
        self.changing(&origins, &mut rows);
        rows.end.extend(self.accounts.values().map(expect::account));
        for (day, (opened, closed)) in &origins.days {
            let mut row = expect::day(*opened, *day);
            if let Some(closed) = closed {
                row.set("closed_block", closed.block);
                row.set("closed_idx", closed.idx);
            }
            rows.end.push(row);
        }
        rows
    }

    /// What the tables hold under the numbers that an item was given.
    fn numbered(&self, at: Origin, command: &Command, mut last: Numbers, rows: &mut StoredRows) -> Numbers {
        let mut stored = Command::at(command.at);
        let mut entries = Vec::new();
        for _ in &command.journals {
            last.journal = last.journal.saturating_add(1);
            if let Some((journal, numbers)) = self.journals.get(&last.journal) {
                stored.journals.push(journal.clone());
                entries.extend(numbers.iter().copied());
            }
        }
        stored.capture = command.capture.and_then(|item| self.captures.get(&(item.payment, item.number)).copied());
        if command.outbox.is_some() {
            last.outbox = last.outbox.saturating_add(1);
            stored.outbox = self.outbox.get(&last.outbox).cloned();
        }
        let room = rows.blocks.entry(BlockNo(at.block)).or_default();
        room.extend(expect::facts(at, &stored, &entries));
        last
    }

    fn changing(&self, origins: &Origins, rows: &mut StoredRows) {
        let mut add = |at: Origin, row: Row| rows.blocks.entry(BlockNo(at.block)).or_default().push(row);
        for (key, row) in &self.claims {
            if let Some(at) = origins.claims.get(key) {
                add(*at, expect::claim(*at, key, &row.body, row.payment, row.tombstone, row.on));
            }
        }
        for (id, record) in &self.payments {
            let Some((opened, last, egress)) = origins.payments.get(id) else { continue };
            let mut row = expect::payment(*opened, &record.facts, &record.standing);
            if let Some(egress) = egress {
                row.set("egress_block", egress.block);
                row.set("egress_idx", egress.idx);
            }
            add(*last, row);
        }
        for (key, lane) in &self.lanes {
            let Some((owed, ended)) = origins.lanes.get(key) else { continue };
            let mut row = expect::lane(*owed, &lane.item);
            if let (Some((end, code)), Some(ended)) = (&lane.end, ended) {
                expect::lane_ended(&mut row, *ended, *end, code.as_ref());
            }
            add(ended.unwrap_or(*owed), row);
        }
        for (id, hold) in &self.holds {
            let Some((placed, released)) = origins.holds.get(id) else { continue };
            let same = |a: &&crate::AccountState| a.code == hold.account && a.currency == hold.amount.currency();
            let account = self.accounts.values().find(same).map_or(0, |account| account.id);
            let mut row = expect::hold(*placed, *id, account, hold.amount);
            if let (true, Some(released)) = (hold.released, released) {
                expect::hold_released(&mut row, *released);
            }
            add(released.unwrap_or(*placed), row);
        }
    }
}

impl Origins {
    fn note(&mut self, at: Origin, command: &Command) {
        for claim in command.claim.iter().chain(&command.tombstone) {
            self.claims.insert(claim.key, at);
        }
        match &command.payment {
            Some(PaymentWrite::Open { facts, .. }) => {
                self.payments.insert(facts.id, (at, at, None));
            }
            Some(PaymentWrite::Change { id, egress, .. }) => {
                if let Some((_, last, sent)) = self.payments.get_mut(id) {
                    *last = at;
                    *sent = if egress.is_some() { Some(at) } else { *sent };
                }
            }
            None => {}
        }
        for write in &command.lanes {
            match write {
                LaneWrite::Owe(item) => {
                    self.lanes.insert((item.payment, item.number), (at, None));
                }
                LaneWrite::End { payment, number, .. } => {
                    if let Some((_, ended)) = self.lanes.get_mut(&(*payment, *number)) {
                        *ended = Some(at);
                    }
                }
            }
        }
        match &command.hold {
            Some(HoldWrite::Place { payment, .. }) => {
                self.holds.insert(*payment, (at, None));
            }
            Some(HoldWrite::Release { payment, .. }) => {
                if let Some((_, released)) = self.holds.get_mut(payment) {
                    *released = Some(at);
                }
            }
            None => {}
        }
        if let Some(day) = command.day_opened {
            self.days.insert(day, (at, None));
        }
        if let Some((_, closed)) = command.day_closed.and_then(|day| self.days.get_mut(&day)) {
            *closed = Some(at);
        }
    }
}
