//! The shell: everything around the engine that touches the world. Sockets, link pipelines, the HSM,
//! the writer task, configuration, signals, the admin port. It decides nothing about payments.
//!
//! One task per shard runs the engine: it takes events in batches, steps, and hands the effects on
//! without ever waiting. Everything slow happens elsewhere and comes back as an event.
//!
//! ```text
//! listener ─► connection: frame, decode, MAC, seal ─► shard task (engine) ─► writer task ─► store
//!                                                        │  ▲
//!                                        encode, MAC ◄───┘  └─── link: frame, decode, MAC
//! ```
#![forbid(unsafe_code)]

mod admin;
mod bank;
mod cards;
mod carried;
mod clock;
pub mod config;
pub mod faults;
mod framed;
mod keys;
mod link;
mod listener;
mod node;
mod observe;
mod orders;
mod peers;
mod protocol;
pub mod schema;
mod shard;
mod socket;
mod sound;
mod writer;

pub use config::{Config, ConfigError};
pub use node::{Node, NodeError, Ready, open_database, open_hsm, open_vault, run};
