//! Payments whose rows will still change: what is kept of them, until their rows have been seen.

use std::collections::{BTreeMap, BTreeSet};

use payments::{Currency, PaymentId, State};

use super::{LedgerVerifier, int};
use crate::accounts::AccountCode;
use crate::command::{Command, JournalKind, LaneEnd, LaneKind, LaneWrite, PaymentKind, PaymentWrite, Standing};
use crate::verify::expect::{self, payment_of};
use crate::verify::rows::{Row, Table, Value};
use crate::verify::{Finding, Place, soundness};

/// What is kept of a payment whose rows will still change.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) kind: Option<PaymentKind>,
    pub(super) currency: Option<Currency>,
    pub(super) standing: Option<Standing>,
    pub(super) row: Option<Row>,
    pub(super) lanes: BTreeMap<i16, (Row, LaneKind, Option<LaneEnd>)>,
    pub(super) hold: Option<(Row, AccountCode, payments::Amount, bool)>,
    /// Rows that were not handed over yet: the payment's, its hold's, its lane items'.
    pub(super) waiting: BTreeSet<(Table, i16)>,
}

impl LedgerVerifier {
    pub(super) fn payment(&mut self, command: &Command, write: &PaymentWrite) {
        let id = payment_of(write);
        let (cause, standing) = match write {
            PaymentWrite::Open { cause, standing, .. } | PaymentWrite::Change { cause, standing, .. } => (*cause, *standing),
        };
        let before = match write {
            PaymentWrite::Open { facts, standing, .. } => {
                let fresh = Kept {
                    kind: Some(facts.kind),
                    currency: Some(facts.amount.currency()),
                    row: Some(expect::payment(self.at, facts, standing)),
                    waiting: [(Table::Payment, 0)].into(),
                    ..Kept::default()
                };
                if self.kept.insert(id, fresh).is_some() {
                    self.find(Place::Payment(id), "to begin once", "it begins again");
                }
                None
            }
            PaymentWrite::Change { .. } => match self.kept.get(&id).and_then(|kept| kept.standing) {
                Some(before) => Some(before),
                None => {
                    let got = format!("version {} in block {}", standing.version, self.at.block);
                    return self.find(Place::Payment(id), "no change behind the one that its row has", got);
                }
            },
        };
        let nothing = (0, 0, 0, 0i128);
        let (version, captures, captured, excess) =
            before.map_or(nothing, |b| (i64::from(b.version), i64::from(b.captures), b.captured, soundness::excess(&b)));
        let item = command.capture.as_ref();
        let transfer = self.kept.get(&id).is_some_and(|kept| kept.kind == Some(PaymentKind::Transfer));
        let want = (
            version.saturating_add(1),
            captures.saturating_add(i64::from(item.is_some())),
            // A transfer has no items; whether it moved all or nothing is looked at when it rests.
            if transfer { standing.captured.into() } else { i128::from(captured).saturating_add(soundness::moved(item)) },
        );
        let got = (i64::from(standing.version), i64::from(standing.captures), i128::from(standing.captured));
        let shown = |(version, captures, captured): (i64, i64, i128)| {
            format!("version {version}, {captures} capture items, {captured} captured")
        };
        if want != got {
            self.find(Place::Payment(id), shown(want), shown(got));
        }
        let exposed = command.journals.iter().any(|journal| journal.kind == JournalKind::Exposure);
        if soundness::excess(&standing) > excess && !exposed {
            let got = format!("{} captured without exposure", standing.captured);
            self.find(Place::Payment(id), format!("{} at the most", standing.approved), got);
        }
        let Some(kept) = self.kept.get_mut(&id) else { return };
        let from = before.map(|before| before.state);
        let next =
            if kept.kind == Some(PaymentKind::Transfer) { State::step_transfer(from, cause) } else { State::step(from, cause) };
        kept.standing = Some(standing);
        if let Some(row) = &mut kept.row {
            expect::stands(row, &standing);
            if matches!(write, PaymentWrite::Change { egress: Some(_), .. }) {
                row.set("egress_block", self.at.block);
                row.set("egress_idx", self.at.idx);
            }
        }
        let handed_over = before.is_some() && !kept.waiting.contains(&(Table::Payment, 0));
        let foreign = item.is_some_and(|item| Some(item.amount.currency()) != kept.currency);
        if next != Ok(standing.state) {
            let want = next.map_or_else(|why| why.to_string(), |state| format!("state {state:?} by {cause:?}"));
            self.find(Place::Payment(id), want, format!("state {:?}", standing.state));
        }
        if handed_over {
            let got = format!("version {} in block {}", standing.version, self.at.block);
            self.find(Place::Payment(id), "no change behind the one that its row has", got);
        }
        if foreign {
            self.find(Place::Payment(id), "a capture in its currency", "one in another");
        }
        if standing.state == State::Executed && !soundness::hold_is_posted(command) {
            self.find(Place::Payment(id), "a journal for the hold that ends", "none");
        }
        match standing.state {
            State::Sent | State::Enquiring => self.unresolved.insert(id),
            _ => self.unresolved.remove(&id),
        };
    }

    pub(super) fn lane(&mut self, write: &LaneWrite) {
        match write {
            LaneWrite::Owe(item) => {
                let row = expect::lane(self.at, item);
                let place = row.place();
                let kept = self.kept.entry(item.payment).or_default();
                let gap =
                    kept.standing.is_some() && kept.lanes.len().saturating_add(1) != usize::try_from(item.number).unwrap_or(0);
                kept.waiting.insert((Table::Lane, item.number));
                if kept.lanes.insert(item.number, (row, item.kind, None)).is_some() || gap {
                    self.find(place, "the next number", "another one");
                }
            }
            LaneWrite::End { payment, number, end, code } => {
                let at = self.at;
                let kept = self.kept.get_mut(payment).filter(|kept| kept.waiting.contains(&(Table::Lane, *number)));
                let lane = kept.and_then(|kept| kept.lanes.get_mut(number)).filter(|(_, _, ended)| ended.is_none());
                let Some((row, _, ended)) = lane else {
                    let place = Place::Row { table: Table::Lane, key: format!("payment={payment} number={number}") };
                    return self.find(place, "an open item, ended by its row", "none");
                };
                *ended = Some(*end);
                expect::lane_ended(row, at, *end, code.as_ref());
            }
        }
    }

    /// A row that changed for the last time in this block.
    pub(super) fn changing(&mut self, row: &Row) -> Option<Finding> {
        let (column, number) = match row.table {
            Table::Payment => ("id", 0),
            Table::Hold => ("payment", 0),
            _ => ("payment", i16::try_from(int(row, "number")).unwrap_or(0)),
        };
        let id = match row.get(column) {
            Some(Value::Text(text)) => text.parse().ok().map(PaymentId),
            _ => None,
        };
        let kept = id.and_then(|id| self.kept.get_mut(&id));
        let Some(kept) = kept.filter(|kept| kept.waiting.contains(&(row.table, number))) else {
            return Some(row.unexpected());
        };
        let expected = match row.table {
            Table::Payment => kept.row.as_ref(),
            Table::Hold => kept.hold.as_ref().map(|(row, ..)| row),
            _ => kept.lanes.get(&number).map(|(row, ..)| row),
        };
        let finding = expected.map_or_else(|| Some(row.unexpected()), |expected| expected.compare(row));
        kept.waiting.remove(&(row.table, number));
        if kept.waiting.is_empty() {
            let id = id?;
            let kept = self.kept.remove(&id)?;
            let lanes: Vec<_> = kept.lanes.values().map(|(_, kind, end)| (*kind, *end)).collect();
            let hold = kept.hold.as_ref().map(|(_, _, _, released)| *released);
            if let Some(standing) = &kept.standing
                && let Err((want, got)) = soundness::at_rest(kept.kind, standing, &lanes, hold)
            {
                self.find(Place::Payment(id), want, got);
            }
        }
        finding
    }
}
