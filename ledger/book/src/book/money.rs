//! Journals, holds, balances, floors.

use std::collections::BTreeMap;

use payments::Currency;

use super::Refusal;
use super::layer::{AccountKey, Trial};
use super::recent::HoldKnown;
use crate::accounts::{AccountCode, AccountState, Balances, Side, floor_of};
use crate::command::{HoldWrite, Journal};
use crate::store::EntryNumbers;

/// The next of a run of numbers.
pub(super) fn next(last: &mut i64) -> Result<i64, Refusal> {
    *last = last.checked_add(1).ok_or(Refusal::Overflow)?;
    Ok(*last)
}

/// Posts journals and a hold in the order that lets a release pay for a debit of the same command,
/// then looks at the floors of everything that was touched.
pub(super) fn post(
    trial: &mut Trial<'_>,
    journals: &mut [Journal],
    hold: Option<&HoldWrite>,
) -> Result<Vec<EntryNumbers>, Refusal> {
    if let Some(HoldWrite::Release { payment, account, amount }) = hold {
        release(trial, *payment, *account, amount.currency(), amount.minor())?;
    }
    let mut entries = Vec::new();
    for journal in journals {
        balanced(journal)?;
        journal.number = next(&mut trial.mine.numbers.journal)?;
        for line in &journal.lines {
            entries.push(enter(trial, (line.account, line.amount.currency()), line.side, line.amount.minor())?);
        }
    }
    if let Some(HoldWrite::Place { payment, account, amount }) = hold {
        place(trial, *payment, *account, amount.currency(), amount.minor())?;
    }
    floors(trial)?;
    Ok(entries)
}

/// Two or more lines, none of zero, debits equal to credits in each currency.
fn balanced(journal: &Journal) -> Result<(), Refusal> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for line in &journal.lines {
        let minor = i128::from(line.amount.minor());
        if minor <= 0 || line.account.is_empty() {
            return Err(Refusal::Unbalanced);
        }
        let sum = sums.entry(line.amount.currency()).or_default();
        *sum += match line.side {
            Side::Debit => -minor,
            Side::Credit => minor,
        };
    }
    if journal.lines.len() < 2 || sums.values().any(|sum| *sum != 0) {
        return Err(Refusal::Unbalanced);
    }
    Ok(())
}

/// One entry: the account is opened if it is new.
fn enter(trial: &mut Trial<'_>, key: AccountKey, side: Side, minor: i64) -> Result<EntryNumbers, Refusal> {
    let mut account = opened(trial, &key)?;
    let posted = match side {
        Side::Debit => &mut account.balances.posted_debit,
        Side::Credit => &mut account.balances.posted_credit,
    };
    *posted = posted.checked_add(minor).ok_or(Refusal::Overflow)?;
    account.version = account.version.checked_add(1).ok_or(Refusal::Overflow)?;
    trial.mine.accounts.insert(key, account);
    Ok(EntryNumbers { account: account.id, version: account.version, balance_after: account.balances.net_credit() })
}

fn place(
    trial: &mut Trial<'_>,
    payment: payments::PaymentId,
    code: AccountCode,
    currency: Currency,
    minor: i64,
) -> Result<(), Refusal> {
    if minor <= 0 {
        return Err(Refusal::Unbalanced);
    }
    let known = trial.payment_mut(payment);
    if matches!(known.hold, HoldKnown::Open(..) | HoldKnown::Released) {
        return Err(Refusal::Duplicate);
    }
    known.hold = HoldKnown::Open(code, currency, minor);
    let key = (code, currency);
    let mut account = opened(trial, &key)?;
    let pending = &mut account.balances.pending_debit;
    *pending = pending.checked_add(minor).ok_or(Refusal::Overflow)?;
    trial.mine.accounts.insert(key, account);
    Ok(())
}

fn release(
    trial: &mut Trial<'_>,
    payment: payments::PaymentId,
    code: AccountCode,
    currency: Currency,
    minor: i64,
) -> Result<(), Refusal> {
    let known = trial.payment_mut(payment);
    match known.hold {
        HoldKnown::Unknown => {}
        HoldKnown::Open(on, of, held) if (on, of, held) == (code, currency, minor) => {}
        HoldKnown::Open(..) | HoldKnown::None | HoldKnown::Released => return Err(Refusal::Duplicate),
    }
    known.hold = HoldKnown::Released;
    let key = (code, currency);
    let mut account = trial.account(&key).ok_or(Refusal::Duplicate)?;
    if minor <= 0 || account.balances.pending_debit < minor {
        return Err(Refusal::Duplicate);
    }
    account.balances.pending_debit -= minor;
    trial.mine.accounts.insert(key, account);
    Ok(())
}

/// The account, opened with the next number where it is new.
fn opened(trial: &mut Trial<'_>, key: &AccountKey) -> Result<AccountState, Refusal> {
    if let Some(account) = trial.account(key) {
        return Ok(account);
    }
    let id = next(&mut trial.mine.numbers.account)?;
    let (code, currency) = *key;
    Ok(AccountState { id, code, currency, floor_minor: floor_of(&code), balances: Balances::default(), version: 0 })
}

/// No account that has a floor may end below it by this command. Money that comes in is always
/// welcome, also where it does not reach the floor yet.
fn floors(trial: &Trial<'_>) -> Result<(), Refusal> {
    for (key, account) in &trial.mine.accounts {
        let available = account.balances.available();
        let before = trial.before(key).map_or(0, |before| before.balances.available());
        if account.floor_minor.is_some_and(|floor| available < floor && available < before) {
            return Err(Refusal::Floor(account.code));
        }
    }
    Ok(())
}
