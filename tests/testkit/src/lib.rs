//! What drills and system tests stand on: a laboratory of real processes that leaves nothing behind, and
//! the readers and judges of the three books that `switchyard demo` has, too.
#![forbid(unsafe_code)]

mod error;
mod laboratory;
pub mod processes;

pub use error::KitError;
pub use laboratory::{Laboratory, Scratch, binary};
pub use switchyard::three_books::{self as books, Finding, truth as judge};
