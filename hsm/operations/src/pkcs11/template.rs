//! What key objects look like in the token.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType};
use cryptoki::types::Ulong;

use crate::keys::Use;
use crate::{Algorithm, Exportability, KeyInfo, KeyRole, ModeOfUse};

/// What a key object may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Allowed {
    encrypt: bool,
    decrypt: bool,
    sign: bool,
    derive: bool,
}

/// Only what the operations of a role need, as far as its mode of use goes.
fn allowed(role: KeyRole, algorithm: Algorithm, mode: ModeOfUse) -> Allowed {
    let (forward, backward) = (mode.allows(Use::Forward), mode.allows(Use::Backward));
    let none = Allowed::default();
    match role {
        KeyRole::Tpk => Allowed { decrypt: backward, ..none },
        KeyRole::Zpk | KeyRole::Kek | KeyRole::Dek => Allowed { encrypt: forward, decrypt: backward, ..none },
        // Checking is making and comparing.
        KeyRole::Tak | KeyRole::Zak | KeyRole::TakCbc | KeyRole::ZakCbc | KeyRole::PvkVisa | KeyRole::PvkIbm | KeyRole::Cvk => {
            Allowed { encrypt: true, ..none }
        }
        KeyRole::TakCmac | KeyRole::ZakCmac | KeyRole::Kbpk => Allowed { sign: true, ..none },
        // Keys of 24 bytes are not derived inside: see `Pkcs11Token::derive`.
        KeyRole::Bdk if algorithm.is_tdes() || algorithm == Algorithm::Aes192 => Allowed { encrypt: true, ..none },
        KeyRole::Bdk | KeyRole::ImkAc | KeyRole::ImkDn => Allowed { derive: true, ..none },
        // Visa's session key for scripts is not one that a token derives.
        KeyRole::ImkSmi => Allowed { encrypt: true, derive: true, ..none },
    }
}

/// What every key object of ours has: private, sensitive, never to be read, to be wrapped out only where it may
/// be exported, and allowed only what its role does. Its id says mode of use and exportability.
pub(super) fn template(label: &str, info: &KeyInfo) -> Vec<Attribute> {
    let allowed = allowed(info.role, info.algorithm, info.mode);
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(info.exportability.may_leave()),
        Attribute::Label(label.into()),
        Attribute::Id(id(info.mode, info.exportability)),
        Attribute::Encrypt(allowed.encrypt),
        Attribute::Decrypt(allowed.decrypt),
        Attribute::Sign(allowed.sign),
        Attribute::Verify(false),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Derive(allowed.derive),
    ]
}

fn id(mode: ModeOfUse, exportability: Exportability) -> Vec<u8> {
    [mode.letter(), exportability.letter()].into_iter().filter_map(|letter| u8::try_from(letter).ok()).collect()
}

/// Mode and exportability out of an object's id. Keys made before there were any have none.
pub(super) fn of_id(id: &[u8]) -> (ModeOfUse, Exportability) {
    let read = match id {
        [mode, exportability] => {
            ModeOfUse::of_letter(char::from(*mode)).zip(Exportability::of_letter(char::from(*exportability)))
        }
        _ => None,
    };
    read.unwrap_or((ModeOfUse::Unrestricted, Exportability::NonExportable))
}

/// Key type of an algorithm.
pub(super) fn key_type(algorithm: Algorithm) -> KeyType {
    match algorithm {
        Algorithm::TdesDouble => KeyType::DES2,
        Algorithm::TdesTriple => KeyType::DES3,
        Algorithm::Aes128 | Algorithm::Aes192 | Algorithm::Aes256 => KeyType::AES,
    }
}

/// The algorithm of a key type and the bytes that the token tells, which it does for AES alone.
pub(super) fn algorithm(kind: KeyType, bytes: Option<usize>) -> Option<Algorithm> {
    match (kind, bytes) {
        (KeyType::DES2, _) => Some(Algorithm::TdesDouble),
        (KeyType::DES3, _) => Some(Algorithm::TdesTriple),
        (KeyType::AES, Some(bytes)) => Algorithm::of_block('A', bytes),
        _ => None,
    }
}

/// How the token makes a key of an algorithm, and what its template has besides.
pub(super) fn generation(algorithm: Algorithm) -> (Mechanism<'static>, Option<Attribute>) {
    match algorithm {
        Algorithm::TdesDouble => (Mechanism::Des2KeyGen, None),
        Algorithm::TdesTriple => (Mechanism::Des3KeyGen, None),
        Algorithm::Aes128 => (Mechanism::AesKeyGen, Some(Attribute::ValueLen(Ulong::new(16)))),
        Algorithm::Aes192 => (Mechanism::AesKeyGen, Some(Attribute::ValueLen(Ulong::new(24)))),
        Algorithm::Aes256 => (Mechanism::AesKeyGen, Some(Attribute::ValueLen(Ulong::new(32)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_says_mode_and_exportability_and_an_old_key_has_neither() {
        let pair = (ModeOfUse::Encrypt, Exportability::Sensitive);
        assert_eq!(of_id(&id(pair.0, pair.1)), pair);
        assert_eq!(id(pair.0, pair.1), b"ES");
        for old in [&b""[..], b"E", b"??", b"ESE"] {
            assert_eq!(of_id(old), (ModeOfUse::Unrestricted, Exportability::NonExportable));
        }
    }

    #[test]
    fn no_key_that_derives_or_checks_decrypts_and_a_restricted_one_goes_one_way() {
        for role in KeyRole::ALL {
            let may = allowed(role, role.algorithm(), ModeOfUse::Unrestricted);
            let decrypts = matches!(role, KeyRole::Tpk | KeyRole::Zpk | KeyRole::Kek | KeyRole::Dek);
            assert_eq!(may.decrypt, decrypts, "{role}");
        }
        let zpk = allowed(KeyRole::Zpk, Algorithm::Aes128, ModeOfUse::Encrypt);
        assert!(zpk.encrypt && !zpk.decrypt);
        let bdk = allowed(KeyRole::Bdk, Algorithm::Aes256, ModeOfUse::Derive);
        assert!(bdk.derive && !bdk.encrypt);
    }
}
