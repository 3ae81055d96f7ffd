//! Which database: a private cluster of ours, or a server that somebody else runs.

use tokio_postgres::{Config, NoTls};

use crate::cluster::Cluster;
use crate::migrate::{LOGIN, RUNTIME, Schema, migrate};
use crate::{Error, error};

/// The database of a private cluster.
const NAME: &str = "switchyard";

/// Where the record lives.
#[derive(Debug)]
pub enum Database {
    /// A server of our own.
    Private(Cluster),
    /// Somebody else's server, by a role that may make roles and schemas there.
    External(Box<Config>),
}

impl Database {
    /// A server by its connection string (`host=… user=… dbname=…` or `postgresql://…`). There is no
    /// TLS yet, so it should be a Unix socket or a network that needs none.
    pub fn external(connection: &str) -> Result<Self, Error> {
        let mut config: Config = connection.parse().map_err(|why| Error::ConnectionString(error::describe(&why)))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(std::time::Duration::from_secs(5));
        }
        Ok(Self::External(Box::new(config)))
    }

    /// Makes the database where it is ours to make, then brings schemas up to date.
    pub async fn prepare(&self, schemas: &[Schema]) -> Result<(), Error> {
        if let Self::Private(cluster) = self {
            create_database(&cluster.admin_config("postgres"), NAME, None).await?;
        }
        migrate(&self.admin(), schemas).await
    }

    /// How an administrator connects.
    pub fn admin(&self) -> Config {
        match self {
            Self::Private(cluster) => cluster.admin_config(NAME),
            Self::External(config) => (**config).clone(),
        }
    }

    /// How the running switch connects: with the rights to add facts and to read, and no others.
    pub fn runtime(&self) -> Config {
        match self {
            Self::Private(cluster) => as_runtime(cluster.config(NAME, LOGIN)),
            Self::External(config) => as_runtime((**config).clone()),
        }
    }
}

/// The same connection with the runtime role's rights only.
pub fn as_runtime(mut config: Config) -> Config {
    let options = match config.get_options() {
        Some(own) => format!("{own} -c role={RUNTIME}"),
        None => format!("-c role={RUNTIME}"),
    };
    config.options(options);
    config
}

/// Makes a database if it is not there, as a copy of `template`.
pub(crate) async fn create_database(admin: &Config, name: &str, template: Option<&str>) -> Result<(), Error> {
    let (client, connection) = admin.connect(NoTls).await?;
    let driver = tokio::spawn(connection);
    let there = client.query_opt("select 1 from pg_database where datname = $1", &[&name]).await?;
    let done = match (there, template) {
        (Some(_), _) => Ok(()),
        (None, None) => client.batch_execute(&format!("create database {name}")).await,
        (None, Some(template)) => client.batch_execute(&format!("create database {name} template {template}")).await,
    };
    drop(client);
    let _ = driver.await;
    Ok(done?)
}
