//! The field tables of real packagers (`specs/*.json`) as spec TOML. Their encodings were derived from
//! class names; where the name says more than the rule made of it, the name counts.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

pub(super) fn toml(packager: &Value) -> Result<String, String> {
    let fields = by_number(&packager["fields"]);
    let head = |number: u64| fields.get(&number).map(|field| charset(&field["data"])).unwrap_or_default();
    let mut out = format!("name = {}\nmti = \"{}\"\nbitmap = \"{}\"\n", packager["spec"], head(0), head(1));
    for (number, field) in fields.iter().filter(|(number, _)| **number > 1) {
        row(&format!("fields.{number}"), field, &mut out)?;
    }
    Ok(out)
}

/// A field that is listed twice is what the later row says.
fn by_number(rows: &Value) -> BTreeMap<u64, &Value> {
    rows.as_array().into_iter().flatten().filter_map(|field| Some((field["field"].as_u64()?, field))).collect()
}

fn charset(data: &Value) -> String {
    data.as_str().unwrap_or_default().replace("hex-text-", "hex-")
}

fn row(key: &str, field: &Value, out: &mut String) -> Result<(), String> {
    let class = field["class"].as_str().unwrap_or_default();
    let (content, charset) = match (class, field["data"].as_str()) {
        // 2003 amounts are packed digits: currency, exponent, amount.
        ("IFB_AMOUNT2003", _) => ("n", "bcd".to_owned()),
        (_, Some("sign-char+bcd")) => ("x+n", "bcd".to_owned()),
        (_, Some(_)) => (field["content"].as_str().unwrap_or("ans"), charset(&field["data"])),
        _ => return Err(format!("{key}: class {class}")),
    };
    // Writing into a String cannot fail.
    let _ = writeln!(out, "[{key}]\nname = {}\ncontent = \"{content}\"\ncharset = \"{charset}\"", field["name"]);
    let max = &field["max_len"];
    let _ = match field["kind"].as_str() {
        Some("fixed") => writeln!(out, "length = {max}"),
        Some("var") => {
            let form = field["len_enc"].as_str().unwrap_or_default();
            writeln!(out, "max = {max}\nprefix = {}\nprefix-form = \"{form}\"", field["len_digits"])
        }
        other => return Err(format!("{key}: kind {other:?}")),
    };
    subfields(key, &field["subfields"], out)
}

fn subfields(key: &str, rows: &Value, out: &mut String) -> Result<(), String> {
    let rows = by_number(rows);
    if rows.is_empty() {
        return Ok(());
    }
    let is_bitmap = |field: &&&Value| field["class"].as_str().is_some_and(|class| class.contains("BITMAP"));
    let shape = if rows.values().any(|field| is_bitmap(&field)) { "bitmap" } else { "positional" };
    let _ = writeln!(out, "shape = \"{shape}\"");
    let real = |field: &&&Value| !is_bitmap(field) && field["max_len"].as_u64() != Some(0);
    for (number, field) in rows.iter().filter(|(_, field)| real(field)) {
        row(&format!("{key}.fields.{number}"), field, out)?;
    }
    Ok(())
}

#[test]
fn every_packager_of_the_vectors_is_a_spec() {
    let directory = conformance::vectors("iso8583").join("specs");
    let mut count = 0;
    for file in std::fs::read_dir(&directory).expect("the directory of specs").map(|file| file.expect("a file").path()) {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let packager: Value = serde_json::from_str(&text).expect("JSON");
        let toml = toml(&packager).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let spec = iso8583::Spec::load(&file.display().to_string(), &toml, &|_| None);
        spec.unwrap_or_else(|error| panic!("{error}: {}", toml.lines().nth(error.line - 1).unwrap_or_default()));
        count += 1;
    }
    assert!(count > 0);
}
