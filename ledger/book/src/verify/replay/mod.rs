//! The replay: the record rebuilt from the items of the blocks, and every stored row held against it.
//!
//! Memory is constant in the length of the history. A row that changes in its life (a payment, an
//! owed message, a hold) is handed over with the block of its *last* change; from then on nothing of
//! it needs to be kept, and an item that would change it later contradicts its row. What is kept is
//! the accounts, the days, and the payments that the stored rows say will still change.

mod kept;
mod money;

use std::collections::{BTreeMap, BTreeSet};

use payments::{BusinessDate, Currency, LinkId, PaymentId, Shard, Stan};

use super::expect::{self, Origin, payment_of};
use super::rows::{Row, Table, Value};
use super::{Finding, Place, soundness};
use crate::accounts::{AccountCode, AccountState};
use crate::block::BlockHeader;
use crate::book::Numbers;
use crate::command::Command;
use crate::store::Marks;
use kept::Kept;

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
