//! A payment HSM that speaks host commands (docs/hsm/host-commands.md) under the published test master
//! keys: for tests and laboratories. [`Device`] turns a request into an answer without I/O; the rest is
//! sockets and trouble on purpose.
//!
//! Its keys are public, so nothing under them is secret. The protocol code is its own and shares
//! nothing with the client in `hsm/operations`.

mod block;
mod chip;
mod codes;
mod cvv;
mod data;
mod device;
mod fields;
mod keys;
pub mod lmk;
mod macs;
mod manage;
mod options;
mod pins;
mod server;
mod verify;

pub use device::{Device, Random};
pub use options::HsmOptions;
pub use server::{Counts, Summary, run, serve, serve_device};

#[cfg(test)]
mod tests;
