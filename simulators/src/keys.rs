//! Secrets of the simulators: they come in as one JSON object from standard input or a file, live in
//! wiped memory and are never written by a simulator.
//!
//! ```json
//! {"terminals": {"TERM0001": {"tpk": "hex", "tak": "hex"}},
//!  "networks": {"dual": {"zpk": "hex", "zak": "hex"}},
//!  "card_seed": "any text", "pvk": "hex"}
//! ```
//! Every member is optional; a simulator refuses to start without those that it needs.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;

use crypto::TdesKey;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;

/// Most bytes of a secrets object: a thousand terminals need about 110 kB.
pub const MAX_SECRETS: usize = 16 * 1024 * 1024;

/// Where the secrets come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// One line of JSON on standard input; what follows it is left unread.
    #[default]
    Stdin,
    /// A file that holds the object.
    File(PathBuf),
}

/// A pair of working keys: one for PIN blocks, one for MACs.
#[derive(Clone)]
pub struct WorkingKeys {
    /// TPK of a terminal, ZPK of a network.
    pub pin: TdesKey,
    /// TAK of a terminal, ZAK of a network.
    pub mac: TdesKey,
}

/// The secrets of one run.
#[derive(Clone, Default)]
pub struct Secrets {
    terminals: BTreeMap<String, WorkingKeys>,
    networks: BTreeMap<String, WorkingKeys>,
    card_seed: Option<Zeroizing<String>>,
    pvk: Option<TdesKey>,
}

impl Secrets {
    /// From the JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let mut raw: Raw =
            serde_json::from_slice(json).map_err(|fault| Error::SecretsSyntax { line: fault.line(), column: fault.column() })?;
        let mut secrets = Self::default();
        for (id, pair) in &raw.terminals {
            let keys =
                WorkingKeys { pin: key(&pair.tpk, || format!("tpk of {id}"))?, mac: key(&pair.tak, || format!("tak of {id}"))? };
            secrets.terminals.insert(id.clone(), keys);
        }
        for (name, pair) in &raw.networks {
            let keys = WorkingKeys {
                pin: key(&pair.zpk, || format!("zpk of {name}"))?,
                mac: key(&pair.zak, || format!("zak of {name}"))?,
            };
            secrets.networks.insert(name.clone(), keys);
        }
        secrets.card_seed = raw.card_seed.take().map(Zeroizing::new);
        secrets.pvk = raw.pvk.as_ref().map(|text| key(text, || "pvk".to_owned())).transpose()?;
        raw.wipe();
        Ok(secrets)
    }

    /// Reads and parses them. Blocks: for the start of a program only.
    pub fn load(source: &SecretSource) -> Result<Self, Error> {
        match source {
            SecretSource::File(path) => {
                let file = std::fs::File::open(path).map_err(Error::io(format!("secrets {}", path.display())))?;
                Self::parse(&read_some(file, false)?)
            }
            SecretSource::Stdin => Self::parse(&read_some(std::io::stdin(), true)?),
        }
    }

    /// The keys of a terminal (DE41 without its blanks).
    pub fn terminal(&self, id: &str) -> Result<&WorkingKeys, Error> {
        self.terminals.get(id).ok_or_else(|| Error::SecretMissing(format!("terminals.{id}")))
    }

    /// The ids of all terminals, in order.
    pub fn terminal_ids(&self) -> impl Iterator<Item = &str> {
        self.terminals.keys().map(String::as_str)
    }

    /// The keys of a network.
    pub fn network(&self, name: &str) -> Result<&WorkingKeys, Error> {
        self.networks.get(name).ok_or_else(|| Error::SecretMissing(format!("networks.{name}")))
    }

    /// The seed that both ends derive their cards from.
    pub fn card_seed(&self) -> Result<&str, Error> {
        self.card_seed.as_ref().map(|seed| seed.as_str()).ok_or_else(|| Error::SecretMissing("card_seed".to_owned()))
    }

    /// The key that PVVs are computed with.
    pub fn pvk(&self) -> Result<&TdesKey, Error> {
        self.pvk.as_ref().ok_or_else(|| Error::SecretMissing("pvk".to_owned()))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} terminals, {} networks)", self.terminals.len(), self.networks.len())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    terminals: BTreeMap<String, TerminalKeys>,
    #[serde(default)]
    networks: BTreeMap<String, NetworkKeys>,
    card_seed: Option<String>,
    pvk: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TerminalKeys {
    tpk: String,
    tak: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkKeys {
    zpk: String,
    zak: String,
}

impl Raw {
    fn wipe(&mut self) {
        for pair in self.terminals.values_mut() {
            pair.tpk.zeroize();
            pair.tak.zeroize();
        }
        for pair in self.networks.values_mut() {
            pair.zpk.zeroize();
            pair.zak.zeroize();
        }
        self.pvk.zeroize();
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.wipe();
        self.card_seed.zeroize();
    }
}

/// Keys of simulators are double length. Parity is not demanded: test keys are often random bytes.
fn key(text: &str, name: impl Fn() -> String) -> Result<TdesKey, Error> {
    let raw = Zeroizing::new(hex::decode(text).map_err(|_| Error::BadKey(name()))?);
    if raw.len() != 16 {
        return Err(Error::BadKey(name()));
    }
    TdesKey::unchecked(&raw).map_err(|_| Error::BadKey(name()))
}

/// Reads one line, or everything, but not more than [`MAX_SECRETS`].
fn read_some(mut from: impl Read, line: bool) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut all = Zeroizing::new(Vec::with_capacity(64 * 1024));
    if line {
        // One byte at a time, so that nothing behind the line is taken from whoever reads on.
        let mut byte = [0];
        while from.read(&mut byte).map_err(Error::io("secrets from standard input"))? == 1 && byte != *b"\n" {
            if all.len() >= MAX_SECRETS {
                return Err(Error::SecretMissing("the end of the line of secrets".to_owned()));
            }
            all.push(byte[0]);
        }
    } else {
        from.take(MAX_SECRETS as u64).read_to_end(&mut all).map_err(Error::io("secrets"))?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = br#"{"terminals":{"TERM0001":{"tpk":"0123456789ABCDEFFEDCBA9876543210","tak":"11111111111111112222222222222222"}},"card_seed":"s"}"#;

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_named() {
        let secrets = Secrets::parse(JSON).unwrap();
        assert!(secrets.terminal("TERM0001").is_ok());
        assert_eq!(secrets.terminal_ids().collect::<Vec<_>>(), ["TERM0001"]);
        assert_eq!(secrets.network("dual").err().unwrap().to_string(), "secrets: networks.dual is missing");
        assert_eq!(secrets.pvk().err().unwrap().to_string(), "secrets: pvk is missing");
    }

    #[test]
    fn a_fault_is_told_without_the_secret() {
        let told = Secrets::parse(br#"{"pvk":"0123456789ABCDEFFEDCBA98765432"}"#).err().unwrap().to_string();
        assert_eq!(told, "secrets: pvk is not a double-length TDES key in hexadecimal");
        let told = Secrets::parse(br#"{"pvk":12345}"#).err().unwrap().to_string();
        assert!(!told.contains("12345"), "{told}");
        assert!(Secrets::parse(br#"{"kpv":"00"}"#).is_err());
    }

    #[test]
    fn only_one_line_is_taken_from_standard_input() {
        let mut input: &[u8] = b"{}\nrest";
        assert_eq!(&*read_some(&mut input, true).unwrap(), b"{}");
        assert_eq!(input, b"rest");
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", Secrets::parse(JSON).unwrap()), "Secrets(1 terminals, 0 networks)");
    }
}
