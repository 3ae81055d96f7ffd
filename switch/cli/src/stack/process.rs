//! A child process, and what it says line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{StackError, io};

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

    /// Writes to its standard input, which stays open.
    pub(super) fn tell(&mut self, words: &str) -> std::io::Result<()> {
        match self.stdin.as_mut() {
            Some(stdin) => stdin.write_all(words.as_bytes()),
            None => Ok(()),
        }
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
