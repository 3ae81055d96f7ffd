//! A population of cards that is derived from a seed, so that terminals and issuer hold the same
//! cards without exchanging them. What is written anywhere of a card is its number in the population.

use std::collections::HashMap;
use std::fmt;

use crypto::hmac::HmacKey;
use crypto::pvv::{self, Pvv};
use crypto::{CryptoError, Pin, TdesKey};
use payments::{CardSequence, Expiry, Pan};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::Error;

/// Most cards of one network.
pub const MAX_CARDS: u32 = 1_000_000;

/// PVV key index: the simulators know one key.
pub const PVKI: u8 = b'1';

/// What both ends have to agree on, besides the seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopulationOptions {
    /// The card ranges, one for each network.
    pub ranges: Vec<CardRange>,
    /// Cards of each range.
    pub size: u32,
}

/// The cards of one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardRange {
    /// Name of the network, which is the name of the switch's link to it.
    pub network: String,
    /// First 6 to 8 digits of its PANs, which have 16.
    pub bin: String,
}

impl Default for PopulationOptions {
    fn default() -> Self {
        let range = |network: &str, bin: &str| CardRange { network: network.to_owned(), bin: bin.to_owned() };
        Self { ranges: vec![range("dual", "541333"), range("single", "402400")], size: 1000 }
    }
}

/// How the issuer treats a card. Of each 20 cards in a row 15 are [`Class::Ample`] and one is of each
/// other class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// More money than a test spends.
    Ample,
    /// 100.00 on the account.
    Low,
    /// Nothing on the account: every debit is declined with 51.
    Empty,
    /// Its expiry has passed: 54.
    Expired,
    /// Blocked by its issuer: 62.
    Blocked,
    /// In the range, but issued to nobody: 14. Not part of the population.
    Unknown,
}

impl Class {
    /// What stands on the account at the beginning, minor units of whatever currency is asked for:
    /// simulated issuers convert one to one.
    pub fn balance_minor(self) -> i64 {
        match self {
            Self::Ample => 1_000_000_000_000,
            Self::Low => 10_000,
            _ => 0,
        }
    }

    fn of(index: u32) -> Self {
        match index % 20 {
            15 => Self::Low,
            16 => Self::Empty,
            17 => Self::Expired,
            18 => Self::Blocked,
            _ => Self::Ample,
        }
    }
}

/// One card.
#[derive(Clone)]
pub struct Card {
    /// Its number in the population of its network.
    pub index: u32,
    /// How it is treated.
    pub class: Class,
    /// The PAN, with Luhn digit.
    pub pan: Pan,
    /// DE14.
    pub expiry: Expiry,
    /// DE23.
    pub sequence: CardSequence,
    /// The right PIN, 4 digits.
    pub pin: Pin,
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card({} {:?})", self.index, self.class)
    }
}

impl Card {
    /// Track 2 equivalent data: PAN, separator, expiry, service code 201 and discretionary digits.
    pub fn track2(&self) -> Zeroizing<Vec<u8>> {
        let mut track = Zeroizing::new(Vec::with_capacity(37));
        track.extend_from_slice(self.pan.reveal());
        track.push(b'=');
        track.extend_from_slice(self.expiry.reveal());
        track.extend_from_slice(b"20100000000");
        track
    }

    /// Its PIN verification value.
    pub fn pvv(&self, pvk: &TdesKey) -> Result<Pvv, CryptoError> {
        pvv::pvv(pvk, PVKI, &self.pin, self.pan.reveal())
    }

    /// A PIN that is not this card's. With the PVK, one that is certain to have another PVV: one
    /// wrong PIN in ten thousand has the same.
    pub fn wrong_pin(&self, pvk: Option<&TdesKey>) -> Result<Pin, CryptoError> {
        let right = std::str::from_utf8(self.pin.reveal()).ok().and_then(|text| text.parse::<u16>().ok()).unwrap_or(0);
        let mut wrong = Pin::new(format!("{:04}", (right + 1) % 10_000).as_bytes())?;
        for distance in 1..10 {
            wrong = Pin::new(format!("{:04}", (right + distance) % 10_000).as_bytes())?;
            match pvk {
                Some(pvk) if pvv::verify(pvk, PVKI, &wrong, self.pan.reveal(), &self.pvv(pvk)?)? => {}
                _ => break,
            }
        }
        Ok(wrong)
    }
}

/// The cards of one network, and how to find one by its PAN.
pub struct Population {
    range: CardRange,
    size: u32,
    key: HmacKey,
    /// Digits between BIN and check digit: how many numbers fit.
    room: u64,
    offset: u64,
    by_body: HashMap<u64, u32>,
}

/// Coprime to 10, so that multiplying by it permutes the numbers of any count of digits.
const STRIDE: u64 = 387_420_489;

impl Population {
    /// The population of `network`, derived from `seed`.
    pub fn derive(options: &PopulationOptions, network: &str, seed: &str) -> Result<Self, Error> {
        let range = options
            .ranges
            .iter()
            .find(|range| range.network == network)
            .ok_or_else(|| Error::BadOption { option: "cards.ranges", reason: format!("no range for network {network}") })?;
        if !(6..=8).contains(&range.bin.len()) || !range.bin.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::BadOption { option: "cards.ranges", reason: "a BIN has 6 to 8 digits".to_owned() });
        }
        if !(20..=MAX_CARDS).contains(&options.size) {
            return Err(Error::BadOption { option: "cards.size", reason: format!("20 to {MAX_CARDS} cards") });
        }
        let key = HmacKey::new(&HmacKey::new(&[0; 32]).sign(&[seed.as_bytes()]));
        let digits = u32::try_from(15usize.saturating_sub(range.bin.len())).unwrap_or(7);
        let room = 10u64.pow(digits);
        let offset = number(&key.sign(&[b"offset", range.network.as_bytes()])) % room;
        let mut population = Self { range: range.clone(), size: options.size, key, room, offset, by_body: HashMap::new() };
        population.by_body = (0..options.size).map(|index| (population.body(index), index)).collect();
        Ok(population)
    }

    /// The network's name.
    pub fn network(&self) -> &str {
        &self.range.network
    }

    /// The first digits of all its PANs.
    pub fn bin(&self) -> &str {
        &self.range.bin
    }

    /// How many cards there are.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// A card by its number. Numbers from [`Population::size`] on are of class [`Class::Unknown`].
    pub fn card(&self, index: u32) -> Result<Card, Error> {
        let class = if index < self.size { Class::of(index) } else { Class::Unknown };
        let mut digits =
            Zeroizing::new(format!("{}{:0width$}", self.range.bin, self.body(index), width = 15 - self.range.bin.len()));
        let check = luhn(digits.as_bytes());
        digits.push(char::from(b'0' + check));
        let drawn = self.key.sign(&[b"card", self.range.network.as_bytes(), &index.to_be_bytes()]);
        let part = |at: usize| u32::from(drawn.get(at).copied().unwrap_or(0));
        let year = if class == Class::Expired { 15 + part(0) % 5 } else { 40 + part(0) % 9 };
        let expiry = format!("{year:02}{:02}", 1 + part(1) % 12);
        let pin = Zeroizing::new(format!("{:04}", ((part(2) << 16) | (part(3) << 8) | part(4)) % 10_000));
        let refused = |_| Error::BadOption { option: "cards", reason: format!("card {index} cannot be made") };
        Ok(Card {
            index,
            class,
            pan: Pan::new(digits.as_bytes()).map_err(refused)?,
            expiry: Expiry::new(expiry.as_bytes()).map_err(refused)?,
            sequence: CardSequence::new(u16::from(part(5) % 3 == 0) + 1).map_err(refused)?,
            pin: Pin::new(pin.as_bytes())
                .map_err(|_| Error::BadOption { option: "cards", reason: format!("card {index} has no PIN") })?,
        })
    }

    /// The `nth` card of a class, going round where there are fewer.
    pub fn of_class(&self, class: Class, nth: u32) -> Result<Card, Error> {
        if class == Class::Unknown {
            return self.card(self.size + nth % 1000);
        }
        let (each, place) = match class {
            Class::Low => (1, 15),
            Class::Empty => (1, 16),
            Class::Expired => (1, 17),
            Class::Blocked => (1, 18),
            _ => (15, nth % 15),
        };
        let rows = self.size / 20;
        self.card((nth / each) % rows * 20 + place)
    }

    /// The card with this PAN.
    pub fn find(&self, pan: &[u8]) -> Option<u32> {
        let digits = std::str::from_utf8(pan).ok()?;
        let body = digits.strip_prefix(self.range.bin.as_str())?;
        if digits.len() != 16 || luhn(digits.get(..15)?.as_bytes()) != digits.as_bytes().last()?.checked_sub(b'0')? {
            return None;
        }
        self.by_body.get(&body.get(..body.len() - 1)?.parse().ok()?).copied()
    }

    fn body(&self, index: u32) -> u64 {
        (u64::from(index) * STRIDE + self.offset) % self.room
    }
}

impl fmt::Debug for Population {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Population({} cards of {})", self.size, self.range.network)
    }
}

fn number(bytes: &[u8; 32]) -> u64 {
    bytes.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// The check digit for digits that lack it (ISO/IEC 7812-1 annex B).
fn luhn(digits: &[u8]) -> u8 {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit.saturating_sub(b'0')) * if place % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    u8::try_from((10 - sum % 10) % 10).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn population(seed: &str) -> Population {
        Population::derive(&PopulationOptions::default(), "dual", seed).unwrap()
    }

    #[test]
    fn both_ends_derive_the_same_cards_and_another_seed_other_ones() {
        let (terminal, issuer, other) = (population("a"), population("a"), population("b"));
        for index in 0..1000 {
            let card = terminal.card(index).unwrap();
            assert!(card.pan.luhn_valid());
            assert_eq!(&card.pan.reveal()[..6], b"541333");
            assert_eq!(issuer.find(card.pan.reveal()), Some(index));
            assert_eq!(issuer.card(index).unwrap().pin, card.pin);
            assert_ne!(other.card(index).unwrap().pan, card.pan);
        }
    }

    #[test]
    fn every_class_is_there_and_an_unknown_card_is_not() {
        let cards = population("a");
        for class in [Class::Ample, Class::Low, Class::Empty, Class::Expired, Class::Blocked, Class::Unknown] {
            for nth in [0, 1, 49, 50, 12_345] {
                let card = cards.of_class(class, nth).unwrap();
                assert_eq!(card.class, class);
                assert_eq!(cards.find(card.pan.reveal()).is_none(), class == Class::Unknown);
            }
        }
        assert_ne!(cards.of_class(Class::Ample, 0).unwrap().index, cards.of_class(Class::Ample, 1).unwrap().index);
    }

    #[test]
    fn a_wrong_pin_has_another_pvv() {
        let pvk = TdesKey::unchecked(&[0x5A; 16]).unwrap();
        let cards = population("a");
        for index in 0..200 {
            let card = cards.card(index).unwrap();
            let wrong = card.wrong_pin(Some(&pvk)).unwrap();
            let verified = pvv::verify(&pvk, PVKI, &wrong, card.pan.reveal(), &card.pvv(&pvk).unwrap()).unwrap();
            assert!(!verified && wrong != card.pin);
        }
    }

    #[test]
    fn a_card_shows_nothing_but_its_number() {
        assert_eq!(format!("{:?}", population("a").card(16).unwrap()), "Card(16 Empty)");
    }
}
