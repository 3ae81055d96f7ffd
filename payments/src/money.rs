//! Money: integer minor units and a currency, never apart, never a float.

use std::fmt;

use serde::{Deserialize, Serialize};

/// ISO 4217 currency by its numeric code, for example 840 for USD, 978 for EUR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Currency(u16);

/// Why an amount or a currency was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a currency of ISO 4217.
    #[error("{0:03} is not a currency of ISO 4217")]
    UnknownCurrency(u16),
    /// Two currencies where one was wanted.
    #[error("amount in {got}, wanted {want}")]
    CurrencyMismatch {
        /// Currency wanted.
        want: Currency,
        /// Currency given.
        got: Currency,
    },
    /// The sum or difference does not fit, or fell below zero.
    #[error("amount out of range")]
    OutOfRange,
}

impl Currency {
    /// US dollar.
    pub const USD: Self = Self(840);
    /// Euro.
    pub const EUR: Self = Self(978);
    /// Yen, which has no minor unit.
    pub const JPY: Self = Self(392);

    /// From the ISO 4217 numeric code.
    pub fn from_numeric(code: u16) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_numeric(code).map(|_| Self(code)).ok_or(MoneyError::UnknownCurrency(code))
    }

    /// From the ISO 4217 alphabetic code (`"EUR"`).
    pub fn from_alpha(code: &str) -> Option<Self> {
        iso_currency::Currency::from_code(code).map(|c| Self(c.numeric()))
    }

    /// The numeric code.
    pub fn numeric(self) -> u16 {
        self.0
    }

    /// The alphabetic code.
    pub fn alpha(self) -> &'static str {
        iso_currency::Currency::from_numeric(self.0).map_or("XXX", |c| c.code())
    }

    /// Digits behind the decimal point: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u8 {
        iso_currency::Currency::from_numeric(self.0).and_then(|c| c.exponent()).and_then(|e| u8::try_from(e).ok()).unwrap_or(0)
    }
}

impl TryFrom<u16> for Currency {
    type Error = MoneyError;
    fn try_from(code: u16) -> Result<Self, MoneyError> {
        Self::from_numeric(code)
    }
}

impl From<Currency> for u16 {
    fn from(currency: Currency) -> u16 {
        currency.0
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpha())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpha())
    }
}

/// A non-negative amount in minor units of its currency. Direction (debit or credit) is never a
/// sign: it stands in the kind of the movement.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Amount {
    minor: i64,
    currency: Currency,
}

impl Amount {
    /// The largest amount that DE4 (n 12) can carry.
    pub const MAX_DE4: i64 = 999_999_999_999;

    /// From minor units; negative is refused.
    pub fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if minor < 0 { Err(MoneyError::OutOfRange) } else { Ok(Self { minor, currency }) }
    }

    /// Nothing of a currency.
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Minor units.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The sum, of one currency only.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Ok(Self { minor: self.minor.checked_add(other.minor).ok_or(MoneyError::OutOfRange)?, ..self })
    }

    /// The difference, of one currency only; below zero is refused.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.minor.checked_sub(other.minor).ok_or(MoneyError::OutOfRange)?, self.currency)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch { want: self.currency, got: other.currency })
        }
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Decimal notation with the currency's exponent: `12.34 EUR`, `1234 JPY`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = usize::from(self.currency.exponent());
        if exponent == 0 {
            return write!(f, "{} {}", self.minor, self.currency);
        }
        let digits = format!("{:0width$}", self.minor, width = exponent + 1);
        let (whole, part) = digits.split_at(digits.len() - exponent);
        write!(f, "{whole}.{part} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print_with_the_exponent_of_their_currency() {
        let kwd = Currency::from_alpha("KWD").unwrap();
        assert_eq!(Amount::new(5, Currency::EUR).unwrap().to_string(), "0.05 EUR");
        assert_eq!(Amount::new(1234, Currency::JPY).unwrap().to_string(), "1234 JPY");
        assert_eq!(Amount::new(1234, kwd).unwrap().to_string(), "1.234 KWD");
    }

    #[test]
    fn currencies_never_mix_and_sums_never_wrap() {
        let euro = Amount::new(i64::MAX, Currency::EUR).unwrap();
        assert_eq!(euro.checked_add(Amount::new(1, Currency::EUR).unwrap()), Err(MoneyError::OutOfRange));
        assert!(matches!(euro.checked_add(Amount::zero(Currency::USD)), Err(MoneyError::CurrencyMismatch { .. })));
        assert_eq!(Amount::zero(Currency::EUR).checked_sub(euro), Err(MoneyError::OutOfRange));
    }
}
