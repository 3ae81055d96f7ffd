//! The operations over a SoftHSM token, in a process of its own: SoftHSM reads its configuration when it is
//! loaded, and a process cannot safely set its own environment. Cases go in and outcomes come out, a line each.
//! That process ends with its input, and takes its token's directory with it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use hsm::pkcs11::softhsm::{TokenDirectory, initialize};
use hsm::pkcs11::{self, Settings};
use serde_json::{Value, json};

use super::case::{Case, Trouble, Values};
use super::{Backend, operations};

/// The PKCS#11 backend of `hsm/operations` on SoftHSM.
pub(super) struct SoftHsm;

impl Backend for SoftHsm {
    fn name(&self) -> &'static str {
        "SoftHSM"
    }

    fn lacks(&self, op: &str) -> Option<&'static str> {
        operations::lacks(op)
    }

    fn keeps(&self) -> &'static [&'static str] {
        &operations::KEPT
    }

    fn run(&self, case: &Case<'_>) -> Option<Result<Values, Trouble>> {
        let mut served = SERVED.lock().unwrap_or_else(PoisonError::into_inner);
        served.ask(case)
    }
}

/// What tells the process that it is the one that serves: the token's directory.
const INSIDE: &str = "SWITCHYARD_TEST_TOKEN";
/// In front of each answer, since the test runner prints lines, too.
const MARK: &str = "outcome ";

static SERVED: LazyLock<Mutex<Served>> = LazyLock::new(|| Mutex::new(Served::start()));

struct Served {
    child: Child,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Served {
    fn start() -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("conformance-{}-{number}", std::process::id()));
        let directory = TokenDirectory::prepare(&root).expect("a token directory");
        let (variable, value) = directory.environment();
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["hsm::softhsm::a_token_of_its_own_serves_cases", "--exact", "--nocapture", "--test-threads", "1"])
            .env(variable, value)
            .env(INSIDE, &root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program starts again");
        let (ask, answers) = (child.stdin.take().expect("piped"), BufReader::new(child.stdout.take().expect("piped")));
        Self { child, ask, answers }
    }

    fn ask(&mut self, case: &Case<'_>) -> Option<Result<Values, Trouble>> {
        let child = &mut self.child;
        let mut gone = |what: String| {
            let ended = child.try_wait();
            Some(Err(Trouble::Unreadable(format!("SoftHSM's process: {what}, {ended:?}"))))
        };
        if let Err(error) = writeln!(self.ask, "{}", case.value()) {
            return gone(error.to_string());
        }
        let mut line = String::new();
        loop {
            line.clear();
            match self.answers.read_line(&mut line) {
                Ok(0) => return gone("it is gone".to_owned()),
                Err(error) => return gone(error.to_string()),
                Ok(_) => {}
            }
            // The runner's own words may stand in front of the first.
            if let Some((_, outcome)) = line.split_once(MARK) {
                return read(outcome).unwrap_or_else(|| gone(format!("it said {outcome:?}")));
            }
        }
    }
}

fn read(outcome: &str) -> Option<Option<Result<Values, Trouble>>> {
    let outcome: Value = serde_json::from_str(outcome).ok()?;
    let text = |name: &str| outcome.get(name).and_then(Value::as_str).map(str::to_owned);
    if outcome.is_null() {
        return Some(None);
    }
    if let Some(values) = outcome.get("values").and_then(Value::as_object) {
        return Some(Some(Ok(values.clone())));
    }
    let refused = text("refused").map(Trouble::Refused);
    Some(Some(Err(refused.or_else(|| text("unreadable").map(Trouble::Unreadable))?)))
}

fn written(outcome: Option<Result<Values, Trouble>>) -> Value {
    match outcome {
        None => Value::Null,
        Some(Ok(values)) => json!({"values": values}),
        Some(Err(Trouble::Refused(class))) => json!({"refused": class}),
        Some(Err(Trouble::Unreadable(why))) => json!({"unreadable": why}),
    }
}

/// Inside: reads cases until there are no more.
fn serve(root: PathBuf) {
    let directory = TokenDirectory::prepare(&root).expect("the token's directory");
    assert!(directory.is_active(), "started with the token's environment");
    let settings = Settings::with_pin_file(directory.user_pin_file());
    initialize(&settings, &directory.so_pin_file()).expect("a token");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let hsm = runtime.block_on(pkcs11::open(settings)).expect("it opens");
    let mut shelf = operations::Shelf::default();
    for line in std::io::stdin().lines() {
        let value: Value = serde_json::from_str(&line.expect("a line")).expect("a case");
        println!("{MARK}{}", written(runtime.block_on(operations::run(&hsm, &mut shelf, &Case::new(&value)))));
    }
    runtime.block_on(shelf.clear(&hsm)).expect("its keys are destroyed");
    assert_eq!(runtime.block_on(hsm.list_keys()).map(|keys| keys.len()), Ok(0), "no key stays behind");
    runtime.block_on(hsm.close());
    pkcs11::finalize();
    std::fs::remove_dir_all(&root).expect("removed");
}

#[test]
fn a_token_of_its_own_serves_cases() {
    if let Some(root) = std::env::var_os(INSIDE) {
        serve(PathBuf::from(root));
        return;
    }
    let asked = |expected: Value, key: &str| {
        let value = json!({"id": "x", "op": "kcv_tdes", "inputs": {"key": key}, "expected": expected});
        let case = Case::new(&value);
        SoftHsm.run(&case).map(|outcome| case.judge(outcome, &[]).is_ok())
    };
    let key = "0123456789ABCDEFFEDCBA9876543210";
    assert_eq!(asked(json!({"kcv": "08D7B4"}), key), Some(true));
    assert_eq!(asked(json!({"kcv": "08D7B5"}), key), Some(false));
    assert_eq!(asked(json!({"kcv": "08D7B4"}), "0123456789ABCDEF0123456789ABCDEF"), None);
    assert_eq!(asked(json!({"error": "key_length"}), "0123456789ABCDEF"), Some(true));
}
