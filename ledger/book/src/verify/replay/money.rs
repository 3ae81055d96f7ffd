//! Accounts, journals and holds of the replay.

use std::collections::BTreeMap;

use payments::{Currency, PaymentId};

use super::LedgerVerifier;
use crate::accounts::{AccountCode, AccountState, Balances, Side, floor_of};
use crate::command::{Command, HoldWrite, Journal};
use crate::store::EntryNumbers;
use crate::verify::rows::Table;
use crate::verify::{Place, expect, soundness};

impl LedgerVerifier {
    pub(super) fn money(&mut self, command: &Command) -> Vec<EntryNumbers> {
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
}
