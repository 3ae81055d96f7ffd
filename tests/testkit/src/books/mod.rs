//! The three books, each as its keeper wrote it: the terminals' synced log, the issuers' books, and
//! the record of the switch.

pub mod issuer;
pub mod record;
pub mod terminals;

use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::KitError;

/// The lines of a book. A torn last line was never durable, so nobody acted on it: it is left out.
fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, KitError> {
    let book = path.display().to_string();
    let mut reader = BufReader::new(std::fs::File::open(path).map_err(KitError::io(&book))?);
    let mut found = Vec::new();
    let mut text = String::new();
    loop {
        text.clear();
        reader.read_line(&mut text).map_err(KitError::io(&book))?;
        if !text.ends_with('\n') {
            return Ok(found);
        }
        let line = found.len() + 1;
        let read =
            serde_json::from_str(&text).map_err(|why| KitError::Book { book: book.clone(), line, why: why.to_string() })?;
        found.push(read);
    }
}
