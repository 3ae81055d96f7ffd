//! A batch as columns: one array per column, one statement per table.

mod columns;
mod evidence;
mod moves;
mod owed;
mod words;

use std::collections::HashMap;

use ledger::command::{Command, Journal, PaymentWrite};
use ledger::{AccountCode, Batch, Item, Refusal, Side};
use payments::{Currency, PaymentId};

use super::statements::Step;
use crate::marks;
use crate::sql::{At, Day, Param};
use columns::{
    AccountsMoved, AccountsOpened, Answers, Captures, Claims, DaysClosed, DaysOpened, Entries, Events, HoldsPlaced,
    HoldsReleased, Items, Journals, LanesEnded, LanesOwed, Outboxes, PaymentsChanged, PaymentsOpened,
};
use evidence::EvidenceColumns;
use words::{capture_kind, clearing, currency};

/// Why a batch could not be laid out.
#[derive(Debug, PartialEq)]
pub(crate) enum Unfit {
    /// One item contradicts one before it in the same batch.
    Item(usize, Refusal),
    /// The batch contradicts itself: the book is broken.
    Batch(String),
}

/// A batch as the parameters of the statements that write it, in the order in which they run.
pub(crate) fn lay_out<'a>(shard: i16, batch: &'a Batch) -> Result<Vec<(Step, Vec<Param<'a>>)>, Unfit> {
    let block = batch.header.number.0;
    let mut layout = Layout::new(block);
    for account in &batch.accounts {
        layout.account(account)?;
    }
    for (index, item) in batch.items.iter().enumerate() {
        layout.item(index, item)?;
    }
    let mut steps: Vec<(Step, Vec<Param<'a>>)> = vec![(Step::Block, block_params(shard, batch)?)];
    let mut add = |step, params: Option<Vec<Param<'a>>>| steps.extend(params.map(|params| (step, params)));
    // Claims first: most of what is refused is refused here, before anything else is done.
    add(Step::Claims, layout.claims.params(shard, block));
    add(Step::PaymentsOpened, layout.opened.params(shard, block));
    add(Step::PaymentsChanged, layout.changed.params(shard, block));
    add(Step::Events, layout.events.params(shard, block));
    add(Step::Answers, layout.answers.params(shard, block));
    add(Step::AccountsOpened, layout.accounts_opened.params(shard, block));
    add(Step::AccountsMoved, layout.accounts_moved.params(shard, block));
    add(Step::Journals, layout.journals.params(shard, block));
    add(Step::Entries, layout.entries.params(shard, block));
    add(Step::HoldsPlaced, layout.holds_placed.params(shard, block));
    add(Step::HoldsReleased, layout.holds_released.params(shard, block));
    add(Step::Captures, layout.captures.params(shard, block));
    add(Step::LanesOwed, layout.lanes_owed.params(shard, block));
    add(Step::LanesEnded, layout.lanes_ended.params(shard, block));
    add(Step::Evidence, layout.evidence.params(shard, block));
    add(Step::DaysOpened, layout.days_opened.params(shard, block));
    add(Step::DaysClosed, layout.days_closed.params(shard, block));
    add(Step::Outbox, layout.outbox.params(shard, block));
    add(Step::Items, layout.items.params(shard, block));
    Ok(steps)
}

fn block_params(shard: i16, batch: &Batch) -> Result<Vec<Param<'_>>, Unfit> {
    let header = &batch.header;
    Ok(vec![
        Box::new(shard),
        Box::new(header.number.0),
        Box::new(&header.previous.0[..]),
        Box::new(&header.root.0[..]),
        Box::new(&batch.hash.0[..]),
        Box::new(header.epoch),
        Box::new(header.items),
        Box::new(At(header.at)),
        Box::new(marks::to_json(&batch.marks).map_err(|why| Unfit::Batch(format!("marks: {why}")))?),
    ])
}

/// The rows of a batch while it is laid out. What changes twice in a batch is written once.
#[derive(Default)]
struct Layout<'a> {
    block: i64,
    items: Items<'a>,
    claims: Claims<'a>,
    answers: Answers<'a>,
    opened: PaymentsOpened<'a>,
    /// Place of a payment that this batch opens.
    opened_at: HashMap<PaymentId, usize>,
    changed: PaymentsChanged<'a>,
    changed_at: HashMap<PaymentId, usize>,
    events: Events<'a>,
    journals: Journals<'a>,
    entries: Entries<'a>,
    accounts_opened: AccountsOpened<'a>,
    accounts_moved: AccountsMoved<'a>,
    accounts: HashMap<(AccountCode, Currency), i64>,
    holds_placed: HoldsPlaced<'a>,
    holds_placed_at: HashMap<PaymentId, usize>,
    holds_released: HoldsReleased<'a>,
    captures: Captures<'a>,
    lanes_owed: LanesOwed<'a>,
    lanes_owed_at: HashMap<(PaymentId, i16), usize>,
    lanes_ended: LanesEnded<'a>,
    evidence: EvidenceColumns<'a>,
    days_opened: DaysOpened<'a>,
    days_closed: DaysClosed<'a>,
    outbox: Outboxes<'a>,
}

impl<'a> Layout<'a> {
    fn new(block: i64) -> Self {
        Self { block, ..Self::default() }
    }

    fn account(&mut self, write: &'a ledger::store::AccountWrite) -> Result<(), Unfit> {
        let state = &write.state;
        let balances = &state.balances;
        self.accounts.insert((state.code, state.currency), state.id);
        if write.opened {
            self.accounts_opened.push(
                state.id,
                state.code.as_str(),
                currency(state.currency)?,
                state.floor_minor,
                balances.posted_debit,
                balances.posted_credit,
                balances.pending_debit,
                state.version,
            );
        } else {
            self.accounts_moved.push(
                state.id,
                write.before,
                balances.posted_debit,
                balances.posted_credit,
                balances.pending_debit,
                state.version,
            );
        }
        Ok(())
    }

    fn item(&mut self, index: usize, item: &'a Item) -> Result<(), Unfit> {
        let idx = i32::try_from(index).map_err(|_| Unfit::Batch(format!("{index} items")))?;
        self.items.push(idx, &item.body);
        let command = &item.command;
        for (claim, tombstone) in command.claim.iter().map(|c| (c, false)).chain(command.tombstone.iter().map(|c| (c, true))) {
            let payment = claim.payment.map(|id| id.0);
            self.claims.push(&claim.key.0, &claim.body.0, payment, tombstone, Day(claim.on), idx);
        }
        match &command.payment {
            Some(PaymentWrite::Open { facts, cause, standing }) => {
                self.open(index, idx, facts, standing)?;
                self.event(facts.id, standing, *cause, command, idx);
            }
            Some(PaymentWrite::Change { id, cause, standing, egress }) => {
                self.change(index, idx, *id, standing, egress.is_some())?;
                self.event(*id, standing, *cause, command, idx);
            }
            None => {}
        }
        self.answers(command, idx)?;
        self.journals(item, idx)?;
        if let Some(hold) = &command.hold {
            self.hold(index, idx, hold)?;
        }
        if let Some(item) = &command.capture {
            self.captures.push(
                item.seq,
                item.payment.0,
                item.number,
                Day(item.date),
                capture_kind(item.kind),
                clearing(item.clearing),
                item.network.as_str(),
                item.amount.minor(),
                currency(item.amount.currency())?,
                idx,
            );
        }
        for write in &command.lanes {
            self.lane(index, idx, write)?;
        }
        if let Some(row) = &command.evidence {
            self.evidence.push(row, idx)?;
        }
        if let Some(day) = command.day_opened {
            self.days_opened.push(Day(day), idx, None, None);
        }
        if let Some(day) = command.day_closed {
            let here = self.days_opened.day.iter().position(|opened| opened.0 == day);
            match here.and_then(|at| Some((self.days_opened.closed_block.get_mut(at)?, self.days_opened.closed_idx.get_mut(at)?)))
            {
                Some((closed_block, closed_idx)) => (*closed_block, *closed_idx) = (Some(self.block), Some(idx)),
                None => self.days_closed.push(Day(day), idx),
            }
        }
        if let Some(event) = &command.outbox {
            self.outbox.push(event.seq, event.topic.as_str(), event.payment.0, At(command.at), idx);
        }
        Ok(())
    }

    fn answers(&mut self, command: &'a Command, idx: i32) -> Result<(), Unfit> {
        for (place, (key, answer)) in command.answers.iter().enumerate() {
            // The later of two for one claim stands.
            if command.answers.iter().skip(place + 1).any(|(later, _)| later == key) {
                continue;
            }
            let text = serde_json::to_string(answer).map_err(|why| Unfit::Batch(format!("answer: {why}")))?;
            self.answers.push(&key.0, text, idx);
        }
        Ok(())
    }

    fn journals(&mut self, item: &'a Item, idx: i32) -> Result<(), Unfit> {
        let uneven = || Unfit::Batch(format!("item {idx} does not have a number for each of its entries"));
        let mut numbers = item.entries.iter();
        for journal in &item.command.journals {
            let Journal { number, kind, date, payment, lines } = journal;
            self.journals.push(*number, *kind as i16, Day(*date), payment.map(|id| id.0), At(item.command.at), idx);
            for (place, line) in lines.iter().enumerate() {
                let entry = numbers.next().ok_or_else(uneven)?;
                let side = match line.side {
                    Side::Debit => "D",
                    Side::Credit => "C",
                };
                self.entries.push(
                    *number,
                    i16::try_from(place + 1).map_err(|_| uneven())?,
                    entry.account,
                    entry.version,
                    side,
                    line.amount.minor(),
                    currency(line.amount.currency())?,
                    entry.balance_after,
                );
            }
        }
        if numbers.next().is_some() { Err(uneven()) } else { Ok(()) }
    }
}

/// Replaces a value in a column. The place comes from the map that counted it.
fn set<T>(column: &mut [T], at: usize, value: T) {
    if let Some(room) = column.get_mut(at) {
        *room = value;
    }
}
