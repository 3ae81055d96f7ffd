//! The three books, each as its keeper wrote it: the terminals' synced log, the issuers' books, and the
//! record of the switch; for credit transfers the books of the instructing party and of the bank. And
//! the judges who hold them against each other item by item. `demo`, drills and system tests use them.

pub mod issuer;
pub mod kinds;
pub mod record;
pub mod terminals;
#[cfg(test)]
mod tests;
pub mod transfers;
pub mod truth;

use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a book could not be read. None of them is a finding about money.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// A file.
    #[error("{book}: {why}")]
    Io {
        /// Which book.
        book: String,
        /// Why it failed.
        why: std::io::Error,
    },
    /// A line of a book that is not one.
    #[error("{book}, line {line}: {why}")]
    Line {
        /// Which book.
        book: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The record of the switch cannot be read.
    #[error("the record: {0}")]
    Record(String),
}

/// Something that the books do not agree on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// DE37 of a card payment, UETR of a credit transfer.
    pub item: String,
    /// What is wrong, in words.
    pub what: String,
    /// What the books say, in words.
    pub books: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} ({})", self.item, self.what, self.books)
    }
}

/// How many items, and their amounts together, minor units of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sum {
    /// Items.
    pub count: u64,
    /// Their amounts.
    pub minor: i64,
}

impl Sum {
    fn add(&mut self, minor: i64) {
        self.count += 1;
        self.minor = self.minor.saturating_add(minor);
    }
}

/// The lines of a book. A torn last line was never durable, so nobody acted on it: it is left out.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, BookError> {
    let book = path.display().to_string();
    let io = |why| BookError::Io { book: book.clone(), why };
    let mut reader = BufReader::new(std::fs::File::open(path).map_err(io)?);
    let mut found = Vec::new();
    let mut text = String::new();
    loop {
        text.clear();
        reader.read_line(&mut text).map_err(io)?;
        if !text.ends_with('\n') {
            return Ok(found);
        }
        let line = found.len() + 1;
        let read =
            serde_json::from_str(&text).map_err(|why| BookError::Line { book: book.clone(), line, why: why.to_string() })?;
        found.push(read);
    }
}
