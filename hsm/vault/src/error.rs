//! Why the vault refused. No variant holds a data value.

use std::path::PathBuf;

use hsm::HsmError;

/// One variant per reason.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// What should be opened is not a sealed card, was changed, or is under a key of another vault.
    #[error("sealed card is not authentic")]
    NotAuthentic,
    /// Sealed under a data key that this vault does not have.
    #[error("sealed under data key {0}, which is not in this vault")]
    UnknownKey(u16),
    /// The system gave no randomness.
    #[error("no randomness from the system")]
    NoRandomness,
    /// The HSM did not make or open a data key.
    #[error("data key: {0}")]
    Hsm(#[from] HsmError),
    /// The data keys could not be read or kept in PostgreSQL.
    #[error("data keys in PostgreSQL: {0}")]
    Database(#[from] tokio_postgres::Error),
    /// The schema could not be brought up to date.
    #[error("schema of the vault: {0}")]
    Migration(#[from] refinery::Error),
    /// The file of the data keys could not be read or written.
    #[error("data key file {path}: {problem}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system or the parser said.
        problem: String,
    },
    /// What is stored is not what this version writes.
    #[error("stored data keys are not usable: {0}")]
    Stored(&'static str),
}
