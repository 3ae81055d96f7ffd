//! Reads a file back with the reader and proves it: against the frozen set item by item, and against the
//! ledger's journals currency by currency.

use std::collections::BTreeMap;
use std::io::Read;

use files::ipm::{Ard, FileId, Findings, Format, Presentment, Rules, Verdict, function, verify};
use payments::{Amount, Currency};

use super::error::Error;
use super::freeze::{Frozen, Item, Movement, net_by_currency};

/// A presentment as a file has it, without its card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Number of the presentment in the file, from 1, headers and trailers not counted.
    pub number: u64,
    /// Its reference.
    pub ard: Ard,
    /// DE37.
    pub rrn: String,
    /// DE63.
    pub network_id: String,
    /// DE38.
    pub approval: String,
    /// DE4 and DE49.
    pub amount: Amount,
    /// What it does.
    pub movement: Movement,
}

/// Reads all presentments of a file, which must be sound: a file with a refused record has no rows.
pub fn read_rows<R: Read>(source: R, format: Format) -> Result<(Vec<Row>, Findings), Error> {
    let mut rows = Vec::new();
    let findings = read_presentments(source, format, |row, _| rows.push(row))?;
    Ok((rows, findings))
}

/// Reads the presentments of a file one after the other, each as a row and whole, with its card in the clear.
/// Only at the end it is known that the file is sound.
pub fn read_presentments<R: Read>(source: R, format: Format, mut each: impl FnMut(Row, &Presentment)) -> Result<Findings, Error> {
    let (mut read, mut wrong) = (0, None);
    let findings = verify(source, format, &Rules::default(), |record| {
        if record.message_type() != function::PRESENTMENT || wrong.is_some() {
            return;
        }
        let presentment = Presentment::read(record).ok();
        match presentment.as_ref().and_then(|presentment| Some((row(read, presentment)?, presentment))) {
            Some((row, presentment)) => each(row, presentment),
            None => wrong = Some(read),
        }
        read += 1;
    });
    match (findings.verdict(), wrong) {
        (Verdict::Accept | Verdict::AcceptWithWarning, None) => Ok(findings),
        (Verdict::Accept | Verdict::AcceptWithWarning, Some(index)) => Err(Error::Differs { index, field: "presentment" }),
        (verdict, _) => {
            let fault = findings.faults.iter().max_by_key(|fault| fault.level).cloned();
            Err(Error::Unreadable { verdict, fault })
        }
    }
}

fn row(before: usize, presentment: &Presentment) -> Option<Row> {
    let currency = Currency::from_numeric(presentment.currency).ok()?;
    let credit = matches!(presentment.processing_code.get(..2)?, b"20" | b"28");
    Some(Row {
        number: u64::try_from(before).ok()?.checked_add(1)?,
        ard: presentment.ard,
        rrn: presentment.rrn.clone()?,
        network_id: presentment.life_cycle.clone().unwrap_or_default(),
        approval: presentment.approval.clone().unwrap_or_default(),
        amount: Amount::new(presentment.amount_minor, currency).ok()?,
        movement: match (credit, presentment.reversal) {
            (false, false) => Movement::Sale,
            (true, false) => Movement::Refund,
            (false, true) => Movement::SaleReversal,
            (true, true) => Movement::RefundReversal,
        },
    })
}

/// Proves a file that was written: it reads without a fault, has exactly the frozen items in their order, and
/// moves, together with what was set aside from it, what the ledger's journals of the day move on the network's
/// uncleared account. `ledger` is that net by currency, positive where cardholders pay; it must not come from
/// the items.
pub fn prove<R: Read>(source: R, format: Format, frozen: &Frozen, ledger: &BTreeMap<Currency, i128>) -> Result<(), Error> {
    let rows = prove_items(source, format, frozen.id, &frozen.items)?;
    let presented = rows.iter().map(|row| (row.movement, row.amount));
    let aside = frozen.set_aside.iter().map(|aside| (aside.movement, aside.amount));
    let file = net_by_currency(presented.chain(aside));
    let currencies: Vec<Currency> = file.keys().chain(ledger.keys()).copied().collect();
    for currency in currencies {
        let of = |net: &BTreeMap<Currency, i128>| net.get(&currency).copied().unwrap_or(0);
        if of(&file) != of(ledger) {
            return Err(Error::Ledger { currency, file: of(&file), ledger: of(ledger) });
        }
    }
    Ok(())
}

/// Proves that a file reads without a fault and has exactly these items in their order.
pub(super) fn prove_items<R: Read>(source: R, format: Format, id: FileId, items: &[Item]) -> Result<Vec<Row>, Error> {
    let (rows, findings) = read_rows(source, format)?;
    if findings.verdict() != Verdict::Accept {
        return Err(Error::Unreadable { verdict: findings.verdict(), fault: findings.faults.first().cloned() });
    }
    if findings.files.len() != 1 || findings.files.iter().any(|file| file.id != id) {
        return Err(Error::Differs { index: 0, field: "file id" });
    }
    for (index, item) in items.iter().enumerate() {
        let Some(row) = rows.get(index) else { return Err(Error::Differs { index, field: "missing" }) };
        let facts = &item.capture.facts;
        let same = [
            ("reference", row.ard == item.ard),
            ("amount", row.amount == item.amount),
            ("movement", row.movement == item.movement),
            ("rrn", row.rrn == facts.rrn.as_str()),
            ("network id", row.network_id == facts.network_id.map_or(String::new(), |id| id.to_string())),
        ];
        if let Some((field, _)) = same.into_iter().find(|(_, same)| !same) {
            return Err(Error::Differs { index, field });
        }
    }
    if rows.len() > items.len() {
        return Err(Error::Differs { index: items.len(), field: "too many" });
    }
    Ok(rows)
}
