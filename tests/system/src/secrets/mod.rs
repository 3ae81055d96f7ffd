//! The secrets search: after a run, everything that the laboratory left is searched for every card
//! number, track, PIN block and key of it, in every form that a leak would have.
//!
//! What it cannot see: PINs of four digits on their own ([`known`]), a packed number that begins in the
//! middle of a byte, and what is compressed or enciphered (the tables are read through the database too,
//! which shows compressed values in the clear).

pub mod digest;
pub mod forms;
pub mod known;
pub mod scan;
mod search;

pub use scan::{Finding, Kind, Scanner};
pub use search::{Allowed, Report, Search};
