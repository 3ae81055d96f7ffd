//! What the conformance runners share: where the cases are, and how a verdict is told.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of a group's cases: below `SWITCHYARD_VECTORS` where that is set, else the copy that
/// the repository carries.
pub fn vectors(group: &str) -> PathBuf {
    let carried = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    std::env::var_os("SWITCHYARD_VECTORS").map_or_else(carried, PathBuf::from).join(group)
}

/// A program of `tests/peers`, under the interpreter with the pinned requirements: `./dev test` makes it
/// and says where it is.
///
/// # Panics
/// When it was not made.
pub fn peer(script: &str) -> Command {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers");
    let made = std::env::var_os("SWITCHYARD_PYTHON").map(PathBuf::from);
    let python = made.unwrap_or_else(|| peers.join("../../target/peers-venv/bin/python"));
    assert!(python.exists(), "{} is not there; run ./dev test once", python.display());
    let mut command = Command::new(python);
    command.arg(peers.join(script));
    command
}

/// A case that is wrong in itself, as a review found.
#[derive(Debug, Clone, Copy)]
pub struct Exception {
    /// The case's name.
    pub case: &'static str,
    /// What the case wants, and what we say instead: the exact disagreement.
    pub disagreement: &'static str,
    /// The clause that the case contradicts, and why.
    pub clause: &'static str,
}

/// How a group's cases came out.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Cases looked at.
    pub cases: usize,
    /// Cases that do not agree: name, and why.
    pub disagree: Vec<(String, String)>,
    /// Cases that a reviewed exception covers.
    pub excepted: usize,
    exceptions: Vec<Exception>,
}

impl Verdict {
    /// With reviewed exceptions. One that its case no longer needs counts as a disagreement.
    pub fn with(exceptions: &[Exception]) -> Self {
        Self { exceptions: exceptions.to_vec(), ..Self::default() }
    }

    /// Takes one case's outcome.
    pub fn add(&mut self, name: &str, outcome: Result<(), String>) {
        self.cases += 1;
        let found = self.exceptions.iter().position(|exception| exception.case == name);
        let exception = found.map(|at| self.exceptions.remove(at));
        match (outcome, exception) {
            (Ok(()), None) => {}
            (Err(why), Some(exception)) if why == exception.disagreement => self.excepted += 1,
            (Err(why), _) => self.disagree.push((name.to_owned(), why)),
            (Ok(()), Some(_)) => self.disagree.push((name.to_owned(), "a stale exception: the case agrees".to_owned())),
        }
    }

    /// Prints every disagreement and the closing line; fails where there is one, or nothing was looked
    /// at, or more than one case in a hundred is excepted.
    ///
    /// # Panics
    /// When a case does not agree, or there was none, or an exception has no case.
    pub fn close(&self, group: &str) {
        for (name, why) in &self.disagree {
            println!("{group}: {name}: {why}");
        }
        let agree = self.cases - self.disagree.len();
        println!("{group}: {agree} of {} agree, {} of them by a reviewed exception", self.cases, self.excepted);
        assert!(self.cases > 0, "no case was looked at");
        assert!(self.disagree.is_empty(), "{} cases do not agree", self.disagree.len());
        assert!(self.exceptions.is_empty(), "exceptions without a case: {:?}", self.exceptions);
        assert!(self.excepted * 100 <= self.cases, "too many exceptions");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXCEPTION: Exception = Exception { case: "a", disagreement: "wants 1", clause: "§ 2" };

    #[test]
    fn an_exception_covers_its_case_and_its_disagreement_alone() {
        let mut verdict = Verdict::with(&[EXCEPTION]);
        verdict.add("a", Err("wants 1".to_owned()));
        assert_eq!((verdict.excepted, verdict.disagree.len()), (1, 0));
        for outcome in [Ok(()), Err("wants 2".to_owned())] {
            let mut verdict = Verdict::with(&[EXCEPTION]);
            verdict.add("a", outcome);
            assert_eq!((verdict.excepted, verdict.disagree.len()), (0, 1));
        }
    }

    #[test]
    #[should_panic(expected = "exceptions without a case")]
    fn an_exception_without_a_case_is_stale() {
        let mut verdict = Verdict::with(&[EXCEPTION]);
        verdict.add("b", Ok(()));
        verdict.close("x");
    }
}
