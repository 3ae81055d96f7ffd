//! Where wrapped data keys are kept: PostgreSQL, schema `vault`; or a file, while there is no database.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hsm::{KeyName, WrappedDataKey};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use crate::VaultError;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// Key of the advisory lock that one migration at a time holds.
const MIGRATING: i64 = 0x0056_4155_4C54; // "VAULT"

/// What a data key is for. The word is bound into its wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Purpose {
    /// Seals cards.
    Card,
    /// Makes tokens.
    Fingerprint,
}

impl Purpose {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Fingerprint => "fingerprint",
        }
    }
}

/// A data key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredKey {
    pub id: u16,
    pub purpose: Purpose,
    pub kek: KeyName,
    #[serde(with = "wrapped")]
    pub wrapped: WrappedDataKey,
    pub active: bool,
}

mod wrapped {
    use hsm::WrappedDataKey;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(key: &WrappedDataKey, s: S) -> Result<S::Ok, S::Error> {
        hex::serde::serialize(&key.0, s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<WrappedDataKey, D::Error> {
        hex::serde::deserialize(d).map(WrappedDataKey)
    }
}

/// Where wrapped data keys are kept.
pub enum Storage<'a> {
    /// Schema `vault` of this database; made and brought up to date by [`crate::Vault::open_or_create`].
    Postgres(&'a mut Client),
    /// A file of our own, mode 600. For tools that have no database; losing it loses every card.
    File(PathBuf),
}

impl Storage<'_> {
    /// Brings the schema up to date; nothing to do for a file.
    pub(crate) async fn prepare(&mut self) -> Result<(), VaultError> {
        match self {
            Self::Postgres(client) => migrate(client).await,
            Self::File(_) => Ok(()),
        }
    }

    pub(crate) async fn read(&mut self) -> Result<Vec<StoredKey>, VaultError> {
        match self {
            Self::Postgres(client) => read_rows(client).await,
            Self::File(path) => read_file(path),
        }
    }

    /// Adds an active key unless there is one for the purpose already.
    pub(crate) async fn add(&mut self, purpose: Purpose, kek: &KeyName, wrapped: WrappedDataKey) -> Result<(), VaultError> {
        match self {
            Self::Postgres(client) => {
                client
                    .execute(
                        "insert into vault.data_key (purpose, kek, wrapped, active) values ($1, $2, $3, true)
                         on conflict (purpose) where active do nothing",
                        &[&purpose.as_str(), &kek.to_string(), &wrapped.0],
                    )
                    .await?;
                Ok(())
            }
            Self::File(path) => add_to_file(path, purpose, kek, wrapped),
        }
    }
}

/// Makes the schema `vault` and brings it up to date. Safe to run from several processes at once.
pub async fn migrate(client: &mut Client) -> Result<(), VaultError> {
    client.execute("select pg_advisory_lock($1)", &[&MIGRATING]).await?;
    let migrated = run_migrations(client).await;
    client.execute("select pg_advisory_unlock($1)", &[&MIGRATING]).await?;
    migrated
}

async fn run_migrations(client: &mut Client) -> Result<(), VaultError> {
    client.batch_execute("create schema if not exists vault").await?;
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name("vault.schema_history");
    runner.run_async(client).await?;
    Ok(())
}

async fn read_rows(client: &Client) -> Result<Vec<StoredKey>, VaultError> {
    let rows = client.query("select id, purpose, kek, wrapped, active from vault.data_key order by id", &[]).await?;
    rows.iter()
        .map(|row| {
            let purpose = match row.try_get("purpose")? {
                "card" => Purpose::Card,
                "fingerprint" => Purpose::Fingerprint,
                _ => return Err(VaultError::Stored("a key of unknown purpose")),
            };
            let id = u16::try_from(row.try_get::<_, i16>("id")?).map_err(|_| VaultError::Stored("a negative key id"))?;
            let kek = row.try_get::<_, &str>("kek")?;
            let kek = kek.parse().map_err(|_| VaultError::Stored("a key encryption key that is no key name"))?;
            Ok(StoredKey { id, purpose, kek, wrapped: WrappedDataKey(row.try_get("wrapped")?), active: row.try_get("active")? })
        })
        .collect()
}

fn read_file(path: &Path) -> Result<Vec<StoredKey>, VaultError> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| problem(path, &error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(problem(path, &error)),
    }
}

/// Writes the whole file anew beside the old one and renames it over: a reader sees all or nothing, and
/// after a crash one of the two is there. One writer at a time, by a lock file.
fn add_to_file(path: &Path, purpose: Purpose, kek: &KeyName, wrapped: WrappedDataKey) -> Result<(), VaultError> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.with_extension("lock"));
    let lock = lock.map_err(|error| problem(path, &error))?;
    lock.lock().map_err(|error| problem(path, &error))?;
    let mut keys = read_file(path)?;
    if keys.iter().any(|key| key.purpose == purpose && key.active) {
        return Ok(());
    }
    let id = keys.iter().map(|key| key.id).max().unwrap_or(0).checked_add(1).ok_or(VaultError::Stored("no key id is free"))?;
    keys.push(StoredKey { id, purpose, kek: *kek, wrapped, active: true });
    let text = serde_json::to_vec_pretty(&keys).map_err(|error| problem(path, &error))?;
    let fresh = path.with_extension("new");
    let written = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)?;
        // The name is durable when its directory is.
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
            _ => File::open(".")?.sync_all(),
        }
    });
    written.map_err(|error| problem(path, &error))
}

fn problem(path: &Path, error: &dyn std::fmt::Display) -> VaultError {
    VaultError::File { path: path.to_owned(), problem: error.to_string() }
}
