//! Dialects: wire messages ↔ canonical requests and answers, pure. N dialects and M networks need
//! N + M mappings: nothing here knows two wires at once, nothing behind here knows one.
#![forbid(unsafe_code)]

pub mod card;
pub mod pacs;
