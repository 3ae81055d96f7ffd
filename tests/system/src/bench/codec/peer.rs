//! pyiso8583, a program by strangers: a process of its own that is told what to do, line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use testkit::KitError;

use super::sample::{self, Layout};

/// The process; it ends with the value.
pub(super) struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    frames: Value,
}

impl Peer {
    /// Starts it with the interpreter of `SWITCHYARD_PYTHON`, which `./dev bench` sets.
    ///
    /// # Errors
    /// When there is no such interpreter, or pyiso8583 does not take the message.
    pub(super) fn start() -> Result<Self, KitError> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let made = std::env::var_os("SWITCHYARD_PYTHON").map(PathBuf::from);
        let python = made.unwrap_or_else(|| tests.join("../target/peers-venv/bin/python"));
        let mut command = Command::new(&python);
        command.arg(tests.join("peers/codec.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let doing = format!("running {}; ./dev bench makes it", python.display());
        let mut child = command.spawn().map_err(KitError::io(doing))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (to, from) = pipes.ok_or_else(|| KitError::Bench("no pipes to pyiso8583".to_owned()))?;
        let mut peer = Self { child, to, from: BufReader::new(from), frames: Value::Null };
        let mut fields: serde_json::Map<String, Value> =
            sample::TEXT.iter().map(|(number, text)| (number.to_string(), json!(text))).collect();
        fields.insert("52".to_owned(), json!(sample::PIN_BLOCK));
        fields.insert("55".to_owned(), json!(sample::CHIP));
        let answer = peer.ask(&json!({ "mti": sample::MTI, "fields": fields }).to_string())?;
        peer.frames = serde_json::from_str(&answer).map_err(|error| KitError::Bench(format!("pyiso8583: {error}")))?;
        Ok(peer)
    }

    /// What it made of the message.
    pub(super) fn frame(&self, layout: Layout) -> Vec<u8> {
        self.frames.get(layout.name()).and_then(Value::as_str).and_then(|text| hex::decode(text).ok()).unwrap_or_default()
    }

    /// Nanoseconds of reading the message once.
    pub(super) fn decode(&mut self, layout: Layout, times: u32) -> Result<f64, KitError> {
        self.time("decode", layout, times)
    }

    /// Nanoseconds of writing the message once.
    pub(super) fn encode(&mut self, layout: Layout, times: u32) -> Result<f64, KitError> {
        self.time("encode", layout, times)
    }

    fn time(&mut self, way: &str, layout: Layout, times: u32) -> Result<f64, KitError> {
        let answer = self.ask(&format!("{way} {} {times}", layout.name()))?;
        answer.trim().parse().map_err(|error| KitError::Bench(format!("pyiso8583 said {answer:?}: {error}")))
    }

    fn ask(&mut self, line: &str) -> Result<String, KitError> {
        let mut answer = String::new();
        writeln!(self.to, "{line}").map_err(KitError::io("telling pyiso8583"))?;
        let read = self.from.read_line(&mut answer).map_err(KitError::io("hearing pyiso8583"))?;
        if read == 0 { Err(KitError::Bench("pyiso8583 has ended; see above".to_owned())) } else { Ok(answer) }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
