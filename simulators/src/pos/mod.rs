//! Terminals: they send what scenarios or a seeded generator say, time out, repeat and reverse as
//! terminals do, check every answer, and keep a book of what they saw.

pub mod exchange;
pub mod fleet;
pub mod generate;
pub mod link;
mod options;
pub mod play;
pub mod record;
mod run;
pub mod scenario;
pub mod tally;
pub mod terminal;

pub use options::{FleetOptions, Framing, PosOptions, TerminalOptions};
pub use run::{Summary, drive, run};
pub use tally::Figures;

#[cfg(test)]
mod tests;
