//! A switch as an outsider attaches to it: configuration files written by hand, `hsm init`, `hsm key
//! import` and `run`, nothing of the laboratory that the demonstration uses. It is there for one test and
//! ends with it.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A child that is spoken with line by line: a line of JSON on its standard input or output at a time.
pub(crate) struct Talker {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Talker {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|e| panic!("{name}: {e}"));
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("piped"));
        Self { name: name.to_owned(), child, input, output: BufReader::new(output) }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.input.as_mut().expect("still open");
        input.write_all(format!("{line}\n").as_bytes()).unwrap_or_else(|e| panic!("{} is gone: {e}", self.name));
    }

    /// The next line that is JSON; what else it says is passed on.
    pub(crate) fn hear(&mut self) -> Value {
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("a pipe can be read");
            assert_ne!(read, 0, "{} ended without an answer", self.name);
            match serde_json::from_str(&line) {
                Ok(value @ Value::Object(_)) => return value,
                _ => print!("{}: {line}", self.name),
            }
        }
    }

    /// Closes its input and takes its last word.
    pub(crate) fn last_word(mut self) -> Value {
        drop(self.input.take());
        let word = self.hear();
        assert!(self.child.wait().expect("a child can be waited for").success(), "{} failed", self.name);
        word
    }

    /// Asks it to end, as an operator does, and waits until it has.
    pub(crate) fn terminate(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
        assert!(self.child.wait().expect("a child can be waited for").success(), "{} failed", self.name);
        drop(self.input.take());
    }

    /// Closes its input and waits for its end.
    pub(crate) fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().expect("a child can be waited for").success(), "{} failed", self.name);
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        // Only where a test fails: everybody else was told to end.
        if self.input.is_some() {
            drop(self.input.take());
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// A double-length TDES key with odd parity, in hexadecimal characters.
pub(crate) fn key(source: &mut fastrand::Rng) -> String {
    let odd = |byte: u8| if byte.count_ones().is_multiple_of(2) { byte ^ 1 } else { byte };
    hex::encode_upper((0..16).map(|_| odd(source.u8(..))).collect::<Vec<u8>>())
}

/// How messages are laid out on a link: by its name among the peers, and by that of its dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Ascii,
    Binary,
}

impl Form {
    pub(crate) const ALL: [Self; 2] = [Self::Ascii, Self::Binary];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Binary => "binary",
        }
    }

    fn dialect(self) -> &'static str {
        match self {
            Self::Ascii => "iso87-ascii",
            Self::Binary => "iso87-binary",
        }
    }

    /// The listener where terminals speak it.
    pub(crate) fn listener(self) -> &'static str {
        match self {
            Self::Ascii => "pos",
            Self::Binary => "pos-binary",
        }
    }
}

/// One network behind the switch.
pub(crate) struct Network {
    pub(crate) name: &'static str,
    pub(crate) system: &'static str,
    pub(crate) form: Form,
    pub(crate) prefix: &'static str,
    pub(crate) zpk: String,
    pub(crate) zak: String,
}

/// One terminal before it.
pub(crate) struct Terminal {
    pub(crate) id: &'static str,
    pub(crate) form: Form,
    pub(crate) tpk: String,
    pub(crate) tak: String,
}

/// The folder, the keys, and who is attached.
pub(crate) struct Lab {
    folder: PathBuf,
    pub(crate) networks: Vec<Network>,
    pub(crate) terminals: Vec<Terminal>,
}

pub(crate) const MERCHANT: &str = "MERCHANT0000001";

impl Lab {
    /// A folder below `/var/tmp`, where the database's account can go and which is no memory.
    pub(crate) fn new(seed: u64) -> Self {
        let mut source = fastrand::Rng::with_seed(seed);
        let folder = PathBuf::from(format!("/var/tmp/switchyard-test-{}-{seed}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("/var/tmp can be written to");
        let networks = [("dual", Form::Ascii, "541333"), ("single", Form::Binary, "476173")];
        let networks = networks.map(|(name, form, prefix)| Network {
            name,
            system: name,
            form,
            prefix,
            zpk: key(&mut source),
            zak: key(&mut source),
        });
        let terminals =
            [("TERM0001", Form::Ascii), ("TERM0002", Form::Ascii), ("TERM0003", Form::Binary), ("TERM0004", Form::Binary)];
        let terminals = terminals.map(|(id, form)| Terminal { id, form, tpk: key(&mut source), tak: key(&mut source) });
        let (networks, terminals) = (networks.into(), terminals.into());
        Self { folder, networks, terminals }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes the configuration, with where each network listens, then the token and its keys.
    pub(crate) fn prepare(&self, ports: &[u64]) {
        let mut node = r#"version = 1
[files]
registry = "registry.toml"
routes = "routes.toml"
risk = "risk.toml"
[[listener]]
name = "pos"
protocol = "iso87-ascii"
listen = "127.0.0.1:0"
acquirer = "ACQ1"
[[listener]]
name = "pos-binary"
protocol = "iso87-binary"
framing = "nac"
listen = "127.0.0.1:0"
acquirer = "ACQ1"
"#
        .to_owned();
        let (mut routes, mut keys) = (String::new(), String::new());
        for (network, port) in self.networks.iter().zip(ports) {
            let Network { name, system, form, prefix, zpk, zak } = network;
            let dialect = form.dialect();
            // Short times, so that a silence is found out, and its reversal sent, while the test looks.
            writeln!(
                node,
                "[link.{name}]\nprotocol = \"{dialect}\"\nconnect = \"127.0.0.1:{port}\"\nmac_key = \"zak-{name}\"\n\
                 [link.{name}.rules]\npin_key = \"zpk-{name}\"\nanswer_within = 2\nmaximum_life = 4\nattempts_s = [1, 1, 2]"
            )
            .expect("a string takes everything");
            writeln!(routes, "[[route]]\nname = \"{name}\"\nbins = [\"{prefix}\"]\nsystem = \"{system}\"\nlinks = [\"{name}\"]")
                .expect("a string takes everything");
            writeln!(keys, "zpk zpk-{name} {zpk}\nzak zak-{name} {zak}").expect("a string takes everything");
        }
        let mut registry = format!(
            "[[acquirer]]\nid = \"ACQ1\"\ninstitution = \"00000000001\"\n[[merchant]]\nid = \"{MERCHANT}\"\nacquirer = \"ACQ1\"\n\
             category = \"5411\"\nname = \"CORNER SHOP\"\ncity = \"BERN\"\ncountry = \"CH\"\ncurrency = 978\n"
        );
        for Terminal { id, tpk, tak, .. } in &self.terminals {
            let low = id.to_lowercase();
            writeln!(
                registry,
                "[[terminal]]\nid = \"{id}\"\nacquirer = \"ACQ1\"\nmerchant = \"{MERCHANT}\"\npin_key = \"tpk-{low}\"\nmac_key = \"tak-{low}\""
            )
            .expect("a string takes everything");
            writeln!(keys, "tpk tpk-{low} {tpk}\ntak tak-{low} {tak}").expect("a string takes everything");
        }
        let clearing = "directory = \"clearing\"\n[[endpoint]]\nname = \"DUAL\"\nnetwork = \"dual\"\nprocessor = \"00000000001\"\n\
                        reference-bin = \"541333\"\nforwarder = \"00000000001\"\noriginator = \"00000000001\"\ncountry = \"CHE\"\nmode = \"test\"\n";
        let files = [
            ("clearing.toml", clearing.to_owned()),
            ("switchyard.toml", node),
            ("routes.toml", routes),
            ("registry.toml", registry),
            ("risk.toml", "version = \"r1\"\n".into()),
        ];
        for (name, text) in files {
            std::fs::write(self.path(name), text).expect("the folder can be written to");
        }
        self.verb(&["hsm", "init"], &[], "");
        self.verb(&["hsm", "key", "import"], &[], &keys);
    }

    /// Runs a verb on the configuration to its good end; what it printed.
    pub(crate) fn verb(&self, verb: &[&str], more: &[&str], input: &str) -> String {
        let output = self.output(verb, more, input);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "switchyard {verb:?} failed: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    /// Runs a verb that must not end well.
    pub(crate) fn refused(&self, verb: &[&str], more: &[&str], input: &str) -> Output {
        let output = self.output(verb, more, input);
        assert!(!output.status.success(), "switchyard {verb:?} ended well");
        output
    }

    fn output(&self, verb: &[&str], more: &[&str], input: &str) -> Output {
        let mut command = Command::new(binary());
        command.args(verb).arg("--config").arg(self.path("switchyard.toml")).args(more);
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().expect("switchyard starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("switchyard reads");
        child.wait_with_output().expect("a child can be waited for")
    }

    /// `switchyard run`, once it is ready and its links are up; with it where it listens.
    pub(crate) fn run(&self) -> (Talker, Value) {
        let (switch, ready) = self.start();
        let admin = ready["admin"].as_str().expect("an address").to_owned();
        until("the links are up", || {
            let state = ask(&admin, "/readyz");
            state["ready"] == json!(true) && state["links_down"] == json!([])
        });
        (switch, ready)
    }

    /// `switchyard run`, once it listens, whoever else is there.
    pub(crate) fn start(&self) -> (Talker, Value) {
        let log = std::fs::File::create(self.path("switchyard.log")).expect("the folder can be written to");
        let mut command = Command::new(binary());
        command.args(["run", "--end-with-stdin", "--config"]).arg(self.path("switchyard.toml")).stderr(log);
        let mut switch = Talker::start("switchyard", &mut command);
        let ready = switch.hear()["ready"].clone();
        (switch, ready)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what is left of the test is in {}", self.folder.display());
        } else {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}

/// The binary that `./dev test` has just built, or the one beside this test.
pub(crate) fn binary() -> PathBuf {
    let beside = || {
        let test = std::env::current_exe().expect("a test knows where it is");
        test.ancestors().nth(2).map(|folder| folder.join("switchyard")).expect("a test lies in target/debug/deps")
    };
    let binary = std::env::var_os("SWITCHYARD_BIN").map_or_else(beside, PathBuf::from);
    assert!(binary.exists(), "{} is not there; run ./dev test", binary.display());
    binary
}

/// What the admin port says; null where it says nothing that is JSON.
pub(crate) fn ask(admin: &str, path: &str) -> Value {
    let answer = ureq::get(format!("http://{admin}{path}")).call();
    let text = answer.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Asks until it is so. The bound is for a hang, not for a measurement.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: not after a minute");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Writes a value where another program reads it.
pub(crate) fn write(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).expect("the folder can be written to");
}
