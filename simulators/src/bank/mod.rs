//! A bank that switches connect to, and ([`party`]) a bank that connects to a switch: credit transfers
//! in ISO 20022 envelopes over framed TCP (docs/wire.md, "Bank links").
//!
//! Both keep their own books, one synced line per transfer, and map messages on their own: of the
//! switch they share only the codec of the wire.

pub mod accounts;
mod counts;
pub mod frames;
mod host;
pub mod line;
mod options;
pub mod party;
mod reply;
pub mod rules;
mod server;

pub use counts::Counts;
pub use host::{Action, Bank, Handled};
pub use options::BankOptions;
pub use server::{Summary, run, serve};

#[cfg(test)]
mod tests;
