//! Keys of a laboratory, drawn anew for each.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::StackError;
use crate::skeleton::terminal_id;

/// Secrets of a laboratory: known to the token and the simulators, written to no file.
pub struct Secrets {
    /// The JSON object that simulators read, one line.
    pub json: Zeroizing<String>,
    /// The lines that `hsm key import` reads.
    pub import: Zeroizing<String>,
}

impl Secrets {
    pub(super) fn generate(terminals: usize) -> Result<Self, StackError> {
        let mut import = Zeroizing::new(String::new());
        let mut pairs = Zeroizing::new(String::new());
        // Writing into a String cannot fail.
        for number in 1..=terminals {
            let id = terminal_id(number);
            let (pin, mac) = (key()?, key()?);
            let _ = write!(pairs, "{}\"{id}\":{{\"tpk\":\"{}\",\"tak\":\"{}\"}}", comma(number), &*pin, &*mac);
            let lower = id.to_lowercase();
            let _ = writeln!(import, "tpk tpk-{lower} {}\ntak tak-{lower} {}", &*pin, &*mac);
        }
        let mut networks = Zeroizing::new(String::new());
        for (number, name) in ["dual", "single"].iter().enumerate() {
            let (pin, mac) = (key()?, key()?);
            let _ = write!(networks, "{}\"{name}\":{{\"zpk\":\"{}\",\"zak\":\"{}\"}}", comma(number + 1), &*pin, &*mac);
            let _ = writeln!(import, "zpk zpk-{name} {}\nzak zak-{name} {}", &*pin, &*mac);
        }
        let (seed, pvk) = (key()?, key()?);
        let json = format!(
            "{{\"terminals\":{{{}}},\"networks\":{{{}}},\"card_seed\":\"{}\",\"pvk\":\"{}\"}}\n",
            &*pairs, &*networks, &*seed, &*pvk
        );
        Ok(Self { json: Zeroizing::new(json), import })
    }
}

fn comma(number: usize) -> &'static str {
    if number > 1 { "," } else { "" }
}

/// A random double-length TDES key with odd parity, in hex.
fn key() -> Result<Zeroizing<String>, StackError> {
    let mut raw = Zeroizing::new([0u8; 16]);
    getrandom::fill(raw.as_mut()).map_err(StackError::Random)?;
    for byte in raw.iter_mut() {
        *byte = (*byte & 0xFE) | u8::from((*byte & 0xFE).count_ones().is_multiple_of(2));
    }
    Ok(Zeroizing::new(hex::encode_upper(raw.as_ref())))
}
