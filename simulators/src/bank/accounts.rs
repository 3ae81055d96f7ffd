//! Accounts that both ends derive from a number, so that they hold the same ones without exchanging
//! them: IBANs of two bank codes that no bank has.

use iso20022::Iban;

use crate::Error;

/// Most accounts of one side.
pub const MAX_ACCOUNTS: u32 = 1_000_000;

/// Bank code of debtors, customers of the instructing party.
const DEBTORS: &str = "00000001";
/// Bank code of creditors, customers of the bank.
const CREDITORS: &str = "00000002";

/// How the bank treats an account. Of each 20 accounts in a row one is closed and one is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Takes money.
    Open,
    /// AC04.
    Closed,
    /// AC06.
    Blocked,
}

/// The IBAN of a debtor.
pub fn debtor(number: u32) -> Result<Iban, Error> {
    iban(DEBTORS, number)
}

/// The IBAN of a creditor.
pub fn creditor(number: u32) -> Result<Iban, Error> {
    iban(CREDITORS, number)
}

/// The number of a creditor's account, where it is one of the first `accounts`.
pub fn creditor_number(account: &str, accounts: u32) -> Option<u32> {
    let number = account.strip_prefix("DE")?.get(2..)?.strip_prefix(CREDITORS)?.parse().ok()?;
    (number < accounts && creditor(number).is_ok_and(|iban| iban.as_str() == account)).then_some(number)
}

/// How the bank treats it.
pub fn standing(number: u32) -> Standing {
    match number % 20 {
        18 => Standing::Blocked,
        19 => Standing::Closed,
        _ => Standing::Open,
    }
}

fn iban(bank: &str, number: u32) -> Result<Iban, Error> {
    Iban::with_check_digits("DE", &format!("{bank}{number:010}"))
        .map_err(|fault| Error::BadOption { option: "accounts", reason: fault.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_tells_its_number_to_the_bank_that_holds_it() {
        let account = creditor(42).unwrap();
        assert_eq!(creditor_number(account.as_str(), 100), Some(42));
        assert_eq!(creditor_number(account.as_str(), 42), None);
        assert_eq!(creditor_number(debtor(42).unwrap().as_str(), 100), None);
        assert_eq!(creditor_number("DE00000000020000000042", 100), None);
    }
}
