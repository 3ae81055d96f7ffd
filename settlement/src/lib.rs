//! From captures to the scheme's money, and the proof that it got there.
//!
//! * [`clearing`]: the captures of a closed business day become one clearing file, exactly once, the same
//!   bytes however often it is made, proved against the ledger before anybody can see it.
//! * [`reconciliation`]: clearing file, ledger and the issuer's report, item by item; every difference is a
//!   break with its item and both values.
//! * [`record`]: all of it over PostgreSQL, schema `settlement`.
//!
//! The ledger is read through its published views only. Nothing here touches authorizations.
#![forbid(unsafe_code)]

pub mod clearing;
pub mod reconciliation;
pub mod record;
