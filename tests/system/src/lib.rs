//! Suites over the whole system; see `tests/system`.
#![forbid(unsafe_code)]
