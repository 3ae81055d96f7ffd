//! Accounts: a code and a currency, with balances that only journals and holds move.

use payments::{Currency, Text};
use serde::{Deserialize, Serialize};

/// The code of an account, for example `scheme-receivable/uncleared/NET1` or
/// `merchant-payable/pending/M0001`; together with a currency it is one account.
pub type AccountCode = Text<64>;

/// Debit or credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Side {
    /// Debit.
    #[serde(rename = "D")]
    Debit,
    /// Credit.
    #[serde(rename = "C")]
    Credit,
}

/// The balances of an account, minor units. All four only grow but the pending ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Balances {
    /// Sum of all debits.
    pub posted_debit: i64,
    /// Sum of all credits.
    pub posted_credit: i64,
    /// Debits on hold.
    pub pending_debit: i64,
}

/// An account as the book holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountState {
    /// Its number in the shard.
    pub id: i64,
    /// Its code.
    pub code: AccountCode,
    /// Its currency.
    pub currency: Currency,
    /// Where it may not fall below: credits less debits less pending debits, minor units. `None` for
    /// accounts that are ours to overdraw (scheme, suspense, income).
    pub floor_minor: Option<i64>,
    /// Balances.
    pub balances: Balances,
    /// Entries so far; one per entry.
    pub version: i64,
}

impl Balances {
    /// Credits less debits.
    pub fn net_credit(&self) -> i64 {
        self.posted_credit.saturating_sub(self.posted_debit)
    }

    /// What may still be taken from an account that holds other people's money.
    pub fn available(&self) -> i64 {
        self.net_credit().saturating_sub(self.pending_debit)
    }
}

/// The floor of an account by its code: customers' accounts (`customer/…`) may not be overdrawn.
pub fn floor_of(code: &AccountCode) -> Option<i64> {
    code.as_str().starts_with("customer/").then_some(0)
}
