//! Operations of a hardware security module, by purpose: translate a PIN, make and check a MAC, wrap a
//! data key, keep keys. Nobody outside asks for a cipher.
//!
//! [`Hsm`] is a cheap handle for asynchronous callers. Behind it stands a backend that says what it can
//! ([`Capabilities`]). Keys are called by name and have one role each; an operation with a key of
//! another role is refused here, since tokens check little. No result holds a clear PIN or a clear
//! payment key. The one key that leaves is a [`DataKey`], which exists to be used outside.
//!
//! | backend | keys | clear PIN blocks |
//! |---|---|---|
//! | [`pkcs11`] | in the token | in the memory of this process for microseconds |
//! | [`software`] | in the memory of this process: tests and simulators only | likewise |
//!
//! The PKCS#11 backend keeps keys in the token, but clear PIN blocks and TDES DUKPT initial keys are in
//! the memory of this process during an operation. It is for tests, laboratories and keys of stored
//! data. PCI PIN asks that a PIN is translated inside a secure cryptographic device by one command:
//! production PIN traffic needs a backend whose [`Capabilities::pin_stays_inside`] is true. SoftHSM is
//! not an HSM: its key store is a file protected by a PIN.
// Not forbidden, for the one module that allows it again: `pkcs11::raw` (decision 5).
#![deny(unsafe_code)]

mod compose;
mod error;
mod handle;
mod keys;
pub mod payshield;
pub mod pkcs11;
mod pool;
mod purpose;
pub mod software;
mod token;

pub use crypto::cvv::Cvv;
pub use crypto::dukpt::Ksn;
pub use crypto::dukpt::aes::Ksn as AesKsn;
pub use crypto::emv::{Derivation, Scheme};
pub use crypto::ibm3624::{DecimalizationTable, Offset, ValidationData};
pub use crypto::keyblock::Version as BlockVersion;
pub use crypto::pvv::Pvv;
pub use error::{HsmError, TokenProblem};
pub use handle::Hsm;
pub use keys::{Algorithm, ClearKey, Exportability, Kcv, KeyInfo, KeyName, KeyNameError, KeyRole, ModeOfUse};
pub use pool::PoolSettings;
pub use purpose::{
    ArpcAnswer, Capabilities, ChipCard, ChipTransaction, Contactless, DataKey, DataSource, Format, MacDirection, MacMethod,
    MacSource, Operation, Padding, PinReference, PinSource, PinTarget, Track, Verified, WrappedDataKey,
};
