//! Holds and owed messages of a batch: what begins and ends in it is written once.

use std::collections::hash_map::Entry;

use ledger::command::{HoldWrite, LaneWrite};
use ledger::{LaneItem, Refusal};

use super::words::{currency, lane_end, lane_kind};
use super::{Layout, Unfit, set};
use crate::sql::At;

impl<'a> Layout<'a> {
    pub(super) fn hold(&mut self, index: usize, idx: i32, write: &HoldWrite) -> Result<(), Unfit> {
        let (HoldWrite::Place { payment, account, amount } | HoldWrite::Release { payment, account, amount }) = write;
        let id = self.accounts.get(&(*account, amount.currency())).copied();
        let id = id.ok_or_else(|| Unfit::Batch(format!("item {idx} has a hold on an account that the batch does not touch")))?;
        let twice = || Unfit::Item(index, Refusal::Duplicate);
        match write {
            HoldWrite::Place { .. } => match self.holds_placed_at.entry(*payment) {
                Entry::Occupied(_) => Err(twice()),
                Entry::Vacant(free) => {
                    free.insert(self.holds_placed.payment.len());
                    let code = currency(amount.currency())?;
                    self.holds_placed.push(payment.0, id, amount.minor(), code, idx, None, None);
                    Ok(())
                }
            },
            HoldWrite::Release { .. } => {
                let Some(at) = self.holds_placed_at.get(payment).copied() else {
                    if self.holds_released.payment.contains(&payment.0) {
                        return Err(twice());
                    }
                    self.holds_released.push(payment.0, id, amount.minor(), idx);
                    return Ok(());
                };
                let rows = &mut self.holds_placed;
                let same = rows.account.get(at) == Some(&id) && rows.amount.get(at) == Some(&amount.minor());
                if !same || rows.released_idx.get(at) != Some(&None) {
                    return Err(twice());
                }
                set(&mut rows.released_block, at, Some(self.block));
                set(&mut rows.released_idx, at, Some(idx));
                Ok(())
            }
        }
    }

    pub(super) fn lane(&mut self, index: usize, idx: i32, write: &'a LaneWrite) -> Result<(), Unfit> {
        let twice = || Unfit::Item(index, Refusal::Duplicate);
        match write {
            LaneWrite::Owe(item) => {
                let LaneItem { payment, number, link, kind, not_before, .. } = &**item;
                match self.lanes_owed_at.entry((*payment, *number)) {
                    Entry::Occupied(_) => return Err(twice()),
                    Entry::Vacant(free) => free.insert(self.lanes_owed.payment.len()),
                };
                let kind = lane_kind(*kind);
                self.lanes_owed.push(payment.0, *number, link.as_str(), kind, At(*not_before), idx, None, None, None, None);
            }
            LaneWrite::End { payment, number, end, code } => {
                let (end, code) = (lane_end(*end), code.as_ref().map(|code| code.as_str()));
                let Some(at) = self.lanes_owed_at.get(&(*payment, *number)).copied() else {
                    let before = self.lanes_ended.payment.iter().zip(&self.lanes_ended.number);
                    if before.into_iter().any(|ended| ended == (&payment.0, number)) {
                        return Err(twice());
                    }
                    self.lanes_ended.push(payment.0, *number, end, code, idx);
                    return Ok(());
                };
                let rows = &mut self.lanes_owed;
                if rows.ended.get(at) != Some(&None) {
                    return Err(twice());
                }
                set(&mut rows.ended, at, Some(end));
                set(&mut rows.ended_code, at, code);
                set(&mut rows.ended_block, at, Some(self.block));
                set(&mut rows.ended_idx, at, Some(idx));
            }
        }
        Ok(())
    }
}
