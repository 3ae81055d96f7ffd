//! Values out of rows, checked: what is stored is not trusted more than a wire.

use std::collections::BTreeMap;

use payments::{Amount, BusinessDate, Currency, PaymentId, Shard, Text};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::error::Error;

/// A column, or what is damaged.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str, what: &'static str) -> Result<T, Error> {
    row.try_get(column).map_err(|_| Error::Damaged(what))
}

pub(super) fn text<const N: usize>(row: &Row, column: &str, what: &'static str) -> Result<Text<N>, Error> {
    let value: Option<&str> = get(row, column, what)?;
    Text::new(value.unwrap_or_default()).map_err(|_| Error::Damaged(what))
}

pub(super) fn filled<const N: usize>(row: &Row, column: &str, what: &'static str) -> Result<Option<Text<N>>, Error> {
    Ok(Some(text(row, column, what)?).filter(|text| !text.is_empty()))
}

pub(super) fn payment(row: &Row, column: &str) -> Result<PaymentId, Error> {
    get(row, column, "payment id").map(PaymentId)
}

pub(super) fn shard(row: &Row) -> Result<Shard, Error> {
    let shard: i16 = get(row, "shard", "shard")?;
    u16::try_from(shard).map(Shard).map_err(|_| Error::Damaged("shard"))
}

pub(super) fn currency(row: &Row) -> Result<Currency, Error> {
    let code: i16 = get(row, "currency", "currency")?;
    let code = u16::try_from(code).map_err(|_| Error::Damaged("currency"))?;
    Currency::from_numeric(code).map_err(|_| Error::Damaged("currency"))
}

pub(super) fn amount(row: &Row) -> Result<Amount, Error> {
    Amount::new(get(row, "amount", "amount")?, currency(row)?).map_err(|_| Error::Damaged("amount"))
}

/// A date that was selected as text.
pub(super) fn date(row: &Row, column: &str) -> Result<BusinessDate, Error> {
    let text: &str = get(row, column, "date")?;
    BusinessDate::parse(text).map_err(|_| Error::Damaged("date"))
}

/// Sums by currency, selected as `currency int2, net text`.
pub(super) fn net(rows: &[Row]) -> Result<BTreeMap<Currency, i128>, Error> {
    let of = |row: &Row| {
        let net: &str = get(row, "net", "sum")?;
        Ok((currency(row)?, net.parse().map_err(|_| Error::Damaged("sum"))?))
    };
    rows.iter().map(of).collect()
}

/// A word that serde knows as a unit variant.
pub(super) fn word<T: serde::de::DeserializeOwned>(word: &str, what: &'static str) -> Result<T, Error> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|_| Error::Damaged(what))
}

/// The word of a unit variant.
pub(super) fn to_word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
