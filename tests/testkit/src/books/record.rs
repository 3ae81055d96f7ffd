//! The record of the switch, read where it runs: every payment under a DE37, with its events, owed
//! messages, captures and journals.

use std::collections::BTreeMap;
use std::path::Path;

use payments::Rrn;
use store::reports::{self, History};
use store::{Database, PgStore, StoreOptions};

use crate::KitError;

/// Payments by DE37.
#[derive(Debug, Clone, Default)]
pub struct Payments {
    payments: BTreeMap<String, Vec<History>>,
    /// Card payments in the whole record, asked for or not.
    pub in_record: u64,
}

impl Payments {
    /// Reads the payments of these DE37 from the record of a node that runs.
    ///
    /// # Errors
    /// [`KitError::Record`].
    pub fn read<'a>(data_dir: &Path, rrns: impl Iterator<Item = &'a str>) -> Result<Self, KitError> {
        let socket = data_dir.join("database-socket");
        let socket = std::fs::read_to_string(&socket).map_err(KitError::io(socket.display().to_string()))?;
        let database = Database::external(&format!("host={socket} port=5432 user=postgres dbname=switchyard"));
        let database = database.map_err(|error| KitError::Record(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(KitError::io("starting a runtime"))?.block_on(Self::from(&database, rrns))
    }

    async fn from<'a>(database: &Database, rrns: impl Iterator<Item = &'a str>) -> Result<Self, KitError> {
        let bad = |error: &dyn std::fmt::Display| KitError::Record(error.to_string());
        let options = StoreOptions { unsafe_test: true, ..StoreOptions::default() };
        let store = PgStore::connect(database.runtime(), options).await.map_err(|error| bad(&error))?;
        let client = store.readers().get().await.map_err(|error| bad(&error))?;
        let mut found = Self::default();
        for rrn in rrns {
            if found.payments.contains_key(rrn) {
                continue;
            }
            let key = Rrn::new(rrn.as_bytes()).map_err(|error| bad(&error))?;
            let traced = reports::trace(&**client, &key).await.map_err(|error| bad(&error))?;
            found.payments.insert(rrn.to_owned(), traced);
        }
        for (kind, _, count) in reports::payments_by_state(&**client).await.map_err(|error| bad(&error))? {
            if !kind.contains("transfer") {
                found.in_record += u64::try_from(count).unwrap_or(0);
            }
        }
        Ok(found)
    }

    /// What it has under a DE37.
    pub fn of_rrn(&self, rrn: &str) -> &[History] {
        self.payments.get(rrn).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many payments were read.
    pub fn count(&self) -> u64 {
        self.payments.values().map(|payments| u64::try_from(payments.len()).unwrap_or(0)).sum()
    }
}
