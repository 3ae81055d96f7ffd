//! The forms that a field of the engine's may have on a wire, each read and written.

use std::collections::BTreeMap;

use iso8583::Message;
use payments::{Currency, LocalDateTime, ResponseCode, Wall};

use super::{Error, Mapping, Own, Row, de, is_answer, table};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Same,
    Digits { width: usize },
    Filled,
    LocalDateTime { century: bool },
    Date { century: bool },
    AmountWithCurrency,
    ActionCode { reason: Option<u8> },
    Function,
    Original { stan: usize, century: bool, bare: bool },
    OriginalAmounts { currency: bool },
    PointOfService,
}

/// Digits of a trace number in the engine's numbering.
const STAN: usize = 6;

/// Whether a field of the engine's is part of what another one's form holds.
pub(super) fn covered(own: u8, fields: &BTreeMap<String, table::Row>) -> bool {
    fields.values().filter_map(|row| Form::of(row).ok()).any(|form| form.covers() == Some(own))
}

impl Form {
    pub(super) fn of(row: &table::Row) -> Result<Self, String> {
        let century = row.century;
        Ok(match row.form {
            table::Form::Same => Self::Same,
            table::Form::Digits => Self::Digits { width: row.width.ok_or("form digits needs a width")? },
            table::Form::Filled => Self::Filled,
            table::Form::LocalDateTime => Self::LocalDateTime { century },
            table::Form::Date => Self::Date { century },
            table::Form::AmountWithCurrency => Self::AmountWithCurrency,
            table::Form::ActionCode => Self::ActionCode { reason: row.reason },
            table::Form::Function => Self::Function,
            table::Form::Original => Self::Original { stan: row.width.unwrap_or(STAN), century, bare: row.bare },
            table::Form::OriginalAmounts => Self::OriginalAmounts { currency: row.currency },
            table::Form::PointOfService => Self::PointOfService,
        })
    }

    /// The other field of the engine's that stands in it.
    pub(super) fn covers(self) -> Option<u8> {
        match self {
            Self::LocalDateTime { .. } => Some(de::LOCAL_DATE),
            Self::AmountWithCurrency => Some(de::CURRENCY),
            Self::PointOfService => Some(de::CONDITION),
            _ => None,
        }
    }

    /// Where a reversal says why.
    pub(super) fn reason_at(self) -> Option<u8> {
        match self {
            Self::ActionCode { reason } => reason,
            _ => None,
        }
    }
}

impl Mapping {
    /// Reads what stands in a field of the dialect, if it is there.
    pub(super) fn read_row(&self, row: &Row, wire: &Message, own: &mut Own) -> Result<(), Error> {
        let invalid = Error::Invalid(row.own);
        let class = class_of(wire.mti());
        if let (Form::ActionCode { reason: Some(at) }, b'4', false) = (row.form, class, is_answer(wire.mti())) {
            let reason = wire.str(at).and_then(|code| self.codes.read_reason(code));
            own.message.set_some(row.own, reason.as_ref().map(|code| code.as_str()));
            return Ok(());
        }
        let Some(content) = wire.get(row.at) else { return Ok(()) };
        let text = || std::str::from_utf8(content).map_err(|_| invalid);
        match row.form {
            Form::Same => {
                own.message.set(row.own, content);
            }
            Form::Digits { width } => {
                own.message.set(row.own, shorter(text()?, width, STAN).ok_or(invalid)?);
            }
            Form::Filled => {
                own.message.set(row.own, text()?.strip_suffix('0').ok_or(invalid)?);
            }
            Form::LocalDateTime { century } => {
                let (date, time) = local(text()?, century).ok_or(invalid)?;
                own.message.set(de::LOCAL_TIME, time).set(de::LOCAL_DATE, date);
            }
            Form::Date { century } => {
                own.message.set(row.own, text()?.get(years(century)..).ok_or(invalid)?);
            }
            Form::AmountWithCurrency => {
                let (currency, minor) = amount(text()?).ok_or(invalid)?;
                own.message.set(de::AMOUNT, minor).set(de::CURRENCY, currency);
            }
            Form::ActionCode { .. } => {
                let code = self.codes.read(class, text()?).ok_or(invalid)?;
                own.message.set(row.own, code.as_str());
            }
            Form::Function => {
                // In other messages the same field says which kind of request it is.
                if class == b'8' {
                    let known = self.functions.iter().find(|(_, function)| function.as_bytes() == content);
                    own.message.set(row.own, known.map(|(own, _)| own.as_str()).ok_or(invalid)?);
                }
            }
            Form::Original { stan, century, bare } => {
                let (original, at) = self.read_original(text()?, (stan, century, bare)).ok_or(invalid)?;
                own.message.set(row.own, original);
                own.original_local = Some(at);
            }
            Form::OriginalAmounts { currency } => {
                let packed = row.binary.then(|| hex::encode(content));
                let text = packed.as_deref().map_or_else(text, Ok)?;
                self.read_original_amounts(row, text, currency, own)?;
            }
            Form::PointOfService => {
                let table = self.point_of_service.as_ref().ok_or(invalid)?;
                let (entry_mode, condition) = table.read(content);
                own.message.set(de::ENTRY_MODE, entry_mode).set(de::CONDITION, condition);
            }
        }
        Ok(())
    }

    /// Writes a field of the engine's, if it is there.
    pub(super) fn write_row(&self, row: &Row, own: &Message, wire: &mut Message, at: Wall) -> Result<(), Error> {
        let Some(content) = own.get(row.own) else { return Ok(()) };
        let invalid = Error::Invalid(row.own);
        let text = std::str::from_utf8(content).map_err(|_| invalid);
        let class = class_of(own.mti());
        match row.form {
            Form::Same => {
                wire.set(row.at, content);
            }
            Form::Digits { width } => {
                wire.set(row.at, format!("{:0>width$}", text?));
            }
            Form::Filled => {
                wire.set(row.at, format!("{}0", text?));
            }
            Form::LocalDateTime { century } => {
                let date = own.str(de::LOCAL_DATE).ok_or(Error::Missing(de::LOCAL_DATE))?;
                wire.set(row.at, dated(date, century, at) + text?);
            }
            Form::Date { century } => {
                wire.set(row.at, dated(text?, century, at));
            }
            Form::AmountWithCurrency => {
                let currency = own.str(de::CURRENCY).ok_or(Error::Missing(de::CURRENCY))?;
                wire.set(row.at, with_currency(currency, text?).ok_or(invalid)?);
            }
            Form::ActionCode { reason } => {
                let code = ResponseCode::new(content).map_err(|_| invalid)?;
                if is_answer(own.mti()) {
                    wire.set(row.at, self.codes.write(class, code).ok_or(invalid)?);
                } else if let Some(reason) = reason {
                    wire.set_some(reason, self.codes.write_reason(code));
                }
            }
            Form::Function => {
                let known = self.functions.iter().find(|(own, _)| own.as_bytes() == content);
                wire.set(row.at, known.map(|(_, function)| function).ok_or(invalid)?);
            }
            Form::Original { stan, century, bare } => {
                wire.set(row.at, self.write_original(text?, own, (stan, century, bare), at).ok_or(invalid)?);
            }
            Form::OriginalAmounts { currency } => self.write_original_amounts(row, text?, currency, own, wire)?,
            Form::PointOfService => {
                let table = self.point_of_service.as_ref().ok_or(invalid)?;
                wire.set(row.at, table.write(text?, own.str(de::CONDITION).unwrap_or("00")));
            }
        }
        Ok(())
    }

    /// DE90 and the time of the original.
    fn read_original(&self, text: &str, (stan, century, bare): (usize, bool, bool)) -> Option<(String, LocalDateTime)> {
        let (mti, rest) = text.split_at_checked(4)?;
        let (number, rest) = rest.split_at_checked(stan)?;
        let (local_part, rest) = rest.split_at_checked(years(century) + 10)?;
        let institution = if bare || rest.is_empty() { rest } else { rest.get(2..)? };
        let (date, time) = local(local_part, century)?;
        let original = format!("{}{}{:0>10}{institution:0>11}{:0>11}", self.own_name(mti)?, shorter(number, stan, STAN)?, "", "");
        Some((original, LocalDateTime::parse(time.as_bytes(), date.as_bytes()).ok()?))
    }

    fn write_original(&self, text: &str, own: &Message, (stan, century, bare): (usize, bool, bool), at: Wall) -> Option<String> {
        let (mti, number) = (text.get(..4)?, text.get(4..10)?);
        // The engine's reversal has the date and time of its original.
        let (date, time) = (own.str(de::LOCAL_DATE)?, own.str(de::LOCAL_TIME)?);
        let institution = text.get(20..31)?.trim_start_matches('0');
        let length = if bare { String::new() } else { format!("{:02}", institution.len()) };
        Some(format!("{}{number:0>stan$}{}{time}{length}{institution}", self.wire_type(mti)?, dated(date, century, at)))
    }

    /// A partial reversal: the dialect's amount is what shall stand, this field what stood.
    fn read_original_amounts(&self, row: &Row, text: &str, with: bool, own: &mut Own) -> Result<(), Error> {
        let invalid = Error::Invalid(row.own);
        let stood =
            if with { amount(text.get(..16).ok_or(invalid)?).ok_or(invalid)?.1 } else { text.get(..12).ok_or(invalid)? };
        let stands = own.message.str(de::AMOUNT).ok_or(Error::Missing(de::AMOUNT))?.to_owned();
        own.message.set(de::AMOUNT, stood).set(row.own, format!("{stands}{:012}C00000000C00000000", 0));
        Ok(())
    }

    fn write_original_amounts(&self, row: &Row, text: &str, with: bool, own: &Message, wire: &mut Message) -> Result<(), Error> {
        let invalid = Error::Invalid(row.own);
        let (stands, stood) = (text.get(..12).ok_or(invalid)?, own.str(de::AMOUNT).ok_or(Error::Missing(de::AMOUNT))?);
        let at = self.place(de::AMOUNT);
        if with {
            let currency = own.str(de::CURRENCY).ok_or(Error::Missing(de::CURRENCY))?;
            let whole = |minor: &str| with_currency(currency, minor).ok_or(invalid);
            wire.set(at, whole(stands)?);
            let both = format!("{}{:016}", whole(stood)?, 0);
            match row.binary {
                true => wire.set(row.at, hex::decode(both).map_err(|_| invalid)?),
                false => wire.set(row.at, both),
            };
        } else {
            wire.set(at, stands).set(row.at, format!("{stood}{:012}", 0));
        }
        Ok(())
    }
}

/// The second digit of a type.
fn class_of(mti: &str) -> u8 {
    mti.as_bytes().get(1).copied().unwrap_or(b'?')
}

/// Digits of a year.
fn years(century: bool) -> usize {
    if century { 4 } else { 2 }
}

/// Digits without zeros in front that the engine's form has no room for.
fn shorter(text: &str, width: usize, wanted: usize) -> Option<&str> {
    let (zeros, rest) = text.split_at_checked(width.checked_sub(wanted)?)?;
    (text.len() == width && zeros.bytes().all(|digit| digit == b'0')).then_some(rest)
}

/// `MMDD` and `hhmmss` of a date and time with its year.
fn local(text: &str, century: bool) -> Option<(&str, &str)> {
    let (date, time) = text.get(years(century)..)?.split_at_checked(4)?;
    (time.len() == 6).then_some((date, time))
}

/// `MMDD` with its year in front: the one in which it is nearest to now.
fn dated(month_day: &str, century: bool, at: Wall) -> String {
    let month = month_day.get(..2).and_then(|month| month.parse().ok()).unwrap_or(1);
    let year = at.year_of(month);
    if century { format!("{year:04}{month_day}") } else { format!("{:02}{month_day}", year % 100) }
}

/// Currency and amount of 16 digits whose decimals are those of the currency.
fn amount(text: &str) -> Option<(&str, &str)> {
    let (currency, rest) = text.split_at_checked(3)?;
    let (decimals, minor) = rest.split_at_checked(1)?;
    let known = Currency::from_numeric(currency.parse().ok()?).ok()?;
    (minor.len() == 12 && decimals.parse() == Ok(known.exponent())).then_some((currency, minor))
}

fn with_currency(currency: &str, minor: &str) -> Option<String> {
    let known = Currency::from_numeric(currency.parse().ok()?).ok()?;
    Some(format!("{currency:0>3}{}{minor:0>12}", known.exponent()))
}
