//! A whole laboratory as processes: two networks, a bank, the switch, and whoever asks. `demo` shows
//! it; drills, benches and system tests drive the same code.
//!
//! Every child ends when its standard input does, so nothing outlives the program that started it,
//! however that ends.

mod process;
mod secrets;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::skeleton::{self, Plan, Timers, merchant_id, terminal_id};
pub use process::{Process, run_to_end};
pub use secrets::Secrets;

/// Why a laboratory could not be run.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// A process could not be started, or a file not be written.
    #[error("{what}: {why}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        why: std::io::Error,
    },
    /// A process ended, or said nothing in time.
    #[error("{0}")]
    Process(String),
    /// No randomness for keys.
    #[error("the machine gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Any port.
const ANY: &str = "127.0.0.1:0";

/// What a laboratory is like.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// This program.
    pub program: PathBuf,
    /// Where everything is written.
    pub dir: PathBuf,
    /// Terminals in the registry.
    pub terminals: usize,
    /// Shards of the record.
    pub shards: u16,
    /// Sockets per card link.
    pub sockets: u16,
    /// Whether there is a second listener for terminals with packed digits (`iso87-binary`, behind TPDUs)
    /// and the single-message network speaks it too; else everybody speaks `iso87-ascii`.
    pub binary: bool,
    /// Short timers, or those of production.
    pub short_timers: bool,
    /// Rules of the dual-message network, inline tables: `{ do = "late", ms = 300, amount_ends = "93" }`.
    pub dual_rules: Vec<String>,
    /// Rules of the single-message network.
    pub single_rules: Vec<String>,
    /// Rules of the bank.
    pub bank_rules: Vec<String>,
    /// Whether the books of the simulators are synced before they answer.
    pub sync: bool,
    /// Allows faults and memory file systems.
    pub unsafe_test: bool,
}

impl StackOptions {
    /// A laboratory in `dir` with four terminals.
    pub fn new(program: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            dir: dir.into(),
            terminals: 4,
            shards: 1,
            sockets: 1,
            binary: false,
            short_timers: true,
            dual_rules: Vec::new(),
            single_rules: Vec::new(),
            bank_rules: Vec::new(),
            sync: true,
            unsafe_test: false,
        }
    }
}

/// A laboratory.
pub struct Stack {
    /// What it is like.
    pub options: StackOptions,
    /// Its secrets.
    pub secrets: Secrets,
    /// The dual-message network.
    pub dual: Process,
    /// The single-message network.
    pub single: Process,
    /// The bank.
    pub bank: Process,
    /// The switch, while it runs.
    pub switch: Option<Process>,
    /// Where terminals connect.
    pub pos: String,
    /// Where terminals with packed digits connect; empty where the laboratory has none.
    pub pos_binary: String,
    /// Where the instructing party connects.
    pub party: String,
    /// The admin port.
    pub admin: String,
}

impl Stack {
    /// Makes keys, starts networks and bank, writes the configuration, makes the token.
    pub fn prepare(options: StackOptions) -> Result<Self, StackError> {
        std::fs::create_dir_all(&options.dir).map_err(io(format!("making {}", options.dir.display())))?;
        let secrets = Secrets::generate(options.terminals)?;
        let single_protocol = if options.binary { skeleton::BINARY } else { skeleton::ASCII };
        let network = |name: &str, dialect: &str, rules: &[String]| {
            let mut sets = vec![
                format!("network = \"{name}\""),
                format!("system = \"{name}\""),
                format!("dialect = \"{dialect}\""),
                format!("book = {}", quoted(&options.dir.join(format!("{name}.book.ndjson")))),
                format!("report = {}", quoted(&options.dir.join(format!("{name}.report.ndjson")))),
                format!("sync = {}", options.sync),
                "stop_on_stdin_close = true".to_owned(),
            ];
            sets.push(format!("rules = [{}]", rules.join(", ")));
            simulator(&options, "issuer", name, &sets, Some(&secrets.json))
        };
        let mut dual = network("dual", skeleton::ASCII, &options.dual_rules)?;
        let mut single = network("single", single_protocol, &options.single_rules)?;
        let bank_sets = [
            format!("book = {}", quoted(&options.dir.join("bank.book.ndjson"))),
            "stop_on_stdin_close = true".to_owned(),
            format!("rules = [{}]", options.bank_rules.join(", ")),
        ];
        let mut bank = simulator(&options, "bank", "bank", &bank_sets, None)?;
        let listening = |process: &mut Process| {
            let line = process.expect_line("listening ", Duration::from_secs(30))?;
            Ok::<_, StackError>(line.trim_start_matches("listening ").to_owned())
        };
        let plan = Plan {
            pos: ANY.to_owned(),
            pos_binary: options.binary.then(|| ANY.to_owned()),
            party: ANY.to_owned(),
            admin: ANY.to_owned(),
            dual: listening(&mut dual)?,
            single: listening(&mut single)?,
            single_protocol,
            bank: listening(&mut bank)?,
            terminals: options.terminals,
            shards: options.shards,
            sockets: options.sockets,
            timers: options.short_timers.then_some(Timers {
                answer_within: "1.0",
                maximum_life: "2.0",
                attempts_s: "[1, 1, 2]",
                reply_s: "3.0",
            }),
        };
        let conf = options.dir.join("conf");
        skeleton::write(&conf, &plan).map_err(|exit| StackError::Process(exit.what))?;
        let stack = Self {
            options,
            secrets,
            dual,
            single,
            bank,
            switch: None,
            pos: String::new(),
            pos_binary: String::new(),
            party: String::new(),
            admin: String::new(),
        };
        stack.command(&["hsm", "init"], None)?;
        stack.command(&["hsm", "key", "import"], Some(&stack.secrets.import))?;
        Ok(stack)
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.options.dir.join("conf/switchyard.toml")
    }

    /// The data directory of the switch.
    pub fn data_dir(&self) -> PathBuf {
        self.options.dir.join("conf/data")
    }

    /// Starts the switch and waits until its links are signed on. From the second start on it
    /// listens where it did before, so that terminals find it again.
    pub fn start_switch(&mut self, faults: &[String]) -> Result<(), StackError> {
        let mut command = Command::new(&self.options.program);
        command.arg("run").arg("--config").arg(self.config()).arg("--end-with-stdin");
        if self.options.unsafe_test || !faults.is_empty() {
            command.arg("--unsafe-test");
        }
        for fault in faults {
            command.arg("--fault").arg(fault);
        }
        let mut switch = Process::start("switch", command, &self.options.dir)?;
        let ready = switch.expect_line("{\"ready\"", Duration::from_secs(120))?;
        let ready: Value = serde_json::from_str(&ready).map_err(|error| StackError::Process(format!("switch: {error}")))?;
        let at = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ready = &ready["ready"];
        let [pos, pos_binary, party] = ["pos", "pos-binary", "party"].map(|name| at(&ready["listeners"][name]));
        self.admin = at(&ready["admin"]);
        if self.pos.is_empty() {
            let mut text = std::fs::read_to_string(self.config()).map_err(io("reading the configuration".to_owned()))?;
            // In the order in which they stand there.
            for address in [&pos, &pos_binary, &party].into_iter().filter(|address| !address.is_empty()) {
                text = text.replacen(&format!("listen = \"{ANY}\""), &format!("listen = \"{address}\""), 1);
            }
            std::fs::write(self.config(), text).map_err(io("writing the configuration".to_owned()))?;
        }
        (self.pos, self.pos_binary, self.party) = (pos, pos_binary, party);
        self.switch = Some(switch);
        self.wait("links", Duration::from_secs(60), |stack| {
            let status = stack.status().ok()?;
            let shards = status["shards"].as_array()?;
            shards.iter().all(|shard| shard["links_ready"].as_array().is_some_and(|links| links.len() == 3)).then_some(())
        })
    }

    /// `/v1/status`.
    pub fn status(&self) -> Result<Value, StackError> {
        crate::verbs::admin::get(&self.admin, "/v1/status").map_err(|exit| StackError::Process(exit.what))
    }

    /// Waits until `look` finds what it looks for, or the switch is gone.
    pub fn wait<T>(&mut self, what: &str, within: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> Result<T, StackError> {
        let until = Instant::now() + within;
        loop {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            if let Some(switch) = self.switch.as_mut()
                && let Some(status) = switch.ended()
            {
                return Err(StackError::Process(format!(
                    "the switch ended ({status}) while waiting for {what}; see {}",
                    switch.log.display()
                )));
            }
            if Instant::now() >= until {
                return Err(StackError::Process(format!("waited {}s for {what} in vain", within.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts terminals: `sim pos` with these options besides those of the laboratory.
    pub fn start_pos(&self, name: &str, sets: &[String]) -> Result<Process, StackError> {
        let mut all = self.fleet();
        all.push(format!("fleet.log = {}", quoted(&self.options.dir.join(format!("{name}.book.ndjson")))));
        all.push(format!("fleet.sync = {}", self.options.sync));
        all.extend_from_slice(sets);
        simulator(&self.options, "pos", name, &all, Some(&self.secrets.json))
    }

    /// As [`Stack::start_pos`], for terminals with packed digits and a TPDU before each message.
    pub fn start_binary_pos(&self, name: &str, sets: &[String]) -> Result<Process, StackError> {
        let mut all = vec![
            format!("fleet.connect = \"{}\"", self.pos_binary),
            format!("fleet.dialect = \"{}\"", skeleton::BINARY),
            "fleet.framing = \"nac\"".to_owned(),
        ];
        all.extend_from_slice(sets);
        self.start_pos(name, &all)
    }

    /// Starts a load: `sim load` with these options besides those of the laboratory.
    pub fn start_load(&self, name: &str, sets: &[String]) -> Result<Process, StackError> {
        let mut all = self.fleet();
        all.extend_from_slice(sets);
        simulator(&self.options, "load", name, &all, Some(&self.secrets.json))
    }

    /// Starts an instructing party: `sim party`.
    pub fn start_party(&self, name: &str, sets: &[String]) -> Result<Process, StackError> {
        let mut all = vec![
            format!("connect = \"{}\"", self.party),
            format!("book = {}", quoted(&self.options.dir.join(format!("{name}.book.ndjson")))),
            "stop_on_stdin_close = true".to_owned(),
        ];
        all.extend_from_slice(sets);
        simulator(&self.options, "party", name, &all, None)
    }

    fn fleet(&self) -> Vec<String> {
        let merchants: Vec<String> =
            (1..=self.options.terminals).map(|n| format!("{} = \"{}\"", terminal_id(n), merchant_id(n))).collect();
        vec![
            format!("fleet.connect = \"{}\"", self.pos),
            format!("fleet.terminal.merchants = {{ {} }}", merchants.join(", ")),
            "fleet.stop_on_stdin_close = true".to_owned(),
        ]
    }

    /// Runs a verb with this laboratory's configuration to its end; its standard output.
    pub fn command(&self, words: &[&str], input: Option<&str>) -> Result<String, StackError> {
        let name = words.join(" ");
        let mut command = Command::new(&self.options.program);
        command.args(words).arg("--config").arg(self.config());
        run_to_end(&name, command, input)
    }

    /// As [`Stack::command`], with words behind the configuration.
    pub fn command_with(&self, words: &[&str], more: &[&str]) -> Result<String, StackError> {
        let name = words.join(" ");
        let mut command = Command::new(&self.options.program);
        command.args(words).arg("--config").arg(self.config()).args(more);
        run_to_end(&name, command, None)
    }

    /// Stops the switch by SIGTERM and waits for its end.
    pub fn stop_switch(&mut self) -> Result<ExitStatus, StackError> {
        match self.switch.take() {
            Some(switch) => switch.stop(Duration::from_secs(60)),
            None => Err(StackError::Process("the switch does not run".to_owned())),
        }
    }

    /// Stops networks and bank; their reports are written then. Their last lines of output.
    pub fn stop_peers(self) -> Result<[Value; 3], StackError> {
        let mut summaries = [Value::Null, Value::Null, Value::Null];
        for (summary, process) in summaries.iter_mut().zip([self.dual, self.single, self.bank]) {
            *summary = process.finish(Duration::from_secs(60))?;
        }
        Ok(summaries)
    }
}

fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}

fn simulator(
    options: &StackOptions,
    kind: &str,
    name: &str,
    sets: &[String],
    secrets: Option<&str>,
) -> Result<Process, StackError> {
    let mut command = Command::new(&options.program);
    command.arg("sim").arg(kind);
    for set in sets {
        command.arg("--set").arg(set);
    }
    let mut process = Process::start(name, command, &options.dir)?;
    if let Some(secrets) = secrets {
        process.tell(secrets).map_err(io(format!("giving {name} its secrets")))?;
    }
    Ok(process)
}

fn io(what: String) -> impl FnOnce(std::io::Error) -> StackError {
    move |why| StackError::Io { what, why }
}
