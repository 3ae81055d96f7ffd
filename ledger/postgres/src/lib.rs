//! PostgreSQL: the private cluster, migrations, the writer, reads and the published views of the
//! ledger's record.
//!
//! No accounting rule lives here. [`ledger::Book`] checks and numbers; this package makes a batch
//! durable whole or not at all, under a fence, in one round trip, and can say later whether a batch
//! whose outcome was lost has landed.
//!
//! The driver logs parameters at level `debug` of the `log` crate: never bridge that into a log.
#![forbid(unsafe_code)]

pub mod cluster;
pub mod database;
pub mod error;
mod marks;
pub mod migrate;
pub mod reports;
mod settings;
mod sql;
pub mod store;
pub mod test_support;
pub mod verify;

pub use cluster::{Cluster, ClusterOptions};
pub use database::Database;
pub use error::Error;
pub use migrate::{LEDGER, Schema, migrate};
pub use store::{PgStore, StoreOptions};
