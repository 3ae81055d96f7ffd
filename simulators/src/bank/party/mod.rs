//! A bank that instructs a switch: sends pacs.008, waits for pacs.002, asks with pacs.028 when it is
//! silent or pending, and never sends a pacs.008 because of silence. Its book says what it sent and
//! what it was told.

mod client;
mod dialogue;
pub mod line;
mod messages;
mod options;
mod summary;

pub use client::{drive, run};
pub use dialogue::{Party, Step};
pub use options::PartyOptions;
pub use summary::Summary;
