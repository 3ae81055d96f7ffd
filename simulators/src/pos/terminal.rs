//! One terminal: its identity, keys and counters, and how it builds its messages.

use std::sync::atomic::{AtomicU32, Ordering};

use crypto::TdesKey;
use crypto::pin::format0_encode;
use iso8583::Message;
use payments::{Text, Wall};

use super::options::TerminalOptions;
use super::scenario::{Operation, PinUse, Reading, Step};
use crate::Error;
use crate::cards::Card;
use crate::chip::{self, ChipFacts};
use crate::keys::WorkingKeys;
use crate::wire::{self, OriginalData, Wire, de};

/// See the module.
pub struct Terminal {
    /// DE41.
    pub id: Text<8>,
    /// DE42.
    pub merchant: Text<15>,
    /// TPK and TAK.
    pub keys: WorkingKeys,
    /// How it behaves.
    pub options: TerminalOptions,
    /// Dialect of its link.
    pub wire: Wire,
    /// First six characters of its DE37: its place in the fleet and the run.
    tag: String,
    stan: AtomicU32,
    counter: AtomicU32,
}

impl Terminal {
    /// The terminal at a place of its fleet. `run`, the milliseconds of 1970 at which the run began,
    /// tells runs apart: neither DE37 nor DE11 with DE12 come twice.
    pub fn new(id: &str, place: usize, run: u64, keys: WorkingKeys, options: TerminalOptions, wire: Wire) -> Result<Self, Error> {
        let refuse = |option| move |_| Error::BadOption { option, reason: "does not fit its field".to_owned() };
        let merchant = options.merchants.get(id).unwrap_or(&options.merchant);
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        Ok(Self {
            id: Text::new(id).map_err(refuse("terminals"))?,
            merchant: Text::new(merchant).map_err(refuse("merchant"))?,
            tag: format!("{}{}", base36::<3>(run / 1000), base36::<3>(place)),
            stan: AtomicU32::new(u32::try_from(run % 999_999).unwrap_or(0)),
            counter: AtomicU32::new(0),
            keys,
            options,
            wire,
        })
    }

    /// The next STAN, 000001 to 999999 and round again.
    pub fn next_stan(&self) -> String {
        format!("{:06}", self.stan.fetch_add(1, Ordering::Relaxed) % 999_999 + 1)
    }

    /// A card request of a step.
    pub fn request(&self, step: &Step, card: &Card, pvk: Option<&TdesKey>, now: Wall) -> Result<Message, Error> {
        let (mti, processing) = match step.send {
            Operation::Authorization => ("0100", "000000"),
            Operation::Refund => ("0200", "200000"),
            Operation::Balance => ("0100", "310000"),
            _ => ("0200", "000000"),
        };
        let amount = if step.send == Operation::Balance { 0 } else { step.amount.unwrap_or(1000) };
        let mut message = self.begin(mti, processing, amount, step.currency, now);
        let stan = self.next_stan();
        if self.options.send_rrn {
            message.set(de::RRN, format!("{}{stan}", self.tag));
        }
        message.set(de::STAN, &stan);
        message.set(de::PAN, card.pan.reveal()).set(de::EXPIRY, card.expiry.reveal());
        for (number, text) in [(de::CATEGORY, &self.options.category), (de::ACCEPTOR, &self.options.acceptor)] {
            if !text.is_empty() {
                message.set(number, text);
            }
        }
        let (entry, condition, pos_data) = match step.reading {
            Reading::Chip => ("051", "00", "0000010000000000"),
            Reading::Contactless => ("071", "00", "0000010000300000"),
            Reading::Stripe => ("021", "00", "0000010000200000"),
            Reading::Ecommerce => ("812", "59", "1000110001600000"),
        };
        message.set(de::ENTRY_MODE, entry).set(de::CONDITION, condition).set(de::POS_DATA, pos_data);
        match step.reading {
            Reading::Chip | Reading::Contactless => {
                let facts = ChipFacts {
                    amount,
                    currency: step.currency.unwrap_or(self.options.currency),
                    date: today(now),
                    kind: if step.send == Operation::Refund { 0x20 } else { 0x00 },
                    drawn: u64::from(self.counter.fetch_add(1, Ordering::Relaxed)) ^ now.unix_ms().rotate_left(20),
                    counter: u16::try_from(self.counter.load(Ordering::Relaxed) % 65_536).unwrap_or(0),
                    pin: step.pin != PinUse::None,
                    card_data: self.options.chip_card_data,
                };
                message.set(de::CHIP, chip::request(&facts, card));
                message.set(de::CARD_SEQUENCE, format!("{:03}", card.sequence.get()));
            }
            Reading::Stripe => {
                message.set(de::TRACK2, &*card.track2());
            }
            Reading::Ecommerce => {
                message.set(de::ECOMMERCE, "05");
            }
        }
        let failed = |_| Error::BadOption { option: "cards", reason: format!("no PIN block for card {}", card.index) };
        let pin = match step.pin {
            PinUse::None => None,
            PinUse::Right => Some(card.pin.clone()),
            PinUse::Wrong => Some(card.wrong_pin(pvk).map_err(failed)?),
        };
        if let Some(pin) = pin {
            let block = format0_encode(&pin, card.pan.reveal()).map_err(failed)?;
            message.set(de::PIN_BLOCK, block.encrypt(&self.keys.pin));
        }
        Ok(message)
    }

    /// 0220: the final amount of an authorization. DE37 is that of the authorization's answer.
    pub fn completion(&self, original: &Message, rrn: &str, approval: &str, amount: i64, now: Wall) -> Message {
        let mut message = self.begin("0220", "000000", amount, None, now);
        message.set(de::STAN, self.next_stan());
        for number in [de::PAN, de::EXPIRY, de::CURRENCY] {
            message.set_some(number, original.get(number));
        }
        if !rrn.is_empty() {
            message.set(de::RRN, rrn);
        }
        if !approval.is_empty() {
            message.set(de::APPROVAL, approval);
        }
        message
    }

    /// 0400 or 0420 for a request of this terminal, as it was sent.
    pub fn reversal(&self, original: &Message, advice: bool, rrn: &str, final_amount: Option<i64>, now: Wall) -> Message {
        let mut message = Message::new(if advice { "0420" } else { "0400" });
        let kept = [
            de::PAN,
            de::PROCESSING_CODE,
            de::AMOUNT,
            de::LOCAL_TIME,
            de::LOCAL_DATE,
            de::EXPIRY,
            de::ACQUIRER,
            de::RRN,
            de::TERMINAL,
            de::MERCHANT,
            de::CURRENCY,
        ];
        for number in kept {
            message.set_some(number, original.get(number));
        }
        if !rrn.is_empty() {
            message.set(de::RRN, rrn);
        }
        message.set(de::TRANSMISSION, now.transmission().as_str()).set(de::STAN, self.next_stan());
        message.set(de::ORIGINAL, OriginalData::of(original));
        message.set_some(de::REPLACEMENT, final_amount.map(wire::replacement));
        message
    }

    /// 0800. It names no terminal, so its STAN is one of the connection.
    pub fn management(&self, function: &str, stan: &str, now: Wall) -> Message {
        let mut message = Message::new("0800");
        message.set(de::TRANSMISSION, now.transmission().as_str()).set(de::STAN, stan).set(de::FUNCTION, function);
        message
    }

    /// The message as bytes, with its MAC where it has one.
    pub fn encode(&self, message: &Message, wrong_mac: bool) -> Result<Vec<u8>, Error> {
        if !self.options.mac || message.mti().starts_with("08") {
            return self.wire.encode(message);
        }
        let wrong = TdesKey::unchecked(&[0x24; 16]).ok().filter(|_| wrong_mac);
        self.wire.encode_with_mac(&mut message.clone(), wrong.as_ref().unwrap_or(&self.keys.mac))
    }

    fn begin(&self, mti: &str, processing: &str, amount: i64, currency: Option<u16>, now: Wall) -> Message {
        let local = now.local();
        let mut message = Message::new(mti);
        message.set(de::PROCESSING_CODE, processing).set(de::AMOUNT, format!("{amount:012}"));
        message.set(de::TRANSMISSION, now.transmission().as_str());
        message.set(de::LOCAL_TIME, local.time()).set(de::LOCAL_DATE, local.date());
        message.set(de::TERMINAL, self.id.as_str()).set(de::MERCHANT, self.merchant.as_str());
        message.set(de::CURRENCY, format!("{:03}", currency.unwrap_or(self.options.currency)));
        if !self.options.acquirer.is_empty() {
            message.set(de::ACQUIRER, &self.options.acquirer);
        }
        message
    }
}

/// The last `N` digits of a number in base 36.
fn base36<const N: usize>(mut number: u64) -> String {
    let mut digits = [b'0'; N];
    for room in digits.iter_mut().rev() {
        let digit = u8::try_from(number % 36).unwrap_or(0);
        *room = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
        number /= 36;
    }
    String::from_utf8_lossy(&digits).into_owned()
}

/// `YYMMDD` in BCD.
fn today(now: Wall) -> [u8; 3] {
    let (year, month, day) = now.date().parts();
    let packed = |number: i16| u8::try_from(((number / 10) << 4) | (number % 10)).unwrap_or(0);
    [packed(year % 100), packed(i16::from(month)), packed(i16::from(day))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_in_base_36() {
        assert_eq!(base36::<3>(0), "000");
        assert_eq!(base36::<3>(46_655), "ZZZ");
        assert_eq!(base36::<3>(46_656 + 10), "00A");
    }
}
