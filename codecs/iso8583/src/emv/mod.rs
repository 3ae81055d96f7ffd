//! EMV: what the data objects of DE55 are called, what they look like, what their bits mean, and
//! the data object lists (DOLs) by which a card asks for them.
//!
//! The tables are data: `emv/tags.toml` and `emv/bits.toml`, with their sources.

mod describe;
mod dictionary;
mod dol;
mod explain;
mod format;

pub use describe::describe_tlv;
pub use dictionary::{Entry, Source, dictionary, entry, sensitivity};
pub use dol::{Dol, DolEntry, DolError};
pub use explain::explain;
pub use format::{Class, Format};
