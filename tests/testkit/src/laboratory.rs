//! A laboratory for one test: a directory under `/var/tmp` that no other test has, the processes of
//! [`Stack`] in it, and nothing of either afterwards, however the test ends.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchyard::stack::{Stack, StackOptions};

use crate::{KitError, processes};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// See the module.
pub struct Laboratory {
    // Dropped before the directory, and with it every process.
    stack: Option<Stack>,
    scratch: Scratch,
}

/// A directory under `/var/tmp` (on a disk, and reachable for the database's account) that is gone
/// when this is. `SWITCHYARD_KEEP` in the environment keeps it.
pub struct Scratch(PathBuf);

impl Scratch {
    /// A name that nobody else uses; nothing is made yet.
    pub fn new(name: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(PathBuf::from(format!("/var/tmp/switchyard-{name}-{}-{number}", std::process::id())))
    }

    /// Where.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The database ends by itself when its parent has; until then it writes there.
        let until = Instant::now() + Duration::from_secs(20);
        while !processes::naming(&self.0).is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        if std::env::var_os("SWITCHYARD_KEEP").is_some() {
            eprintln!("kept: {}", self.0.display());
        } else if let Err(error) = std::fs::remove_dir_all(&self.0)
            && self.0.exists()
        {
            eprintln!("{} could not be removed: {error}", self.0.display());
        }
    }
}

/// The program under test: `SWITCHYARD_BIN`, else the one beside this program's own target directory.
///
/// # Errors
/// [`KitError::Drill`] says what to build.
pub fn binary() -> Result<PathBuf, KitError> {
    if let Some(named) = std::env::var_os("SWITCHYARD_BIN") {
        return Ok(PathBuf::from(named));
    }
    let own = std::env::current_exe().map_err(KitError::io("finding this program"))?;
    // Programs lie in target/PROFILE, tests in target/PROFILE/deps.
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("switchyard")).find(|path| path.is_file());
    beside.ok_or_else(|| KitError::Drill("there is no switchyard beside this program; run cargo build -p switchyard".to_owned()))
}

impl Laboratory {
    /// Keys, networks, bank, token and configuration, with the options that `change` sets; the switch
    /// is not started. Faults are allowed.
    ///
    /// # Errors
    /// What could not be made or started.
    pub fn new(name: &str, change: impl FnOnce(&mut StackOptions)) -> Result<Self, KitError> {
        let scratch = Scratch::new(name);
        let mut options = StackOptions::new(binary()?, scratch.path());
        options.unsafe_test = true;
        change(&mut options);
        // In place before anything is made, so that a failure half-way is cleaned up too.
        let mut laboratory = Self { stack: None, scratch };
        laboratory.stack = Some(Stack::prepare(options)?);
        Ok(laboratory)
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// Its processes.
    ///
    /// # Errors
    /// [`KitError::Drill`] once they were stopped.
    pub fn stack(&mut self) -> Result<&mut Stack, KitError> {
        self.stack.as_mut().ok_or_else(|| KitError::Drill("the laboratory was stopped".to_owned()))
    }

    /// Waits until nothing is in flight and nothing is owed.
    ///
    /// # Errors
    /// [`KitError::Stack`] when that does not happen in time.
    pub fn settle_down(&mut self, within: Duration) -> Result<(), KitError> {
        let calm = |stack: &Stack| {
            let status = stack.status().ok()?;
            let none = |shard: &Value| {
                ["in_flight", "owed", "writer_queue"].iter().all(|what| shard[*what] == json!(0))
                    && shard["stalled"] == json!(false)
            };
            let calm = status["shards"].as_array()?.iter().all(none);
            (calm && status["carried"] == json!(0)).then_some(())
        };
        Ok(self.stack()?.wait("everything owed to be acknowledged", within, calm)?)
    }

    /// Payments in flight, as the switch tells.
    ///
    /// # Errors
    /// When its admin port does not answer.
    pub fn in_flight(&mut self) -> Result<u64, KitError> {
        let status = self.stack()?.status()?;
        Ok(status["shards"].as_array().into_iter().flatten().filter_map(|shard| shard["in_flight"].as_u64()).sum())
    }
}
