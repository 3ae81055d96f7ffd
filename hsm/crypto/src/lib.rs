//! Payment cryptography as pure functions: no I/O, no clock, no randomness, no knowledge of
//! messages. What the functions take and give are bytes and the wiped types of this package.
//!
//! | module | what | standard |
//! |---|---|---|
//! | [`tdes`] | double- and triple-length DES keys: parity, weak keys, one block | ANSI X9.52, FIPS 46-3 |
//! | [`aes`] | AES keys, one block | FIPS 197 |
//! | [`pin`] | PINs and PIN blocks | ISO 9564-1 |
//! | [`mac`] | message authentication codes | ISO/IEC 9797-1, SP 800-38B |
//! | [`kcv`] | key check values | X9.24-1, X9.143 |
//! | [`pvv`] | PIN verification values | Visa PVV |
//! | [`dukpt`] | keys that change with every transaction | X9.24-1:2009 |
//! | [`gcm`] | sealing of stored data | SP 800-38D |
//! | [`hmac`] | keyed fingerprints | FIPS 198-1 |
//!
//! Every type that holds a key, a PIN or a clear PIN block redacts its `Debug`, has no `Display` and
//! no serialisation, compares in constant time and is wiped on drop. Rust moves may leave copies on
//! the stack: wiping reduces what a memory image shows, it does not abolish it.
#![forbid(unsafe_code)]

pub mod aes;
pub mod dukpt;
mod error;
pub mod gcm;
pub mod hmac;
pub mod kcv;
pub mod mac;
pub mod pin;
pub mod pvv;
pub mod tdes;

pub use aes::AesKey;
pub use error::CryptoError;
pub use pin::Pin;
pub use tdes::TdesKey;

/// Compares two byte strings of public length without telling by time where they differ.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    bool::from(subtle::ConstantTimeEq::ct_eq(left, right))
}
