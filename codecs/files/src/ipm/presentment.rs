//! A presentment as people speak of it: 1240 with function 200, 205 or 282.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::acceptor::Acceptor;
use super::ard::{Ard, luhn_valid};
use super::fault::{Reason, RecordFault};
use super::fields::de;
use super::function;
use super::pds::tag;
use super::record::{Record, number};
use crate::charset::{latin1_to_string, string_to_latin1};

/// A clear account number on its way into or out of a file. Redacts itself and is wiped on drop.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct CardNumber {
    digits: [u8; 19],
    len: usize,
}

impl CardNumber {
    /// From 8 to 19 ASCII digits; the check digit is not demanded here.
    pub fn new(raw: &[u8]) -> Result<Self, Reason> {
        if !raw.iter().all(u8::is_ascii_digit) {
            return Err(Reason::NotDigit);
        }
        if !(8..=19).contains(&raw.len()) {
            return Err(Reason::Range);
        }
        let mut number = Self { digits: [0; 19], len: raw.len() };
        number.digits.iter_mut().zip(raw).for_each(|(room, digit)| *room = *digit);
        Ok(number)
    }

    /// The clear digits.
    pub fn reveal(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }

    /// Whether the last digit is the check digit of the others.
    pub fn luhn_valid(&self) -> bool {
        luhn_valid(self.reveal())
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardNumber([redacted])")
    }
}

/// Which presentment of a transaction it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// 200.
    First,
    /// 205, after a chargeback, in full.
    SecondFull,
    /// 282, after a chargeback, in part.
    SecondPartial,
}

impl Function {
    fn code(self) -> &'static [u8; 3] {
        match self {
            Self::First => function::FIRST,
            Self::SecondFull => function::SECOND_FULL,
            Self::SecondPartial => function::SECOND_PARTIAL,
        }
    }
}

/// Which way the money goes for the cardholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The cardholder pays.
    Debit,
    /// The cardholder is paid.
    Credit,
}

/// A presentment. Amounts are minor units and never signed: the direction follows from the processing code
/// and from whether it reverses another.
#[derive(Clone, PartialEq, Eq)]
pub struct Presentment {
    /// DE24.
    pub function: Function,
    /// DE2.
    pub pan: CardNumber,
    /// DE3, six digits: 00 purchase, 01 cash, 20 refund in the first two.
    pub processing_code: [u8; 6],
    /// DE4, 0 to 999,999,999,999.
    pub amount_minor: i64,
    /// DE49, ISO 4217 numeric.
    pub currency: u16,
    /// Decimals of that currency, from PDS0148 where it is stated.
    pub exponent: Option<u8>,
    /// DE12, `YYMMDDhhmmss`.
    pub local_time: [u8; 12],
    /// DE14, `YYMM`.
    pub expiry: Option<[u8; 4]>,
    /// DE22, twelve characters.
    pub pos_data: [u8; 12],
    /// DE23.
    pub card_sequence: Option<u16>,
    /// DE26.
    pub merchant_category: [u8; 4],
    /// DE31.
    pub ard: Ard,
    /// DE32.
    pub acquirer: Option<String>,
    /// DE33.
    pub forwarder: Option<String>,
    /// DE37.
    pub rrn: Option<String>,
    /// DE38.
    pub approval: Option<String>,
    /// DE40.
    pub service_code: Option<String>,
    /// DE41.
    pub terminal: Option<String>,
    /// DE42.
    pub merchant: Option<String>,
    /// DE43.
    pub acceptor: Option<Acceptor>,
    /// DE55.
    pub chip: Vec<u8>,
    /// DE63, the network's transaction id.
    pub life_cycle: Option<String>,
    /// DE94.
    pub originator: Option<String>,
    /// Whether it takes another back (PDS0025 begins with `R`).
    pub reversal: bool,
    /// The other private data subelements, ascending; those that have a member of their own above are not
    /// among them.
    pub private: Vec<(u16, String)>,
}

impl Presentment {
    /// Out of a record. Fields that a presentment may have beyond these stay in the record.
    pub fn read(record: &Record) -> Result<Self, RecordFault> {
        let of = |field| move |reason| RecordFault::new(field, record.offset(field), reason);
        let must = |field| record.get(field).ok_or(of(field)(Reason::Missing));
        let function = match (record.message_type(), must(de::FUNCTION)?) {
            (b"1240", b"200") => Function::First,
            (b"1240", b"205") => Function::SecondFull,
            (b"1240", b"282") => Function::SecondPartial,
            _ => return Err(of(de::FUNCTION)(Reason::Range)),
        };
        let pds = record.pds()?;
        let currency = number(must(de::CURRENCY)?).and_then(|code| u16::try_from(code).ok());
        let currency = currency.ok_or(of(de::CURRENCY)(Reason::NotDigit))?;
        let amount = number(must(de::AMOUNT)?).and_then(|minor| i64::try_from(minor).ok());
        let acceptor = record.get(de::ACCEPTOR).map(Acceptor::parse).transpose().map_err(of(de::ACCEPTOR))?;
        let own = |tag: u16| tag == tag::EXPONENTS || tag == tag::REVERSAL;
        Ok(Self {
            function,
            pan: CardNumber::new(must(de::PAN)?).map_err(of(de::PAN))?,
            processing_code: fixed(record, de::PROCESSING_CODE)?,
            amount_minor: amount.ok_or(of(de::AMOUNT)(Reason::NotDigit))?,
            currency,
            exponent: pds.get(tag::EXPONENTS).and_then(|exponents| exponent(exponents, currency)),
            local_time: fixed(record, de::LOCAL_TIME)?,
            expiry: record.get(de::EXPIRY).and_then(|raw| raw.try_into().ok()),
            pos_data: fixed(record, de::POS_DATA)?,
            card_sequence: record.number(de::CARD_SEQUENCE)?.and_then(|number| u16::try_from(number).ok()),
            merchant_category: fixed(record, de::MERCHANT_CATEGORY)?,
            ard: Ard::parse(must(de::ARD)?).map_err(of(de::ARD))?,
            acquirer: record.text(de::ACQUIRER),
            forwarder: record.text(de::FORWARDER),
            rrn: record.text(de::RRN),
            approval: record.text(de::APPROVAL),
            service_code: record.text(de::SERVICE_CODE),
            terminal: record.text(de::TERMINAL),
            merchant: record.text(de::MERCHANT),
            acceptor,
            chip: record.get(de::CHIP).unwrap_or_default().to_vec(),
            life_cycle: record.text(de::LIFE_CYCLE),
            originator: record.text(de::ORIGINATOR),
            reversal: pds.get(tag::REVERSAL).is_some_and(|value| value.starts_with(b"R")),
            private: pds.iter().filter(|(tag, _)| !own(*tag)).map(|(tag, value)| (tag, latin1_to_string(value))).collect(),
        })
    }

    /// Into a record, in place of what was in it. DE71 is the writer's.
    pub fn write(&self, record: &mut Record) -> Result<(), RecordFault> {
        record.reset(function::PRESENTMENT);
        let amount = u64::try_from(self.amount_minor).ok().filter(|minor| *minor <= 999_999_999_999);
        let amount = amount.ok_or(RecordFault::new(de::AMOUNT, 0, Reason::Range))?;
        record.set(de::FUNCTION, self.function.code());
        record.set(de::PAN, self.pan.reveal());
        record.set(de::PROCESSING_CODE, &self.processing_code);
        record.set(de::AMOUNT, format!("{amount:012}").as_bytes());
        record.set(de::CURRENCY, format!("{:03}", self.currency).as_bytes());
        record.set(de::LOCAL_TIME, &self.local_time);
        record.set(de::POS_DATA, &self.pos_data);
        record.set(de::MERCHANT_CATEGORY, &self.merchant_category);
        record.set(de::ARD, self.ard.as_bytes());
        if let Some(expiry) = &self.expiry {
            record.set(de::EXPIRY, expiry);
        }
        if let Some(sequence) = self.card_sequence {
            record.set(de::CARD_SEQUENCE, format!("{sequence:03}").as_bytes());
        }
        let texts = [
            (de::ACQUIRER, &self.acquirer),
            (de::FORWARDER, &self.forwarder),
            (de::RRN, &self.rrn),
            (de::APPROVAL, &self.approval),
            (de::SERVICE_CODE, &self.service_code),
            (de::TERMINAL, &self.terminal),
            (de::MERCHANT, &self.merchant),
            (de::LIFE_CYCLE, &self.life_cycle),
            (de::ORIGINATOR, &self.originator),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                record.set(field, &string_to_latin1(text));
            }
        }
        if let Some(acceptor) = &self.acceptor {
            let acceptor = acceptor.encode().map_err(|reason| RecordFault::new(de::ACCEPTOR, 0, reason))?;
            record.set(de::ACCEPTOR, &acceptor);
        }
        if !self.chip.is_empty() {
            record.set(de::CHIP, &self.chip);
        }
        let mut private: Vec<(u16, Vec<u8>)> = self.private.iter().map(|(tag, value)| (*tag, string_to_latin1(value))).collect();
        if let Some(exponent) = self.exponent {
            private.push((tag::EXPONENTS, format!("{:03}{exponent}", self.currency).into_bytes()));
        }
        if self.reversal {
            private.push((tag::REVERSAL, b"R".to_vec()));
        }
        record.set_pds(private.iter().map(|(tag, value)| (*tag, value.as_slice())))
    }

    /// Which way the money goes: credits are processing codes 20 and 28; a reversal turns it round.
    pub fn direction(&self) -> Direction {
        let credit = matches!(&self.processing_code[..2], b"20" | b"28");
        if credit != self.reversal { Direction::Credit } else { Direction::Debit }
    }
}

impl fmt::Debug for Presentment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presentment")
            .field("ard", &self.ard.as_str())
            .field("function", &self.function)
            .field("direction", &self.direction())
            .field("amount_minor", &self.amount_minor)
            .field("currency", &self.currency)
            .field("rrn", &self.rrn)
            .finish_non_exhaustive()
    }
}

fn fixed<const N: usize>(record: &Record, field: u8) -> Result<[u8; N], RecordFault> {
    let fault = |reason| RecordFault::new(field, record.offset(field), reason);
    let raw = record.get(field).ok_or(fault(Reason::Missing))?;
    raw.try_into().map_err(|_| fault(Reason::FieldTooShort(raw.len())))
}

/// Decimals of a currency in PDS0148: groups of currency 3 and exponent 1.
fn exponent(groups: &[u8], currency: u16) -> Option<u8> {
    groups.chunks_exact(4).find_map(|group| match group.split_at_checked(3)? {
        (code, [exponent]) if number(code) == Some(u64::from(currency)) => exponent.checked_sub(b'0').filter(|e| *e < 10),
        _ => None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample() -> Presentment {
        Presentment {
            function: Function::First,
            pan: CardNumber::new(b"5413330089020011").unwrap(),
            processing_code: *b"000000",
            amount_minor: 1250,
            currency: 978,
            exponent: Some(2),
            local_time: *b"261120175603",
            expiry: Some(*b"2811"),
            pos_data: *b"510101513344",
            card_sequence: Some(1),
            merchant_category: *b"5814",
            ard: Ard::build(7, b"541234", 2026, 324, 1).unwrap(),
            acquirer: None,
            forwarder: Some("012345".into()),
            rrn: Some("632500000001".into()),
            approval: Some("A1B2C3".into()),
            service_code: None,
            terminal: Some("TERM0001".into()),
            merchant: Some("M0001".into()),
            acceptor: Some(Acceptor {
                name: "CAF\u{c9}".into(),
                city: "BERLIN".into(),
                country: "DEU".into(),
                ..Acceptor::default()
            }),
            chip: vec![0x9F, 0x36, 2, 0, 1],
            life_cycle: Some("N1".into()),
            originator: Some("00000012345".into()),
            reversal: false,
            private: vec![(23, "CT6".into()), (165, "M".into())],
        }
    }

    #[test]
    fn a_presentment_comes_back_out_of_its_record() {
        let mut record = Record::new(b"1240");
        sample().write(&mut record).unwrap();
        assert_eq!(Presentment::read(&record).unwrap(), sample());
    }

    #[test]
    fn direction_is_never_a_sign() {
        let of = |code: &[u8; 6], reversal| Presentment { processing_code: *code, reversal, ..sample() }.direction();
        assert_eq!((of(b"000000", false), of(b"200000", false)), (Direction::Debit, Direction::Credit));
        assert_eq!((of(b"000000", true), of(b"280000", true)), (Direction::Credit, Direction::Debit));
    }

    #[test]
    fn an_amount_that_does_not_fit_is_refused() {
        let mut record = Record::new(b"1240");
        let too_much = Presentment { amount_minor: 1_000_000_000_000, ..sample() };
        assert_eq!(too_much.write(&mut record).unwrap_err().reason, Reason::Range);
        let negative = Presentment { amount_minor: -1, ..sample() };
        assert_eq!(negative.write(&mut record).unwrap_err().reason, Reason::Range);
    }

    #[test]
    fn account_numbers_never_show_in_debug() {
        assert!(!format!("{:?} {:?}", sample(), sample().pan).contains("5413"));
    }
}
