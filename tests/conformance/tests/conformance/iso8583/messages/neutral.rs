//! The neutral specs of `cases.json` as spec TOML.

use std::fmt::Write;

use serde_json::Value;

/// The spec, with the structure that the case gives some of its fields.
pub(in crate::iso8583) fn toml(spec: &Value, case: &Value) -> Result<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().replace('_', "-");
    let mut out = format!(
        "name = {}\nversion = {}\nmti = \"{}\"\nbitmap = \"{}\"\n",
        spec["name"],
        spec["iso_version"],
        text(&spec["mti"]["data"]),
        text(&spec["bitmap"]["data"]),
    );
    for (number, field) in spec["fields"].as_object().into_iter().flatten() {
        let charset = text(&field["data"]);
        let content = text(&field["content"]);
        // Writing into a String cannot fail.
        let _ = writeln!(out, "[fields.{number}]\nname = \"{number}\"\ncontent = \"{content}\"\ncharset = \"{charset}\"");
        let max = field["max"].as_u64().ok_or(format!("field {number}: max"))?;
        let counts = field["len_counts"].as_str().unwrap_or_default();
        let of_text = counts.starts_with("characters of hex text");
        match field["len"].as_str() {
            Some("fixed") => {
                let _ = writeln!(out, "length = {max}");
            }
            Some("var") => {
                let (digits, form) = (&field["len_digits"], text(&field["len_enc"]));
                let (max, counts) = if of_text { (max / 2, "bytes") } else { (max, "content") };
                let _ = writeln!(out, "max = {max}\nprefix = {digits}\nprefix-form = \"{form}\"\ncounts = \"{counts}\"");
            }
            other => return Err(format!("field {number}: len {other:?}")),
        }
        if let Some((side, fill)) = field["bcd_odd_pad"].as_str().and_then(|pad| pad.split_once('-')) {
            let fill = u8::from_str_radix(fill, 16).map_err(|error| format!("field {number}: {error}"))?;
            let _ = writeln!(out, "odd-side = \"{side}\"\nodd-fill = {fill}");
        }
        if field["tlv"] == "ber" {
            let _ = writeln!(out, "shape = \"ber-tlv\"");
        }
        structure(number, &content, case, &mut out)?;
    }
    Ok(out)
}

fn structure(number: &str, content: &str, case: &Value, out: &mut String) -> Result<(), String> {
    if let Some(parts) = case["subfields"][number]["layout"].as_array() {
        let _ = writeln!(out, "shape = \"positional\"");
        for (at, part) in parts.iter().enumerate() {
            let _ = writeln!(
                out,
                "[fields.{number}.fields.{}]\nname = {}\ncontent = \"{content}\"\nlength = {}",
                at + 1,
                part[0],
                part[1]
            );
        }
    }
    let layout = &case["private_tlv"][number]["layout"];
    if layout.is_object() {
        let _ = writeln!(
            out,
            "shape = \"tagged\"\ntag-digits = {}\nlength-digits = {}",
            layout["tag_digits"], layout["length_digits"]
        );
        // The values of a field are canonical text, whatever its charset on the wire.
        if !matches!(layout["charset"].as_str(), Some("ascii" | "ebcdic")) {
            return Err(format!("field {number}: charset {} of tags", layout["charset"]));
        }
        for tag in case["private_tlv"][number]["values"].as_object().into_iter().flat_map(|values| values.keys()) {
            let _ = writeln!(out, "[fields.{number}.fields.\"{tag}\"]\nname = \"{tag}\"\ncontent = \"{content}\"\nmax = 99");
        }
    }
    Ok(())
}
