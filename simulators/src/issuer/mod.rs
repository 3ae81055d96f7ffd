//! A network and its issuers in one: answers what a switch sends, checks MACs and PINs, keeps its own
//! book, and misbehaves on request. The switch connects to it as a client.

pub mod book;
pub mod counts;
pub mod decide;
mod host;
pub mod line;
mod options;
pub mod report;
pub mod request;
pub mod rules;
mod server;

pub use counts::Counts;
pub use host::{Action, Handled, Issuer};
pub use options::{IssuerOptions, MessageSystem};
pub use server::{Announcement, Summary, run, serve};

#[cfg(test)]
mod tests;
