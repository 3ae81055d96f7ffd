//! Payments of a batch: what changes twice in it is written once.

use std::collections::hash_map::Entry;

use ledger::command::{Command, Standing};
use ledger::{Payment, Refusal};
use payments::{PaymentId, Text};

use super::words::{currency, payment_kind};
use super::{Layout, Unfit, set};
use crate::sql::{At, Day};

/// Replaces where a payment stands, in either kind of row.
macro_rules! stand {
    ($rows:ident, $at:ident, $standing:ident) => {
        set(&mut $rows.state, $at, $standing.state.code());
        set(&mut $rows.approved, $at, $standing.approved);
        set(&mut $rows.captured, $at, $standing.captured);
        set(&mut $rows.captures, $at, $standing.captures);
        set(&mut $rows.capture_date, $at, $standing.capture_date.map(Day));
        set(&mut $rows.approval, $at, $standing.approval.as_ref().map(Text::as_str));
        set(&mut $rows.code, $at, $standing.code.as_ref().map(|code| code.as_str()));
        set(&mut $rows.approved_late, $at, $standing.approved_late);
    };
}

impl<'a> Layout<'a> {
    pub(super) fn event(&mut self, id: PaymentId, standing: &Standing, cause: payments::Cause, command: &Command, idx: i32) {
        self.events.push(id.0, standing.version, standing.state.code(), cause.code(), At(command.at), idx);
    }

    pub(super) fn open(&mut self, index: usize, idx: i32, facts: &'a Payment, standing: &'a Standing) -> Result<(), Unfit> {
        let again = Unfit::Item(index, Refusal::Version(facts.id));
        if self.changed_at.contains_key(&facts.id) {
            return Err(again);
        }
        match self.opened_at.entry(facts.id) {
            Entry::Occupied(_) => return Err(again),
            Entry::Vacant(free) => free.insert(self.opened.id.len()),
        };
        self.opened.push(
            facts.id.0,
            standing.version,
            standing.state.code(),
            payment_kind(facts.kind),
            facts.rrn.as_str(),
            facts.acquirer.as_str(),
            facts.head.as_ref().map(|head| head.terminal.as_str()),
            facts.head.as_ref().map(|head| head.merchant.as_str()),
            facts.link.as_str(),
            facts.amount.minor(),
            currency(facts.amount.currency())?,
            standing.approved,
            standing.captured,
            standing.captures,
            standing.capture_date.map(Day),
            standing.approval.as_ref().map(Text::as_str),
            standing.code.as_ref().map(|code| code.as_str()),
            standing.approved_late,
            idx,
            None,
            None,
        );
        Ok(())
    }

    pub(super) fn change(
        &mut self,
        index: usize,
        idx: i32,
        id: PaymentId,
        standing: &'a Standing,
        egress: bool,
    ) -> Result<(), Unfit> {
        let unfit = || Unfit::Item(index, Refusal::Version(id));
        let before = standing.version.checked_sub(1).ok_or_else(unfit)?;
        let egress_idx = egress.then_some(idx);
        if let Some(at) = self.opened_at.get(&id).copied() {
            let rows = &mut self.opened;
            step(&mut rows.version, at, standing.version).ok_or_else(unfit)?;
            stand!(rows, at, standing);
            if egress {
                set(&mut rows.egress_block, at, Some(self.block));
                set(&mut rows.egress_idx, at, egress_idx);
            }
            return Ok(());
        }
        if let Some(at) = self.changed_at.get(&id).copied() {
            let rows = &mut self.changed;
            step(&mut rows.version, at, standing.version).ok_or_else(unfit)?;
            stand!(rows, at, standing);
            if egress {
                set(&mut rows.egress_idx, at, egress_idx);
            }
            return Ok(());
        }
        self.changed_at.insert(id, self.changed.id.len());
        self.changed.push(
            id.0,
            before,
            standing.version,
            standing.state.code(),
            standing.approved,
            standing.captured,
            standing.captures,
            standing.capture_date.map(Day),
            standing.approval.as_ref().map(Text::as_str),
            standing.code.as_ref().map(|code| code.as_str()),
            standing.approved_late,
            egress_idx,
        );
        Ok(())
    }
}

/// Replaces a version by the one after it; `None` for any other.
fn step(column: &mut [i32], at: usize, next: i32) -> Option<()> {
    let room = column.get_mut(at)?;
    if room.checked_add(1)? != next {
        return None;
    }
    *room = next;
    Some(())
}
