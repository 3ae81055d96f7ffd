//! Suites over the whole system; see `tests/system`. What they share with the tools beside them is here.
#![forbid(unsafe_code)]

pub mod drill;
