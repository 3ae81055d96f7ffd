//! An imported table as the TOML text of a spec.

use std::fmt::Write;

use super::{Line, Table};

/// From this length on, text that nobody described is hidden.
const LONG_TEXT: u32 = 100;

pub(super) fn toml(table: &Table) -> String {
    let mut out =
        format!("# Imported from {}; not certified by anybody. Go through contents and sensitivities.\n\n", table.origin);
    // Writing into a String cannot fail.
    let _ = writeln!(out, "name = {}", quoted(&table.name));
    let _ = writeln!(out, "mti = \"{}\"", table.mti.unwrap_or("ascii"));
    let _ = writeln!(out, "bitmap = \"{}\"", table.bitmap.unwrap_or("hex-ascii"));
    if let Some(third) = table.third {
        let _ = writeln!(out, "third-bitmap = \"{third}\"");
    }
    rows("fields", &table.rows, true, &mut out);
    out
}

fn rows(above: &str, lines: &[Line], top: bool, out: &mut String) {
    let _ = writeln!(out, "\n[{above}]");
    for line in lines.iter().filter(|line| line.shape.is_none()) {
        let _ = writeln!(out, "{} = {{ {} }}", quoted(&line.key), keys(line, top).join(", "));
    }
    for line in lines.iter().filter(|line| line.shape.is_some()) {
        let path = format!("{above}.{}", quoted(&line.key));
        let _ = writeln!(out, "\n[{path}]\n{}", keys(line, top).join("\n"));
        if !line.rows.is_empty() {
            rows(&format!("{path}.fields"), &line.rows, false, out);
        }
    }
}

fn keys(line: &Line, top: bool) -> Vec<String> {
    let name = if line.name.is_empty() { "Not named" } else { &line.name };
    let mut keys = vec![
        format!("name = {}", quoted(name)),
        format!("content = \"{}\"", line.content),
        format!("charset = \"{}\"", line.charset),
    ];
    match line.prefix {
        Some((digits, form)) => {
            keys.push(format!("max = {}, prefix = {digits}, prefix-form = \"{form}\"", line.length));
            if line.counts_bytes {
                keys.push("counts = \"bytes\"".to_owned());
            }
        }
        None if line.enclosed => keys.push(format!("max = {}", line.length)),
        None => keys.push(format!("length = {}", line.length)),
    }
    if let Some((side, fill)) = line.odd {
        keys.push(format!("odd-side = \"{side}\", odd-fill = {fill}"));
    }
    keys.extend(line.pad.as_ref().map(|pad| format!("pad = {pad}")));
    keys.extend(line.shape.clone());
    if top {
        keys.extend(treatment(line).map(str::to_owned));
    }
    // In a table of its own every key has its line.
    if line.shape.is_some() { keys.iter().flat_map(|key| key.split(", ")).map(str::to_owned).collect() } else { keys }
}

/// What every edition of ISO 8583 has at the same number: card data, and the MAC.
fn treatment(line: &Line) -> Option<&'static str> {
    let fixed = line.prefix.is_none() && !line.enclosed;
    match line.key.as_str() {
        "2" => Some("sensitivity = \"mask\""),
        "14" => Some("sensitivity = \"hide\""),
        "35" | "36" | "45" | "52" => Some("sensitivity = \"hide\", durable = false"),
        "64" | "128" if fixed && line.content == "b" && (4..=8).contains(&line.length) => Some("mac = true"),
        _ if line.length >= LONG_TEXT => Some("sensitivity = \"hide\""),
        _ => None,
    }
}

/// A TOML basic string. Characters that it may not hold become blanks.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
