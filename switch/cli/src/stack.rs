//! A whole laboratory as processes: two networks, a bank, the switch, and whoever asks. `demo` shows
//! it; drills, benches and system tests drive the same code.
//!
//! Every child ends when its standard input does, so nothing outlives the program that started it,
//! however that ends.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use zeroize::Zeroizing;

use crate::skeleton::{self, Plan, Timers, merchant_id, terminal_id};

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
            short_timers: true,
            dual_rules: Vec::new(),
            single_rules: Vec::new(),
            bank_rules: Vec::new(),
            sync: true,
            unsafe_test: false,
        }
    }
}

/// Secrets of a laboratory: known to the token and the simulators, written to no file.
pub struct Secrets {
    /// The JSON object that simulators read, one line.
    pub json: Zeroizing<String>,
    /// The lines that `hsm key import` reads.
    pub import: Zeroizing<String>,
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
        let network = |name: &str, rules: &[String]| {
            let mut sets = vec![
                format!("network = \"{name}\""),
                format!("system = \"{name}\""),
                format!("book = {}", quoted(&options.dir.join(format!("{name}.book.ndjson")))),
                format!("report = {}", quoted(&options.dir.join(format!("{name}.report.ndjson")))),
                format!("sync = {}", options.sync),
                "stop_on_stdin_close = true".to_owned(),
            ];
            sets.push(format!("rules = [{}]", rules.join(", ")));
            simulator(&options, "issuer", name, &sets, Some(&secrets.json))
        };
        let (mut dual, mut single) = (network("dual", &options.dual_rules)?, network("single", &options.single_rules)?);
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
            pos: "127.0.0.1:0".to_owned(),
            party: "127.0.0.1:0".to_owned(),
            admin: "127.0.0.1:0".to_owned(),
            dual: listening(&mut dual)?,
            single: listening(&mut single)?,
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
        let (pos, party) = (at(&ready["listeners"]["pos"]), at(&ready["listeners"]["party"]));
        self.admin = at(&ready["admin"]);
        if self.pos.is_empty() {
            let text = std::fs::read_to_string(self.config()).map_err(io("reading the configuration".to_owned()))?;
            let text = text.replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{pos}\""), 1);
            let text = text.replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{party}\""), 1);
            std::fs::write(self.config(), text).map_err(io("writing the configuration".to_owned()))?;
        }
        (self.pos, self.party) = (pos, party);
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

impl Secrets {
    fn generate(terminals: usize) -> Result<Self, StackError> {
        let mut import = Zeroizing::new(String::new());
        let mut pairs = Zeroizing::new(String::new());
        // Writing into a String cannot fail.
        for number in 1..=terminals {
            let id = terminal_id(number);
            let (pin, mac) = (key()?, key()?);
            let _ = write!(pairs, "{}\"{id}\":{{\"tpk\":\"{}\",\"tak\":\"{}\"}}", comma(number), &*pin, &*mac);
            let lower = id.to_lowercase();
            let _ = writeln!(import, "tpk tpk-{lower} {}\ntak tak-{lower} {}", &*pin, &*mac);
        }
        let mut networks = Zeroizing::new(String::new());
        for (number, name) in ["dual", "single"].iter().enumerate() {
            let (pin, mac) = (key()?, key()?);
            let _ = write!(networks, "{}\"{name}\":{{\"zpk\":\"{}\",\"zak\":\"{}\"}}", comma(number + 1), &*pin, &*mac);
            let _ = writeln!(import, "zpk zpk-{name} {}\nzak zak-{name} {}", &*pin, &*mac);
        }
        let (seed, pvk) = (key()?, key()?);
        let json = format!(
            "{{\"terminals\":{{{}}},\"networks\":{{{}}},\"card_seed\":\"{}\",\"pvk\":\"{}\"}}\n",
            &*pairs, &*networks, &*seed, &*pvk
        );
        Ok(Self { json: Zeroizing::new(json), import })
    }
}

fn comma(number: usize) -> &'static str {
    if number > 1 { "," } else { "" }
}

/// A random double-length TDES key with odd parity, in hex.
fn key() -> Result<Zeroizing<String>, StackError> {
    let mut raw = Zeroizing::new([0u8; 16]);
    getrandom::fill(raw.as_mut()).map_err(StackError::Random)?;
    for byte in raw.iter_mut() {
        *byte = (*byte & 0xFE) | u8::from((*byte & 0xFE).count_ones().is_multiple_of(2));
    }
    Ok(Zeroizing::new(hex::encode_upper(raw.as_ref())))
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
    if let (Some(secrets), Some(stdin)) = (secrets, process.stdin.as_mut()) {
        stdin.write_all(secrets.as_bytes()).map_err(io(format!("giving {name} its secrets")))?;
    }
    Ok(process)
}

/// Runs a command to its end.
pub fn run_to_end(name: &str, mut command: Command, input: Option<&str>) -> Result<String, StackError> {
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() }).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(io(format!("starting {name}")))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        stdin.write_all(input.as_bytes()).map_err(io(format!("writing to {name}")))?;
    }
    let output = child.wait_with_output().map_err(io(format!("waiting for {name}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        Ok(text)
    } else {
        Err(StackError::Process(format!(
            "{name} ended with {}: {}{}",
            output.status,
            text,
            String::from_utf8_lossy(&output.stderr)
        )))
    }
}

fn io(what: String) -> impl FnOnce(std::io::Error) -> StackError {
    move |why| StackError::Io { what, why }
}

/// A child process whose standard output is read line by line.
pub struct Process {
    /// Its name.
    pub name: String,
    /// Where its standard error goes.
    pub log: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Lines of standard output so far.
    pub seen: Vec<String>,
}

impl Process {
    /// Starts it, with standard error into `NAME.log`.
    pub fn start(name: &str, mut command: Command, dir: &Path) -> Result<Self, StackError> {
        let log = dir.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let file = file.map_err(io(format!("opening {}", log.display())))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = command.spawn().map_err(io(format!("starting {name}")))?;
        let stdin = child.stdin.take();
        let lines = read_lines(child.stdout.take());
        Ok(Self { name: name.to_owned(), log, child, stdin, lines, seen: Vec::new() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The next line that starts with `prefix`.
    pub fn expect_line(&mut self, prefix: &str, within: Duration) -> Result<String, StackError> {
        let until = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.starts_with(prefix) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(StackError::Process(format!(
                        "{} did not say \"{prefix}\" in {}s; see {}",
                        self.name,
                        within.as_secs(),
                        self.log.display()
                    )));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                    let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                    let last = said.lines().last().unwrap_or_default().to_owned();
                    return Err(StackError::Process(format!("{} ended with {status}: {last}", self.name)));
                }
            }
        }
    }

    /// Kills it at once.
    pub fn kill(&mut self) -> Result<(), StackError> {
        self.child.kill().map_err(io(format!("killing {}", self.name)))?;
        self.child.wait().map_err(io(format!("waiting for {}", self.name)))?;
        Ok(())
    }

    /// Waits for its end, without asking for it.
    pub fn wait(mut self, within: Duration) -> Result<(ExitStatus, Value), StackError> {
        let status = self.wait_for_end(within)?;
        Ok((status, self.last_object()))
    }

    /// Asks it to end by SIGTERM and waits.
    pub fn stop(mut self, within: Duration) -> Result<ExitStatus, StackError> {
        self.terminate();
        self.wait_for_end(within)
    }

    /// Asks it to end; the last object that it wrote to standard output.
    pub fn finish(mut self, within: Duration) -> Result<Value, StackError> {
        self.terminate();
        self.wait_for_end(within)?;
        Ok(self.last_object())
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended already: then there is nothing to ask.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }

    fn wait_for_end(&mut self, within: Duration) -> Result<ExitStatus, StackError> {
        let until = Instant::now() + within;
        loop {
            while let Ok(line) = self.lines.try_recv() {
                self.seen.push(line);
            }
            if let Some(status) = self.child.try_wait().map_err(io(format!("waiting for {}", self.name)))? {
                self.seen.extend(self.lines.iter());
                return Ok(status);
            }
            if Instant::now() >= until {
                return Err(StackError::Process(format!("{} did not end in {}s", self.name, within.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn last_object(&self) -> Value {
        self.seen.iter().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whoever forgets a child ends it; one that has ended already is only collected.
        self.stdin = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(stdout: Option<ChildStdout>) -> Receiver<String> {
    let (send, lines) = channel();
    if let Some(stdout) = stdout {
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
    }
    lines
}
