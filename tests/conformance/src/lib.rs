//! What the conformance runners share: where the cases are, and how a verdict is told.
#![forbid(unsafe_code)]

use std::path::PathBuf;

/// The directory of a group's cases: below `SWITCHYARD_VECTORS` where that is set, else the copy that
/// the repository carries.
pub fn vectors(group: &str) -> PathBuf {
    let carried = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors");
    std::env::var_os("SWITCHYARD_VECTORS").map_or_else(carried, PathBuf::from).join(group)
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
}

impl Verdict {
    /// Takes one case's outcome.
    pub fn add(&mut self, name: &str, outcome: Result<(), String>) {
        self.cases += 1;
        if let Err(why) = outcome {
            self.disagree.push((name.to_owned(), why));
        }
    }

    /// Prints every disagreement and the closing line; fails where there is one, or nothing was looked at.
    ///
    /// # Panics
    /// When a case does not agree, or there was none.
    pub fn close(&self, group: &str) {
        for (name, why) in &self.disagree {
            println!("{group}: {name}: {why}");
        }
        let agree = self.cases - self.disagree.len();
        println!("{group}: {agree} of {} agree, {} of them by a reviewed exception", self.cases, self.excepted);
        assert!(self.cases > 0, "no case was looked at");
        assert!(self.disagree.is_empty(), "{} cases do not agree", self.disagree.len());
    }
}
