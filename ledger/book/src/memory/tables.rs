//! The tables of a shard, and how a batch fills them.

use std::collections::{BTreeMap, BTreeSet};

use payments::{Answer, BusinessDate, PaymentId, ResponseCode, Rrn, Text};

use crate::accounts::{AccountCode, AccountState};
use crate::block::{BlockNo, Hash};
use crate::book::unresolved;
use crate::claim::{BodyHash, ClaimKey};
use crate::command::{
    Capture, Command, EvidenceRow, HoldWrite, Journal, LaneEnd, LaneItem, LaneWrite, Outbox, PaymentWrite, TakenClaim,
};
use crate::store::{Batch, ClaimRecord, EntryNumbers, Found, Lookup, Marks, OpenLane, PaymentRecord, Snapshot};

/// A claim as kept.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimRow {
    /// What is compared.
    pub body: BodyHash,
    /// Planted by a reversal.
    pub tombstone: bool,
    /// Its payment.
    pub payment: Option<PaymentId>,
    /// For retention.
    pub on: BusinessDate,
    /// The answer for repeats; a later one replaces an earlier one.
    pub answer: Option<Answer>,
}

/// An owed message, open or ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneRow {
    /// The item.
    pub item: LaneItem,
    /// How it ended, once it did.
    pub end: Option<(LaneEnd, Option<ResponseCode>)>,
}

/// A hold, open or released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldRow {
    /// The account.
    pub account: AccountCode,
    /// How much.
    pub amount: payments::Amount,
    /// Whether it ended.
    pub released: bool,
}

/// Everything that is committed in a shard.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// The blocks in order, from number 1.
    pub blocks: Vec<Batch>,
    /// Claims and tombstones.
    pub claims: BTreeMap<ClaimKey, ClaimRow>,
    /// Payments; the facts hold the latest egress.
    pub payments: BTreeMap<PaymentId, PaymentRecord>,
    /// Owed messages by payment and number.
    pub lanes: BTreeMap<(PaymentId, i16), LaneRow>,
    /// Those of them that are still owed.
    pub owed: BTreeSet<(PaymentId, i16)>,
    /// Capture items by payment and number.
    pub captures: BTreeMap<(PaymentId, i16), Capture>,
    /// Holds by payment.
    pub holds: BTreeMap<PaymentId, HoldRow>,
    /// Accounts by number.
    pub accounts: BTreeMap<i64, AccountState>,
    /// Journals with the numbers of their entries, by number.
    pub journals: BTreeMap<i64, (Journal, Vec<EntryNumbers>)>,
    /// Facts for presentment and disputes; the latest of a payment.
    pub evidence: BTreeMap<PaymentId, EvidenceRow>,
    /// Events by number.
    pub outbox: BTreeMap<i64, Outbox>,
    /// The open day.
    pub day: Option<BusinessDate>,
    /// The day that was cut and is not closed.
    pub closing: Option<BusinessDate>,
    /// Marks of the last block.
    pub marks: Marks,
    rrns: BTreeMap<(Text<8>, Rrn), BTreeSet<PaymentId>>,
    open: BTreeSet<PaymentId>,
}

impl Tables {
    /// The last block's number and hash.
    pub fn head(&self) -> (BlockNo, Hash) {
        self.blocks.last().map_or((BlockNo(0), Hash::GENESIS), |block| (block.header.number, block.hash))
    }

    /// A block by its number.
    pub fn block(&self, number: BlockNo) -> Option<&Batch> {
        let index = usize::try_from(number.0.checked_sub(1)?).ok()?;
        self.blocks.get(index)
    }

    /// What a new owner starts from.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            head: self.head(),
            accounts: self.accounts.values().copied().collect(),
            journal: self.journals.last_key_value().map_or(0, |(number, _)| *number),
            capture: self.captures.values().map(|item| item.seq).max().unwrap_or(0),
            outbox: self.outbox.last_key_value().map_or(0, |(number, _)| *number),
            day: self.day,
            closing: self.closing,
            open: self.open.iter().filter_map(|id| self.payments.get(id).cloned()).collect(),
            lanes: self.open_lanes((PaymentId::FIRST, 0), Snapshot::LANES),
            more_lanes: self.owed.len() > Snapshot::LANES,
            marks: self.marks.clone(),
        }
    }

    /// What a lookup finds.
    pub fn lookup(&self, what: &Lookup) -> Found {
        match what {
            Lookup::Claim(key) => Found::Claim(self.claims.get(key).map(|row| {
                Box::new(ClaimRecord {
                    body: row.body,
                    tombstone: row.tombstone,
                    answer: row.answer.clone(),
                    payment: row.payment.and_then(|id| self.payments.get(&id).cloned()),
                })
            })),
            Lookup::Payment(id) => Found::Payments(self.payments.get(id).cloned().into_iter().collect()),
            Lookup::Rrn { terminal, rrn } => {
                let ids = self.rrns.get(&(*terminal, *rrn)).into_iter().flatten();
                Found::Payments(ids.filter_map(|id| self.payments.get(id).cloned()).collect())
            }
            Lookup::Lanes { after, max } => Found::Lanes(self.open_lanes(*after, *max)),
            Lookup::Dead(id) => Found::Dead(*id, self.dead(*id).map(Box::new)),
        }
    }

    fn dead(&self, id: PaymentId) -> Option<OpenLane> {
        let payment = self.payments.get(&id)?;
        let row = self.lanes.get(&(id, payment.lane_items))?;
        matches!(row.end, Some((LaneEnd::Dead, _))).then(|| OpenLane { item: row.item.clone(), payment: payment.clone() })
    }

    fn open_lanes(&self, after: (PaymentId, i16), max: usize) -> Vec<OpenLane> {
        let behind = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
        let lane = |key: &(PaymentId, i16)| {
            Some(OpenLane { item: self.lanes.get(key)?.item.clone(), payment: self.payments.get(&key.0)?.clone() })
        };
        self.owed.range(behind).take(max).filter_map(lane).collect()
    }

    /// Fills in a batch that was checked.
    pub(super) fn apply(&mut self, batch: &Batch) {
        for item in &batch.items {
            self.apply_command(&item.command, &item.entries);
        }
        self.accounts.extend(batch.accounts.iter().map(|write| (write.state.id, write.state)));
        self.marks = batch.marks.clone();
        self.blocks.push(batch.clone());
    }

    fn apply_command(&mut self, command: &Command, entries: &[EntryNumbers]) {
        let claims = command.claim.iter().map(|claim| (claim, false));
        for (claim, tombstone) in claims.chain(command.tombstone.iter().map(|claim| (claim, true))) {
            let TakenClaim { key, body, payment, on } = *claim;
            self.claims.insert(key, ClaimRow { body, tombstone, payment, on, answer: None });
        }
        if let Some(write) = &command.payment {
            self.apply_payment(write);
        }
        for (key, answer) in &command.answers {
            if let Some(row) = self.claims.get_mut(key) {
                row.answer = Some(answer.clone());
            }
        }
        let mut entries = entries.iter();
        for journal in &command.journals {
            let numbers = entries.by_ref().take(journal.lines.len()).copied().collect();
            self.journals.insert(journal.number, (journal.clone(), numbers));
        }
        match command.hold {
            Some(HoldWrite::Place { payment, account, amount }) => {
                self.holds.insert(payment, HoldRow { account, amount, released: false });
            }
            Some(HoldWrite::Release { payment, .. }) => {
                if let Some(row) = self.holds.get_mut(&payment) {
                    row.released = true;
                }
            }
            None => {}
        }
        if let Some(item) = command.capture {
            self.captures.insert((item.payment, item.number), item);
        }
        command.lanes.iter().for_each(|write| self.apply_lane(write));
        if let Some(row) = &command.evidence {
            self.evidence.insert(row.payment, row.clone());
        }
        if let Some(date) = command.day_opened {
            self.closing = self.day.replace(date);
        }
        if command.day_closed.is_some() {
            self.closing = None;
        }
        if let Some(event) = &command.outbox {
            self.outbox.insert(event.seq, event.clone());
        }
    }

    fn apply_payment(&mut self, write: &PaymentWrite) {
        let (id, standing) = match write {
            PaymentWrite::Open { facts, standing, .. } => {
                if let Some(head) = &facts.head {
                    self.rrns.entry((head.terminal, facts.rrn)).or_default().insert(facts.id);
                }
                let record = PaymentRecord { facts: (**facts).clone(), standing: *standing, lane_items: 0 };
                self.payments.insert(facts.id, record);
                (facts.id, standing)
            }
            PaymentWrite::Change { id, standing, egress, .. } => {
                if let Some(record) = self.payments.get_mut(id) {
                    record.standing = *standing;
                    if let Some(egress) = egress {
                        record.facts.egress = Some((**egress).clone());
                    }
                }
                (*id, standing)
            }
        };
        if unresolved(standing.state) {
            self.open.insert(id)
        } else {
            self.open.remove(&id)
        };
    }

    fn apply_lane(&mut self, write: &LaneWrite) {
        match write {
            LaneWrite::Owe(item) => {
                let key = (item.payment, item.number);
                self.lanes.insert(key, LaneRow { item: (**item).clone(), end: None });
                self.owed.insert(key);
                if let Some(record) = self.payments.get_mut(&item.payment) {
                    record.lane_items = record.lane_items.max(item.number);
                }
            }
            LaneWrite::End { payment, number, end, code } => {
                let key = (*payment, *number);
                self.owed.remove(&key);
                if let Some(row) = self.lanes.get_mut(&key) {
                    row.end = Some((*end, *code));
                }
            }
        }
    }
}
