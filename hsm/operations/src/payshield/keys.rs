//! The key table: a host HSM keeps no keys, the host does, each under the HSM's local master key. Here a
//! name stands for one, with its role and its check value.

use std::collections::BTreeMap;
use std::fmt;

use crypto::CryptoError;

use super::codec::{Malformed, Reader, Writer};
use crate::{HsmError, Kcv, KeyName, KeyRole};

/// What a key is for, as key types of host commands have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// Zone master key: other keys go in and out under it.
    Zmk,
    /// Zone PIN key.
    Zpk,
    /// Terminal PIN key.
    Tpk,
    /// PIN verification key.
    Pvk,
    /// Card verification key.
    Cvk,
    /// Terminal authentication key.
    Tak,
    /// Zone authentication key.
    Zak,
    /// Base derivation key of TDES DUKPT.
    Bdk,
    /// Issuer master key for application cryptograms.
    MkAc,
    /// Zone encryption key.
    Zek,
    /// Data encryption key.
    Dek,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 11] = [
        Self::Zmk,
        Self::Zpk,
        Self::Tpk,
        Self::Pvk,
        Self::Cvk,
        Self::Tak,
        Self::Zak,
        Self::Bdk,
        Self::MkAc,
        Self::Zek,
        Self::Dek,
    ];

    /// The word in messages and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zmk => "zmk",
            Self::Zpk => "zpk",
            Self::Tpk => "tpk",
            Self::Pvk => "pvk",
            Self::Cvk => "cvk",
            Self::Tak => "tak",
            Self::Zak => "zak",
            Self::Bdk => "bdk",
            Self::MkAc => "mk-ac",
            Self::Zek => "zek",
            Self::Dek => "dek",
        }
    }

    /// Key type of commands: variant, and code of the master key pair.
    pub(super) fn key_type(self) -> &'static [u8; 3] {
        match self {
            Self::Zmk => b"000",
            Self::Zpk => b"001",
            Self::Tpk | Self::Pvk => b"002",
            Self::Cvk => b"402",
            Self::Tak => b"003",
            Self::Zak => b"008",
            Self::Bdk => b"009",
            Self::MkAc => b"109",
            Self::Zek => b"00A",
            Self::Dek => b"00B",
        }
    }

    /// The same role where every backend has it.
    fn common(self) -> Option<KeyRole> {
        match self {
            Self::Zpk => Some(KeyRole::Zpk),
            Self::Tpk => Some(KeyRole::Tpk),
            Self::Tak => Some(KeyRole::Tak),
            Self::Zak => Some(KeyRole::Zak),
            Self::Bdk => Some(KeyRole::Bdk),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Cipher and length of a wrapped key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// DES, 8 bytes.
    Single,
    /// TDES, 16 bytes.
    Double,
    /// TDES, 24 bytes.
    Triple,
    /// AES, in a key block; the block does not tell its length.
    Aes,
}

impl Shape {
    /// Scheme of a cryptogram under the local master key.
    pub(super) fn local_scheme(self) -> u8 {
        match self {
            Self::Single => b'0',
            Self::Double => b'U',
            Self::Triple => b'T',
            Self::Aes => b'S',
        }
    }

    /// Scheme of a cryptogram under a zone master key.
    pub(super) fn zone_scheme(self) -> Result<u8, HsmError> {
        match self {
            Self::Single => Ok(b'0'),
            Self::Double => Ok(b'X'),
            Self::Triple => Ok(b'Y'),
            Self::Aes => Err(HsmError::Unsupported("send an AES key out under a zone master key")),
        }
    }

    /// Length flag of BU and BW.
    pub(super) fn length_flag(self) -> u8 {
        match self {
            Self::Single => b'0',
            Self::Double => b'1',
            Self::Triple => b'2',
            Self::Aes => b'F',
        }
    }

    /// Bytes of a TDES cryptogram.
    fn bytes(self) -> usize {
        match self {
            Self::Single => 8,
            Self::Double => 16,
            Self::Triple => 24,
            Self::Aes => 0,
        }
    }

    /// Bytes of one block of the cipher.
    pub(super) fn block(self) -> usize {
        if self == Self::Aes { 16 } else { 8 }
    }
}

/// Longest key block.
const BLOCK_MOST: usize = 512;
/// Characters of a key block's header.
const BLOCK_HEADER: usize = 16;

/// A key under the local master key, as commands carry it. It is of no use without the HSM, and is not
/// shown all the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Wrapped {
    text: Box<str>,
    shape: Shape,
}

impl Wrapped {
    /// From its characters: 16 hexadecimal ones, `U` and 32, `T` and 48, or `S` and a key block.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] for anything else.
    pub fn parse(text: &str) -> Result<Self, HsmError> {
        let hexadecimal = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (first, rest) = text.split_at_checked(1).ok_or(HsmError::KeyRefused(CryptoError::KeyHex))?;
        let shape = match first {
            "U" if hexadecimal(rest, 32) => Shape::Double,
            "T" if hexadecimal(rest, 48) => Shape::Triple,
            "S" => block_shape(rest).ok_or(HsmError::KeyRefused(CryptoError::BlockFormat))?,
            _ if hexadecimal(text, 16) => Shape::Single,
            _ => return Err(HsmError::KeyRefused(CryptoError::KeyHex)),
        };
        Ok(Self { text: text.into(), shape })
    }

    /// Cipher and length.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The characters, for storage.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn is_block(&self) -> bool {
        self.text.starts_with('S')
    }

    /// Key type for commands that are told one: that of the role, or that the block says it.
    pub(super) fn key_type(&self, role: Role) -> &'static [u8; 3] {
        if self.is_block() { b"FFF" } else { role.key_type() }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.bytes(self.text.as_bytes());
    }

    /// Reads a key of a shape that is known, under the local master key.
    pub(super) fn read(fields: &mut Reader<'_>, shape: Shape) -> Result<Self, Malformed> {
        let length = match shape {
            Shape::Single => 16,
            Shape::Double | Shape::Triple => 1 + shape.bytes() * 2,
            Shape::Aes => {
                let told = fields.rest().get(2..6).and_then(|digits| std::str::from_utf8(digits).ok());
                1 + told
                    .and_then(|digits| digits.parse::<usize>().ok())
                    .filter(|length| *length <= BLOCK_MOST)
                    .ok_or(Malformed)?
            }
        };
        let text = std::str::from_utf8(fields.bytes(length)?).map_err(|_| Malformed)?;
        Self::parse(text).ok().filter(|key| key.shape == shape).ok_or(Malformed)
    }
}

/// The shape of a key block, by its header.
fn block_shape(block: &str) -> Option<Shape> {
    let length: usize = block.get(1..5)?.parse().ok()?;
    let alphabet = block.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if block.len() != length || !(BLOCK_HEADER..=BLOCK_MOST).contains(&length) || !alphabet {
        return None;
    }
    match block.as_bytes().get(7)? {
        b'A' => Some(Shape::Aes),
        b'T' => Some(Shape::Double),
        _ => None,
    }
}

impl fmt::Debug for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped({:?}, [redacted])", self.shape)
    }
}

/// A key under a zone master key, each part alone: what parties exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct ZoneCryptogram {
    bytes: Vec<u8>,
}

impl ZoneCryptogram {
    /// From 8, 16 or 24 bytes.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] for another length.
    pub fn new(bytes: &[u8]) -> Result<Self, HsmError> {
        match bytes.len() {
            8 | 16 | 24 => Ok(Self { bytes: bytes.to_vec() }),
            _ => Err(HsmError::KeyRefused(CryptoError::KeyLength)),
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Cipher and length of the key in it.
    pub fn shape(&self) -> Shape {
        match self.bytes.len() {
            8 => Shape::Single,
            16 => Shape::Double,
            _ => Shape::Triple,
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match self.shape() {
            Shape::Double => out.bytes(b"X"),
            Shape::Triple => out.bytes(b"Y"),
            Shape::Single | Shape::Aes => {}
        }
        out.hex(&self.bytes);
    }

    pub(super) fn read(fields: &mut Reader<'_>, shape: Shape) -> Result<Self, Malformed> {
        let prefix: &[u8] = match shape {
            Shape::Double => b"X",
            Shape::Triple => b"Y",
            Shape::Single => b"",
            Shape::Aes => return Err(Malformed),
        };
        if fields.bytes(prefix.len())? != prefix {
            return Err(Malformed);
        }
        Ok(Self { bytes: fields.hex(shape.bytes())?.to_vec() })
    }
}

impl fmt::Debug for ZoneCryptogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ZoneCryptogram({} bytes)", self.bytes.len())
    }
}

/// A key of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEntry {
    /// What it is for.
    pub role: Role,
    /// The key under the local master key.
    pub wrapped: Wrapped,
    /// Its check value.
    pub check_value: Kcv,
}

/// Keys by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyTable {
    keys: BTreeMap<KeyName, KeyEntry>,
}

impl KeyTable {
    /// Adds a key.
    ///
    /// # Errors
    /// [`HsmError::KeyExists`] when the name is taken.
    pub fn insert(&mut self, name: KeyName, entry: KeyEntry) -> Result<(), HsmError> {
        if self.keys.contains_key(&name) {
            return Err(HsmError::KeyExists(name));
        }
        self.keys.insert(name, entry);
        Ok(())
    }

    /// Takes a key out.
    ///
    /// # Errors
    /// [`HsmError::UnknownKey`].
    pub fn remove(&mut self, name: &KeyName) -> Result<KeyEntry, HsmError> {
        self.keys.remove(name).ok_or(HsmError::UnknownKey(*name))
    }

    /// A key by name.
    pub fn get(&self, name: &KeyName) -> Option<&KeyEntry> {
        self.keys.get(name)
    }

    /// Every key in order of its name.
    pub fn iter(&self) -> impl Iterator<Item = (&KeyName, &KeyEntry)> {
        self.keys.iter()
    }

    /// A key that must have one of these roles: one key, one role.
    pub(super) fn resolve(&self, name: &KeyName, allowed: &[Role]) -> Result<KeyEntry, HsmError> {
        let entry = self.get(name).ok_or(HsmError::UnknownKey(*name))?;
        if allowed.contains(&entry.role) {
            return Ok(entry.clone());
        }
        Err(match entry.role.common() {
            Some(role) => HsmError::WrongRole { key: *name, role },
            None => HsmError::Refused(format!("key {name} is a {} and must not be used for this", entry.role)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapped_keys_are_told_by_their_prefix_and_never_shown() {
        let shape = |text: &str| Wrapped::parse(text).map(|key| key.shape());
        assert_eq!(shape("0123456789ABCDEF"), Ok(Shape::Single));
        assert_eq!(shape(&format!("U{}", "0".repeat(32))), Ok(Shape::Double));
        assert_eq!(shape(&format!("T{}", "0".repeat(48))), Ok(Shape::Triple));
        assert_eq!(shape(&format!("S10032P0AN00E0000{}", "0".repeat(16))), Ok(Shape::Aes));
        for wrong in ["", "U", "0123456789ABCDE", "X0123", "S10033P0AN00E0000", "Sé", "é123456789ABCDEF", "UU"] {
            assert!(shape(wrong).is_err(), "{wrong}");
        }
        let key = Wrapped::parse("0123456789ABCDEF").unwrap();
        assert_eq!(format!("{key:?}"), "Wrapped(Single, [redacted])");
    }

    #[test]
    fn a_key_of_another_role_is_refused_by_name() {
        let mut table = KeyTable::default();
        let name: KeyName = "pvk".parse().unwrap();
        let entry =
            KeyEntry { role: Role::Pvk, wrapped: Wrapped::parse("0123456789ABCDEF").unwrap(), check_value: Kcv([1, 2, 3]) };
        table.insert(name, entry.clone()).unwrap();
        assert_eq!(table.insert(name, entry.clone()), Err(HsmError::KeyExists(name)));
        assert_eq!(table.resolve(&name, &[Role::Tpk, Role::Pvk]), Ok(entry.clone()));
        let refused = table.resolve(&name, &[Role::Tpk]);
        assert_eq!(refused, Err(HsmError::Refused("key pvk.1 is a pvk and must not be used for this".to_owned())));
        let other: KeyName = "zpk".parse().unwrap();
        assert_eq!(table.resolve(&other, &[Role::Tpk]), Err(HsmError::UnknownKey(other)));
        table.insert(other, KeyEntry { role: Role::Zpk, ..entry }).unwrap();
        assert_eq!(table.resolve(&other, &[Role::Tpk]), Err(HsmError::WrongRole { key: other, role: KeyRole::Zpk }));
    }
}
