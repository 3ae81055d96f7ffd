//! Payment cryptography as pure functions: no I/O, no clock, no randomness, no knowledge of
//! messages. What the functions take and give are bytes and the wiped types of this package.
//!
//! | module | what | standard |
//! |---|---|---|
//! | [`tdes`] | double- and triple-length DES keys: parity, weak keys, one block | ANSI X9.52, FIPS 46-3 |
//! | [`aes`] | AES keys, one block | FIPS 197 |
//! | [`modes`] | ECB, CBC and CTR over whole buffers | SP 800-38A |
//! | [`pin`] | PINs and PIN blocks of formats 0 to 4 | ISO 9564-1 |
//! | [`mac`] | message authentication codes | ISO/IEC 9797-1, SP 800-38B |
//! | [`kcv`] | key check values | X9.24-1, X9.143 |
//! | [`transport`] | keys under keys without a block, components, variants | X9.17 and vendors' own |
//! | [`keyblock`] | keys under keys with what they are for | TR-31:2018, X9.143:2021, ISO 20038 |
//! | [`keywrap`] | keys as tokens give them out | RFC 3394 |
//! | [`pvv`], [`ibm3624`] | PIN verification by value and by offset | Visa PVV, IBM 3624 |
//! | [`cvv`] | card verification values, static and dynamic | Visa, Mastercard |
//! | [`emv`] | chip cards: keys, cryptograms, answers, scripts | EMV 4.3 Book 2 |
//! | [`dukpt`] | keys that change with every transaction | X9.24-1:2009, X9.24-3:2017 |
//! | [`ff1`] | digits encrypted to digits | SP 800-38G |
//! | [`gcm`] | sealing of stored data | SP 800-38D |
//! | [`hmac`] | keyed fingerprints | FIPS 198-1 |
//!
//! Every type that holds a key, a PIN or a clear PIN block redacts its `Debug`, has no `Display` and
//! no serialisation, compares in constant time and is wiped on drop. Rust moves may leave copies on
//! the stack: wiping reduces what a memory image shows, it does not abolish it.
#![forbid(unsafe_code)]

pub mod aes;
pub mod cvv;
mod decimal;
pub mod dukpt;
pub mod emv;
mod error;
pub mod ff1;
pub mod gcm;
pub mod hmac;
pub mod ibm3624;
pub mod kcv;
pub mod keyblock;
pub mod keywrap;
pub mod mac;
pub mod modes;
#[cfg(doctest)]
mod pages;
pub mod pin;
pub mod pvv;
pub mod tdes;
pub mod transport;

pub use aes::AesKey;
pub use error::CryptoError;
pub use pin::Pin;
pub use tdes::TdesKey;

/// Compares two byte strings of public length without telling by time where they differ.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    bool::from(subtle::ConstantTimeEq::ct_eq(left, right))
}
