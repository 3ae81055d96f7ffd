//! Field tables of other tools turned into ours: `jpos` the XML of a GenericPackager, `moov` the JSON
//! of moov-io/iso8583's spec builder. What cannot be carried over is told, not guessed.

use std::fmt;

use crate::spec::Spec;

mod jpos;
mod moov;
mod write;

pub use jpos::jpos;
pub use moov::moov;

/// Most bytes of a file to import.
pub const LONGEST_IMPORT: usize = 4 << 20;
/// Levels of subfields, and of XML elements.
const DEEPEST: usize = 8;

/// A field table in our form, and what it has not of the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The TOML text of a spec that loads.
    pub toml: String,
    /// What could not be carried over, in the order of the fields.
    pub losses: Vec<Loss>,
}

impl Imported {
    /// Whether a loss changes what stands on the wire: the spec must be finished by hand.
    pub fn is_incomplete(&self) -> bool {
        self.losses.iter().any(|loss| loss.essential)
    }
}

/// Something that could not be carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The field or subfield as in `127.2`; empty for the whole table.
    pub field: String,
    /// What the other table says: a class, an encoding.
    pub what: String,
    /// Why it is not in ours.
    pub why: String,
    /// Whether the wire differs without it.
    pub essential: bool,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (weight, field) = (if self.essential { "lost" } else { "note" }, self.field.as_str());
        let place = if field.is_empty() { "the table".to_owned() } else { format!("field {field}") };
        write!(f, "{weight}: {place}: {:?}: {}", self.what, self.why)
    }
}

/// Why a file is no table of that tool. Nothing was made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Longer than [`LONGEST_IMPORT`].
    #[error("{got} bytes: a file to import has at most {most}")]
    TooLong {
        /// Bytes of the file.
        got: usize,
        /// The bound.
        most: usize,
    },
    /// Not XML, or not of the form of a packager.
    #[error("byte {offset}: {reason}")]
    Xml {
        /// Where, from the start of the file.
        offset: u64,
        /// What is wrong and what would be right.
        reason: &'static str,
    },
    /// Not JSON, or not of the form of a spec.
    #[error("line {line}, column {column}: not a moov spec: wanted an object with \"fields\"")]
    Json {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

fn bounded(text: &str) -> Result<(), ImportError> {
    match text.len() {
        got if got > LONGEST_IMPORT => Err(ImportError::TooLong { got, most: LONGEST_IMPORT }),
        _ => Ok(()),
    }
}

/// The head of a table, as TOML writes it.
#[derive(Default)]
struct Table {
    name: String,
    origin: &'static str,
    mti: Option<&'static str>,
    bitmap: Option<&'static str>,
    /// Where a third bitmap stands.
    third: Option<&'static str>,
    rows: Vec<Line>,
    losses: Vec<Loss>,
}

impl Table {
    fn lose(&mut self, essential: bool, field: &str, what: &str, why: impl Into<String>) {
        let (field, what) = (field.to_owned(), what.to_owned());
        self.losses.push(Loss { field, what, why: why.into(), essential });
    }

    /// The table as text that loads: what the loader refuses is taken out and told.
    fn finish(mut self) -> Imported {
        if self.mti.is_none() {
            self.lose(true, "0", "message type", "its form is not known: \"ascii\" was put in");
        }
        if self.bitmap.is_none() {
            self.lose(true, "1", "bitmap", "its form is not known: \"hex-ascii\" was put in");
        }
        loop {
            let toml = write::toml(&self);
            let Err(error) = Spec::from_toml(&toml) else { return Imported { toml, losses: self.losses } };
            let number = error.path.split('.').next().unwrap_or_default().to_owned();
            if self.rows.is_empty() {
                self.lose(true, "", "table", error.reason);
                return Imported { toml, losses: self.losses };
            }
            let found = self.rows.iter().position(|row| row.key == number || row.key.trim_start_matches('0') == number);
            let Some(at) = found else {
                self.rows.clear();
                self.lose(true, &error.path, "table", error.reason);
                continue;
            };
            // Without its structure a field still has its place; without its form it has none.
            match self.rows.get_mut(at).filter(|row| row.shape.is_some()) {
                Some(row) => {
                    (row.shape, row.rows) = (None, Vec::new());
                    self.lose(false, &error.path, "subfields", error.reason);
                }
                None => {
                    self.rows.remove(at);
                    self.lose(true, &error.path, "field", error.reason);
                }
            }
        }
    }
}

/// A row of a table, as TOML writes it.
#[derive(Clone, Default)]
struct Line {
    key: String,
    name: String,
    content: &'static str,
    charset: &'static str,
    /// Greatest length; of a fixed one the length.
    length: u32,
    prefix: Option<(u8, &'static str)>,
    counts_bytes: bool,
    /// Whether what it stands in tells its length.
    enclosed: bool,
    /// Filler of an odd number of packed digits.
    odd: Option<(&'static str, u8)>,
    pad: Option<String>,
    /// `shape` and the keys that belong to it.
    shape: Option<String>,
    rows: Vec<Line>,
}

#[cfg(test)]
mod tests;
