//! PKCS#11 backend: keys in a token, operations composed of its ciphers.
//!
//! * One library per process, loaded and initialised once with OS locking; a second initialisation is
//!   an error of the standard, and SoftHSM crashes without the flag.
//! * One session stays open from start to end, so that the login holds; each worker has its own.
//! * Handles are found once: searching by label costs up to 500 times an operation.
//! * Keys in use are copied to session objects, which SoftHSM works with twice as fast.
//! * A lost session is opened again and the operation tried once more.
//!
//! Objects are labelled `role.id.generation`; a key that needs a companion object has it under the same
//! label with `.companion` at the end, made before the key, so that what is visible is complete.

mod directory;
mod faults;
mod library;
mod manage;
mod raw;
pub mod softhsm;
mod template;
mod token;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::pool::{Pool, PoolSettings};
use crate::{Capabilities, Hsm, HsmError};

pub use library::finalize;

/// Where the token is and how it is used. The section `[hsm]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The vendor's library.
    #[serde(default = "default_module")]
    pub module: PathBuf,
    /// Label of the token, at most 32 characters.
    #[serde(default = "default_token")]
    pub token: String,
    /// File with the user PIN; readable by its owner only.
    pub pin_file: PathBuf,
    /// Whether keys in use are copied to session objects: faster on SoftHSM, refused by some HSMs (then
    /// the token's own objects are used).
    #[serde(default = "yes")]
    pub session_copies: bool,
    /// Threads and queue.
    #[serde(default)]
    pub pool: PoolSettings,
}

fn default_module() -> PathBuf {
    PathBuf::from("/usr/lib/softhsm/libsofthsm2.so")
}

fn default_token() -> String {
    "switchyard".to_owned()
}

fn yes() -> bool {
    true
}

impl Settings {
    /// SoftHSM's library, the default label and pool, and this PIN file.
    pub fn with_pin_file(pin_file: PathBuf) -> Self {
        Self { module: default_module(), token: default_token(), pin_file, session_copies: true, pool: PoolSettings::default() }
    }
}

/// Loads the library, logs in and starts the workers. What an operator must put right comes as
/// [`HsmError::Token`], which says the fix.
pub async fn open(settings: Settings) -> Result<Hsm, HsmError> {
    let pool = settings.pool.clone();
    // Loading, login and the first reading of the keys block, so they are done by the first worker to
    // come; the others find it done.
    let shared = token::Shared::new(settings);
    let pool = Pool::start(pool, move || token::Pkcs11Token::open(shared.clone())).await?;
    let capabilities = Capabilities { backend: "pkcs11", pin_stays_inside: false, keys_stay_inside: true };
    Ok(Hsm::composed(pool, capabilities))
}
