//! Amounts: `ActiveCurrencyAndAmount` as integer minor units of a currency of ISO 4217. The decimal
//! on the wire never becomes a float.

use std::fmt;

use crate::error::Content;

/// A currency of ISO 4217 that has a minor unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CurrencyCode {
    alpha: [u8; 3],
    exponent: u8,
}

impl CurrencyCode {
    /// From the alphabetic code. Metals and funds codes without a minor unit (XAU, XDR, XXX) are refused:
    /// an amount of them cannot be kept in minor units.
    pub fn new(alpha: &str) -> Result<Self, Content> {
        let bytes: [u8; 3] = alpha.as_bytes().try_into().map_err(|_| Content::Currency)?;
        if !bytes.iter().all(u8::is_ascii_uppercase) {
            return Err(Content::Currency);
        }
        let exponent = iso_currency::Currency::from_code(alpha).and_then(|c| c.exponent()).ok_or(Content::Currency)?;
        Ok(Self { alpha: bytes, exponent: u8::try_from(exponent).map_err(|_| Content::Currency)? })
    }

    /// The alphabetic code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.alpha).unwrap_or_default()
    }

    /// Digits behind the point: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(&self) -> u8 {
        self.exponent
    }
}

impl fmt::Debug for CurrencyCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount greater than zero, at most 18 digits in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Amount {
    minor: i64,
    currency: CurrencyCode,
}

impl Amount {
    /// The largest number of minor units: 18 digits.
    pub const MAX_MINOR: i64 = 999_999_999_999_999_999;

    /// From minor units.
    pub fn new(minor: i64, currency: CurrencyCode) -> Result<Self, Content> {
        match minor {
            ..=0 => Err(Content::Zero),
            1..=Self::MAX_MINOR => Ok(Self { minor, currency }),
            _ => Err(Content::Digits),
        }
    }

    /// From a decimal as it stands on the wire (`xs:decimal`, 18 digits, 5 behind the point). Zeros
    /// behind the currency's last digit are accepted, other digits there are not.
    pub fn parse(decimal: &str, currency: CurrencyCode) -> Result<Self, Content> {
        let value = Decimal::parse(decimal, 18, 5)?;
        if value.negative {
            return Err(Content::Decimal);
        }
        let missing = currency.exponent.checked_sub(value.scale).ok_or(Content::Exponent { exponent: currency.exponent })?;
        let minor = 10i128.checked_pow(u32::from(missing)).and_then(|factor| factor.checked_mul(value.unscaled));
        Self::new(minor.and_then(|minor| i64::try_from(minor).ok()).ok_or(Content::Digits)?, currency)
    }

    /// Minor units.
    pub fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub fn currency(self) -> CurrencyCode {
        self.currency
    }

    /// The decimal with all digits of the currency: `12.34`, `1234` for JPY.
    pub fn decimal(self) -> String {
        let exponent = usize::from(self.currency.exponent);
        let digits = format!("{:0width$}", self.minor, width = exponent + 1);
        let (whole, part) = digits.split_at(digits.len().saturating_sub(exponent));
        if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
    }

    /// Whether a decimal (a control sum) is this amount.
    pub(crate) fn equals(self, decimal: &Decimal) -> bool {
        Decimal::parse(&self.decimal(), 18, 5).is_ok_and(|own| own == *decimal)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency.as_str())
    }
}

/// A decimal number without trailing zeros behind the point: `unscaled / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    unscaled: i128,
    scale: u8,
}

impl Decimal {
    /// Reads an `xs:decimal`; leading zeros and trailing zeros behind the point do not count as digits.
    pub(crate) fn parse(text: &str, digits: usize, fraction: usize) -> Result<Self, Content> {
        let (negative, text) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..).unwrap_or_default()),
            Some(b'+') => (false, text.get(1..).unwrap_or_default()),
            _ => (false, text),
        };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit());
        if !all_digits || whole.len() + part.len() == 0 {
            return Err(Content::Decimal);
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        if whole.len() + part.len() > digits || part.len() > fraction {
            return Err(Content::Decimal);
        }
        let add = |sum: i128, digit: u8| sum.checked_mul(10)?.checked_add(i128::from(digit - b'0'));
        let unscaled = whole.bytes().chain(part.bytes()).try_fold(0, add).ok_or(Content::Decimal)?;
        Ok(Self { negative: negative && unscaled != 0, unscaled, scale: u8::try_from(part.len()).map_err(|_| Content::Decimal)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(decimal: &str, currency: &str) -> Result<i64, Content> {
        Amount::parse(decimal, CurrencyCode::new(currency)?).map(Amount::minor)
    }

    #[test]
    fn a_decimal_becomes_minor_units_of_its_currency() {
        assert_eq!(parse("12500.75", "EUR"), Ok(1_250_075));
        assert_eq!(parse("12500.7", "EUR"), Ok(1_250_070));
        assert_eq!(parse("+0012.", "EUR"), Ok(1200));
        assert_eq!(parse(".5", "KWD"), Ok(500));
        assert_eq!(parse("100.00", "JPY"), Ok(100));
        assert_eq!(parse("9999999999999999.99", "EUR"), Ok(Amount::MAX_MINOR));
    }

    #[test]
    fn what_no_currency_can_hold_is_refused() {
        assert_eq!(parse("1.001", "EUR"), Err(Content::Exponent { exponent: 2 }));
        assert_eq!(parse("0.5", "JPY"), Err(Content::Exponent { exponent: 0 }));
        assert_eq!(parse("99999999999999999", "EUR"), Err(Content::Digits));
        assert_eq!(parse("0.00", "EUR"), Err(Content::Zero));
        for wrong in ["", ".", "-1", "1,5", "NaN", "1e3", "1.2.3", "1234567890123456789", "0.000001", " 1"] {
            assert_eq!(parse(wrong, "EUR"), Err(Content::Decimal), "{wrong}");
        }
        for unknown in ["XAU", "XXX", "ZZZ", "eur", "EURO"] {
            assert_eq!(parse("1", unknown), Err(Content::Currency), "{unknown}");
        }
    }

    #[test]
    fn amounts_are_written_with_all_digits_of_their_currency() {
        let write = |minor, currency| Amount::new(minor, CurrencyCode::new(currency).unwrap()).unwrap().decimal();
        assert_eq!(write(5, "EUR"), "0.05");
        assert_eq!(write(1234, "JPY"), "1234");
        assert_eq!(write(1234, "KWD"), "1.234");
    }
}
