//! What only a real server can show. Crash tests own a cluster; all others share one and take a
//! database each.
#![allow(clippy::unwrap_used)]

mod cluster;
mod commits;
mod crashes;
mod figures;
mod fixture;
mod laws;
mod proof;
mod proxy;
mod reports;
mod scratch;
