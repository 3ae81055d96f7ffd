//! Keys as requests carry them: which role a command wants, and the key out of its wrapping.

use crypto::{AesKey, TdesKey, kcv};
use zeroize::Zeroizing;

use super::block;
use super::codes::Code;
use super::fields::Fields;
use super::lmk::{KeyType, Lmk};

/// What a key is for: its type under an LMK pair, and its usages in a key block.
pub(super) struct Role {
    pub(super) kind: KeyType,
    usages: &'static [[u8; 2]],
}

const MAC_USAGES: &[[u8; 2]] = &[*b"M0", *b"M1", *b"M2", *b"M3", *b"M4", *b"M5", *b"M6"];

pub(super) const ZMK: Role = Role { kind: KeyType::ZMK, usages: &[*b"K0", *b"52"] };
pub(super) const ZPK: Role = Role { kind: KeyType::ZPK, usages: &[*b"P0", *b"72"] };
pub(super) const TPK: Role = Role { kind: KeyType::TPK, usages: &[*b"P0", *b"71"] };
pub(super) const PVK: Role = Role { kind: KeyType::TPK, usages: &[*b"V0", *b"V1", *b"V2"] };
pub(super) const CVK: Role = Role { kind: KeyType::CVK, usages: &[*b"C0", *b"11", *b"12", *b"13"] };
pub(super) const TAK: Role = Role { kind: KeyType::TAK, usages: MAC_USAGES };
pub(super) const ZAK: Role = Role { kind: KeyType::ZAK, usages: MAC_USAGES };
pub(super) const BDK: Role = Role { kind: KeyType::BDK, usages: &[*b"B0"] };
pub(super) const MK_AC: Role = Role { kind: KeyType::MK_AC, usages: &[*b"E0"] };
pub(super) const ZEK: Role = Role { kind: KeyType::ZEK, usages: &[*b"D0", *b"22"] };
pub(super) const DEK: Role = Role { kind: KeyType::DEK, usages: &[*b"D0", *b"21"] };

/// Every role that a key type can name.
pub(super) const ALL: [&Role; 11] = [&ZMK, &ZPK, &TPK, &PVK, &CVK, &TAK, &ZAK, &BDK, &MK_AC, &ZEK, &DEK];

/// The key type that says: as the key's own block says.
pub(super) const AS_BLOCK: [u8; 3] = *b"FFF";

/// A clear key.
pub(super) enum Secret {
    Single(TdesKey, Zeroizing<[u8; 8]>),
    Tdes(TdesKey),
    Aes(AesKey),
}

impl Secret {
    /// A DES or TDES key of odd parity.
    pub(super) fn des(raw: &[u8], parity: Code) -> Result<Self, Code> {
        if raw.iter().any(|byte| byte.count_ones().is_multiple_of(2)) {
            return Err(parity);
        }
        match <[u8; 8]>::try_from(raw) {
            Ok(single) => Ok(Self::Single(TdesKey::single(&single)?, Zeroizing::new(single))),
            Err(_) => Ok(Self::Tdes(TdesKey::unchecked(raw)?)),
        }
    }

    /// Of two or three parts; a single one is too short.
    pub(super) fn tdes(&self) -> Result<&TdesKey, Code> {
        match self {
            Self::Tdes(key) => Ok(key),
            Self::Single(..) => Err(Code::KEY_LENGTH),
            Self::Aes(_) => Err(Code::BLOCK_ALGORITHM),
        }
    }

    /// Of exactly two parts.
    pub(super) fn double(&self) -> Result<&TdesKey, Code> {
        let key = self.tdes()?;
        if key.len() == 16 { Ok(key) } else { Err(Code::KEY_LENGTH) }
    }

    /// Of one to three parts: single DES is TDES with equal parts.
    pub(super) fn any_des(&self) -> Result<&TdesKey, Code> {
        match self {
            Self::Tdes(key) | Self::Single(key, _) => Ok(key),
            Self::Aes(_) => Err(Code::BLOCK_ALGORITHM),
        }
    }

    pub(super) fn is_single(&self) -> bool {
        matches!(self, Self::Single(..))
    }

    /// The clear bytes.
    pub(super) fn reveal(&self) -> &[u8] {
        match self {
            Self::Single(_, raw) => &raw[..],
            Self::Tdes(key) => key.reveal(),
            Self::Aes(key) => key.reveal(),
        }
    }

    /// Three bytes of check value: zeros encrypted; for AES the CMAC of zeros.
    pub(super) fn check_value(&self) -> [u8; 3] {
        match self {
            Self::Single(key, _) | Self::Tdes(key) => kcv::tdes(key),
            Self::Aes(key) => {
                let [a, b, c, ..] = kcv::aes_cmac(key);
                [a, b, c]
            }
        }
    }
}

/// Takes a key under the LMK off the request. `parity` is what wrong parity is told as.
pub(super) fn take(fields: &mut Fields<'_>, lmk: Lmk, role: &Role, parity: Code) -> Result<Secret, Code> {
    if fields.peek() == Some(b'S') {
        return take_block(fields, &[role], parity);
    }
    let characters = match fields.peek() {
        Some(b'U') => 32,
        Some(b'T') => 48,
        _ => 16,
    };
    if characters > 16 {
        fields.one()?;
    }
    let sealed = fields.hex(characters)?;
    Secret::des(&lmk.open(role.kind, &sealed)?, parity)
}

fn take_block(fields: &mut Fields<'_>, roles: &[&Role], parity: Code) -> Result<Secret, Code> {
    fields.mark(b'S')?;
    let opened = block::take(fields)?;
    if !roles.iter().any(|role| role.usages.contains(&opened.usage)) {
        return Err(Code::BLOCK_USAGE);
    }
    match opened.algorithm {
        b'T' => Secret::des(&opened.key, parity),
        b'A' => Ok(Secret::Aes(AesKey::from_bytes(&opened.key)?)),
        _ => Err(Code::BLOCK_ALGORITHM),
    }
}

/// Takes a key type of three characters. `None` says: as the key's own block says.
pub(super) fn key_type(fields: &mut Fields<'_>) -> Result<Option<KeyType>, Code> {
    match fields.array()? {
        AS_BLOCK => Ok(None),
        text => KeyType::parse(text).map(Some),
    }
}

/// Takes a key that its type was told of before; the type must be one of `roles`, or else `wrong_type`.
pub(super) fn take_typed(
    fields: &mut Fields<'_>,
    lmk: Lmk,
    kind: Option<KeyType>,
    roles: &[&'static Role],
    wrong_type: Code,
    parity: Code,
) -> Result<Secret, Code> {
    match kind {
        None => take_block(fields, roles, parity),
        Some(_) if fields.peek() == Some(b'S') => Err(Code::KEY_SCHEME),
        Some(kind) => {
            let role = roles.iter().find(|role| role.kind == kind).ok_or(wrong_type)?;
            take(fields, lmk, role, parity)
        }
    }
}

/// Writes a DES or TDES key under the LMK in the scheme that was asked for.
pub(super) fn under_lmk(kind: KeyType, scheme: u8, clear: &[u8]) -> Result<String, Code> {
    match (scheme, clear.len()) {
        (b'0' | b'Z', 8) | (b'U', 16) | (b'T', 24) => {}
        (b'0' | b'Z' | b'U' | b'T', _) => return Err(Code::KEY_LENGTH),
        _ => return Err(Code::KEY_SCHEME),
    }
    let sealed = hex::encode_upper(&*Lmk::Test.seal(kind, clear)?);
    Ok(if clear.len() == 8 { sealed } else { format!("{}{sealed}", char::from(scheme)) })
}
