//! What key objects look like in the token.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType};

use crate::{Algorithm, KeyRole};

/// What every key object of ours has: private, sensitive, never to be read or wrapped out, and allowed
/// only what its role does.
pub(super) fn template(label: &str, role: KeyRole) -> Vec<Attribute> {
    let (encrypts, decrypts) = match role {
        KeyRole::Tpk => (false, true),
        KeyRole::Zpk | KeyRole::Kek => (true, true),
        KeyRole::Tak | KeyRole::Zak | KeyRole::Bdk => (true, false),
    };
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Label(label.into()),
        Attribute::Encrypt(encrypts),
        Attribute::Decrypt(decrypts),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ]
}

/// Key type and generation mechanism of a role's keys.
pub(super) fn algorithm(role: KeyRole) -> (KeyType, Mechanism<'static>) {
    match role.algorithm() {
        Algorithm::TdesDouble => (KeyType::DES2, Mechanism::Des2KeyGen),
        Algorithm::Aes256 => (KeyType::AES, Mechanism::AesKeyGen),
    }
}
