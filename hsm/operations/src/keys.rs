//! Keys as the rest of the house speaks of them: names, roles, check values; and clear key material on
//! its way into the HSM.

use std::fmt;
use std::str::FromStr;

use crypto::{AesKey, CryptoError, TdesKey, dukpt, kcv};
use payments::Text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::HsmError;

/// What a key is for. One key has one role, for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyRole {
    /// Terminal PIN key: PINs come under it and are never encrypted under it here.
    Tpk,
    /// Terminal MAC key.
    Tak,
    /// Zone PIN key, shared with a network.
    Zpk,
    /// Zone MAC key, shared with a network.
    Zak,
    /// TDES DUKPT base derivation key.
    Bdk,
    /// Key encryption key for the data keys of our own stored data.
    Kek,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 6] = [Self::Tpk, Self::Tak, Self::Zpk, Self::Zak, Self::Bdk, Self::Kek];

    /// The word in configuration and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tpk => "tpk",
            Self::Tak => "tak",
            Self::Zpk => "zpk",
            Self::Zak => "zak",
            Self::Bdk => "bdk",
            Self::Kek => "kek",
        }
    }

    /// Key usage of X9.143 (TR-31): P0 PIN encryption, M3 ISO 9797-1 algorithm 3, B0 base derivation,
    /// K0 key encryption.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Tpk | Self::Zpk => "P0",
            Self::Tak | Self::Zak => "M3",
            Self::Bdk => "B0",
            Self::Kek => "K0",
        }
    }

    /// The algorithm that keys of this role have.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Tpk | Self::Tak | Self::Zpk | Self::Zak | Self::Bdk => Algorithm::TdesDouble,
            Self::Kek => Algorithm::Aes256,
        }
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Algorithm and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Algorithm {
    /// TDES of 16 bytes.
    TdesDouble,
    /// AES of 32 bytes.
    Aes256,
}

impl Algorithm {
    /// Bytes of a key.
    pub fn key_bytes(self) -> usize {
        match self {
            Self::TdesDouble => 16,
            Self::Aes256 => 32,
        }
    }
}

/// Name of a key: an id that stays for the life of a zone or terminal, and a generation that counts
/// its changes. Written `id` (generation 1) or `id.generation`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName {
    id: Text<32>,
    generation: u16,
}

/// Not the name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("key names are 1 to 32 of a-z 0-9 -, and may end in a generation .1 to .9999")]
pub struct KeyNameError;

impl KeyName {
    /// A key of an id and a generation.
    pub fn new(id: &str, generation: u16) -> Result<Self, KeyNameError> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if id.is_empty() || !id.bytes().all(allowed) || !(1..=9999).contains(&generation) {
            return Err(KeyNameError);
        }
        Ok(Self { id: Text::new(id).map_err(|_| KeyNameError)?, generation })
    }

    /// The id.
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The generation, from 1.
    pub fn generation(&self) -> u16 {
        self.generation
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;
    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        match text.split_once('.') {
            None => Self::new(text, 1),
            Some((_, generation)) if generation.starts_with(['+', '0']) => Err(KeyNameError),
            Some((id, generation)) => Self::new(id, generation.parse().map_err(|_| KeyNameError)?),
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.generation)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeyName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Key check value, 3 bytes: of zeros encrypted, for TDES and for AES (`CKA_CHECK_VALUE`).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kcv(pub [u8; 3]);

impl fmt::Display for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(self.0))
    }
}

impl fmt::Debug for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Kcv {
    type Err = hex::FromHexError;
    /// From six hexadecimal characters.
    fn from_str(text: &str) -> Result<Self, hex::FromHexError> {
        let mut raw = [0; 3];
        hex::decode_to_slice(text, &mut raw)?;
        Ok(Self(raw))
    }
}

/// What is known of a key without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its name.
    pub name: KeyName,
    /// What it is for.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its check value.
    pub kcv: Kcv,
}

/// Clear key material on its way into the HSM: from a laboratory's configuration or a ceremony. Wiped
/// on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct ClearKey {
    role: KeyRole,
    material: Material,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    Tdes(TdesKey),
    Aes(AesKey),
}

impl ClearKey {
    /// From the bytes of a whole key; parity, weak keys and repeated halves are checked.
    pub fn new(role: KeyRole, raw: &[u8]) -> Result<Self, HsmError> {
        if raw.len() != role.algorithm().key_bytes() {
            return Err(HsmError::WrongAlgorithm(role));
        }
        let material = match role.algorithm() {
            Algorithm::TdesDouble => Material::Tdes(TdesKey::from_bytes(raw)?),
            Algorithm::Aes256 => Material::Aes(AesKey::from_bytes(raw)?),
        };
        Ok(Self { role, material })
    }

    /// As [`ClearKey::new`], from hexadecimal characters.
    pub fn from_hex(role: KeyRole, text: &str) -> Result<Self, HsmError> {
        let raw = Zeroizing::new(hex::decode(text).map_err(|_| HsmError::KeyRefused(CryptoError::KeyHex))?);
        Self::new(role, &raw)
    }

    /// From two or more components, which are exclusive-ored; TDES keys then get odd parity.
    pub fn from_components(role: KeyRole, components: &[&[u8]]) -> Result<Self, HsmError> {
        let bytes = role.algorithm().key_bytes();
        if components.len() < 2 || components.iter().any(|component| component.len() != bytes) {
            return Err(HsmError::WrongAlgorithm(role));
        }
        let mut raw = Zeroizing::new(vec![0; bytes]);
        for component in components {
            raw.iter_mut().zip(*component).for_each(|(room, byte)| *room ^= byte);
        }
        match role.algorithm() {
            Algorithm::TdesDouble => Self::new(role, TdesKey::unchecked(&raw)?.with_odd_parity().reveal()),
            Algorithm::Aes256 => Self::new(role, &raw),
        }
    }

    /// As [`ClearKey::new`], with odd parity set first: the key of a peer that does not keep to it, and new keys
    /// out of random bytes (the caller draws again when they are weak). Parity does not enter the cipher, so
    /// the key and its check value stay what they are.
    pub fn with_odd_parity(role: KeyRole, raw: &[u8]) -> Result<Self, HsmError> {
        if raw.len() != role.algorithm().key_bytes() {
            return Err(HsmError::WrongAlgorithm(role));
        }
        match role.algorithm() {
            Algorithm::TdesDouble => Self::new(role, TdesKey::unchecked(raw)?.with_odd_parity().reveal()),
            Algorithm::Aes256 => Self::new(role, raw),
        }
    }

    /// What it will be for.
    pub fn role(&self) -> KeyRole {
        self.role
    }

    /// Its check value.
    pub fn kcv(&self) -> Kcv {
        match &self.material {
            Material::Tdes(key) => Kcv(kcv::tdes(key)),
            Material::Aes(key) => Kcv(kcv::aes_zeros(key)),
        }
    }

    /// The clear bytes, for the backend that takes the key in.
    pub(crate) fn reveal(&self) -> &[u8] {
        match &self.material {
            Material::Tdes(key) => key.reveal(),
            Material::Aes(key) => key.reveal(),
        }
    }

    /// The second key that some roles need in a token, which cannot make it from the first: the left
    /// half twice for MAC algorithm 3, the masked base key for DUKPT.
    pub(crate) fn companion(&self) -> Result<Option<TdesKey>, HsmError> {
        let Material::Tdes(key) = &self.material else { return Ok(None) };
        match self.role {
            KeyRole::Tak | KeyRole::Zak => {
                let left = key.reveal().get(..8).unwrap_or_default();
                let twice = Zeroizing::new([left, left].concat());
                Ok(Some(TdesKey::unchecked(&twice)?))
            }
            KeyRole::Bdk => Ok(Some(dukpt::masked(key)?)),
            KeyRole::Tpk | KeyRole::Zpk | KeyRole::Kek => Ok(None),
        }
    }
}

impl fmt::Debug for ClearKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClearKey({}, [redacted])", self.role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_an_id_and_a_generation() {
        let name: KeyName = "zpk-net1".parse().unwrap();
        assert_eq!((name.id(), name.generation(), name.to_string().as_str()), ("zpk-net1", 1, "zpk-net1.1"));
        assert_eq!("zpk-net1.12".parse::<KeyName>().unwrap().generation(), 12);
        for wrong in ["", "ZPK", "zpk.0", "zpk.01", "zpk.+1", "zpk.x", "zpk.1.2", "a b", "zpk.10000", "-é"] {
            assert_eq!(wrong.parse::<KeyName>(), Err(KeyNameError), "{wrong}");
        }
        assert_eq!("a".repeat(33).parse::<KeyName>(), Err(KeyNameError));
    }

    #[test]
    fn components_make_the_key_and_its_check_value() {
        // Computed independently (shared vectors gen-0004): three components, parity set at the end.
        let components =
            ["9E5EE35E626EEF94A8E3756E43850438", "98B0FD3EE076B58679647A761CDAA87F", "97BC5DCEC4B013641F7657FD4FFDD919"]
                .map(|text| hex::decode(text).unwrap());
        let parts: Vec<&[u8]> = components.iter().map(Vec::as_slice).collect();
        let key = ClearKey::from_components(KeyRole::Zpk, &parts).unwrap();
        assert_eq!(hex::encode_upper(key.reveal()), "915243AE46A84976CEF158E510A2755E");
        assert_eq!(key.kcv().to_string(), "855616");
        assert_eq!(ClearKey::from_components(KeyRole::Zpk, &parts[..1]), Err(HsmError::WrongAlgorithm(KeyRole::Zpk)));
        assert_eq!(ClearKey::from_components(KeyRole::Kek, &parts), Err(HsmError::WrongAlgorithm(KeyRole::Kek)));
    }

    #[test]
    fn material_that_no_import_accepts_is_refused_by_reason() {
        let refused = |text| ClearKey::from_hex(KeyRole::Tpk, text).unwrap_err();
        assert_eq!(refused("0023456789ABCDEFFEDCBA9876543210"), HsmError::KeyRefused(CryptoError::Parity));
        assert_eq!(refused("E0E0E0E0F1F1F1F162D989D33EA43D26"), HsmError::KeyRefused(CryptoError::WeakKey));
        assert_eq!(refused("0BF7268AE5EA3E380BF7268AE5EA3E38"), HsmError::KeyRefused(CryptoError::RepeatedParts));
        assert_eq!(refused("0123456789ABCDEF"), HsmError::WrongAlgorithm(KeyRole::Tpk));
        let key = ClearKey::from_hex(KeyRole::Tpk, "0123456789ABCDEFFEDCBA9876543210").unwrap();
        assert_eq!(format!("{key:?}"), "ClearKey(tpk, [redacted])");
    }
}
