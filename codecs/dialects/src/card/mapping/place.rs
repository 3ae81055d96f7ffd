//! The point of service data code: DE22 and DE25 as positions of one field.

use super::table;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PointOfService {
    /// Whether the field is binary, and the patterns are of its hexadecimal digits.
    binary: bool,
    blank: String,
    entry: Vec<Overlay>,
    pin: Vec<Overlay>,
    condition: Vec<Overlay>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Overlay {
    value: String,
    writes: Option<String>,
    reads: Option<String>,
}

impl PointOfService {
    pub(super) fn compile(file: table::PointOfService, binary: bool) -> Result<Self, String> {
        let length = file.blank.len();
        let digits_only = |pattern: &str| pattern.bytes().all(|digit| digit == b'_' || digit.is_ascii_hexdigit());
        if binary && (hex::decode(&file.blank).is_err() || length % 2 == 1) {
            return Err("point-of-service.blank: an even number of hexadecimal digits wanted".to_owned());
        }
        let table = |name: &str, rows: Vec<table::Overlay>, digits: usize| -> Result<Vec<Overlay>, String> {
            let row = |row: table::Overlay| {
                let patterns = row.writes.iter().chain(&row.reads);
                let odd = |pattern: &&String| pattern.len() != length || binary && !digits_only(pattern);
                match patterns.clone().find(odd) {
                    Some(pattern) => {
                        Err(format!("point-of-service.{name}: \"{pattern}\" has not {length} positions, or no digits"))
                    }
                    None if row.value.len() != digits => {
                        Err(format!("point-of-service.{name}: {} has not {digits} digits", row.value))
                    }
                    None => Ok(Overlay { value: row.value, writes: row.writes, reads: row.reads }),
                }
            };
            rows.into_iter().map(row).collect()
        };
        Ok(Self {
            binary,
            entry: table("entry", file.entry, 2)?,
            pin: table("pin", file.pin, 1)?,
            condition: table("condition", file.condition, 2)?,
            blank: file.blank,
        })
    }

    /// DE22 and DE25; an entry mode that is not known is 00.
    pub(super) fn read(&self, content: &[u8]) -> (String, String) {
        let code = if self.binary { hex::encode_upper(content) } else { String::from_utf8_lossy(content).into_owned() };
        let find = |rows: &[Overlay], otherwise: &str| {
            let row = rows.iter().find(|row| row.reads.as_ref().is_some_and(|pattern| fits(pattern, &code)));
            row.map_or(otherwise, |row| &row.value).to_owned()
        };
        (find(&self.entry, "00") + &find(&self.pin, "0"), find(&self.condition, "00"))
    }

    /// The code of DE22 and DE25, each laid over what the one before it left.
    pub(super) fn write(&self, entry_mode: &str, condition: &str) -> Vec<u8> {
        let (entry, pin) = entry_mode.split_at_checked(2).unwrap_or(("00", "0"));
        let mut code = self.blank.clone();
        for (rows, value) in [(&self.entry, entry), (&self.pin, pin), (&self.condition, condition)] {
            let pattern = rows.iter().find(|row| row.value == value).and_then(|row| row.writes.as_ref());
            if let Some(pattern) = pattern {
                code = pattern.chars().zip(code.chars()).map(|(new, old)| if new == '_' { old } else { new }).collect();
            }
        }
        // The patterns are digits where the field is binary: that was checked.
        if self.binary { hex::decode(&code).unwrap_or_default() } else { code.into_bytes() }
    }
}

fn fits(pattern: &str, code: &str) -> bool {
    pattern.len() == code.len() && pattern.bytes().zip(code.bytes()).all(|(wanted, got)| wanted == b'_' || wanted == got)
}
