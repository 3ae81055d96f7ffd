//! The private cluster: a PostgreSQL server of our own, in a data directory of our own, reached by a
//! Unix socket only, that ends when we do.
//!
//! A newcomer installs the package and nothing else; SQL, constraints and crash behaviour are the
//! real ones everywhere, in the demo and in tests too.

mod account;
pub(crate) mod place;
mod process;
mod server;
mod settings;

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::Error;
use account::Account;
use place::{Place, end_of, make_private};
use process::Process;
use server::Server;

/// How long a server that still runs for an ended owner may take to end.
const PREDECESSOR: Duration = Duration::from_secs(20);
/// How long a fast shutdown may take; after that the server is ended without a last checkpoint.
const FAST_SHUTDOWN: Duration = Duration::from_secs(30);
/// How long the end without a checkpoint may take; after that the process is killed.
const IMMEDIATE_SHUTDOWN: Duration = Duration::from_secs(5);
/// How often the files are looked at that tell whether the server is ready.
const LOOK: Duration = Duration::from_millis(10);

/// The name of the superuser of a private cluster, whoever runs it.
const SUPERUSER: &str = "postgres";

/// What a private cluster is started with.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The folder for data, socket and log. Made when it is not there.
    pub data_dir: PathBuf,
    /// When we are root: the account to run as; `None` for that of the postgresql package.
    pub run_as: Option<String>,
    /// Allows a folder in memory, and keeps the WAL small. For tests; nothing is measured there.
    pub unsafe_test: bool,
    /// More settings, after all others: for tests and drills.
    pub settings: Vec<(String, String)>,
    /// How long the server may take to become ready; recovery after a crash is part of it.
    pub ready_within: Duration,
}

impl ClusterOptions {
    /// A cluster in `data_dir`, with everything that production wants.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            run_as: None,
            unsafe_test: false,
            settings: Vec::new(),
            ready_within: Duration::from_secs(120),
        }
    }
}

/// A running private cluster. Ends with this value, and with this process however that ends.
///
/// Starting and stopping block for up to some seconds: from async code, use `spawn_blocking`.
#[derive(Debug)]
pub struct Cluster {
    options: ClusterOptions,
    account: Account,
    server: Server,
    place: Place,
    process: Mutex<Option<Process>>,
}

impl Cluster {
    /// Starts the cluster of a folder; makes it when there is none yet.
    pub fn start(options: ClusterOptions) -> Result<Self, Error> {
        let account = Account::choose(options.run_as.as_deref())?;
        let place = Place::take(&options.data_dir, &account, options.unsafe_test)?;
        let server = Server::for_data(&place.data)?;
        let cluster = Self { options, account, server, place, process: Mutex::new(None) };
        cluster.init()?;
        cluster.ensure_running()?;
        Ok(cluster)
    }

    /// What the user should be told: folders that were replaced by others, and why.
    pub fn notices(&self) -> &[String] {
        &self.place.notices
    }

    /// The folder that is really used.
    pub fn data_dir(&self) -> &Path {
        &self.place.base
    }

    /// The folder of the socket.
    pub fn socket_dir(&self) -> &Path {
        &self.place.socket
    }

    /// The server's log.
    pub fn log(&self) -> &Path {
        &self.place.log
    }

    /// The process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().filter(|process| process.is_running()).map(Process::pid)
    }

    /// How to connect to `database` as `user`.
    pub fn config(&self, database: &str, user: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.place.socket).port(5432).user(user).dbname(database);
        config
    }

    /// How to connect to `database` as the superuser: for making databases, roles and schemas.
    pub fn admin_config(&self, database: &str) -> tokio_postgres::Config {
        self.config(database, SUPERUSER)
    }

    /// Starts the server again if it has ended. Waits until it takes connections.
    pub fn ensure_running(&self) -> Result<(), Error> {
        let mut slot = self.lock();
        if slot.as_ref().is_some_and(Process::is_running) {
            return Ok(());
        }
        self.wait_for_predecessor()?;
        // In a folder that only we may write to: the server's own belongs to an account that could
        // have put a link there.
        let conf = self.place.base.join("postgresql.conf");
        let text = settings::conf(&self.server, &self.place.socket, self.options.unsafe_test, &self.options.settings);
        std::fs::write(&conf, text).map_err(|why| Error::io("write", &conf, why))?;
        let log = self.place.open_log()?;
        let said = log.try_clone().map_err(|why| Error::io("open", &self.place.log, why))?;
        let mut command = self.account.command(&self.server.bin.join("postgres"), "INT");
        command.arg("-D").arg(&self.place.data).arg("-c").arg(format!("config_file={}", conf.display()));
        command.stdin(std::process::Stdio::null()).stdout(said).stderr(log);
        // A group of its own: Ctrl-C at a terminal goes to us alone, and we end it when we have drained.
        command.process_group(0);
        let process = Process::spawn(command).map_err(|why| Error::io("run", &self.server.bin.join("postgres"), why))?;
        self.wait_until_ready(&process)?;
        tracing::info!(pid = process.pid(), data = %self.place.base.display(), "PostgreSQL is ready");
        *slot = Some(process);
        Ok(())
    }

    /// Kills the server and all its processes at once, as a crash would. For drills.
    pub fn kill9(&self) {
        let mut slot = self.lock();
        let Some(process) = slot.take() else { return };
        // Stopped first, so that it starts no more children while we look for them.
        process.signal(Signal::STOP);
        let children = children_of(process.pid());
        process.signal(Signal::KILL);
        for child in &children {
            if let Ok(handle) = pidfd_open(*child, PidfdFlags::empty()) {
                let _ = pidfd_send_signal(&handle, Signal::KILL);
            }
        }
        process.wait(IMMEDIATE_SHUTDOWN);
        // A server does not start while a process of the one before is attached to its memory.
        let deadline = Instant::now() + IMMEDIATE_SHUTDOWN;
        while children.iter().any(|child| is_alive(*child)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the server: running statements are cancelled, everything committed is written.
    pub fn stop(self) {
        drop(self);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the data directory if there is none: beside its place first, so that one that was
    /// interrupted is never taken for a whole one.
    fn init(&self) -> Result<(), Error> {
        let data = &self.place.data;
        if data.join("PG_VERSION").is_file() {
            return Ok(());
        }
        if data.exists() {
            return Err(Error::NotACluster { path: data.clone() });
        }
        let fresh = self.place.base.join("data.new");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).map_err(|why| Error::io("remove", &fresh, why))?;
        }
        make_private(&fresh, Some(&self.account), 0o700)?;
        let initdb = self.server.bin.join("initdb");
        let mut command = self.account.command(&initdb, "KILL");
        command.args(["-U", SUPERUSER, "-A", "trust", "--locale=C", "-E", "UTF8", "--data-checksums", "--no-instructions", "-D"]);
        command.arg(&fresh);
        if self.options.unsafe_test {
            command.arg("--no-sync");
        }
        let said = command.output().map_err(|why| Error::io("run", &initdb, why))?;
        if !said.status.success() {
            return Err(Error::Initdb { log: end_of(&said.stderr) });
        }
        std::fs::rename(&fresh, data).map_err(|why| Error::io("rename", &fresh, why))?;
        // The name must be on the disk before anything inside is relied on.
        let base = std::fs::File::open(&self.place.base).and_then(|base| base.sync_all());
        base.map_err(|why| Error::io("sync", &self.place.base, why))
    }

    /// A server whose owner was killed may still be ending; it is given its time. A stale file of a
    /// dead server is left to PostgreSQL, which knows better when it may be removed.
    fn wait_for_predecessor(&self) -> Result<(), Error> {
        let deadline = Instant::now() + PREDECESSOR;
        loop {
            let found = self.pid_file().and_then(|file| file.pid);
            // PostgreSQL takes a server that ended and was not collected yet for one that runs: so it
            // is when our predecessor was killed together with its server a moment ago.
            let Some(pid) = found.filter(|pid| self.is_server_here(*pid) || is_uncollected(*pid)) else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                let by = format!("PostgreSQL, process {}", pid.as_raw_nonzero());
                return Err(Error::InUse { path: self.place.base.clone(), by });
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether the process is a server that works in our data directory.
    fn is_server_here(&self, pid: Pid) -> bool {
        is_alive(pid)
            && std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_nonzero())).is_ok_and(|folder| folder == self.place.data)
    }

    fn wait_until_ready(&self, process: &Process) -> Result<(), Error> {
        let deadline = Instant::now() + self.options.ready_within;
        loop {
            if self.pid_file().is_some_and(|file| file.ready && file.is(process.pid())) {
                return Ok(());
            }
            if process.wait(LOOK) {
                return Err(Error::Start { path: self.place.log.clone(), log: self.place.end_of_log() });
            }
            if Instant::now() >= deadline {
                end(process);
                return Err(Error::NotReady { seconds: self.options.ready_within.as_secs(), path: self.place.log.clone() });
            }
        }
    }

    fn pid_file(&self) -> Option<PidFile> {
        PidFile::parse(&std::fs::read_to_string(self.place.data.join("postmaster.pid")).ok()?)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(process) = self.lock().take() {
            end(&process);
        }
    }
}

/// Fast shutdown, then the harder ones.
fn end(process: &Process) {
    for (signal, patience) in
        [(Signal::INT, FAST_SHUTDOWN), (Signal::QUIT, IMMEDIATE_SHUTDOWN), (Signal::KILL, IMMEDIATE_SHUTDOWN)]
    {
        process.signal(signal);
        if process.wait(patience) {
            return;
        }
    }
}

/// What `postmaster.pid` says: the process on the first line, its status on the eighth.
#[derive(Debug, PartialEq)]
struct PidFile {
    pid: Option<Pid>,
    ready: bool,
}

impl PidFile {
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse::<i32>().ok().map(i32::abs).and_then(Pid::from_raw);
        Some(Self { pid, ready: lines.nth(6).is_some_and(|status| status.trim() == "ready") })
    }

    fn is(&self, pid: u32) -> bool {
        self.pid.is_some_and(|found| u32::try_from(found.as_raw_nonzero().get()) == Ok(pid))
    }
}

/// State and parent of a process, from `/proc/PID/stat`; the name between them may hold anything.
fn stat_of(pid: &str) -> Option<(char, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether a process is there and has not ended. One that ended and was not reaped does not count.
fn is_alive(pid: Pid) -> bool {
    stat_of(&pid.as_raw_nonzero().to_string()).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// Whether a process has ended and its number is still taken.
fn is_uncollected(pid: Pid) -> bool {
    stat_of(&pid.as_raw_nonzero().to_string()).is_some_and(|(state, _)| state == 'Z')
}

fn children_of(parent: u32) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .flatten()
        .filter_map(|process| {
            let name = process.file_name();
            let pid = name.to_str()?;
            let (_, found) = stat_of(pid)?;
            if u32::try_from(found) == Ok(parent) { Pid::from_raw(pid.parse().ok()?) } else { None }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_when_its_file_says_so() {
        let text = "4711\n/data\n1700000000\n5432\n/socket\n\n  1 2\nready   \n";
        let file = PidFile::parse(text).unwrap();
        assert!(file.ready && file.is(4711) && !file.is(4712));
        assert!(!PidFile::parse(&text.replace("ready   ", "starting")).unwrap().ready);
        assert!(!PidFile::parse("4711\n/data\n").unwrap().ready);
        assert_eq!(PidFile::parse(""), None);
    }

    #[test]
    fn a_process_knows_its_parent() {
        let own = Pid::from_raw(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(is_alive(own));
        let (_, parent) = stat_of("self").unwrap();
        assert!(children_of(u32::try_from(parent).unwrap()).contains(&own));
    }
}
