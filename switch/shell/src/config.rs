//! Configuration: one TOML file and the files it names. Read whole, checked whole, and only then
//! used; every error names file, place and fix.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dialects::card::{Dialects, NAMES};
use dialects::pacs;
use engine::Tables;
use engine::tables::{Acquirer, Deadlines, Limits, LinkSettings, Merchant, Registry, Terminal};
use iso8583::Framing;
use payments::{AcquirerId, LinkId, Text};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::protocol::DialectFile;
pub use crate::protocol::Protocol;
use crate::{schema, sound};
pub use written::{DatabaseUrl, Written, written};

mod written;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1, where it is known.
    pub line: Option<usize>,
    /// What is wrong and what to write instead.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.what),
            None => write!(f, "{}: {}", self.file.display(), self.what),
        }
    }
}

impl std::error::Error for ConfigError {}

/// The configuration of a node, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it came from.
    pub file: PathBuf,
    /// The file of acquirers, merchants and terminals.
    pub registry: PathBuf,
    /// The files that were read: this one, registry, routes and risk.
    pub files: Vec<PathBuf>,
    /// Where the private cluster, the token and the like live.
    pub data_dir: PathBuf,
    /// Shards of the record.
    pub shards: u16,
    /// Laboratory or production.
    pub profile: Profile,
    /// A PostgreSQL of your own; none for the private cluster.
    pub database_url: Option<DatabaseUrl>,
    /// The HSM.
    pub hsm: HsmConfig,
    /// Where the admin port listens.
    pub admin: String,
    /// Ingress.
    pub listeners: Vec<Arc<ListenerConfig>>,
    /// Egress.
    pub links: BTreeMap<LinkId, Arc<LinkConfig>>,
    /// What the card links may speak.
    pub dialects: Dialects,
    /// The files of dialects of one's own, as they were read.
    dialect_texts: Vec<String>,
    /// What the engine decides by.
    pub tables: Arc<Tables>,
}

/// What a node may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Everything: for laboratories and tests.
    #[default]
    Lab,
    /// Refuses PIN routes on a backend that lets clear PINs into this process.
    Production,
}

/// `[hsm]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HsmConfig {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// Directory of the SoftHSM token, below `data_dir` unless absolute.
    pub token_dir: PathBuf,
    /// Name of the key that wraps data keys (KEK).
    pub kek: String,
    /// Threads, queue, deadlines.
    pub pool: hsm::PoolSettings,
}

impl Default for HsmConfig {
    fn default() -> Self {
        Self {
            module: PathBuf::from("/usr/lib/softhsm/libsofthsm2.so"),
            token_dir: PathBuf::from("token"),
            kek: "kek".to_owned(),
            pool: hsm::PoolSettings::default(),
        }
    }
}

/// Whether messages carry a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mac {
    /// Every message but network management.
    #[default]
    Required,
    /// None is made, none is checked.
    None,
}

/// `[[listener]]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Its name.
    pub name: LinkId,
    /// What is spoken.
    pub protocol: Protocol,
    /// Address and port; port 0 takes a free one.
    pub listen: String,
    /// Whom its connections are bound to.
    pub acquirer: AcquirerId,
    /// MAC.
    pub mac: Mac,
    /// Where one message ends and the next begins, and the longest that is taken.
    pub framing: Framing,
    /// Connections at once.
    pub max_connections: usize,
    /// Requests in flight per connection; past it nothing more is read.
    pub max_in_flight: usize,
    /// A frame that has begun must be whole within this, and a peer must take bytes of an answer within it.
    pub frame_within: Duration,
    /// A connection may be quiet for so long.
    pub idle: Duration,
    /// Bank dialect.
    pub pacs: Option<pacs::Link>,
}

/// `[link.NAME]`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// What is spoken.
    pub protocol: Protocol,
    /// Where the counterparty listens.
    pub connect: String,
    /// Sockets of the link.
    pub sockets: u16,
    /// MAC.
    pub mac: Mac,
    /// Name of the MAC key.
    pub mac_key: Text<48>,
    /// Where one message ends and the next begins, and the longest that is taken.
    pub framing: Framing,
    /// A connection must stand within this.
    pub connect_within: Duration,
    /// Bank dialect.
    pub pacs: Option<pacs::Link>,
}

impl Config {
    /// What of `new` cannot be swapped into a running node that was started with this one: everything that
    /// sockets, processes and owed messages hang on.
    pub(crate) fn needs_restart(&self, new: &Self) -> Option<String> {
        let keys = [
            ("data_dir", self.data_dir != new.data_dir),
            ("shards", self.shards != new.shards),
            ("profile", self.profile != new.profile),
            ("[database] url", self.database_url != new.database_url),
            ("[hsm]", self.hsm != new.hsm),
            ("admin", !takes(&self.admin, &new.admin)),
            ("[[listener]]", !self.same_listeners(new)),
            ("[dialect]", self.dialect_texts != new.dialect_texts),
        ];
        if let Some((key, _)) = keys.into_iter().find(|(_, differs)| *differs) {
            return Some(key.to_owned());
        }
        let names = self.links.keys().chain(new.links.keys());
        names.into_iter().find(|name| self.links.get(*name) != new.links.get(*name)).map(|name| format!("[link.{name}]"))
    }

    /// With the ports that were bound where any would do, the listeners' in their order.
    pub(crate) fn bound_to(&self, admin: u16, ports: &[u16]) -> Self {
        let admin = bound(&self.admin, admin);
        let at = |(listener, port): (&Arc<ListenerConfig>, &u16)| bound(&listener.listen, *port);
        let addresses: Vec<String> = self.listeners.iter().zip(ports).map(at).collect();
        Self { admin, ..self.clone() }.listening_at(addresses)
    }

    /// In place of `running`, whose sockets stay.
    pub(crate) fn listening_as(self, running: &Self) -> Self {
        let addresses = running.listeners.iter().map(|listener| listener.listen.clone()).collect();
        Self { admin: running.admin.clone(), ..self }.listening_at(addresses)
    }

    fn listening_at(mut self, addresses: Vec<String>) -> Self {
        for (listener, listen) in self.listeners.iter_mut().zip(addresses) {
            *listener = Arc::new(ListenerConfig { listen, ..(**listener).clone() });
        }
        self
    }

    fn same_listeners(&self, new: &Self) -> bool {
        let same = |(old, new): (&Arc<ListenerConfig>, &Arc<ListenerConfig>)| {
            takes(&old.listen, &new.listen) && **old == ListenerConfig { listen: old.listen.clone(), ..(**new).clone() }
        };
        self.listeners.len() == new.listeners.len() && self.listeners.iter().zip(&new.listeners).all(same)
    }
}

/// Whether a node that listens at `old` does what `new` asks: port 0 is any port.
fn takes(old: &str, new: &str) -> bool {
    old == new || new.strip_suffix(":0").is_some_and(|host| old.rsplit_once(':').is_some_and(|(other, _)| host == other))
}

/// An address as written, with the port that was taken where any would do.
fn bound(written: &str, port: u16) -> String {
    written.strip_suffix(":0").map_or_else(|| written.to_owned(), |host| format!("{host}:{port}"))
}

// The files as written.

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    version: u32,
    #[serde(default = "data")]
    data_dir: PathBuf,
    #[serde(default = "one")]
    shards: u16,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    database: Option<DatabaseFile>,
    #[serde(default)]
    hsm: HsmConfig,
    #[serde(default = "anywhere")]
    admin: String,
    files: FilesFile,
    #[serde(default)]
    listener: Vec<ListenerFile>,
    #[serde(default)]
    link: BTreeMap<LinkId, LinkFile>,
    #[serde(default)]
    dialect: BTreeMap<Text<32>, DialectFile>,
    /// Which bank link carries a credit transfer, by the creditor agent's BIC; `"*"` for all others.
    #[serde(default)]
    banks: BTreeMap<Text<11>, LinkId>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    deadlines: Deadlines,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseFile {
    url: DatabaseUrl,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilesFile {
    registry: PathBuf,
    routes: PathBuf,
    risk: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListenerFile {
    name: LinkId,
    protocol: Protocol,
    listen: String,
    acquirer: AcquirerId,
    #[serde(default)]
    mac: Mac,
    /// A preset's name or a table; what the protocol usually has when it is left out.
    #[serde(default)]
    framing: Option<Framing>,
    /// The longest message, bytes.
    #[serde(default)]
    cap: Option<usize>,
    #[serde(default = "many")]
    max_connections: usize,
    #[serde(default = "some")]
    max_in_flight: usize,
    #[serde(default = "five")]
    frame_within_s: u64,
    #[serde(default = "hour")]
    idle_s: u64,
    #[serde(default)]
    pacs: Option<pacs::Link>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkFile {
    protocol: Protocol,
    connect: String,
    #[serde(default = "one")]
    sockets: u16,
    #[serde(default)]
    mac: Mac,
    #[serde(default)]
    mac_key: Text<48>,
    /// A preset's name or a table; what the protocol usually has when it is left out.
    #[serde(default)]
    framing: Option<Framing>,
    /// The longest message, bytes.
    #[serde(default)]
    cap: Option<usize>,
    #[serde(default = "five")]
    connect_within_s: u64,
    #[serde(default)]
    pacs: Option<pacs::Link>,
    #[serde(default)]
    rules: LinkSettings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegistryFile {
    #[serde(default)]
    acquirer: Vec<Acquirer>,
    #[serde(default)]
    merchant: Vec<Merchant>,
    #[serde(default)]
    terminal: Vec<Terminal>,
}

fn data() -> PathBuf {
    PathBuf::from("data")
}
fn one() -> u16 {
    1
}
fn anywhere() -> String {
    "127.0.0.1:0".to_owned()
}
fn many() -> usize {
    10_000
}
fn some() -> usize {
    256
}
fn five() -> u64 {
    5
}
fn hour() -> u64 {
    3600
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and fix.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let (file, text): (NodeFile, String) = read(path)?;
        let base = path.parent().unwrap_or(Path::new("."));
        let place = |key: &str, what: String| ConfigError { file: path.to_owned(), line: line_of(&text, key), what };
        if file.version != 1 {
            return Err(place(
                "version",
                format!("version is {}, this program reads version 1; write version = 1", file.version),
            ));
        }
        if file.shards == 0 || file.shards > 64 {
            return Err(place("shards", "shards must be 1 to 64".to_owned()));
        }
        let spoken = file.listener.iter().map(|listener| listener.protocol).chain(file.link.values().map(|link| link.protocol));
        for protocol in spoken.clone() {
            if let (Some(what), Protocol::Card(name)) = (protocol.fault(&file.dialect), protocol) {
                return Err(place(&format!("\"{name}\""), what));
            }
        }
        let (dialects, dialect_texts) =
            dialects(&file.dialect, spoken, base).map_err(|(file, what)| ConfigError { file, line: None, what })?;
        let transfers = file.listener.iter().any(|listener| listener.protocol == Protocol::Iso20022);
        if file.shards > 1 && transfers {
            // An enquiry (pacs.028) names no account, so it could be looked up in the wrong shard.
            let what = "credit transfers need shards = 1 in this version; remove the iso20022 listener or write shards = 1";
            return Err(place("shards", what.to_owned()));
        }
        let registry_path = base.join(&file.files.registry);
        let (registry, registry_text): (RegistryFile, String) = read(&registry_path)?;
        let registry = check_registry(registry, &registry_path, &registry_text)?;
        let routes_path = base.join(&file.files.routes);
        let (routes, routes_text): (routing::RoutesFile, String) = read(&routes_path)?;
        let routes = routing::Routes::compile(&routes).map_err(|error| {
            let line = line_of(&routes_text, &format!("name = \"{}\"", error.route()));
            ConfigError { file: routes_path.clone(), line, what: error.to_string() }
        })?;
        let risk_path = base.join(&file.files.risk);
        let (rules, risk_text): (risk::RulesFile, String) = read(&risk_path)?;
        let rules = risk::Rules::compile(&rules).map_err(|error| ConfigError {
            file: risk_path.clone(),
            line: line_of(&risk_text, &format!("name = \"{}\"", error.rule())),
            what: error.to_string(),
        })?;
        for route in routes.all() {
            for link in &route.links {
                let protocol = file.link.get(link).map(|link| link.protocol);
                if !protocol.is_some_and(Protocol::is_card) {
                    let what = format!(
                        "route {} names link \"{link}\"; add [link.{link}] with a card protocol to {}",
                        route.name,
                        path.display()
                    );
                    return Err(ConfigError { file: routes_path.clone(), line: line_of(&routes_text, link.as_str()), what });
                }
            }
        }
        for (bic, link) in &file.banks {
            if file.link.get(link).map(|link| link.protocol) != Some(Protocol::Iso20022) {
                let what = format!("banks.\"{bic}\" names link \"{link}\"; add [link.{link}] with protocol = \"iso20022\"");
                return Err(place("[banks]", what));
            }
        }
        let mut links = BTreeMap::new();
        let mut settings = indexmap::IndexMap::new();
        let address = |whose: String, address: &str, least: u16| match address_fault(address, least) {
            Some(what) => Err(place(&format!("\"{address}\""), format!("{whose}: \"{address}\": {what}"))),
            None => Ok(()),
        };
        address("admin".to_owned(), &file.admin, 0)?;
        for (key, fault) in [("[limits]", sound::limits(&file.limits)), ("[deadlines]", sound::deadlines(&file.deadlines))] {
            if let Some(what) = fault {
                return Err(place(key, format!("{key}: {what}")));
            }
        }
        for (name, link) in file.link {
            let header = format!("[link.{name}]");
            let wrong = |what: &str| place(&header, format!("link {name}: {what}"));
            address(format!("link {name}: connect"), &link.connect, 1)?;
            if link.protocol == Protocol::Iso20022 && link.pacs.is_none() {
                return Err(wrong("a bank link needs pacs = { own_bic = \"...\", peer_bic = \"...\" }"));
            }
            if link.protocol.is_card() && link.mac == Mac::Required && link.mac_key.is_empty() {
                return Err(wrong("mac is required, so name mac_key (the ZAK), or write mac = \"none\""));
            }
            if link.sockets == 0 || link.sockets > 16 {
                return Err(wrong("sockets must be 1 to 16"));
            }
            if link.connect_within_s == 0 {
                return Err(wrong("connect_within_s must be at least 1"));
            }
            if let Some(what) = sound::rules(&link.rules, &file.deadlines) {
                let header = format!("[link.{name}.rules]");
                return Err(place(&header, format!("link {name}: {what}")));
            }
            settings.insert(name, link.rules);
            let framing = framing(link.framing, link.cap, link.protocol).ok_or_else(|| wrong(CAP))?;
            let checked = LinkConfig {
                protocol: link.protocol,
                connect: link.connect,
                sockets: link.sockets,
                mac: link.mac,
                mac_key: link.mac_key,
                framing,
                connect_within: Duration::from_secs(link.connect_within_s),
                pacs: link.pacs,
            };
            links.insert(name, Arc::new(checked));
        }
        let mut listeners = Vec::new();
        for listener in file.listener {
            let wrong = |what: &str| {
                let quoted = format!("\"{}\"", listener.name);
                ConfigError {
                    file: path.to_owned(),
                    line: line_of(&text, &quoted),
                    what: format!("listener {}: {what}", listener.name),
                }
            };
            address(format!("listener {}: listen", listener.name), &listener.listen, 0)?;
            if listener.protocol == Protocol::Iso20022 && listener.pacs.is_none() {
                return Err(wrong("a bank listener needs pacs = { own_bic = \"...\", peer_bic = \"...\" }"));
            }
            if listener.protocol.is_card() && !registry.acquirers.contains_key(&listener.acquirer) {
                return Err(wrong(&format!("acquirer \"{}\" is not in the registry; add an [[acquirer]]", listener.acquirer)));
            }
            if listener.max_connections == 0 || listener.max_in_flight == 0 {
                return Err(wrong("max_connections and max_in_flight must be at least 1"));
            }
            if listener.frame_within_s == 0 || listener.idle_s == 0 {
                return Err(wrong("frame_within_s and idle_s must be at least 1"));
            }
            if listeners.iter().any(|other: &Arc<ListenerConfig>| other.name == listener.name) {
                return Err(wrong("stands twice; names are told apart in metrics and in the record"));
            }
            let taken = |other: &&Arc<ListenerConfig>| other.listen == listener.listen && !listener.listen.ends_with(":0");
            if let Some(other) = listeners.iter().find(taken) {
                return Err(wrong(&format!("listens at {}, where listener {} does", listener.listen, other.name)));
            }
            let framing = framing(listener.framing, listener.cap, listener.protocol).ok_or_else(|| wrong(CAP))?;
            listeners.push(Arc::new(ListenerConfig {
                name: listener.name,
                protocol: listener.protocol,
                listen: listener.listen.clone(),
                acquirer: listener.acquirer,
                mac: listener.mac,
                framing,
                max_connections: listener.max_connections,
                max_in_flight: listener.max_in_flight,
                frame_within: Duration::from_secs(listener.frame_within_s),
                idle: Duration::from_secs(listener.idle_s),
                pacs: listener.pacs.clone(),
            }));
        }
        let tables = Tables {
            version: version_of([&text, &registry_text, &routes_text, &risk_text].into_iter().chain(&dialect_texts)),
            registry,
            links: settings,
            routes,
            rules,
            banks: file.banks.into_iter().collect(),
            limits: file.limits,
            deadlines: file.deadlines,
        };
        Ok(Self {
            file: path.to_owned(),
            files: vec![path.to_owned(), registry_path.clone(), routes_path, risk_path],
            registry: registry_path,
            data_dir: base.join(file.data_dir),
            shards: file.shards,
            profile: file.profile,
            database_url: file.database.map(|database| database.url),
            hsm: file.hsm,
            admin: file.admin,
            listeners,
            dialects,
            dialect_texts,
            links,
            tables: Arc::new(tables),
        })
    }

    /// The directory of the token.
    pub fn token_dir(&self) -> PathBuf {
        self.data_dir.join(&self.hsm.token_dir)
    }
}

/// The version of a configuration: the first 48 bits of SHA-256 over its files, each behind its length. Short
/// enough to be read aloud, and exact in every reader of JSON.
fn version_of<'a>(texts: impl Iterator<Item = &'a String>) -> u64 {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(text.as_bytes());
    }
    digest.finalize().iter().take(6).fold(0, |version, byte| version << 8 | u64::from(*byte))
}

/// Schemas of the node's file and of the files that it names, each by the name that `init` gives it.
pub fn schemas() -> [(&'static str, serde_json::Value); 4] {
    [
        ("switchyard.toml", schema::of::<NodeFile>()),
        ("registry.toml", schema::of::<RegistryFile>()),
        ("routes.toml", schema::of::<routing::RoutesFile>()),
        ("risk.toml", schema::of::<risk::RulesFile>()),
    ]
}

/// What is wrong with an address, `HOST:PORT`; `least` is the lowest port that makes sense.
fn address_fault(address: &str, least: u16) -> Option<String> {
    let Some((host, port)) = address.rsplit_once(':') else { return Some("write HOST:PORT".to_owned()) };
    if host.is_empty() || (host.contains(':') && !(host.starts_with('[') && host.ends_with(']'))) {
        return Some("write HOST:PORT, an IPv6 address in brackets: [::1]:8583".to_owned());
    }
    match port.parse::<u16>() {
        Ok(number) if number >= least && port.bytes().all(|byte| byte.is_ascii_digit()) => None,
        _ => Some(format!("the port must be {least} to 65535")),
    }
}

const CAP: &str = "cap must be 64 to 1048576 bytes";

/// The shipped dialects that are spoken, and those of one's own.
fn dialects(
    own: &BTreeMap<Text<32>, DialectFile>,
    spoken: impl Iterator<Item = Protocol>,
    base: &Path,
) -> Result<(Dialects, Vec<String>), (PathBuf, String)> {
    let (mut all, mut texts) = (Dialects::default(), Vec::new());
    for (name, file) in own {
        let dialect = file.compile(name.as_str(), base, &mut texts)?;
        if NAMES.contains(&name.as_str()) || !all.add(dialect) {
            return Err((base.join(&file.spec), format!("there is a shipped dialect \"{name}\"; choose another name")));
        }
    }
    for protocol in spoken {
        match protocol {
            Protocol::Card(name) if !own.contains_key(&name) => {
                all.add_shipped(name.as_str()).map_err(|error| (base.to_owned(), error.to_string()))?;
            }
            Protocol::Card(_) | Protocol::Iso20022 => {}
        }
    }
    Ok((all, texts))
}

/// The framing of a link; none when its cap is out of bounds.
fn framing(written: Option<Framing>, cap: Option<usize>, protocol: Protocol) -> Option<Framing> {
    let usual = match protocol {
        Protocol::Card(_) => Framing::CARD,
        Protocol::Iso20022 => Framing::BANK,
    };
    let cap = Some(cap.unwrap_or(usual.cap())).filter(|cap| (64..=1_048_576).contains(cap))?;
    Some(written.unwrap_or(usual).with_cap(cap))
}

fn check_registry(file: RegistryFile, path: &Path, text: &str) -> Result<Registry, ConfigError> {
    let wrong = |key: &str, what: String| ConfigError { file: path.to_owned(), line: line_of(text, key), what };
    let mut registry = Registry::default();
    for acquirer in file.acquirer {
        let id = acquirer.id;
        if registry.acquirers.insert(id, acquirer).is_some() {
            return Err(wrong(&format!("\"{id}\""), format!("acquirer {id} stands twice; remove one")));
        }
    }
    for merchant in file.merchant {
        let (id, acquirer) = (merchant.id, merchant.acquirer);
        if !registry.acquirers.contains_key(&acquirer) {
            return Err(wrong(
                &format!("\"{id}\""),
                format!("merchant {id} names acquirer \"{acquirer}\", which is not there; add an [[acquirer]]"),
            ));
        }
        if registry.merchants.insert((acquirer, id), merchant).is_some() {
            return Err(wrong(&format!("\"{id}\""), format!("merchant {id} of {acquirer} stands twice; remove one")));
        }
    }
    for terminal in file.terminal {
        let (id, acquirer, merchant) = (terminal.id, terminal.acquirer, terminal.merchant);
        if !registry.merchants.contains_key(&(acquirer, merchant)) {
            return Err(wrong(
                &format!("\"{id}\""),
                format!("terminal {id} names merchant \"{merchant}\" of {acquirer}, which is not there; add a [[merchant]]"),
            ));
        }
        for key in [terminal.mac_key, terminal.pin_key] {
            if !key.is_empty() && key.as_str().parse::<hsm::KeyName>().is_err() {
                return Err(wrong(
                    &format!("\"{id}\""),
                    format!("terminal {id}: \"{key}\" is no key name; {}", hsm::KeyNameError),
                ));
            }
        }
        if registry.terminals.insert((acquirer, id), terminal).is_some() {
            return Err(wrong(&format!("\"{id}\""), format!("terminal {id} of {acquirer} stands twice; remove one")));
        }
    }
    Ok(registry)
}

/// Reads a TOML file into its form.
fn read<T: DeserializeOwned>(path: &Path) -> Result<(T, String), ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
        file: path.to_owned(),
        line: None,
        what: format!("cannot be read: {error}; `switchyard init DIR` writes a commented set of files"),
    })?;
    match toml::from_str(&text) {
        Ok(value) => Ok((value, text)),
        Err(error) => {
            let line = error.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
            Err(ConfigError { file: path.to_owned(), line, what: error.message().to_owned() })
        }
    }
}

/// The first line that has a text, from 1.
pub(crate) fn line_of(text: &str, needle: &str) -> Option<usize> {
    text.lines().position(|line| line.contains(needle)).map(|index| index + 1)
}

#[cfg(test)]
mod tests;
