//! Payment cryptography: every case of `hsm/vectors.json`, on every backend that has its operation.
//!
//! The runner knows the format of the cases and no case. What a backend makes of one is compared with
//! what the case expects in one place, [`case`]; a backend only computes.

mod case;
mod peers;
mod pure;
mod random;

use conformance::{Exception, Verdict, vectors};
use serde_json::Value;

use case::{Case, Trouble, Values};

/// What computes cases.
trait Backend {
    /// As the closing lines call it.
    fn name(&self) -> &'static str;

    /// What comes out, or why it was refused; `None` where the backend has no such operation.
    fn run(&self, case: &Case<'_>) -> Option<Result<Values, Trouble>>;
}

/// Cases that are wrong in themselves, as a review found.
const EXCEPTIONS: [Exception; 0] = [];

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
        match case.judge(outcome) {
            Ok(()) => count.agree += 1,
            Err(why) => troubles.push(format!("{}: {why}", backend.name())),
        }
    }
    if !ran {
        return Err(format!("no backend has the operation {:?}", case.op()));
    }
    if troubles.is_empty() { Ok(()) } else { Err(troubles.join("; ")) }
}

#[test]
fn conformance_hsm() {
    let path = vectors("hsm").join("vectors.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let backends: [&dyn Backend; 1] = [&pure::PureFunctions];
    let mut counts = backends.map(|_| Count::default());
    let mut verdict = Verdict::with(&EXCEPTIONS);
    for value in file["vectors"].as_array().into_iter().flatten() {
        let case = Case::new(value);
        verdict.add(case.name(), everywhere(&backends, &case, &mut counts));
    }
    for (backend, count) in backends.iter().zip(&counts) {
        println!("hsm: on {}, {} of {} agree", backend.name(), count.agree, count.run);
    }
    verdict.close("hsm");
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
