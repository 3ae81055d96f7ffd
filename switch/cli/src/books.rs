//! The record of a node, for verbs that read it: of a running one through its socket, else by
//! starting its private cluster for as long as the verb takes.

use std::path::Path;

use store::Database;
use switch::Config;
use tokio_postgres::{Client, NoTls};

use crate::exit::{CONFIG, Exit, UNAVAILABLE};

/// The record, open.
pub(crate) struct Books {
    pub(crate) config: Config,
    pub(crate) database: Database,
}

impl Books {
    /// Opens the record of a configuration.
    pub(crate) async fn open(path: &Path) -> Result<Self, Exit> {
        let config = Config::load(path).map_err(|error| Exit::new(CONFIG, error))?;
        let database = match running(&config).await {
            Some(database) => database,
            None => switch::open_database(&config, false).await.map_err(|error| Exit::new(UNAVAILABLE, error))?,
        };
        let schemas = [store::LEDGER, settlement::record::SCHEMA];
        database.prepare(&schemas).await.map_err(|error| Exit::new(UNAVAILABLE, error))?;
        Ok(Self { config, database })
    }

    /// A connection that may read everything.
    pub(crate) async fn connect(&self) -> Result<Client, Exit> {
        let unavailable = |error: tokio_postgres::Error| Exit::new(UNAVAILABLE, format!("database: {error}"));
        let (client, connection) = self.database.admin().connect(NoTls).await.map_err(unavailable)?;
        // Ends with the client.
        tokio::spawn(connection);
        Ok(client)
    }
}

/// The private cluster of a node that runs now.
async fn running(config: &Config) -> Option<Database> {
    if config.database_url.is_some() {
        return None;
    }
    let socket = std::fs::read_to_string(config.data_dir.join("database-socket")).ok()?;
    let database = Database::external(&format!("host={socket} port=5432 user=postgres dbname=switchyard")).ok()?;
    // A socket file without a server behind it was left by a node that is gone.
    let (client, connection) = database.admin().connect(NoTls).await.ok()?;
    tokio::spawn(connection);
    drop(client);
    Some(database)
}
