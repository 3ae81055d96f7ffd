//! What the book remembers of claims and payments: the recent ones, bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use payments::{Currency, PaymentId};

use crate::accounts::AccountCode;
use crate::claim::ClaimKey;
use crate::command::{PaymentKind, Standing};

/// What is known of a payment. Everything optional is unknown when absent.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// What it is about.
    pub(super) kind: Option<PaymentKind>,
    /// Its currency.
    pub(super) currency: Option<Currency>,
    /// Where it stands.
    pub(super) standing: Option<Standing>,
    /// Its lane items so far, where all are known.
    pub(super) lane_items: Option<i16>,
    /// Lane items that are known, and whether they are still owed.
    pub(super) lanes: BTreeMap<i16, bool>,
    /// Its hold.
    pub(super) hold: HoldKnown,
}

/// What is known of a payment's hold. A payment has at most one in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum HoldKnown {
    /// Nothing is known.
    #[default]
    Unknown,
    /// There was none yet.
    None,
    /// Open, on this account, over this many minor units of this currency.
    Open(AccountCode, Currency, i64),
    /// Released.
    Released,
}

/// The payments that changed last.
#[derive(Debug, Default)]
pub(super) struct RecentPayments {
    known: BTreeMap<PaymentId, (u64, Known)>,
    order: BTreeMap<u64, PaymentId>,
    stamp: u64,
}

impl RecentPayments {
    pub(super) fn get(&self, id: &PaymentId) -> Option<&Known> {
        self.known.get(id).map(|(_, known)| known)
    }

    /// Remembers a payment as the latest and forgets the one that was left alone longest.
    pub(super) fn put(&mut self, id: PaymentId, known: Known, most: usize) {
        self.stamp = self.stamp.wrapping_add(1);
        if let Some((before, _)) = self.known.insert(id, (self.stamp, known)) {
            self.order.remove(&before);
        }
        self.order.insert(self.stamp, id);
        while self.known.len() > most {
            match self.order.pop_first() {
                Some((_, oldest)) => self.known.remove(&oldest),
                None => return,
            };
        }
    }
}

/// The claims that were taken last.
#[derive(Debug, Default)]
pub(super) struct RecentClaims {
    keys: BTreeSet<ClaimKey>,
    order: VecDeque<ClaimKey>,
}

impl RecentClaims {
    pub(super) fn contains(&self, key: &ClaimKey) -> bool {
        self.keys.contains(key)
    }

    pub(super) fn put(&mut self, key: ClaimKey, most: usize) {
        if self.keys.insert(key) {
            self.order.push_back(key);
        }
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_claims_and_payments_is_bounded_and_drops_the_oldest() {
        let (mut claims, mut payments) = (RecentClaims::default(), RecentPayments::default());
        let id = |n: u8| PaymentId(uuid::Uuid::from_u128(u128::from(n)));
        for n in 0..4 {
            claims.put(ClaimKey([n; 16]), 3);
            payments.put(id(n), Known::default(), 3);
        }
        assert!(!claims.contains(&ClaimKey([0; 16])) && claims.contains(&ClaimKey([3; 16])));
        assert!(payments.get(&id(0)).is_none() && payments.get(&id(1)).is_some());
        payments.put(id(1), Known::default(), 3);
        payments.put(id(9), Known::default(), 3);
        assert!(payments.get(&id(1)).is_some(), "what was touched again is not the oldest");
        assert!(payments.get(&id(2)).is_none());
    }
}
