//! The crash drill: real processes are killed at named edges of the flow while payments are in flight,
//! and the three books are judged afterwards. The judges are what the terminals synced before they
//! acted and what the issuers did; the switch's own record has to agree with both.

mod plan;
mod report;
mod round;

use std::time::Duration;

use testkit::books::terminals::TerminalsBook;
use testkit::{KitError, Laboratory, judge};

pub use plan::{Action, Fault, Options, plan};
pub use report::Report;
pub use round::Round;

/// Payments that have to be in flight when something is killed.
pub const IN_FLIGHT: usize = 50;

/// Terminals of the laboratory, and conversations that each has at a time.
const TERMINALS: usize = 64;
const EACH: usize = 2;

/// Runs the drill. `told` hears of every round when it is over.
///
/// # Errors
/// When the laboratory fails; findings are no error, they are in the report.
pub fn crash(options: &Options, mut told: impl FnMut(&Round)) -> Result<Report, KitError> {
    let mut laboratory = Laboratory::new("drill", |stack| {
        stack.terminals = TERMINALS;
        // What is found again after a kill is sent with packed digits too.
        stack.binary = true;
        stack.dual_rules = rules();
        stack.single_rules = rules();
    })?;
    let mut report = Report::new(options);
    let mut books: Vec<TerminalsBook> = Vec::new();
    for (number, fault) in plan(options).into_iter().enumerate() {
        let round = round::play(&mut laboratory, options, number, fault, &mut books)?;
        told(&round);
        report.add(round);
    }
    // Everything once more, together: the books went on from round to round.
    laboratory.stack()?.start_switch(&[])?;
    laboratory.settle_down(Duration::from_secs(60))?;
    let record = round::record(&mut laboratory, &books)?;
    let issuers = round::issuers(&laboratory)?;
    for book in &books {
        report.whole.add(judge::judge(book, &issuers, &record));
    }
    report.whole.findings.extend(judge::strangers(&books, &issuers, &record));
    report.proofs(&mut laboratory)?;
    let status = laboratory.stack()?.stop_switch()?;
    if !status.success() {
        report.problems.push(format!("the switch ended with {status}"));
    }
    Ok(report)
}

/// What the networks do: everything late enough that many are in flight, some things wrong.
fn rules() -> Vec<String> {
    [
        r#"{ do = "silent", amount_ends = "91" }"#,
        r#"{ do = "silent-approved", amount_ends = "92" }"#,
        r#"{ do = "twice", amount_ends = "93" }"#,
        r#"{ do = "late", ms = 1400, amount_ends = "96" }"#,
        r#"{ do = "late", ms = 500 }"#,
    ]
    .map(str::to_owned)
    .into()
}
