//! Names of keys.

use std::fmt;
use std::str::FromStr;

use payments::Text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
}
