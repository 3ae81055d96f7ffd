//! Fields as values of the vocabulary. An optional field that is all blanks is absent.

use iso8583::Message;
use payments::request::NetworkFunction;
use payments::{Amount, CardSequence, Currency, InstitutionId, LocalDateTime, Rrn, Stan, Text, TransmissionTime};

use super::Error;
use super::de;

/// The content of a field that must be there and not be empty.
pub(crate) fn required(message: &Message, number: u8) -> Result<&[u8], Error> {
    optional(message, number).ok_or(Error::Missing(number))
}

/// The content of a field, if there is any.
pub(crate) fn optional(message: &Message, number: u8) -> Option<&[u8]> {
    message.get(number).filter(|content| content.iter().any(|byte| *byte != b' '))
}

/// A field as a value; absent is `None`, an impossible value is an error.
pub(crate) fn maybe<T, E>(message: &Message, number: u8, parse: impl Fn(&[u8]) -> Result<T, E>) -> Result<Option<T>, Error> {
    optional(message, number).map(|content| parse(content).map_err(|_| Error::Invalid(number))).transpose()
}

/// A field as a value.
pub(crate) fn value<T, E>(message: &Message, number: u8, parse: impl Fn(&[u8]) -> Result<T, E>) -> Result<T, Error> {
    parse(required(message, number)?).map_err(|_| Error::Invalid(number))
}

/// A text that is kept as evidence: empty where absent, odd bytes shown as `?`.
pub(crate) fn evidence<const N: usize>(message: &Message, number: u8) -> Text<N> {
    let content = message.get(number).unwrap_or_default();
    let printable: Vec<u8> = content.iter().take(N).map(|byte| if (0x20..=0x7E).contains(byte) { *byte } else { b'?' }).collect();
    Text::from_bytes(&printable).unwrap_or_default()
}

pub(crate) fn stan(message: &Message) -> Result<Stan, Error> {
    value(message, de::STAN, Stan::parse)
}

pub(crate) fn transmission(message: &Message) -> Result<Option<TransmissionTime>, Error> {
    maybe(message, de::TRANSMISSION, TransmissionTime::parse)
}

pub(crate) fn rrn(message: &Message) -> Result<Option<Rrn>, Error> {
    maybe(message, de::RRN, Rrn::new)
}

pub(crate) fn institution(message: &Message, number: u8) -> Result<Option<InstitutionId>, Error> {
    maybe(message, number, InstitutionId::from_bytes)
}

/// DE12 and DE13.
pub(crate) fn local(message: &Message) -> Result<LocalDateTime, Error> {
    let (time, date) = (required(message, de::LOCAL_TIME)?, required(message, de::LOCAL_DATE)?);
    LocalDateTime::parse(time, date).map_err(|_| Error::Invalid(de::LOCAL_DATE))
}

/// DE49.
pub(crate) fn currency(message: &Message) -> Result<Currency, Error> {
    let code = number(required(message, de::CURRENCY)?).and_then(|code| u16::try_from(code).ok());
    code.and_then(|code| Currency::from_numeric(code).ok()).ok_or(Error::Invalid(de::CURRENCY))
}

/// DE4 with DE49.
pub(crate) fn amount(message: &Message) -> Result<Amount, Error> {
    let minor = number(required(message, de::AMOUNT)?).ok_or(Error::Invalid(de::AMOUNT))?;
    Amount::new(minor, currency(message)?).map_err(|_| Error::Invalid(de::AMOUNT))
}

/// DE23.
pub(crate) fn card_sequence(message: &Message) -> Result<Option<CardSequence>, Error> {
    maybe(message, de::CARD_SEQUENCE, |content| {
        let sequence = number(content).and_then(|sequence| u16::try_from(sequence).ok());
        sequence.and_then(|sequence| CardSequence::new(sequence).ok()).ok_or(())
    })
}

/// DE70.
pub(crate) fn network_function(content: &[u8]) -> Result<NetworkFunction, ()> {
    match content {
        b"001" => Ok(NetworkFunction::SignOn),
        b"002" => Ok(NetworkFunction::SignOff),
        b"301" => Ok(NetworkFunction::Echo),
        _ => Err(()),
    }
}

/// DE70 as the wire has it.
pub(crate) fn network_function_code(function: NetworkFunction) -> &'static str {
    match function {
        NetworkFunction::SignOn => "001",
        NetworkFunction::SignOff => "002",
        NetworkFunction::Echo => "301",
    }
}

/// Digits as a number.
pub(crate) fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0i64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}
