//! The data that must be kept from the first day (SEMANTICS rule 23), each with its column.

use serde_json::{Value, json};
use store::reports::ColumnCount;

use super::steps::{Steps, listed};

/// What the rule lists, and where the record keeps it.
const RULE: [(&str, &str); 30] = [
    ("network transaction id", "network_id"),
    ("DE38", "approval"),
    ("DE22", "entry_mode"),
    ("DE25", "condition"),
    ("DE61", "pos_data"),
    ("ECI", "eci"),
    ("authentication result", "authentication_result"),
    ("AVS result", "avs_result"),
    ("CVV result", "cvv_result"),
    ("DE23", "card_sequence"),
    ("9F26", "emv_9f26"),
    ("9F27", "emv_9f27"),
    ("9F10", "emv_9f10"),
    ("9F37", "emv_9f37"),
    ("9F36", "emv_9f36"),
    ("95", "emv_95"),
    ("9A", "emv_9a"),
    ("9C", "emv_9c"),
    ("9F02", "emv_9f02"),
    ("5F2A", "emv_5f2a"),
    ("82", "emv_82"),
    ("9F1A", "emv_9f1a"),
    ("9F03", "emv_9f03"),
    ("9F33", "emv_9f33"),
    ("9F34", "emv_9f34"),
    ("9F35", "emv_9f35"),
    ("9F1E", "emv_9f1e"),
    ("84", "emv_84"),
    ("9F09", "emv_9f09"),
    ("9F41", "emv_9f41"),
];

/// Columns that a demonstration does not fill, and why.
const EMPTY: [(&str, &str); 0] = [];

/// Every item of the rule has a column, and every column of the evidence is filled or excused.
pub(super) fn check(steps: &mut Steps, columns: &[ColumnCount]) {
    let (mut filled, mut excused) = (serde_json::Map::new(), Vec::new());
    let mut without = Vec::new();
    for (item, column) in RULE {
        if !columns.iter().any(|count| count.column == column) {
            without.push(item);
        }
    }
    steps.check(
        format!("each of the {} data of rule 23 has its column; without: {}", RULE.len(), listed(&without)),
        without.is_empty(),
    );
    let mut rarest = u64::MAX;
    for count in columns {
        let rows = u64::try_from(count.filled).unwrap_or(0);
        filled.insert(count.column.clone(), rows.into());
        match EMPTY.iter().find(|(column, _)| *column == count.column) {
            Some((column, reason)) if rows == 0 => {
                steps.say(format!("column {column} is empty: {reason}"));
                excused.push(json!({ "column": column, "reason": reason }));
            }
            _ => {
                rarest = rarest.min(rows);
                if rows == 0 {
                    steps.check(format!("column {} of the evidence is filled", count.column), false);
                }
            }
        }
    }
    steps.say(format!("{} columns of evidence, {} of them empty for a reason", columns.len(), excused.len()));
    steps.population("rows in which the rarest of the others is filled", if columns.is_empty() { 0 } else { rarest });
    steps.fact("evidence_columns", Value::Object(filled));
    steps.fact("evidence_columns_empty", excused);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(filled: impl Fn(&str) -> i64) -> Vec<ColumnCount> {
        RULE.iter().map(|(_, column)| ColumnCount { column: (*column).to_owned(), filled: filled(column) }).collect()
    }

    fn failed(columns: &[ColumnCount]) -> Vec<String> {
        let mut steps = Steps::new(true);
        check(&mut steps, columns);
        steps.outcome().0.to_vec()
    }

    #[test]
    fn a_column_that_is_missing_or_never_filled_fails() {
        assert_eq!(failed(&columns(|_| 3)), Vec::<String>::new());
        let empty = failed(&columns(|column| i64::from(column != "emv_9f41")));
        assert!(empty.iter().any(|what| what == "column emv_9f41 of the evidence is filled"), "{empty:?}");
        let mut fewer = columns(|_| 3);
        fewer.retain(|count| count.column != "eci");
        assert_eq!(failed(&fewer), ["each of the 30 data of rule 23 has its column; without: ECI"]);
    }
}
