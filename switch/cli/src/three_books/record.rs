//! The record of the switch: every payment under a DE37, with its events, owed messages, captures and
//! journals, and every credit transfer that a bank names.

use std::collections::BTreeMap;
use std::path::Path;

use payments::{PaymentId, Rrn};
use serde::Serialize;
use store::reports::{self, History};
use store::{Database, PgStore, StoreOptions};
use tokio_postgres::GenericClient;

use super::BookError;

/// Payments by DE37.
#[derive(Debug, Clone, Default)]
pub struct Payments {
    payments: BTreeMap<String, Vec<History>>,
    /// Card payments in the whole record, asked for or not.
    pub in_record: u64,
}

/// Messages of a kind that were owed to networks or banks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Owed {
    /// Owed in all.
    pub owed: u64,
    /// Of these, acknowledged.
    pub acknowledged: u64,
    /// Refused: an operator must look.
    pub dead: u64,
    /// Neither: owed still.
    pub still_owed: u64,
}

impl Payments {
    /// Reads the payments of these DE37 from the record of a node that runs.
    ///
    /// # Errors
    /// [`BookError::Record`].
    pub fn read<'a>(data_dir: &Path, rrns: impl Iterator<Item = &'a str>) -> Result<Self, BookError> {
        let socket = data_dir.join("database-socket");
        let io = |book: String| move |why| BookError::Io { book, why };
        let socket = std::fs::read_to_string(&socket).map_err(io(socket.display().to_string()))?;
        let database = Database::external(&format!("host={socket} port=5432 user=postgres dbname=switchyard"));
        let database = database.map_err(|error| bad(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(io("starting a runtime".to_owned()))?.block_on(async {
            let options = StoreOptions { unsafe_test: true, ..StoreOptions::default() };
            let store = PgStore::connect(database.runtime(), options).await.map_err(|error| bad(&error))?;
            let client = store.readers().get().await.map_err(|error| bad(&error))?;
            Self::from(&**client, rrns).await
        })
    }

    /// Reads the payments of these DE37.
    ///
    /// # Errors
    /// [`BookError::Record`].
    pub async fn from<'a>(client: &impl GenericClient, rrns: impl Iterator<Item = &'a str>) -> Result<Self, BookError> {
        let mut found = Self { in_record: count(client, |kind| kind != TRANSFER).await?, ..Self::default() };
        for rrn in rrns {
            // One that was never answered may have none.
            if rrn.is_empty() || found.payments.contains_key(rrn) {
                continue;
            }
            let key = Rrn::new(rrn.as_bytes()).map_err(|error| bad(&error))?;
            let traced = reports::trace(client, &key).await.map_err(|error| bad(&error))?;
            found.payments.insert(rrn.to_owned(), traced);
        }
        Ok(found)
    }

    #[cfg(test)]
    pub(super) fn of(payments: Vec<History>) -> Self {
        let mut found = Self { in_record: payments.len() as u64, ..Self::default() };
        for payment in payments {
            found.payments.entry(payment.rrn.as_str().to_owned()).or_default().push(payment);
        }
        found
    }

    /// What it has under a DE37.
    pub fn of_rrn(&self, rrn: &str) -> &[History] {
        self.payments.get(rrn).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everything that was read.
    pub fn all(&self) -> impl Iterator<Item = &History> {
        self.payments.values().flatten()
    }

    /// How many payments were read.
    pub fn count(&self) -> u64 {
        self.all().count() as u64
    }

    /// Messages of a kind (`reversal`, `advice`) that were owed, by link.
    pub fn owed(&self, kind: &str) -> BTreeMap<String, Owed> {
        let mut links: BTreeMap<String, Owed> = BTreeMap::new();
        for lane in self.all().flat_map(|payment| &payment.lanes).filter(|lane| lane.kind == kind) {
            links.entry(lane.link.clone()).or_default().add(lane.ended.as_deref());
        }
        links
    }
}

impl Owed {
    fn add(&mut self, ended: Option<&str>) {
        self.owed += 1;
        match ended {
            Some("acknowledged") => self.acknowledged += 1,
            Some(_) => self.dead += 1,
            None => self.still_owed += 1,
        }
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            owed: self.owed + other.owed,
            acknowledged: self.acknowledged + other.acknowledged,
            dead: self.dead + other.dead,
            still_owed: self.still_owed + other.still_owed,
        }
    }
}

/// Credit transfers by the message id that the bank knows them under, which is the payment's id.
#[derive(Debug, Clone, Default)]
pub struct Transfers {
    pub(super) transfers: BTreeMap<String, History>,
    /// Credit transfers in the whole record, named by the bank or not.
    pub in_record: u64,
}

impl Transfers {
    /// Reads the transfers of these message ids. What is no id of ours, or not in the record, is left out.
    ///
    /// # Errors
    /// [`BookError::Record`].
    pub async fn from<'a>(client: &impl GenericClient, ids: impl Iterator<Item = &'a str>) -> Result<Self, BookError> {
        let mut found = Self { in_record: count(client, |kind| kind == TRANSFER).await?, ..Self::default() };
        for id in ids {
            let Ok(payment) = id.parse().map(PaymentId) else { continue };
            if let Some(history) = reports::history(client, payment).await.map_err(|error| bad(&error))? {
                found.transfers.insert(id.to_owned(), history);
            }
        }
        Ok(found)
    }

    /// The transfer of a message id.
    pub fn of_id(&self, id: &str) -> Option<&History> {
        self.transfers.get(id)
    }
}

/// What the record calls a credit transfer.
const TRANSFER: &str = "transfer";

async fn count(client: &impl GenericClient, kinds: impl Fn(&str) -> bool) -> Result<u64, BookError> {
    let rows = reports::payments_by_state(client).await.map_err(|error| bad(&error))?;
    Ok(rows.iter().filter(|(kind, ..)| kinds(kind)).map(|(.., count)| u64::try_from(*count).unwrap_or(0)).sum())
}

fn bad(error: &dyn std::fmt::Display) -> BookError {
    BookError::Record(error.to_string())
}
