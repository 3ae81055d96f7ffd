//! Payment HSMs that take host commands (the payShield family) over TCP: PINs, keys and clear data stay
//! inside the HSM, which does each operation by one command. What is sent is in docs/hsm/host-commands.md.
//!
//! [`codec`] and [`commands`] are bytes without I/O; [`PayShield`] keeps several connections to several
//! HSMs and offers operations by purpose, with keys by name ([`KeyTable`]).

mod client;
pub mod codec;
pub mod commands;
mod errors;
mod fleet;
mod keys;
mod link;
mod operations;
mod settings;

pub use client::PayShield;
pub use commands::chip::{ChipAnswer, ChipScheme, KeyTree};
pub use commands::data::Chaining;
pub use commands::macs::{MacAlgorithm, MacPadding};
pub use commands::status::Health;
pub use commands::{MAX_DATA, PinFormat};
pub use fleet::Chance;
pub use keys::{KeyEntry, KeyTable, Role, Shape, Wrapped, ZoneCryptogram};
pub use link::{Connecting, Connector, Stream, Tcp};
pub use operations::{CardSecurity, Components, DataSource, Incoming, MacFrom, Offset, PinCheck, PinFrom, PinTo, Pvv};
pub use settings::HostSettings;

#[cfg(test)]
mod tests;
