//! DE31, acquirer reference data (Mastercard) or number (Visa), one structure: use 1, BIN 6, day `YDDD`,
//! sequence 11, Luhn check digit 1.

use super::fault::Reason;

/// An acquirer reference: it names one presentment for the rest of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ard([u8; 23]);

impl Ard {
    /// Builds one with its check digit. `year` is any year (its last digit counts), `day` the day of
    /// the year 1 to 366, `sequence` below 10^11.
    pub fn build(usage: u8, bin: &[u8; 6], year: i16, day: i16, sequence: u64) -> Result<Self, Reason> {
        if usage > 9 || !bin.iter().all(u8::is_ascii_digit) || !(1..=366).contains(&day) || sequence >= 100_000_000_000 {
            return Err(Reason::Ard);
        }
        let bin: String = bin.iter().map(|digit| char::from(*digit)).collect();
        let text = format!("{usage}{bin}{}{day:03}{sequence:011}", year.rem_euclid(10));
        let digits = text.as_bytes();
        let mut ard = [b'0'; 23];
        ard.iter_mut().zip(digits).for_each(|(room, digit)| *room = *digit);
        ard[22] = b'0' + check_digit(digits);
        Ok(Self(ard))
    }

    /// From its 23 digits; the check digit must be right.
    pub fn parse(raw: &[u8]) -> Result<Self, Reason> {
        let digits: [u8; 23] = raw.try_into().map_err(|_| Reason::Ard)?;
        let day = digits.get(8..11).and_then(super::record::number).unwrap_or(0);
        if !digits.iter().all(u8::is_ascii_digit) || !(1..=366).contains(&day) {
            return Err(Reason::Ard);
        }
        match luhn_valid(&digits) {
            true => Ok(Self(digits)),
            false => Err(Reason::ArdCheckDigit),
        }
    }

    /// The 23 digits.
    pub fn as_bytes(&self) -> &[u8; 23] {
        &self.0
    }

    /// The 23 digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The acquirer's own sequence number in it.
    pub fn sequence(&self) -> u64 {
        self.0.get(11..22).and_then(super::record::number).unwrap_or(0)
    }
}

impl std::fmt::Display for Ard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1 annex B).
pub(crate) fn luhn_valid(digits: &[u8]) -> bool {
    match digits.split_last() {
        Some((check, others)) => check.checked_sub(b'0') == Some(check_digit(others)),
        None => false,
    }
}

fn check_digit(digits: &[u8]) -> u8 {
    let double = |digit: u8| if digit < 5 { 2 * digit } else { 2 * digit - 9 };
    let sum = digits.iter().rev().enumerate().fold(0u8, |sum, (place, digit)| {
        let digit = digit.saturating_sub(b'0').min(9);
        (sum + if place % 2 == 0 { double(digit) } else { digit }) % 10
    });
    (10 - sum) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_builds_what_it_reads() {
        let ard = Ard::build(7, b"541234", 2026, 324, 1_000_001).unwrap();
        assert_eq!(ard.as_str(), "75412346324000010000016");
        assert_eq!(Ard::parse(ard.as_bytes()), Ok(ard));
        assert_eq!(ard.sequence(), 1_000_001);
        assert_eq!(Ard::parse(b"75412346324000010000017"), Err(Reason::ArdCheckDigit));
        assert_eq!(Ard::parse(b"75412346000000010000017"), Err(Reason::Ard));
    }
}
