//! The replay: the record rebuilt from the items of the blocks, and every stored row held against it.
//!
//! Memory is constant in the length of the history. A row that changes in its life (a payment, an
//! owed message, a hold) is handed over with the block of its *last* change; from then on nothing of
//! it needs to be kept, and an item that would change it later contradicts its row. What is kept is
//! the accounts, the days, and the payments that the stored rows say will still change.

use std::collections::{BTreeMap, BTreeSet};

use payments::{BusinessDate, Currency, LinkId, PaymentId, Shard, Stan, State};

use super::expect::{self, Origin, payment_of};
use super::rows::{Row, Table, Value};
use super::{Finding, Place, soundness};
use crate::accounts::{AccountCode, AccountState, Balances, Side, floor_of};
use crate::block::BlockHeader;
use crate::book::Numbers;
use crate::command::{Command, HoldWrite, Journal, LaneEnd, LaneKind, LaneWrite, PaymentKind, PaymentWrite, Standing};
use crate::store::{EntryNumbers, Marks};

/// A block as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct StoredBlock<'a> {
    /// Its header.
    pub header: &'a BlockHeader,
    /// Its marks, which the hash does not cover.
    pub marks: &'a Marks,
    /// The bodies of its items in order.
    pub bodies: &'a [&'a str],
}

/// Debits and credits of a currency over all stored accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trial {
    /// Accounts.
    pub accounts: u64,
    /// Sum of debits, minor units.
    pub debit: i128,
    /// Sum of credits, minor units.
    pub credit: i128,
}

/// How much was looked at. A proof that looked at nothing proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Blocks.
    pub blocks: u64,
    /// Items.
    pub items: u64,
    /// Stored rows compared, per table.
    pub rows: BTreeMap<Table, u64>,
    /// The trial balance of the stored accounts.
    pub trial: BTreeMap<Currency, Trial>,
    /// The most payments that had to be kept at once.
    pub most_kept: usize,
}

/// Replays a shard's blocks from the first on. See the module's text for the order of rows.
#[derive(Debug)]
pub struct LedgerVerifier {
    shard: Shard,
    at: Origin,
    accounts: BTreeMap<(AccountCode, Currency), AccountState>,
    numbers: Numbers,
    open_day: Option<BusinessDate>,
    closing: Option<BusinessDate>,
    days: BTreeMap<Vec<Value>, Row>,
    stans: BTreeMap<LinkId, Stan>,
    unresolved: BTreeSet<PaymentId>,
    kept: BTreeMap<PaymentId, Kept>,
    expected: BTreeMap<(Table, Vec<Value>), Row>,
    found: Vec<Finding>,
    report: Report,
}

/// What is kept of a payment whose rows will still change.
#[derive(Debug, Default)]
struct Kept {
    kind: Option<PaymentKind>,
    currency: Option<Currency>,
    standing: Option<Standing>,
    row: Option<Row>,
    lanes: BTreeMap<i16, (Row, LaneKind, Option<LaneEnd>)>,
    hold: Option<(Row, AccountCode, payments::Amount, bool)>,
    /// Rows that were not handed over yet: the payment's, its hold's, its lane items'.
    waiting: BTreeSet<(Table, i16)>,
}

impl LedgerVerifier {
    /// At the beginning of a shard.
    pub fn new(shard: Shard) -> Self {
        Self {
            shard,
            at: Origin { block: 0, idx: 0 },
            accounts: BTreeMap::new(),
            numbers: Numbers::default(),
            open_day: None,
            closing: None,
            days: BTreeMap::new(),
            stans: BTreeMap::new(),
            unresolved: BTreeSet::new(),
            kept: BTreeMap::new(),
            expected: BTreeMap::new(),
            found: Vec::new(),
            report: Report::default(),
        }
    }

    /// The next block and the rows that belong to it: `claim`, `answer`, `event`, `journal`, `entry`,
    /// `capture`, `evidence` and `outbox` rows written by it; `payment`, `hold` and `lane` rows whose
    /// last change it is (for a payment the block of the event with the row's version, for a hold
    /// `released_block` or else `block`, for a lane item `ended_block` or else `block`).
    pub fn block(&mut self, block: &StoredBlock<'_>, rows: impl IntoIterator<Item = Row>) -> Vec<Finding> {
        let next = self.at.block.saturating_add(1);
        let header = block.header;
        if header.number.0 != next || header.shard != self.shard {
            let got = format!("shard {} block {}", header.shard.0, header.number.0);
            self.find(Place::Block(header.number.0), format!("shard {} block {next}", self.shard.0), got);
        }
        self.report.blocks += 1;
        let mut last = None;
        for (item, body) in block.bodies.iter().enumerate() {
            self.at = Origin { block: header.number.0, idx: i32::try_from(item).unwrap_or(i32::MAX) };
            self.report.items += 1;
            last = self.body(item, body).or(last);
        }
        self.at = Origin { block: header.number.0, idx: 0 };
        if let Some(at) = last
            && at != header.at
        {
            self.find(Place::Block(header.number.0), format!("time {at}"), format!("time {}", header.at));
        }
        let marks = Marks {
            stans: self.stans.iter().map(|(link, stan)| (*link, *stan)).collect(),
            oldest_open: self.unresolved.first().copied(),
        };
        if marks != *block.marks {
            self.find(Place::Block(header.number.0), format!("{marks:?}"), format!("{:?}", block.marks));
        }
        self.report.most_kept = self.report.most_kept.max(self.kept.len());
        rows.into_iter().for_each(|row| self.row(&row));
        let missing = std::mem::take(&mut self.expected);
        self.found.extend(missing.values().map(Row::missing));
        std::mem::take(&mut self.found)
    }

    /// The end: every `account` and `business_day` row, and whatever rows name no block of the chain.
    pub fn finish(mut self, rows: impl IntoIterator<Item = Row>) -> (Report, Vec<Finding>) {
        for (code, currency) in self.accounts.keys().copied().collect::<Vec<_>>() {
            if let Some(account) = self.accounts.get(&(code, currency)) {
                self.expected.insert((Table::Account, vec![Value::Int(account.id)]), expect::account(account));
            }
        }
        for (key, row) in std::mem::take(&mut self.days) {
            self.expected.insert((Table::BusinessDay, key), row);
        }
        for row in rows {
            if row.table == Table::Account {
                self.weigh(&row);
            }
            self.row(&row);
        }
        self.found.extend(self.expected.values().map(Row::missing));
        for (currency, trial) in &self.report.trial {
            if trial.debit != trial.credit {
                let (want, got) = (format!("debits {}", trial.debit), format!("credits {}", trial.credit));
                self.found.push(Finding::new(Place::Currency(*currency), want, got));
            }
        }
        for kept in self.kept.values() {
            for (table, number) in &kept.waiting {
                let row = match table {
                    Table::Lane => kept.lanes.get(number).map(|(row, ..)| row),
                    Table::Hold => kept.hold.as_ref().map(|(row, ..)| row),
                    _ => kept.row.as_ref(),
                };
                self.found.extend(row.map(Row::missing));
            }
        }
        (self.report, self.found)
    }

    /// The accounts as the blocks so far leave them.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountState> {
        self.accounts.values()
    }

    fn find(&mut self, place: Place, want: impl Into<String>, got: impl Into<String>) {
        self.found.push(Finding::new(place, want, got));
    }

    fn item(&self) -> Place {
        Place::Item { block: self.at.block, item: usize::try_from(self.at.idx).unwrap_or(usize::MAX) }
    }

    fn body(&mut self, item: usize, body: &str) -> Option<payments::Wall> {
        let command: Command = match serde_json::from_str(body) {
            Ok(command) => command,
            Err(why) => {
                // The position only: the text may hold what nobody should read.
                let got = format!("an error in line {} column {}", why.line(), why.column());
                self.find(Place::Item { block: self.at.block, item }, "a command", got);
                return None;
            }
        };
        if serde_json::to_string(&command).ok().as_deref() != Some(body) {
            self.find(self.item(), "the canonical form of a command", "another form of it");
        }
        self.command(&command);
        Some(command.at)
    }

    fn command(&mut self, command: &Command) {
        self.days(command);
        if let Some(item) = &command.capture {
            let want = self.numbers.capture.saturating_add(1);
            self.numbers.capture = item.seq;
            self.same(format!("capture {want}"), format!("capture {}", item.seq));
            let day = Some(item.date);
            if self.open_day.is_some() && day != self.open_day && day != self.closing {
                let want = format!("a capture of {:?} or {:?}", self.open_day, self.closing);
                self.find(self.item(), want, format!("one of {}", item.date));
            }
            let of = command.payment.as_ref().map(payment_of);
            if of != Some(item.payment) || !soundness::capture_is_posted(command, item) {
                self.find(self.item(), "a capture with its payment and its journal", "one without");
            }
        }
        if let Some(write) = &command.payment {
            self.payment(command, write);
        }
        let entries = self.money(command);
        command.lanes.iter().for_each(|write| self.lane(write));
        self.stans.extend(command.stan);
        if let Some(event) = &command.outbox {
            let want = self.numbers.outbox.saturating_add(1);
            self.numbers.outbox = event.seq;
            self.same(format!("event {want}"), format!("event {}", event.seq));
        }
        for row in expect::facts(self.at, command, &entries) {
            let place = row.place();
            if self.expected.insert((row.table, row.key()), row).is_some() {
                self.find(place, "once", "twice in a block");
            }
        }
    }

    fn same(&mut self, want: String, got: String) {
        if want != got {
            self.find(self.item(), want, got);
        }
    }

    fn days(&mut self, command: &Command) {
        if let Some(day) = command.day_opened {
            if self.closing.is_some() || self.open_day.is_some_and(|open| open >= day) {
                let want = format!("a day behind {:?}, {:?} closed", self.open_day, self.closing);
                self.find(self.item(), want, format!("{day} opened"));
            }
            self.closing = self.open_day.replace(day);
            let row = expect::day(self.at, day);
            self.days.insert(row.key(), row);
        }
        if let Some(day) = command.day_closed {
            if self.closing != Some(day) {
                self.find(self.item(), format!("{:?} closed", self.closing), format!("{day} closed"));
            }
            self.closing = None;
            if let Some(row) = self.days.get_mut(&vec![Value::from(day)]) {
                row.set("closed_block", self.at.block);
                row.set("closed_idx", self.at.idx);
            }
        }
    }

    fn payment(&mut self, command: &Command, write: &PaymentWrite) {
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
        let exposed = command.journals.iter().any(|journal| journal.kind == crate::JournalKind::Exposure);
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

    fn money(&mut self, command: &Command) -> Vec<EntryNumbers> {
        let mut touched = BTreeMap::new();
        if let Some(HoldWrite::Release { payment, account, amount }) = command.hold {
            let key = (account, amount.currency());
            touched.insert(key, self.available(&key));
            self.release(payment, key, amount);
        }
        let mut entries = Vec::new();
        for journal in &command.journals {
            let want = self.numbers.journal.saturating_add(1);
            self.numbers.journal = journal.number;
            self.same(format!("journal {want}"), format!("journal {}", journal.number));
            if let Err(why) = soundness::journal(journal) {
                let place = Place::Row { table: Table::Journal, key: format!("number={}", journal.number) };
                self.find(place, "a balanced journal", why);
            }
            self.post(journal, &mut touched, &mut entries);
        }
        if let Some(HoldWrite::Place { payment, account, amount }) = command.hold {
            let key = (account, amount.currency());
            touched.entry(key).or_insert_with(|| self.available(&key));
            self.place(payment, key, amount);
        }
        for (key, before) in touched {
            let available = self.available(&key);
            let broken = self.accounts.get(&key).filter(|a| a.floor_minor.is_some_and(|floor| available < floor));
            if let Some(account) = broken.filter(|_| available < before) {
                let (place, floor) = (expect::account(account).place(), account.floor_minor);
                self.find(place, format!("{floor:?} or more"), format!("{available} in block {}", self.at.block));
            }
        }
        entries
    }

    fn post(&mut self, journal: &Journal, touched: &mut BTreeMap<(AccountCode, Currency), i64>, entries: &mut Vec<EntryNumbers>) {
        for line in &journal.lines {
            let key = (line.account, line.amount.currency());
            touched.entry(key).or_insert_with(|| self.available(&key));
            let account = self.account(key);
            let side = match line.side {
                Side::Debit => &mut account.balances.posted_debit,
                Side::Credit => &mut account.balances.posted_credit,
            };
            let sum = side.checked_add(line.amount.minor());
            *side = sum.unwrap_or(i64::MAX);
            account.version = account.version.saturating_add(1);
            let balance_after = account.balances.posted_credit.saturating_sub(account.balances.posted_debit);
            entries.push(EntryNumbers { account: account.id, version: account.version, balance_after });
            if sum.is_none() {
                let place = expect::account(account).place();
                self.find(place, "a sum that fits", format!("an overflow in block {}", self.at.block));
            }
        }
    }

    fn available(&self, key: &(AccountCode, Currency)) -> i64 {
        self.accounts.get(key).map_or(0, |account| account.balances.available())
    }

    /// The account; a new one takes the next number.
    fn account(&mut self, (code, currency): (AccountCode, Currency)) -> &mut AccountState {
        let last = &mut self.numbers.account;
        self.accounts.entry((code, currency)).or_insert_with(|| {
            *last = last.saturating_add(1);
            let floor_minor = floor_of(&code);
            AccountState { id: *last, code, currency, floor_minor, balances: Balances::default(), version: 0 }
        })
    }

    fn place(&mut self, payment: PaymentId, key: (AccountCode, Currency), amount: payments::Amount) {
        let at = self.at;
        let account = self.account(key);
        account.balances.pending_debit = account.balances.pending_debit.saturating_add(amount.minor());
        let row = expect::hold(at, payment, account.id, amount);
        let place = row.place();
        let kept = self.kept.entry(payment).or_default();
        kept.waiting.insert((Table::Hold, 0));
        if kept.hold.replace((row, key.0, amount, false)).is_some() {
            self.find(place, "one hold", "another one");
        }
    }

    fn release(&mut self, payment: PaymentId, key: (AccountCode, Currency), amount: payments::Amount) {
        let place = expect::hold(self.at, payment, 0, amount).place();
        let hold = self.kept.get_mut(&payment).and_then(|kept| Some((kept.hold.as_mut()?, &kept.waiting)));
        let fits = match hold {
            Some(((row, code, held, released), waiting))
                if (*code, *held) == (key.0, amount) && !*released && waiting.contains(&(Table::Hold, 0)) =>
            {
                *released = true;
                expect::hold_released(row, self.at);
                true
            }
            _ => false,
        };
        if !fits {
            self.find(place, "an open hold of this amount, released by its row", "none");
        }
        if let Some(account) = self.accounts.get_mut(&key) {
            account.balances.pending_debit = account.balances.pending_debit.saturating_sub(amount.minor());
        }
    }

    fn lane(&mut self, write: &LaneWrite) {
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

    /// Holds a stored row against what is expected.
    fn row(&mut self, row: &Row) {
        *self.report.rows.entry(row.table).or_default() += 1;
        let finding = match row.table {
            Table::Payment | Table::Hold | Table::Lane => self.changing(row),
            _ => match self.expected.remove(&(row.table, row.key())) {
                Some(expected) => expected.compare(row),
                None => Some(row.unexpected()),
            },
        };
        self.found.extend(finding);
    }

    /// A row that changed for the last time in this block.
    fn changing(&mut self, row: &Row) -> Option<Finding> {
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

    /// Adds a stored account to the trial balance.
    fn weigh(&mut self, row: &Row) {
        let Some(currency) = u16::try_from(int(row, "currency")).ok().and_then(|code| Currency::from_numeric(code).ok()) else {
            return;
        };
        let trial = self.report.trial.entry(currency).or_default();
        trial.accounts = trial.accounts.saturating_add(1);
        trial.debit = trial.debit.saturating_add(int(row, "posted_debit").into());
        trial.credit = trial.credit.saturating_add(int(row, "posted_credit").into());
    }
}

fn int(row: &Row, column: &str) -> i64 {
    match row.get(column) {
        Some(Value::Int(value)) => *value,
        _ => 0,
    }
}
