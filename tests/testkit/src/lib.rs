//! What drills and system tests stand on: a laboratory of real processes that leaves nothing behind,
//! readers of the three books that separate processes keep, and the judge who holds them against each
//! other item by item.
#![forbid(unsafe_code)]

pub mod books;
mod error;
pub mod judge;
mod laboratory;
pub mod processes;

pub use error::KitError;
pub use laboratory::{Laboratory, Scratch, binary};
