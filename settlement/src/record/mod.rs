//! What settlement keeps in PostgreSQL: schema `settlement`, and how the ledger's views are read.

mod book;
mod captures;
mod error;
mod freeze;
mod publish;
mod reconcile;
mod value;

use store::Schema;

pub use book::read_book;
pub use error::Error;
pub use freeze::{FrozenDay, freeze_day};
pub use publish::{VaultCards, publish_day};
pub use reconcile::{Kept, keep, last_kept, read_cleared, reconcile_network};

/// The schema, for [`store::Database::prepare`], after the ledger's: its view reads that.
pub const SCHEMA: Schema = Schema {
    name: "settlement",
    migrations: &[
        ("V1__clearing", include_str!("../../migrations/V1__clearing.sql")),
        ("V2__set_aside", include_str!("../../migrations/V2__set_aside.sql")),
    ],
};
