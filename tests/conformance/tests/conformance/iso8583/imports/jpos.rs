//! The XML of a jPOS packager.

use std::fmt::Write;

use iso8583::{Field, Spec, import};
use serde_json::Value;

use crate::iso8583::dialects::{DIFFERENCES, SOURCES};

/// The facts of a packager as it is written for jPOS.
fn packager(table: &Value) -> String {
    let mut out = "<isopackager>\n".to_owned();
    elements(&table["fields"], &mut out);
    out + "</isopackager>\n"
}

fn elements(rows: &Value, out: &mut String) {
    for row in rows.as_array().into_iter().flatten() {
        let text = |key: &str| row[key].as_str().unwrap_or_default();
        let pad = if row["jpos_pad"].is_string() { format!(" pad=\"{}\"", text("jpos_pad")) } else { String::new() };
        let head = format!(
            "id=\"{0}\" length=\"{1}\" name=\"Element {0}\" class=\"org.jpos.iso.{2}\"{pad}",
            row["field"],
            row["max_len"],
            text("class")
        );
        // Writing into a String cannot fail.
        if row["subfields"].is_array() {
            let _ = writeln!(out, "<isofieldpackager {head} packager=\"{}\">", text("jpos_packager"));
            elements(&row["subfields"], out);
            out.push_str("</isofieldpackager>\n");
        } else {
            let _ = writeln!(out, "<isofield {head}/>");
        }
    }
}

#[test]
fn what_is_imported_from_jpos_decodes_as_the_shipped_dialect() {
    let mut wrong = Vec::new();
    for (name, source) in SOURCES {
        let path = conformance::vectors("iso8583").join("specs").join(format!("{source}.json"));
        let table: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("a packager")).expect("JSON");
        let imported = import::jpos(name, &packager(&table)).expect("a packager");
        let (ours, theirs) = (Spec::shipped(name).expect("a shipped dialect"), Spec::from_toml(&imported.toml).expect("a spec"));
        let lost: Vec<String> = imported.losses.iter().filter(|loss| loss.essential).map(ToString::to_string).collect();
        wrong.extend(lost.iter().map(|loss| format!("{source}: {loss}")));
        let differs = |field: &&Field| {
            let mut known = DIFFERENCES.iter().filter(|(dialect, ..)| *dialect == name).flat_map(|(_, paths, _)| *paths);
            known.any(|path| *path == field.label())
        };
        let numbers: Vec<u8> = ours.fields().filter(|field| !differs(field)).map(Field::number).collect();
        if let Err(why) = super::decode_alike(&ours, &theirs, &numbers) {
            wrong.push(format!("{source}: {why}"));
        }
        println!("jpos: {source}: {} messages of {} of {} fields", super::MESSAGES, numbers.len(), ours.fields().count());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
