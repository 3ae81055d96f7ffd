//! The vault: card data sealed for the record, keyed fingerprints in its place, and nothing in the
//! clear without a logged reason.
//!
//! Cards are sealed with AES-256-GCM under a data key that the HSM wraps; tokens are HMACs under
//! another. Both keys are opened once, at the start, and kept in memory: reversals go on while the HSM
//! is down. What is stored ([`storage`]) is useless without the HSM's key encryption key.
//!
//! [`Sealer`] is what the link pipelines call for every request: synchronous, without I/O, a few
//! microseconds.
#![forbid(unsafe_code)]

mod error;
mod sealed;
pub mod storage;
mod vault;

pub use error::VaultError;
pub use sealed::Card;
pub use storage::Storage;
pub use vault::{Reason, Sealer, Vault};
