//! Payment cryptography: every case of `hsm/vectors.json`, on every backend that has its operation.
//!
//! The runner knows the format of the cases and no case. What a backend makes of one is compared with
//! what the case expects in one place, [`case`]; a backend only computes.

mod case;
mod operations;
mod payshield;
mod peers;
mod pure;
mod random;
mod softhsm;
mod software;

use std::collections::BTreeMap;
use std::path::Path;

use conformance::{Exception, Verdict, vectors};
use serde_json::Value;

use case::{Case, Trouble, Values};

/// What computes cases.
trait Backend {
    /// As the closing lines call it.
    fn name(&self) -> &'static str;

    /// Why it does not have an operation; `None` where it does.
    fn lacks(&self, op: &str) -> Option<&'static str>;

    /// Results that never leave it, so that they cannot be compared.
    fn keeps(&self) -> &'static [&'static str] {
        &[]
    }

    /// What comes out, or why it was refused; `None` where the backend has no such operation.
    fn run(&self, case: &Case<'_>) -> Option<Result<Values, Trouble>>;
}

/// Cases that are wrong in themselves, as a review found.
const EXCEPTIONS: [Exception; 0] = [];

/// Every backend there is.
const BACKENDS: [&dyn Backend; 4] =
    [&pure::PureFunctions, &softhsm::SoftHsm, &software::Software, &payshield::PayShieldSimulator];

/// How many cases a backend ran, and how many of them agree.
#[derive(Default)]
struct Count {
    run: usize,
    agree: usize,
}

/// Runs a case on every backend that has its operation. One that none has is a failure.
fn everywhere(backends: &[&dyn Backend], case: &Case<'_>, counts: &mut [Count]) -> Result<(), String> {
    let mut troubles = Vec::new();
    let mut ran = false;
    for (backend, count) in backends.iter().zip(counts) {
        let Some(outcome) = backend.run(case) else { continue };
        ran = true;
        count.run += 1;
        match case.judge(outcome, backend.keeps()) {
            Ok(()) => count.agree += 1,
            Err(why) => troubles.push(format!("{}: {why}", backend.name())),
        }
    }
    if !ran {
        return Err(format!("no backend has the operation {:?}", case.op()));
    }
    if troubles.is_empty() { Ok(()) } else { Err(troubles.join("; ")) }
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn conformance_hsm() {
    let file = read(&vectors("hsm").join("vectors.json"));
    let mut counts = BACKENDS.map(|_| Count::default());
    let mut verdict = Verdict::with(&EXCEPTIONS);
    for value in file["vectors"].as_array().into_iter().flatten() {
        let case = Case::new(value);
        verdict.add(case.name(), everywhere(&BACKENDS, &case, &mut counts));
    }
    for (backend, count) in BACKENDS.iter().zip(&counts) {
        println!("hsm: on {}, {} of {} agree", backend.name(), count.agree, count.run);
    }
    verdict.close("hsm");
}

/// The table of the documentation: how many of the repository's cases an operation has, and who runs them.
fn table() -> String {
    let file = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/hsm/vectors.json"));
    let mut cases = BTreeMap::<String, usize>::new();
    for value in file["vectors"].as_array().into_iter().flatten() {
        *cases.entry(Case::new(value).op().to_owned()).or_default() += 1;
    }
    let names: Vec<_> = BACKENDS.iter().map(|backend| backend.name()).collect();
    let mut table = format!("| operation | cases | {} |\n|---|---:|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (op, count) in cases {
        let cells: Vec<_> = BACKENDS.iter().map(|backend| backend.lacks(&op).unwrap_or("yes")).collect();
        table += &format!("| `{op}` | {count} | {} |\n", cells.join(" | "));
    }
    table
}

#[test]
fn the_table_of_the_documentation_is_what_the_backends_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/hsm/crypto.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    let (open, close) = ("<!-- operations -->\n", "<!-- /operations -->");
    let (before, rest) = page.split_once(open).expect("the page has a place for the table");
    let (printed, after) = rest.split_once(close).expect("the place ends");
    if std::env::var_os("SWITCHYARD_BLESS").is_some() {
        std::fs::write(path, format!("{before}{open}{}{close}{after}", table())).expect("written");
    } else {
        assert!(printed == table(), "stale: run this test once with SWITCHYARD_BLESS=1");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// One that answers always alike.
    struct Parrot(Option<Result<Value, &'static str>>);

    impl Backend for Parrot {
        fn name(&self) -> &'static str {
            "a parrot"
        }

        fn lacks(&self, _: &str) -> Option<&'static str> {
            self.0.is_none().then_some("it is silent")
        }

        fn run(&self, _: &Case<'_>) -> Option<Result<Values, Trouble>> {
            let answer = self.0.clone()?;
            Some(match answer {
                Ok(values) => Ok(values.as_object().expect("an object").clone()),
                Err(class) => Err(Trouble::Refused(class.to_owned())),
            })
        }
    }

    fn agrees(answer: Option<Result<Value, &'static str>>, expected: Value) -> bool {
        let value = json!({"id": "x", "op": "y", "inputs": {}, "expected": expected});
        everywhere(&[&Parrot(answer)], &Case::new(&value), &mut [Count::default()]).is_ok()
    }

    #[test]
    fn what_differs_in_anything_does_not_agree() {
        assert!(agrees(Some(Ok(json!({"key": "AB", "kcv": "01"}))), json!({"key": "AB"})));
        assert!(!agrees(Some(Ok(json!({"key": "AB"}))), json!({"key": "AC"})));
        assert!(!agrees(Some(Ok(json!({"kcv": "01"}))), json!({"key": "AB"})));
        assert!(!agrees(Some(Ok(json!({"key": "AB"}))), json!({"error": "parity"})));
        assert!(!agrees(Some(Err("parity")), json!({"error": "weak_key"})));
        assert!(agrees(Some(Err("parity")), json!({"error": "parity"})));
        assert!(!agrees(Some(Err("parity")), json!({"key": "AB"})));
        assert!(!agrees(Some(Err("mac")), json!({"valid": false})));
        assert!(!agrees(Some(Ok(json!({"valid": true}))), json!({"valid": false})));
    }

    #[test]
    fn a_mac_agrees_over_the_bytes_given_and_not_over_fewer_than_four() {
        let mac = |wanted: &str| agrees(Some(Ok(json!({"mac": "0123456789ABCDEF"}))), json!({"mac": wanted}));
        assert!(mac("0123456789ABCDEF") && mac("01234567"));
        assert!(!mac("012345") && !mac("") && !mac("0123456789ABCDEF01") && !mac("11234567"));
    }

    #[test]
    fn a_case_that_cannot_be_run_or_expects_nothing_does_not_agree() {
        assert!(!agrees(None, json!({"key": "AB"})));
        assert!(!agrees(Some(Ok(json!({"key": "AB"}))), json!({})));
        assert!(!agrees(Some(Ok(json!({"key": "AB"}))), json!(null)));
    }
}
