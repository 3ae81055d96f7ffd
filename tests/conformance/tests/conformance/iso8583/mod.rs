//! ISO 8583: every case of `iso8583/cases.json`.

mod corpus;
mod dialects;
mod differential;
mod frames;
mod generate;
mod imports;
mod messages;

use conformance::{Verdict, vectors};
use serde_json::Value;

#[test]
fn conformance_iso8583() {
    let path = vectors("iso8583").join("cases.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut verdict = Verdict::with(&messages::EXCEPTIONS);
    for case in file["cases"].as_array().into_iter().flatten() {
        let name = case["name"].as_str().unwrap_or_default();
        let outcome = if case["frame"].is_object() { frames::run(case) } else { messages::run(&file["specs"], case) };
        verdict.add(name, outcome);
    }
    verdict.close("iso8583");
}
