//! The demonstration, to its end.

use std::process::Command;

use serde_json::{Value, json};

use crate::lab;

#[test]
fn the_demonstration_ends_well_and_sums_itself_up() {
    let output = Command::new(lab::binary()).args(["demo", "--json"]).output().expect("switchyard starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{said}");
    let last = String::from_utf8_lossy(&output.stdout).lines().last().map(str::to_owned).unwrap_or_default();
    let summary: Value = serde_json::from_str(&last).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!((&summary["good"], &summary["failed"]), (&json!(true), &json!([])), "{summary}");
    let count =
        |pointer: &str| summary.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer}: {summary}"));
    let [owed, acknowledged] = ["/reversals/owed", "/reversals/acknowledged"].map(count);
    assert!(owed > 0 && owed == acknowledged, "{}", summary["reversals"]);
    assert_eq!(count("/trial_balance/0/debit"), count("/trial_balance/0/credit"));
    println!("{} checks", count("/checks"));
}
