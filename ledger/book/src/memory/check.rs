//! The constraints that PostgreSQL would enforce: unique keys, versions, rows that must be there.
//! Whatever else is wrong with a batch is the book's fault and must show.

use std::collections::{BTreeMap, BTreeSet};

use payments::PaymentId;

use super::tables::Tables;
use crate::Refusal;
use crate::claim::ClaimKey;
use crate::command::{Command, HoldWrite, LaneWrite, PaymentWrite};
use crate::store::Batch;

/// What the items before this one have added.
#[derive(Default)]
struct Added {
    claims: BTreeSet<ClaimKey>,
    versions: BTreeMap<PaymentId, i32>,
    /// Whether the lane item is still owed.
    lanes: BTreeMap<(PaymentId, i16), bool>,
    captures: BTreeSet<(PaymentId, i16)>,
    holds: BTreeMap<PaymentId, (crate::AccountCode, payments::Amount, bool)>,
}

/// Every account must stand at the version that the book thought it had.
pub(super) fn accounts(tables: &Tables, batch: &Batch) -> Result<(), String> {
    for write in &batch.accounts {
        let there = tables.accounts.get(&write.state.id);
        if there.is_none() != write.opened || there.map_or(0, |account| account.version) != write.before {
            return Err(format!("account {} is not at version {}", write.state.id, write.before));
        }
    }
    Ok(())
}

/// The first item that cannot be, and why.
pub(super) fn check(tables: &Tables, batch: &Batch) -> Result<(), (usize, Refusal)> {
    let mut added = Added::default();
    for (index, item) in batch.items.iter().enumerate() {
        added.item(tables, &item.command).map_err(|why| (index, why))?;
    }
    Ok(())
}

impl Added {
    fn item(&mut self, tables: &Tables, command: &Command) -> Result<(), Refusal> {
        for claim in command.claim.iter().chain(&command.tombstone) {
            if tables.claims.contains_key(&claim.key) || !self.claims.insert(claim.key) {
                return Err(Refusal::ClaimTaken(claim.key));
            }
        }
        if let Some(write) = &command.payment {
            self.payment(tables, write)?;
        }
        for (key, _) in &command.answers {
            if !tables.claims.contains_key(key) && !self.claims.contains(key) {
                return Err(Refusal::Duplicate);
            }
        }
        if let Some(item) = &command.capture {
            let key = (item.payment, item.number);
            if tables.captures.contains_key(&key) || !self.captures.insert(key) {
                return Err(Refusal::Duplicate);
            }
        }
        command.lanes.iter().try_for_each(|write| self.lane(tables, write))?;
        self.hold(tables, command.hold.as_ref())
    }

    fn payment(&mut self, tables: &Tables, write: &PaymentWrite) -> Result<(), Refusal> {
        let (id, standing, before) = match write {
            PaymentWrite::Open { facts, standing, .. } => (facts.id, standing, 0),
            PaymentWrite::Change { id, standing, .. } => (*id, standing, standing.version.saturating_sub(1)),
        };
        if self.version(tables, &id) != before {
            return Err(Refusal::Version(id));
        }
        self.versions.insert(id, standing.version);
        Ok(())
    }

    /// 0 for a payment that is not there.
    fn version(&self, tables: &Tables, id: &PaymentId) -> i32 {
        let stored = || tables.payments.get(id).map_or(0, |record| record.standing.version);
        self.versions.get(id).copied().unwrap_or_else(stored)
    }

    fn lane(&mut self, tables: &Tables, write: &LaneWrite) -> Result<(), Refusal> {
        let (key, owes) = match write {
            LaneWrite::Owe(item) => ((item.payment, item.number), true),
            LaneWrite::End { payment, number, .. } => ((*payment, *number), false),
        };
        let stored = || tables.lanes.get(&key).map(|row| row.end.is_none());
        let there = self.lanes.get(&key).copied().or_else(stored);
        let fits = if owes { there.is_none() } else { there == Some(true) };
        if !fits || self.version(tables, &key.0) == 0 {
            return Err(Refusal::Duplicate);
        }
        self.lanes.insert(key, owes);
        Ok(())
    }

    fn hold(&mut self, tables: &Tables, write: Option<&HoldWrite>) -> Result<(), Refusal> {
        let (payment, account, amount, places) = match write {
            None => return Ok(()),
            Some(HoldWrite::Place { payment, account, amount }) => (*payment, *account, *amount, true),
            Some(HoldWrite::Release { payment, account, amount }) => (*payment, *account, *amount, false),
        };
        let stored = || tables.holds.get(&payment).map(|row| (row.account, row.amount, row.released));
        let there = self.holds.get(&payment).copied().or_else(stored);
        let fits = if places { there.is_none() } else { there == Some((account, amount, false)) };
        if !fits {
            return Err(Refusal::Duplicate);
        }
        self.holds.insert(payment, (account, amount, !places));
        Ok(())
    }
}
