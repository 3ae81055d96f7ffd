//! A node: everything started in order, kept running, and ended in order.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use engine::{Engine, Event, Operator};
use hsm::pkcs11::softhsm::TokenDirectory;
use indexmap::IndexMap;
use ledger::{Book, NodeId, Store};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use payments::Shard;
use serde::Serialize;
use store::{Cluster, ClusterOptions, Database, PgStore, StoreOptions};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::carried::Keep;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Profile};
use crate::orders::Orders;
use crate::peers::{Conns, LinkState, ShardHandle, ShardStatus, Shared};
use crate::shard::ShardTask;
use crate::writer::{Queue, Writer, WriterEnd};
use crate::{admin, faults, keys, link, listener};

/// Events that may wait for a shard.
const EVENTS: usize = 8192;
/// A drain ends after so long even if something is still in flight.
const DRAIN: Duration = Duration::from_secs(20);
/// So long the networks have to answer the sign-off (0800/002) at the end.
const SIGN_OFF: Duration = Duration::from_secs(3);

/// How a node is run.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The configuration file.
    pub config: PathBuf,
    /// Allows faults and a database on a memory file system.
    pub unsafe_test: bool,
    /// Faults to arm; see [`faults`].
    pub faults: Vec<String>,
    /// End when standard input is closed: for parents that must not leave a child behind.
    pub end_with_stdin: bool,
}

/// Where a node can be reached: one line of JSON on standard output when it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ready {
    /// The admin port.
    pub admin: String,
    /// Listeners by name.
    pub listeners: BTreeMap<String, String>,
    /// Directory of the private cluster's socket, if there is one.
    pub database_socket: Option<PathBuf>,
}

/// Why a node did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The configuration.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// The database.
    #[error("database: {0}")]
    Database(String),
    /// The HSM.
    #[error("HSM: {0}")]
    Hsm(String),
    /// The vault.
    #[error("vault: {0}")]
    Vault(String),
    /// An address that cannot be listened on.
    #[error("cannot listen on {address}: {why}; choose another in the configuration")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        why: std::io::Error,
    },
    /// The production profile refuses it.
    #[error("{0}")]
    Profile(String),
    /// Another process owns the record now, or it is broken.
    #[error("{0}")]
    Lost(String),
    /// Anything of the machine.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Runs a node until SIGTERM, SIGINT, or the loss of its record.
///
/// # Errors
/// Why it did not start, or could not go on.
pub async fn run(node: Node) -> Result<(), NodeError> {
    no_core_dumps();
    let config = Arc::new(Config::load(&node.config)?);
    if !node.faults.is_empty() && !node.unsafe_test {
        return Err(NodeError::Profile("faults are armed only with --unsafe-test".to_owned()));
    }
    faults::arm(&node.faults).map_err(|error| NodeError::Profile(error.to_string()))?;
    let metrics = install_metrics()?;
    tokio::spawn(keep_metrics(metrics.clone()));
    let database = Arc::new(open_database(&config, node.unsafe_test).await?);
    let hsm = open_hsm(&config).await?;
    let opened = async {
        keys::check(&config, &hsm).await?;
        open_vault(&config, &hsm, &database).await
    };
    let vault = match opened.await {
        Ok(vault) => vault,
        Err(error) => {
            // Its threads have to end before the process does: the library falls over them otherwise.
            hsm.close().await;
            hsm::pkcs11::finalize();
            return Err(error);
        }
    };
    let running = start(&config, hsm, vault, &database, node.unsafe_test).await?;
    let shared = Arc::clone(&running.shared);

    let (mut listeners, mut bound) = (BTreeMap::new(), Vec::new());
    for listener_config in &config.listeners {
        let socket = listen(&listener_config.listen).await?;
        listeners.insert(listener_config.name.to_string(), socket.local_addr()?.to_string());
        bound.push(socket.local_addr()?.port());
        tokio::spawn(listener::accept(Arc::clone(&shared), socket, Arc::clone(listener_config)));
    }
    let admin_socket = listen(&config.admin).await?;
    // What a reload is compared with: the ports that were taken where any would do.
    shared.swap_config(Arc::new(config.bound_to(admin_socket.local_addr()?.port(), &bound)));
    let ready = Ready {
        admin: admin_socket.local_addr()?.to_string(),
        listeners,
        database_socket: match &*database {
            Database::Private(cluster) => Some(cluster.socket_dir().to_owned()),
            Database::External(_) => None,
        },
    };
    tokio::spawn(admin::serve(admin_socket, Arc::clone(&shared), metrics, running.store));
    connect_links(&shared, &config);
    if let Some(socket) = &ready.database_socket {
        // Tools that read the record of a running node find it here.
        std::fs::write(config.data_dir.join("database-socket"), socket.as_os_str().as_encoded_bytes())?;
    }
    println!("{}", serde_json::json!({ "ready": ready }));
    tracing::info!(version = shown(config.tables.version), "ready");

    let ended = until_the_end(&node, &shared, running.writers).await;
    tracing::info!("ended");
    shared.hsm.close().await;
    drop(shared);
    if let Some(database) = Arc::into_inner(database)
        && let Database::Private(cluster) = database
        && let Err(error) = tokio::task::spawn_blocking(move || cluster.stop()).await
    {
        tracing::error!(%error, "the database could not be stopped");
    }
    hsm::pkcs11::finalize();
    ended
}

/// A version of the configuration, for people.
pub(crate) fn shown(version: u64) -> String {
    format!("{version:012x}")
}

/// What was started and must be watched.
struct Running {
    shared: Arc<Shared>,
    store: Arc<PgStore>,
    writers: mpsc::Receiver<WriterEnd>,
}

/// Shards: stores, engines, writers.
async fn start(
    config: &Arc<Config>,
    hsm: hsm::Hsm,
    vault: vault::Vault,
    database: &Arc<Database>,
    unsafe_test: bool,
) -> Result<Running, NodeError> {
    let clock = Clock::start();
    let me = NodeId(uuid::Uuid::new_v4());
    let lost = |why: &dyn std::fmt::Display| NodeError::Database(why.to_string());
    let options = StoreOptions { unsafe_test, ..StoreOptions::default() };
    let store = Arc::new(PgStore::connect(database.runtime(), options).await.map_err(|error| lost(&error))?);
    let mut shards = Vec::new();
    let mut parts = Vec::new();
    for number in 0..config.shards {
        let shard = Shard(number);
        let (fence, snapshot) = store.open(shard, me).await.map_err(|error| lost(&error))?;
        links_that_owe(config, &snapshot)?;
        let (events, received) = mpsc::channel(EVENTS);
        let queue = Arc::new(Queue::default());
        let book = Book::open(shard, &snapshot);
        let seed = getrandom::u64().map_err(|error| lost(&error))?;
        let mut opening = Vec::new();
        let engine = Engine::open(shard, Arc::clone(&config.tables), seed, fence.epoch, snapshot, clock.now(), &mut opening);
        shards.push(ShardHandle { number: shard, events, queue, status: Arc::default(), orders: Orders::default() });
        parts.push((shard, fence, book, engine, opening, received));
    }
    let links: IndexMap<_, _> = config.links.keys().map(|name| (*name, Arc::new(LinkState::new(*name)))).collect();
    let shared = Arc::new(Shared {
        clock,
        keep: Keep::default(),
        hsm,
        vault,
        dialects: config.dialects.clone(),
        config: RwLock::new(Arc::clone(config)),
        conns: Conns::default(),
        links: Mutex::new(links),
        shards,
    });
    let (ended, writers) = mpsc::channel(usize::from(config.shards));
    for (shard, fence, book, engine, opening, events) in parts {
        let Some(handle) = shared.shards.get(usize::from(shard.0)) else { continue };
        let queue = Arc::clone(&handle.queue);
        let writer = Writer { shard, me, store: Arc::clone(&store), fence, book, queue, events: handle.events.clone(), clock };
        let ended = ended.clone();
        tokio::spawn(async move {
            let end = writer.run().await;
            // Nobody listens only when the process ends already.
            let _ = ended.send(end).await;
        });
        tokio::spawn(ShardTask { shard, engine, shared: Arc::clone(&shared), store: Arc::clone(&store), events, opening }.run());
    }
    if let Database::Private(cluster) = &**database {
        faults::store_is(cluster.pid());
        keep_database(Arc::clone(database));
    }
    Ok(Running { shared, store, writers })
}

/// Refuses a configuration without a link on which something is owed: it would never be sent.
fn links_that_owe(config: &Config, snapshot: &ledger::Snapshot) -> Result<(), NodeError> {
    let owed = snapshot.lanes.iter().map(|lane| lane.item.link);
    let sent = snapshot.open.iter().filter_map(|record| record.facts.egress.as_ref().map(|egress| egress.link));
    let asked = snapshot.open.iter().filter_map(|record| record.facts.bank);
    match owed.chain(sent).chain(asked).find(|link| !config.links.contains_key(link)) {
        Some(link) => Err(NodeError::Profile(format!(
            "{}: messages are owed on the link {link}, which is not configured; put [link.{link}] back until `switchyard saf` \
             tells that nothing is owed",
            config.file.display()
        ))),
        None => Ok(()),
    }
}

/// Starts the private cluster again when it has ended.
fn keep_database(database: Arc<Database>) {
    let weak = Arc::downgrade(&database);
    drop(database);
    tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(200));
        loop {
            every.tick().await;
            let Some(database) = weak.upgrade() else { return };
            let checked = tokio::task::spawn_blocking(move || match &*database {
                Database::Private(cluster) => {
                    let result = cluster.ensure_running();
                    faults::store_is(cluster.pid());
                    result
                }
                Database::External(_) => Ok(()),
            });
            if let Ok(Err(error)) = checked.await {
                tracing::error!(%error, "the private database is down");
            }
        }
    });
}

fn connect_links(shared: &Arc<Shared>, config: &Config) {
    let mut id = 0;
    for (name, link_config) in &config.links {
        let Some(state) = shared.link(name) else { continue };
        for _ in 0..link_config.sockets {
            id += 1;
            tokio::spawn(link::keep_connected(Arc::clone(shared), Arc::clone(&state), Arc::clone(link_config), id));
        }
    }
}

async fn listen(address: &str) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address).await.map_err(|why| NodeError::Listen { address: address.to_owned(), why })
}

/// Signals, until one of them ends the node.
async fn until_the_end(node: &Node, shared: &Arc<Shared>, mut writers: mpsc::Receiver<WriterEnd>) -> Result<(), NodeError> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stdin = stdin_closed(node.end_with_stdin);
    tokio::pin!(stdin);
    loop {
        tokio::select! {
            _ = hangup.recv() => reload(node, shared).await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = &mut stdin => return abandoned(),
            end = writers.recv() => {
                let why = end.map_or_else(|| "the writers are gone".to_owned(), |end| end.to_string());
                return Err(NodeError::Lost(why));
            }
        }
    }
    tracing::info!("draining");
    for shard in &shared.shards {
        if shard.events.send(Event::Operator(Operator::Drain)).await.is_err() {
            return Ok(());
        }
    }
    tokio::select! {
        () = all(shared, |shard, status| status.in_flight == 0 && shard.queue.len() == 0) => {}
        // A second signal ends at once: what is in flight is resolved at the next start.
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = &mut stdin => return abandoned(),
        () = tokio::time::sleep(DRAIN) => tracing::warn!("something was still in flight; it is resolved at the next start"),
    }
    for shard in &shared.shards {
        if shard.events.send(Event::Operator(Operator::SignOff)).await.is_err() {
            return Ok(());
        }
    }
    tokio::select! {
        () = all(shared, |_, status| status.left) => tracing::info!("signed off"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = &mut stdin => return abandoned(),
        () = tokio::time::sleep(SIGN_OFF) => tracing::warn!("a network did not answer the sign-off"),
    }
    Ok(())
}

/// Waits until something holds of every shard.
async fn all(shared: &Shared, holds: impl Fn(&ShardHandle, &ShardStatus) -> bool) {
    let mut every = tokio::time::interval(Duration::from_millis(50));
    loop {
        every.tick().await;
        let status = |shard: &ShardHandle| shard.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if shared.shards.iter().all(|shard| holds(shard, &status(shard))) {
            return;
        }
    }
}

/// Whoever started the node is gone, and it must not outlive him: it ends at once, which is as safe as a
/// crash.
fn abandoned() -> Result<(), NodeError> {
    tracing::warn!("standard input has ended; what was in flight is resolved at the next start");
    Ok(())
}

async fn stdin_closed(wanted: bool) {
    if !wanted {
        return std::future::pending().await;
    }
    let mut sink = [0u8; 64];
    let mut stdin = tokio::io::stdin();
    while let Ok(1..) = tokio::io::AsyncReadExt::read(&mut stdin, &mut sink).await {}
}

/// SIGHUP: checked whole, then swapped; cases in flight keep what they began with.
async fn reload(node: &Node, shared: &Shared) {
    let checked = async {
        let config = Config::load(&node.config)?;
        keys::check(&config, &shared.hsm).await?;
        Ok::<_, NodeError>(config)
    };
    match checked.await {
        Ok(config) => {
            if let Some(what) = shared.config().needs_restart(&config) {
                return tracing::error!(what, "changed, and needs a restart: nothing was swapped");
            }
            let tables = Arc::clone(&config.tables);
            shared.swap_config(Arc::new(config.listening_as(&shared.config())));
            for shard in &shared.shards {
                if shard.events.send(Event::Config(Arc::clone(&tables))).await.is_err() {
                    tracing::error!("an engine is gone");
                }
            }
            tracing::info!(version = shown(tables.version), "configuration swapped");
        }
        Err(error) => tracing::error!(%error, "the new configuration was refused; the old one stays"),
    }
}

/// Opens the database of a configuration and brings its schemas up to date. The private cluster is
/// started where it does not run.
///
/// # Errors
/// [`NodeError::Database`].
pub async fn open_database(config: &Config, unsafe_test: bool) -> Result<Database, NodeError> {
    let failed = |error: &dyn std::fmt::Display| NodeError::Database(error.to_string());
    let database = match &config.database_url {
        Some(url) => Database::external(url.reveal()).map_err(|error| failed(&error))?,
        None => {
            let mut options = ClusterOptions::new(config.data_dir.join("postgres"));
            options.unsafe_test = unsafe_test;
            let started = tokio::task::spawn_blocking(move || Cluster::start(options)).await.map_err(|e| failed(&e))?;
            let cluster = started.map_err(|error| failed(&error))?;
            for notice in cluster.notices() {
                eprintln!("{notice}");
            }
            Database::Private(cluster)
        }
    };
    database.prepare(&[store::LEDGER]).await.map_err(|error| failed(&error))?;
    Ok(database)
}

/// Opens the HSM of a configuration.
///
/// # Errors
/// [`NodeError::Hsm`]; [`NodeError::Profile`] when the production profile refuses it.
pub async fn open_hsm(config: &Config) -> Result<hsm::Hsm, NodeError> {
    let directory = TokenDirectory::prepare(&config.token_dir()).map_err(|error| NodeError::Hsm(error.to_string()))?;
    if !directory.is_active() {
        let (variable, value) = directory.environment();
        return Err(NodeError::Hsm(format!("start with {variable}={} in the environment", value.display())));
    }
    let mut settings = hsm::pkcs11::Settings::with_pin_file(directory.user_pin_file());
    settings.module.clone_from(&config.hsm.module);
    settings.pool = config.hsm.pool.clone();
    let hsm = hsm::pkcs11::open(settings).await.map_err(|error| NodeError::Hsm(error.to_string()))?;
    let routes_pins = config.tables.links.values().any(|link| !link.pin_key.is_empty());
    if config.profile == Profile::Production && routes_pins && !hsm.capabilities().pin_stays_inside {
        let why = "profile production refuses PIN routes on this HSM: clear PINs would pass through this process; use a \
                   backend that keeps them inside, or remove pin_key from the links";
        return Err(NodeError::Profile(why.to_owned()));
    }
    Ok(hsm)
}

/// Opens the vault of a configuration.
///
/// # Errors
/// [`NodeError::Vault`].
pub async fn open_vault(config: &Config, hsm: &hsm::Hsm, database: &Database) -> Result<vault::Vault, NodeError> {
    let failed = |error: &dyn std::fmt::Display| NodeError::Vault(error.to_string());
    let kek = config.hsm.kek.parse().map_err(|error| failed(&error))?;
    let (mut client, connection) = database.admin().connect(tokio_postgres::NoTls).await.map_err(|error| failed(&error))?;
    // Ends with the client.
    tokio::spawn(connection);
    let mut storage = vault::Storage::Postgres(&mut client);
    vault::Vault::open_or_create(hsm, &kek, &mut storage).await.map_err(|error| failed(&error))
}

/// Histograms with fixed buckets, everything else by default.
fn install_metrics() -> Result<PrometheusHandle, NodeError> {
    const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| NodeError::Lost(error.to_string()))
}

/// Folds samples into their histograms even when nobody scrapes, so that they never pile up.
async fn keep_metrics(metrics: PrometheusHandle) {
    let mut every = tokio::time::interval(Duration::from_secs(5));
    loop {
        every.tick().await;
        metrics.run_upkeep();
    }
}

/// A core dump would hold card data.
fn no_core_dumps() {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = rustix::process::setrlimit(rustix::process::Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be switched off");
    }
}
