//! Databases for tests, of this package and of others.
//!
//! One server per test process, started by the first test that asks and ended with the process; one
//! database per test, copied from a template that has the schemas. Servers are kept under `/var/tmp`
//! and used again by the next run, so that only the first one pays for `initdb`.
//!
//! With `SWITCHYARD_TEST_DATABASE` set to an administrator's connection string, that server is used
//! instead.
//!
//! ```no_run
//! # async fn example() -> Result<(), store::Error> {
//! let database = store::test_support::TestDatabase::new(&[store::LEDGER]).await?;
//! let record = database.store().await?;
//! # Ok(()) }
//! ```

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, Config, NoTls};

use crate::cluster::place::make_private;
use crate::database::{as_runtime, create_database};
use crate::migrate::{LOGIN, Schema, migrate};
use crate::{Cluster, ClusterOptions, Database, Error, PgStore, StoreOptions};

/// Names a server to use instead of one of our own.
pub const SERVER: &str = "SWITCHYARD_TEST_DATABASE";

/// How many test processes may run at once, each with a server of its own.
const SLOTS: u32 = 64;

/// Begins the name of every database that may be removed.
const PREFIX: &str = "switchyard_test_";

/// Begins the name of every template.
const TEMPLATE: &str = "switchyard_template_";

/// How many templates may stay.
const MOST_TEMPLATES: i64 = 12;

/// A database of its own for one test.
#[derive(Debug)]
pub struct TestDatabase {
    server: &'static Server,
    name: String,
}

/// Where test databases are made.
#[derive(Debug)]
enum Server {
    Own(Cluster),
    Given(Box<Config>),
}

impl TestDatabase {
    /// A fresh database with these schemas.
    pub async fn new(schemas: &'static [Schema]) -> Result<Self, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = server().await?;
        let template = template(server, schemas).await?;
        let name = format!("{PREFIX}{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (client, driver) = administer(server).await?;
        // A process before us may have had our number on a server that is not our own.
        client.batch_execute(&format!("drop database if exists {name} with (force)")).await?;
        client.batch_execute(&format!("create database {name} template {template}")).await?;
        drop(client);
        let _ = driver.await;
        Ok(Self { server, name })
    }

    /// How an administrator connects to it.
    pub fn admin(&self) -> Config {
        self.server.config(&self.name)
    }

    /// How the running switch connects to it.
    pub fn runtime(&self) -> Config {
        match self.server {
            Server::Own(cluster) => as_runtime(cluster.config(&self.name, LOGIN)),
            Server::Given(_) => as_runtime(self.admin()),
        }
    }

    /// A store over it.
    pub async fn store(&self) -> Result<PgStore, Error> {
        PgStore::connect(self.runtime(), StoreOptions::default()).await
    }

    /// A connection of an administrator.
    pub async fn administer(&self) -> Result<Client, Error> {
        connect(&self.admin()).await
    }
}

impl Server {
    fn config(&self, database: &str) -> Config {
        match self {
            Self::Own(cluster) => cluster.admin_config(database),
            Self::Given(config) => {
                let mut config = (**config).clone();
                config.dbname(database);
                config
            }
        }
    }
}

/// Connects and leaves the connection to a task of its own.
pub async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn administer(server: &Server) -> Result<(Client, tokio::task::JoinHandle<()>), Error> {
    let (client, connection) = server.config("postgres").connect(NoTls).await?;
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    client.batch_execute("set client_min_messages = warning").await?;
    Ok((client, driver))
}

/// The server of this process, started when first asked for.
async fn server() -> Result<&'static Server, Error> {
    static ONE: OnceLock<Result<Server, Error>> = OnceLock::new();
    let start = || {
        ONE.get_or_init(|| match std::env::var(SERVER) {
            Ok(connection) => match Database::external(&connection)? {
                Database::External(config) => Ok(Server::Given(config)),
                Database::Private(cluster) => Ok(Server::Own(cluster)),
            },
            Err(_) => start_own().map(Server::Own),
        })
    };
    let started = tokio::task::spawn_blocking(start).await.map_err(|why| Error::Unavailable(why.to_string()))?;
    let server = started.as_ref().map_err(Clone::clone)?;
    if let Server::Own(_) = server {
        static CLEAN: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
        CLEAN.get_or_try_init(|| remove_old(server)).await?;
    }
    Ok(server)
}

/// Takes the first place that no other test process has.
fn start_own() -> Result<Cluster, Error> {
    let base = Path::new("/var/tmp").join(format!("switchyard-tests-{}", rustix::process::geteuid().as_raw()));
    make_private(&base, None, 0o755)?;
    let mut last = Error::InUse { path: base.clone(), by: "other test processes".to_owned() };
    for slot in 0..SLOTS {
        let options = ClusterOptions { unsafe_test: true, ..ClusterOptions::new(base.join(slot.to_string())) };
        match Cluster::start(options) {
            Err(busy @ Error::InUse { .. }) => last = busy,
            other => return other,
        }
    }
    Err(last)
}

/// The template with these schemas, made when it is not there.
async fn template(server: &Server, schemas: &[Schema]) -> Result<String, Error> {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let texts = schemas.iter().flat_map(|schema| schema.migrations.iter().flat_map(|(name, text)| [*name, *text]));
    let hash = texts.flat_map(str::bytes).fold(0xCBF2_9CE4_8422_2325, fold);
    let name = format!("{TEMPLATE}{hash:016x}");
    let (client, driver) = administer(server).await?;
    // One at a time, between processes too where they share a server; ends with the session.
    client.batch_execute("select pg_advisory_lock(7246189050123772)").await?;
    let there = client.query_opt("select 1 from pg_database where datname = $1", &[&name]).await?;
    if there.is_none() {
        // Under another name until it is whole.
        let half = format!("{name}_new");
        client.batch_execute(&format!("drop database if exists {half} with (force)")).await?;
        create_database(&server.config("postgres"), &half, None).await?;
        migrate(&server.config(&half), schemas).await?;
        client.batch_execute(&format!("alter database {half} rename to {name}")).await?;
    }
    drop(client);
    let _ = driver.await;
    Ok(name)
}

/// Removes what test processes before us left on the server that is now ours: their databases, and
/// the templates once there are many, since each edit of a migration makes another one.
async fn remove_old(server: &Server) -> Result<(), Error> {
    let (client, driver) = administer(server).await?;
    let text = "select datname::text from pg_database where starts_with(datname, $1)
      or (starts_with(datname, $2) and (select count(*) from pg_database where starts_with(datname, $2)) > $3)";
    for row in client.query(text, &[&PREFIX, &TEMPLATE, &MOST_TEMPLATES]).await? {
        client.batch_execute(&format!("drop database if exists {} with (force)", row.get::<_, &str>(0))).await?;
    }
    drop(client);
    let _ = driver.await;
    Ok(())
}
