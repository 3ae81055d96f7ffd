//! Suites over the whole system; see `tests/system`. What they share with the tools beside them is here.
#![forbid(unsafe_code)]

pub mod bench;
pub mod drill;
pub mod secrets;
