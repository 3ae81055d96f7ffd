//! A batch as columns: one array per column, one statement per table.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ledger::command::{
    Command, EvidenceRow, HoldWrite, Journal, LaneEnd, LaneKind, LaneWrite, PaymentKind, PaymentWrite, Standing,
};
use ledger::{AccountCode, Batch, CaptureKind, Clearing, Item, LaneItem, Payment, Refusal, Side};
use payments::evidence::EMV_TAGS;
use payments::{Amount, Currency, PaymentId, Text};
use uuid::Uuid;

use super::statements::Step;
use crate::marks;
use crate::sql::{At, Day, Param};

/// Why a batch could not be laid out.
#[derive(Debug, PartialEq)]
pub(crate) enum Unfit {
    /// One item contradicts one before it in the same batch.
    Item(usize, Refusal),
    /// The batch contradicts itself: the book is broken.
    Batch(String),
}

/// Makes a struct of columns with a `push` for a row. Its parameters are shard and block, then the
/// columns in order.
macro_rules! columns {
    ($($name:ident { $($column:ident: $kind:ty),+ $(,)? })+) => {$(
        #[derive(Default)]
        struct $name<'a> {
            $($column: Vec<$kind>,)+
            life: std::marker::PhantomData<&'a ()>,
        }

        impl<'a> $name<'a> {
            fn push(&mut self, $($column: $kind),+) {
                $(self.$column.push($column);)+
            }

            /// The parameters of its statement; nothing where it has no rows.
            fn params(self, shard: i16, block: i64) -> Option<Vec<Param<'a>>> {
                let rows = [$(self.$column.len()),+];
                if rows.first() == Some(&0) {
                    return None;
                }
                Some(vec![Box::new(shard), Box::new(block), $(Box::new(self.$column) as Param<'a>),+])
            }
        }
    )+};
}

columns! {
    Items { idx: i32, body: &'a str }
    Claims { key: &'a [u8], body: &'a [u8], payment: Option<Uuid>, tombstone: bool, day: Day, idx: i32 }
    Answers { key: &'a [u8], answer: String, idx: i32 }
    PaymentsOpened {
        id: Uuid, version: i32, state: i16, kind: &'static str, rrn: &'a str, acquirer: &'a str, terminal: Option<&'a str>,
        merchant: Option<&'a str>, link: &'a str, amount: i64, currency: i16, approved: i64, captured: i64, captures: i16,
        capture_date: Option<Day>, approval: Option<&'a str>, code: Option<&'a str>, idx: i32, egress_block: Option<i64>,
        egress_idx: Option<i32>,
    }
    PaymentsChanged {
        id: Uuid, before: i32, version: i32, state: i16, approved: i64, captured: i64, captures: i16, capture_date: Option<Day>,
        approval: Option<&'a str>, code: Option<&'a str>, egress_idx: Option<i32>,
    }
    Events { payment: Uuid, version: i32, state: i16, cause: i16, at: At, idx: i32 }
    Journals { number: i64, kind: i16, date: Day, payment: Option<Uuid>, at: At, idx: i32 }
    Entries {
        journal: i64, line: i16, account: i64, version: i64, side: &'static str, amount: i64, currency: i16, balance_after: i64,
    }
    AccountsOpened {
        id: i64, code: &'a str, currency: i16, floor_minor: Option<i64>, posted_debit: i64, posted_credit: i64,
        pending_debit: i64, version: i64,
    }
    AccountsMoved { id: i64, before: i64, posted_debit: i64, posted_credit: i64, pending_debit: i64, version: i64 }
    HoldsPlaced { payment: Uuid, account: i64, amount: i64, currency: i16, idx: i32, released_block: Option<i64>, released_idx: Option<i32> }
    HoldsReleased { payment: Uuid, account: i64, amount: i64, idx: i32 }
    Captures {
        seq: i64, payment: Uuid, number: i16, date: Day, kind: &'static str, clearing: &'static str, network: &'a str,
        amount: i64, currency: i16, idx: i32,
    }
    LanesOwed {
        payment: Uuid, number: i16, link: &'a str, kind: &'static str, not_before: At, idx: i32, ended: Option<&'static str>,
        ended_code: Option<&'a str>, ended_block: Option<i64>, ended_idx: Option<i32>,
    }
    LanesEnded { payment: Uuid, number: i16, ended: &'static str, ended_code: Option<&'a str>, idx: i32 }
    DaysOpened { day: Day, idx: i32, closed_block: Option<i64>, closed_idx: Option<i32> }
    DaysClosed { day: Day, idx: i32 }
    Outboxes { number: i64, topic: &'a str, payment: Uuid, at: At, idx: i32 }
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

    fn event(&mut self, id: PaymentId, standing: &Standing, cause: payments::Cause, command: &Command, idx: i32) {
        self.events.push(id.0, standing.version, standing.state.code(), cause.code(), At(command.at), idx);
    }

    fn open(&mut self, index: usize, idx: i32, facts: &'a Payment, standing: &'a Standing) -> Result<(), Unfit> {
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
            idx,
            None,
            None,
        );
        Ok(())
    }

    fn change(&mut self, index: usize, idx: i32, id: PaymentId, standing: &'a Standing, egress: bool) -> Result<(), Unfit> {
        let unfit = || Unfit::Item(index, Refusal::Version(id));
        let before = standing.version.checked_sub(1).ok_or_else(unfit)?;
        let egress_idx = egress.then_some(idx);
        if let Some(at) = self.opened_at.get(&id).copied() {
            let rows = &mut self.opened;
            step(&mut rows.version, at, standing.version).ok_or_else(unfit)?;
            set(&mut rows.state, at, standing.state.code());
            set(&mut rows.approved, at, standing.approved);
            set(&mut rows.captured, at, standing.captured);
            set(&mut rows.captures, at, standing.captures);
            set(&mut rows.capture_date, at, standing.capture_date.map(Day));
            set(&mut rows.approval, at, standing.approval.as_ref().map(Text::as_str));
            set(&mut rows.code, at, standing.code.as_ref().map(|code| code.as_str()));
            if egress {
                set(&mut rows.egress_block, at, Some(self.block));
                set(&mut rows.egress_idx, at, egress_idx);
            }
            return Ok(());
        }
        if let Some(at) = self.changed_at.get(&id).copied() {
            let rows = &mut self.changed;
            step(&mut rows.version, at, standing.version).ok_or_else(unfit)?;
            set(&mut rows.state, at, standing.state.code());
            set(&mut rows.approved, at, standing.approved);
            set(&mut rows.captured, at, standing.captured);
            set(&mut rows.captures, at, standing.captures);
            set(&mut rows.capture_date, at, standing.capture_date.map(Day));
            set(&mut rows.approval, at, standing.approval.as_ref().map(Text::as_str));
            set(&mut rows.code, at, standing.code.as_ref().map(|code| code.as_str()));
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
            egress_idx,
        );
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

    fn hold(&mut self, index: usize, idx: i32, write: &HoldWrite) -> Result<(), Unfit> {
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

    fn lane(&mut self, index: usize, idx: i32, write: &'a LaneWrite) -> Result<(), Unfit> {
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

/// Evidence: most columns are texts that are null where nothing came.
struct EvidenceColumns<'a> {
    payment: Vec<Uuid>,
    idx: Vec<i32>,
    card_sequence: Vec<Option<i16>>,
    approved: Vec<Option<i64>>,
    approved_currency: Vec<Option<i16>>,
    response_icc: Vec<Option<&'a [u8]>>,
    texts: [Vec<Option<&'a str>>; EvidenceColumns::TEXTS],
}

impl Default for EvidenceColumns<'_> {
    fn default() -> Self {
        Self {
            payment: Vec::new(),
            idx: Vec::new(),
            card_sequence: Vec::new(),
            approved: Vec::new(),
            approved_currency: Vec::new(),
            response_icc: Vec::new(),
            texts: std::array::from_fn(|_| Vec::new()),
        }
    }
}

impl EvidenceColumns<'_> {
    /// Six of the request, the tags, seven of the answer.
    const TEXTS: usize = 6 + EMV_TAGS.len() + 7;
}

impl<'a> EvidenceColumns<'a> {
    fn push(&mut self, row: &'a EvidenceRow, idx: i32) -> Result<(), Unfit> {
        let EvidenceRow { payment, request, answer } = row;
        self.payment.push(payment.0);
        self.idx.push(idx);
        // At most 999.
        self.card_sequence.push(request.card_sequence.and_then(|number| i16::try_from(number.get()).ok()));
        self.approved.push(answer.amount.map(Amount::minor));
        self.approved_currency.push(answer.amount.map(|amount| currency(amount.currency())).transpose()?);
        self.response_icc.push((!answer.icc.is_empty()).then_some(&answer.icc[..]));
        let tag = |wanted: &str| request.emv.iter().find(|(tag, _)| tag.as_str() == wanted).map(|(_, value)| value.as_str());
        let texts = [
            some(&request.merchant_category),
            some(&request.entry_mode),
            some(&request.condition),
            some(&request.pos_data),
            some(&request.eci),
            some(&request.acceptor),
        ]
        .into_iter()
        .chain(EMV_TAGS.into_iter().map(tag))
        .chain([
            Some(answer.code.as_str()),
            answer.approval.as_ref().and_then(some),
            answer.network_id.as_ref().and_then(some),
            some(&answer.settlement_date),
            some(&answer.avs_result),
            some(&answer.cvv_result),
            some(&answer.authentication_result),
        ]);
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(text));
        Ok(())
    }

    fn params(self, shard: i16, block: i64) -> Option<Vec<Param<'a>>> {
        if self.payment.is_empty() {
            return None;
        }
        let mut params: Vec<Param<'a>> = vec![
            Box::new(shard),
            Box::new(block),
            Box::new(self.payment),
            Box::new(self.idx),
            Box::new(self.card_sequence),
            Box::new(self.approved),
            Box::new(self.approved_currency),
            Box::new(self.response_icc),
        ];
        params.extend(self.texts.into_iter().map(|column| Box::new(column) as Param<'a>));
        Some(params)
    }
}

/// The text, unless it is empty.
fn some<const N: usize>(text: &Text<N>) -> Option<&str> {
    if text.is_empty() { None } else { Some(text.as_str()) }
}

/// Replaces a value in a column. The place comes from the map that counted it.
fn set<T>(column: &mut [T], at: usize, value: T) {
    if let Some(room) = column.get_mut(at) {
        *room = value;
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

/// ISO 4217 numbers end at 999.
fn currency(currency: Currency) -> Result<i16, Unfit> {
    i16::try_from(currency.numeric()).map_err(|_| Unfit::Batch(format!("currency {}", currency.numeric())))
}

pub(crate) fn payment_kind(kind: PaymentKind) -> &'static str {
    match kind {
        PaymentKind::Purchase => "purchase",
        PaymentKind::Authorization => "authorization",
        PaymentKind::Refund => "refund",
        PaymentKind::Transfer => "transfer",
    }
}

pub(crate) fn capture_kind(kind: CaptureKind) -> &'static str {
    match kind {
        CaptureKind::Sale => "sale",
        CaptureKind::Refund => "refund",
        CaptureKind::Void => "void",
        CaptureKind::Credit => "credit",
    }
}

pub(crate) fn clearing(clearing: Clearing) -> &'static str {
    match clearing {
        Clearing::Presentment => "presentment",
        Clearing::Online => "online",
    }
}

pub(crate) fn lane_kind(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Reversal => "reversal",
        LaneKind::Advice => "advice",
        LaneKind::Enquiry => "enquiry",
    }
}

pub(crate) fn lane_end(end: LaneEnd) -> &'static str {
    match end {
        LaneEnd::Acknowledged => "acknowledged",
        LaneEnd::Dead => "dead",
    }
}
