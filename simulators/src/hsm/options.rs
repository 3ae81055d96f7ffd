//! What a simulated HSM can be told.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Options of [`super::run`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HsmOptions {
    /// Address to listen on; port 0 takes a free one.
    pub listen: String,
    /// Seed of keys that are made, of fill, and of trouble on purpose.
    pub seed: u64,
    /// Of a thousand commands, how many are answered with `error_code` instead of being done.
    pub error_per_mille: u16,
    /// The code of such answers, two characters.
    pub error_code: String,
    /// Of a thousand commands, how many lose the connection instead of being answered.
    pub drop_per_mille: u16,
    /// Milliseconds before each answer.
    pub latency_ms: u64,
    /// Whether commands that arrive together are answered in any order, as a box with several processors
    /// does.
    pub reorder: bool,
    /// Whether decimalisation tables need eight different digits, as boxes have it by default.
    pub check_tables: bool,
    /// Connections at one time; further ones are closed.
    pub max_connections: usize,
    /// Milliseconds without a command after which a connection is closed; 0 for never.
    pub idle_ms: u64,
    /// Milliseconds that a command may take from its first byte to its last.
    pub frame_deadline_ms: u64,
    /// Whether the end of standard input ends the simulator.
    pub stop_on_stdin_close: bool,
}

impl Default for HsmOptions {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            seed: 1,
            error_per_mille: 0,
            error_code: "41".to_owned(),
            drop_per_mille: 0,
            latency_ms: 0,
            reorder: false,
            check_tables: true,
            max_connections: 64,
            idle_ms: 0,
            frame_deadline_ms: 5000,
            stop_on_stdin_close: false,
        }
    }
}

impl HsmOptions {
    /// The code of errors on purpose.
    pub(super) fn code(&self) -> Result<[u8; 2], Error> {
        let code = <[u8; 2]>::try_from(self.error_code.as_bytes()).ok();
        code.filter(|code| code.iter().all(u8::is_ascii_alphanumeric))
            .ok_or(Error::BadOption { option: "error_code", reason: "two letters or digits, such as 41".to_owned() })
    }

    /// Whether every chance is one.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (option, chance) in [("error_per_mille", self.error_per_mille), ("drop_per_mille", self.drop_per_mille)] {
            if chance > 1000 {
                return Err(Error::BadOption { option, reason: "0 to 1000".to_owned() });
            }
        }
        Ok(())
    }
}
