//! `switchyard clearing read`: a clearing file for people, or a JSON object a record.

use std::io::Read;

use files::ipm::{Format, Presentment};
use serde_json::{Value, json};
use settlement::clearing::{Row, read_presentments};

use crate::exit::{DATA, Exit, OrExit};

/// Columns of the table and their widths.
const COLUMNS: [(&str, usize); 10] = [
    ("no", 6),
    ("card", 19),
    ("movement", 15),
    ("amount", 16),
    ("rrn", 12),
    ("approval", 8),
    ("network id", 16),
    ("local time", 19),
    ("terminal", 8),
    ("reference", 23),
];

/// Prints every record of a file. Nothing is printed of a file that is not sound.
pub(super) fn print<R: Read>(source: R, format: Format, as_json: bool, reveal: bool) -> Result<(), Exit> {
    let mut lines = Vec::new();
    let mut add = |row: Row, presentment: &Presentment| {
        lines.push(if as_json { object(&row, presentment, reveal).to_string() } else { line(&row, presentment, reveal) });
    };
    read_presentments(source, format, &mut add).or_exit(DATA)?;
    if !as_json {
        println!("{}", padded(COLUMNS.map(|(name, _)| name.to_owned())));
    }
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn card(presentment: &Presentment, reveal: bool) -> String {
    let digits = String::from_utf8_lossy(presentment.pan.reveal());
    if reveal { digits.into_owned() } else { masked(&digits) }
}

/// First six and last four, as PCI DSS 3.4.1 lets them be shown; fewer of a short number.
fn masked(digits: &str) -> String {
    let shown = if digits.len() >= 14 { 6 } else { 0 };
    let (head, tail) =
        (digits.get(..shown).unwrap_or_default(), digits.get(digits.len().saturating_sub(4)..).unwrap_or_default());
    format!("{head}{}{tail}", "*".repeat(digits.len().saturating_sub(shown + 4)))
}

/// `20YY-MM-DD hh:mm:ss` of DE12.
fn local_time(twelve: &[u8; 12]) -> String {
    let text = String::from_utf8_lossy(twelve);
    let two = |at: usize| text.get(at..at + 2).unwrap_or("??");
    format!("20{}-{}-{} {}:{}:{}", two(0), two(2), two(4), two(6), two(8), two(10))
}

fn word(row: &Row) -> String {
    json!(row.movement).as_str().unwrap_or_default().to_owned()
}

fn object(row: &Row, presentment: &Presentment, reveal: bool) -> Value {
    json!({
        "number": row.number,
        "card": card(presentment, reveal),
        "movement": row.movement,
        "amount_minor": row.amount.minor(),
        "currency": row.amount.currency(),
        "rrn": row.rrn,
        "approval": row.approval,
        "network_id": row.network_id,
        "local_time": local_time(&presentment.local_time),
        "terminal": presentment.terminal,
        "merchant": presentment.merchant,
        "ard": row.ard.as_str(),
    })
}

fn line(row: &Row, presentment: &Presentment, reveal: bool) -> String {
    padded([
        row.number.to_string(),
        card(presentment, reveal),
        word(row),
        row.amount.to_string(),
        row.rrn.clone(),
        row.approval.clone(),
        row.network_id.clone(),
        local_time(&presentment.local_time),
        presentment.terminal.clone().unwrap_or_default(),
        row.ard.as_str().to_owned(),
    ])
}

fn padded(cells: [String; COLUMNS.len()]) -> String {
    let cells = cells.iter().zip(COLUMNS).map(|(cell, (_, width))| format!("{cell:width$}"));
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use files::ipm::{Ard, CardNumber, Function};
    use payments::{Amount, Currency};
    use settlement::clearing::Movement;

    use super::*;

    fn sample() -> (Row, Presentment) {
        let ard = Ard::build(7, b"541234", 2026, 324, 1).unwrap();
        let row = Row {
            number: 1,
            ard,
            rrn: "632500000001".into(),
            network_id: "N1".into(),
            approval: "A1B2C3".into(),
            amount: Amount::new(1250, Currency::EUR).unwrap(),
            movement: Movement::Sale,
        };
        let presentment = Presentment {
            function: Function::First,
            pan: CardNumber::new(b"5413330089020011").unwrap(),
            processing_code: *b"000000",
            amount_minor: 1250,
            currency: 978,
            exponent: Some(2),
            local_time: *b"261120175603",
            expiry: None,
            pos_data: *b"510101513344",
            card_sequence: None,
            merchant_category: *b"5814",
            ard,
            acquirer: None,
            forwarder: None,
            rrn: Some("632500000001".into()),
            approval: None,
            service_code: None,
            terminal: Some("TERM0001".into()),
            merchant: Some("M0001".into()),
            acceptor: None,
            chip: Vec::new(),
            life_cycle: None,
            originator: None,
            reversal: false,
            private: Vec::new(),
        };
        (row, presentment)
    }

    #[test]
    fn a_record_reads_as_people_and_programs_read_it() {
        let (row, presentment) = sample();
        let shown = line(&row, &presentment, false);
        assert!(shown.contains("541333******0011") && shown.contains(row.ard.as_str()), "{shown}");
        assert!(shown.contains("2026-11-20 17:56:03") && shown.contains("sale"), "{shown}");
        let object = object(&row, &presentment, false);
        assert_eq!((object["ard"].as_str(), object["card"].as_str()), (Some(row.ard.as_str()), Some("541333******0011")));
        assert_eq!(card(&presentment, true), "5413330089020011");
        assert_eq!((masked("54133300").as_str(), masked("").as_str()), ("****3300", ""));
    }
}
