//! Simulated peers: terminals, a network with its issuers, banks, a payment HSM, a load generator. They have their own
//! protocol mapping and their own books, so that a bug of the switch is not shared by both ends.
//!
//! Each is logic without I/O and a thin layer of sockets around it. Secrets come in from outside and
//! are never written; what is written of a card is its number in a population that both ends derive
//! from a seed ([`cards`]).
#![forbid(unsafe_code)]

pub mod bank;
pub mod cards;
pub mod chip;
pub mod clock;
mod error;
pub mod frames;
pub mod hsm;
pub mod issuer;
pub mod journal;
pub mod keys;
pub mod load;
pub mod pos;
pub mod stop;
pub mod wire;

pub use error::Error;
