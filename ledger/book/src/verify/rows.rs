//! Rows of the record's tables as plain values, and how two are compared.
//!
//! Tables and columns are named as in the schema of the PostgreSQL store. Values are plain, so that
//! whatever a damaged table holds can be carried here and reported.

use std::fmt;

use super::{Finding, Place};

/// A table of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// `claim`, by `key`.
    Claim,
    /// `answer`, by `key` and `idx`.
    Answer,
    /// `payment`, by `id`.
    Payment,
    /// `event`, by `payment` and `version`.
    Event,
    /// `account`, by `id`.
    Account,
    /// `journal`, by `number`.
    Journal,
    /// `entry`, by `journal` and `line`.
    Entry,
    /// `hold`, by `payment`.
    Hold,
    /// `capture`, by `seq`.
    Capture,
    /// `lane`, by `payment` and `number`.
    Lane,
    /// `evidence`, by `payment` and `idx`.
    Evidence,
    /// `business_day`, by `day`.
    BusinessDay,
    /// `outbox`, by `number`.
    Outbox,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number; a `timestamptz` as microseconds since 1970.
    Int(i64),
    /// A text; a `uuid` with hyphens in lower case, a `date` as `YYYY-MM-DD`.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A row: its table and its columns without `shard`, by name, in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The table.
    pub table: Table,
    /// Column and value.
    pub columns: Vec<(&'static str, Value)>,
}

impl Table {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Answer => "answer",
            Self::Payment => "payment",
            Self::Event => "event",
            Self::Account => "account",
            Self::Journal => "journal",
            Self::Entry => "entry",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Lane => "lane",
            Self::Evidence => "evidence",
            Self::BusinessDay => "business_day",
            Self::Outbox => "outbox",
        }
    }

    /// The columns that name a row, within its block where the block is part of the key.
    pub fn key(self) -> &'static [&'static str] {
        match self {
            Self::Claim => &["key"],
            Self::Answer => &["key", "idx"],
            Self::Payment | Self::Account => &["id"],
            Self::Event => &["payment", "version"],
            Self::Journal | Self::Outbox => &["number"],
            Self::Entry => &["journal", "line"],
            Self::Hold => &["payment"],
            Self::Capture => &["seq"],
            Self::Lane => &["payment", "number"],
            Self::Evidence => &["payment", "idx"],
            Self::BusinessDay => &["day"],
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Bytes(value) => f.write_str(&hex::encode(value)),
        }
    }
}

impl Row {
    /// A row with nothing in it.
    pub fn of(table: Table) -> Self {
        Self { table, columns: Vec::new() }
    }

    /// The same with one more column.
    #[must_use]
    pub fn with(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.columns.push((column, value.into()));
        self
    }

    /// Replaces the value of a column that is there, or adds it.
    pub fn set(&mut self, column: &'static str, value: impl Into<Value>) {
        match self.columns.iter_mut().find(|(name, _)| *name == column) {
            Some((_, room)) => *room = value.into(),
            None => self.columns.push((column, value.into())),
        }
    }

    /// The value of a column.
    pub fn get(&self, column: &str) -> Option<&Value> {
        self.columns.iter().find(|(name, _)| *name == column).map(|(_, value)| value)
    }

    /// The values of its key.
    pub fn key(&self) -> Vec<Value> {
        self.table.key().iter().map(|column| self.get(column).cloned().unwrap_or(Value::Null)).collect()
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        let pair = |(column, value): (&&str, Value)| match value {
            Value::Text(text) => format!("{column}={text}"),
            value => format!("{column}={value}"),
        };
        let key: Vec<String> = self.table.key().iter().zip(self.key()).map(pair).collect();
        Place::Row { table: self.table, key: key.join(" ") }
    }

    /// What differs between this row, which is expected, and the one that is stored. A column that
    /// only one of them has differs.
    pub fn compare(&self, stored: &Row) -> Option<Finding> {
        let (mut want, mut got) = (Vec::new(), Vec::new());
        for (column, value) in &self.columns {
            let there = stored.get(column);
            if there != Some(value) {
                want.push(format!("{column}={value}"));
                got.push(there.map_or_else(|| format!("no {column}"), |there| format!("{column}={there}")));
            }
        }
        for (column, value) in &stored.columns {
            if self.get(column).is_none() {
                want.push(format!("no {column}"));
                got.push(format!("{column}={value}"));
            }
        }
        (!want.is_empty()).then(|| Finding::new(self.place(), want.join(", "), got.join(", ")))
    }

    pub(super) fn missing(&self) -> Finding {
        Finding::new(self.place(), "a row", "none")
    }

    pub(super) fn unexpected(&self) -> Finding {
        Finding::new(self.place(), "no row", "a row that no item of the chain wrote")
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<i16> for Value {
    fn from(value: i16) -> Self {
        Self::Int(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl From<payments::PaymentId> for Value {
    fn from(value: payments::PaymentId) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<payments::BusinessDate> for Value {
    fn from(value: payments::BusinessDate) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<payments::Wall> for Value {
    fn from(value: payments::Wall) -> Self {
        Self::Int(value.0)
    }
}

impl From<payments::Currency> for Value {
    fn from(value: payments::Currency) -> Self {
        Self::Int(value.numeric().into())
    }
}

impl<const N: usize> From<&payments::Text<N>> for Value {
    fn from(value: &payments::Text<N>) -> Self {
        Self::Text(value.as_str().to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
