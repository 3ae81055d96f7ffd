//! Three layers: what is durable, what a batch adds, what one command of it adds. A refused command
//! is a layer thrown away, so nothing of it can leak.

use std::collections::{BTreeMap, BTreeSet};

use payments::{BusinessDate, Currency, LinkId, PaymentId, Stan, State};

use super::recent::{Known, RecentClaims, RecentPayments};
use super::{Book, Numbers};
use crate::accounts::{AccountCode, AccountState};
use crate::claim::ClaimKey;
use crate::store::{Marks, PaymentRecord, Snapshot};

pub(super) type AccountKey = (AccountCode, Currency);

/// The business days of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Days {
    pub(super) open: Option<BusinessDate>,
    pub(super) closing: Option<BusinessDate>,
}

/// What is durable.
#[derive(Debug, Default)]
pub(super) struct Base {
    pub(super) accounts: BTreeMap<AccountKey, AccountState>,
    pub(super) payments: RecentPayments,
    pub(super) claims: RecentClaims,
    /// Payments in state `Sent` or `Enquiring`; exact, unlike `payments`.
    pub(super) open: BTreeSet<PaymentId>,
    pub(super) stans: BTreeMap<LinkId, Stan>,
    pub(super) numbers: Numbers,
    pub(super) days: Days,
}

/// What was added on top.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    pub(super) accounts: BTreeMap<AccountKey, AccountState>,
    pub(super) payments: BTreeMap<PaymentId, Known>,
    pub(super) claims: BTreeSet<ClaimKey>,
    pub(super) stans: BTreeMap<LinkId, Stan>,
    pub(super) numbers: Numbers,
    pub(super) days: Days,
}

/// One command being checked, on top of both.
#[derive(Debug)]
pub(super) struct Trial<'a> {
    base: &'a Base,
    batch: &'a Layer,
    pub(super) mine: Layer,
}

/// Whether a payment in this state owes a resolution to whoever takes the shard over.
pub(crate) fn unresolved(state: State) -> bool {
    matches!(state, State::Sent | State::Enquiring)
}

impl Base {
    /// Takes over what a batch added.
    pub(super) fn take(&mut self, layer: Layer) {
        self.accounts.extend(layer.accounts);
        for (id, known) in layer.payments {
            match known.standing {
                Some(standing) if unresolved(standing.state) => self.open.insert(id),
                Some(_) => self.open.remove(&id),
                None => false,
            };
            self.payments.put(id, known, Book::RECENT);
        }
        layer.claims.into_iter().for_each(|key| self.claims.put(key, Book::RECENT));
        self.stans.extend(layer.stans);
        self.numbers = layer.numbers;
        self.days = layer.days;
    }

    /// The marks as they are once `layer` is durable.
    pub(super) fn marks(&self, layer: &Layer) -> Marks {
        let stans: BTreeMap<LinkId, Stan> = self.stans.iter().chain(&layer.stans).map(|(link, stan)| (*link, *stan)).collect();
        let settled = |id: &PaymentId| {
            layer.payments.get(id).and_then(|known| known.standing).is_some_and(|standing| !unresolved(standing.state))
        };
        let before = self.open.iter().find(|id| !settled(id)).copied();
        let added = layer
            .payments
            .iter()
            .find(|(_, known)| known.standing.is_some_and(|standing| unresolved(standing.state)))
            .map(|(id, _)| *id);
        Marks { stans: stans.into_iter().collect(), oldest_open: before.into_iter().chain(added).min() }
    }
}

impl From<&Snapshot> for Base {
    fn from(snapshot: &Snapshot) -> Self {
        let mut base = Self {
            accounts: snapshot.accounts.iter().map(|account| ((account.code, account.currency), *account)).collect(),
            open: snapshot.open.iter().map(|record| record.facts.id).collect(),
            stans: snapshot.marks.stans.iter().copied().collect(),
            numbers: Numbers {
                account: snapshot.accounts.iter().map(|account| account.id).max().unwrap_or(0),
                journal: snapshot.journal,
                capture: snapshot.capture,
                outbox: snapshot.outbox,
            },
            days: Days { open: snapshot.day, closing: snapshot.closing },
            ..Self::default()
        };
        let mut known: BTreeMap<PaymentId, Known> = BTreeMap::new();
        for record in &snapshot.open {
            known.insert(record.facts.id, Known::from(record));
        }
        for lane in &snapshot.lanes {
            let known = known.entry(lane.item.payment).or_insert_with(|| Known::from(&lane.payment));
            known.lanes.insert(lane.item.number, true);
        }
        known.into_iter().for_each(|(id, known)| base.payments.put(id, known, Book::RECENT));
        base
    }
}

impl From<&PaymentRecord> for Known {
    fn from(record: &PaymentRecord) -> Self {
        Self {
            kind: Some(record.facts.kind),
            currency: Some(record.facts.amount.currency()),
            standing: Some(record.standing),
            lane_items: Some(record.lane_items),
            ..Self::default()
        }
    }
}

impl Layer {
    /// Nothing added yet.
    pub(super) fn over(base: &Base) -> Self {
        Self { numbers: base.numbers, days: base.days, ..Self::default() }
    }

    /// Takes over what a command that passed added.
    pub(super) fn absorb(&mut self, mine: Layer) {
        self.accounts.extend(mine.accounts);
        self.payments.extend(mine.payments);
        self.claims.extend(mine.claims);
        self.stans.extend(mine.stans);
        self.numbers = mine.numbers;
        self.days = mine.days;
    }
}

impl<'a> Trial<'a> {
    pub(super) fn new(base: &'a Base, batch: &'a Layer) -> Self {
        let mine = Layer { numbers: batch.numbers, days: batch.days, ..Layer::default() };
        Self { base, batch, mine }
    }

    pub(super) fn finish(self) -> Layer {
        self.mine
    }

    pub(super) fn claimed(&self, key: &ClaimKey) -> bool {
        self.mine.claims.contains(key) || self.batch.claims.contains(key) || self.base.claims.contains(key)
    }

    /// What is known of a payment.
    pub(super) fn payment(&self, id: &PaymentId) -> Option<&Known> {
        self.mine.payments.get(id).or_else(|| self.batch.payments.get(id)).or_else(|| self.base.payments.get(id))
    }

    /// What is known of a payment, to be changed by this command.
    pub(super) fn payment_mut(&mut self, id: PaymentId) -> &mut Known {
        let known = self.payment(&id).cloned().unwrap_or_default();
        self.mine.payments.entry(id).or_insert(known)
    }

    /// An account as this command finds it so far.
    pub(super) fn account(&self, key: &AccountKey) -> Option<AccountState> {
        self.mine.accounts.get(key).or_else(|| self.before(key)).copied()
    }

    /// An account as it was before this command.
    pub(super) fn before(&self, key: &AccountKey) -> Option<&AccountState> {
        self.batch.accounts.get(key).or_else(|| self.base.accounts.get(key))
    }
}
