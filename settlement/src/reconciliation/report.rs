//! The issuer's report: NDJSON as `docs/clearing.md` defines it, read strictly.

use std::collections::BTreeMap;
use std::io::BufRead;

use payments::{Currency, NetworkTransactionId, Rrn, Stan, Text};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the header says that it is.
const FORMAT: &str = "switchyard.issuer-items.1";
/// Longest line but the last, its end included.
const MAX_LINE: usize = 1_024;
/// Longest end line: the totals of a long period.
const MAX_END: usize = 1 << 20;
/// Items of one report.
const MAX_ITEMS: usize = 10_000_000;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// 0100: waits for a completion or a presentment.
    Authorization,
    /// 0200.
    Purchase,
    /// DE3 20.
    Refund,
    /// Taken by 0220.
    Completion,
}

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Something of it stands.
    Open,
    /// Taken back whole.
    Reversed,
}

/// An item of the issuer's book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerItem {
    /// DE37.
    pub rrn: Rrn,
    /// The issuer's transaction id.
    pub network_id: NetworkTransactionId,
    /// DE11.
    #[serde(deserialize_with = "stan")]
    pub stan: Stan,
    /// What it is.
    pub kind: ItemKind,
    /// Minor units approved.
    pub approved: i64,
    /// Minor units that stand.
    pub amount: i64,
    /// The currency.
    #[serde(deserialize_with = "currency")]
    pub currency: Currency,
    /// Where it stands.
    pub state: ItemState,
    /// Whether a message alone moves its money.
    pub captured: bool,
    /// Settlement date `MMDD`.
    pub settlement_date: Text<4>,
    /// Settlement date of its reversal.
    #[serde(default)]
    pub reversal_date: Option<Text<4>>,
}

/// A row of the network's totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// Settlement date `MMDD`.
    pub settlement_date: Text<4>,
    /// What it counts.
    pub kind: ItemKind,
    /// The currency.
    #[serde(deserialize_with = "currency")]
    pub currency: Currency,
    /// Items of that date.
    pub count: u64,
    /// Their sum.
    pub amount: i64,
    /// Items reversed on that date, whole or in part.
    pub reversed_count: u64,
    /// What was taken back.
    pub reversed_amount: i64,
}

/// A whole report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The link that the book belongs to.
    pub network: Text<24>,
    /// The items in the issuer's order.
    pub items: Vec<IssuerItem>,
    /// The network's totals.
    pub totals: Vec<Total>,
    /// SHA-256 of the report's bytes, hex.
    pub sha256: String,
}

/// Why a report was refused, whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// It could not be read.
    #[error("i/o: {0}")]
    Io(std::io::ErrorKind),
    /// A line that is longer than lines may be.
    #[error("line {0} is too long")]
    LineTooLong(usize),
    /// The first line is no header of a report that this program understands.
    #[error("line 1 is not a header: {0}")]
    Header(String),
    /// A line that is neither item nor end.
    #[error("line {line}: {why}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// Why.
        why: String,
    },
    /// Values of an item that contradict each other.
    #[error("line {line}: {what}")]
    Contradiction {
        /// Its number, from 1.
        line: usize,
        /// What contradicts what.
        what: &'static str,
    },
    /// There is no end line, or lines follow it: the report is not whole.
    #[error("the end line is missing, or is not the last")]
    NoEnd,
    /// The end line counts other items than there are.
    #[error("the end line counts {stated} items, there are {counted}")]
    Count {
        /// As stated.
        stated: usize,
        /// As counted.
        counted: usize,
    },
    /// The totals are not those of the items.
    #[error("the totals of {0} are not those of the items")]
    Totals(String),
    /// Too many items.
    #[error("more items than a report may have")]
    TooMany,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    report: String,
    network: Text<24>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    end: bool,
    items: usize,
    totals: Vec<Total>,
}

/// What totals are grouped by.
type Group = (Text<4>, ItemKind, Currency);
/// Count and amount, count and amount of what was reversed.
type Sums = (u64, i128, u64, i128);

impl Report {
    /// Reads and checks a report. One that is not whole, or whose end line disagrees with its items, is
    /// refused: half of it would look like missing items.
    pub fn read(mut source: impl BufRead) -> Result<Self, ReportError> {
        let mut digest = Sha256::new();
        let mut line = Vec::new();
        let mut number = 0;
        let mut next = |line: &mut Vec<u8>| -> Result<Option<usize>, ReportError> {
            line.clear();
            read_line(&mut source, line).map_err(|error| ReportError::Io(error.kind()))?;
            digest.update(line.as_slice());
            number += 1;
            match line.last() {
                None => Ok(None),
                Some(b'\n') => {
                    line.pop();
                    Ok(Some(number))
                }
                Some(_) if line.len() >= MAX_END => Err(ReportError::LineTooLong(number)),
                Some(_) => Err(ReportError::NoEnd),
            }
        };
        next(&mut line)?;
        let header: Header = serde_json::from_slice(&line).map_err(|error| ReportError::Header(error.to_string()))?;
        if header.report != FORMAT {
            return Err(ReportError::Header(format!("not {FORMAT}")));
        }
        let mut items = Vec::new();
        let end = loop {
            let Some(number) = next(&mut line)? else { return Err(ReportError::NoEnd) };
            if let Ok(end) = serde_json::from_slice::<EndLine>(&line) {
                break end;
            }
            if line.len() >= MAX_LINE {
                return Err(ReportError::LineTooLong(number));
            }
            // The reader's message names members and positions, never values that a card could stand in.
            let item: IssuerItem = serde_json::from_slice(&line)
                .map_err(|error| ReportError::Line { line: number, why: format!("column {}", error.column()) })?;
            check(&item).map_err(|what| ReportError::Contradiction { line: number, what })?;
            if items.len() >= MAX_ITEMS {
                return Err(ReportError::TooMany);
            }
            items.push(item);
        };
        if !end.end || next(&mut line)?.is_some() {
            return Err(ReportError::NoEnd);
        }
        if end.items != items.len() {
            return Err(ReportError::Count { stated: end.items, counted: items.len() });
        }
        let report = Self { network: header.network, items, totals: end.totals, sha256: hex::encode(digest.finalize()) };
        report.check_totals()?;
        Ok(report)
    }

    /// The issuer keeps its totals as messages come; they have to be those of its items.
    fn check_totals(&self) -> Result<(), ReportError> {
        let mut counted: BTreeMap<Group, Sums> = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.captured) {
            let sums = counted.entry((item.settlement_date, item.kind, item.currency)).or_default();
            (sums.0, sums.1) = (sums.0 + 1, sums.1 + i128::from(item.approved));
            if let Some(date) = item.reversal_date {
                let sums = counted.entry((date, item.kind, item.currency)).or_default();
                (sums.2, sums.3) = (sums.2 + 1, sums.3 + i128::from(item.approved) - i128::from(item.amount));
            }
        }
        for total in &self.totals {
            let group = (total.settlement_date, total.kind, total.currency);
            let sums = (total.count, i128::from(total.amount), total.reversed_count, i128::from(total.reversed_amount));
            if counted.remove(&group) != Some(sums) {
                return Err(ReportError::Totals(name(&group)));
            }
        }
        match counted.keys().next() {
            Some(group) => Err(ReportError::Totals(name(group))),
            None => Ok(()),
        }
    }
}

fn name((date, kind, currency): &Group) -> String {
    format!("{date} {kind:?} {currency}")
}

fn check(item: &IssuerItem) -> Result<(), &'static str> {
    let date = |date: &Text<4>| date.as_bytes().len() == 4 && date.as_bytes().iter().all(u8::is_ascii_digit);
    let reduced = item.amount < item.approved;
    match () {
        () if item.amount < 0 || item.approved < item.amount => Err("amount is not between 0 and approved"),
        () if item.network_id.is_empty() => Err("network_id is empty"),
        () if !date(&item.settlement_date) => Err("settlement_date is not MMDD"),
        () if item.reversal_date.is_some_and(|reversed| !date(&reversed)) => Err("reversal_date is not MMDD"),
        () if item.reversal_date.is_some() != reduced => Err("reversal_date goes with an amount below approved"),
        () if item.state == ItemState::Reversed && item.amount != 0 => Err("state is reversed, amount is not 0"),
        () if item.state == ItemState::Open && reduced && item.amount == 0 => Err("state is open, nothing of it stands"),
        () if item.captured && item.kind == ItemKind::Authorization => Err("an authorization is not captured by a message"),
        () => Ok(()),
    }
}

/// Reads through the next line feed, or a bound of bytes.
fn read_line(source: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<()> {
    use std::io::Read;
    let bound = u64::try_from(MAX_END).unwrap_or(u64::MAX);
    source.take(bound).read_until(b'\n', line).map(|_| ())
}

fn stan<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Stan, D::Error> {
    let text = Text::<6>::deserialize(source)?;
    Stan::parse(text.as_bytes()).map_err(serde::de::Error::custom)
}

fn currency<'de, D: serde::Deserializer<'de>>(source: D) -> Result<Currency, D::Error> {
    let text = Text::<3>::deserialize(source)?;
    Currency::from_alpha(text.as_str()).ok_or(serde::de::Error::custom("not a currency"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const SAMPLE: &str = concat!(
        r#"{"report":"switchyard.issuer-items.1","network":"net1"}"#,
        "\n",
        r#"{"rrn":"632505000017","network_id":"N2611210000000017","stan":"000017","kind":"authorization","approved":1250,"amount":1250,"currency":"EUR","state":"open","captured":false,"settlement_date":"1121"}"#,
        "\n",
        r#"{"rrn":"632505000018","network_id":"N2611210000000018","stan":"000018","kind":"purchase","approved":900,"amount":0,"currency":"EUR","state":"reversed","captured":true,"settlement_date":"1121","reversal_date":"1121"}"#,
        "\n",
        r#"{"end":true,"items":2,"totals":[{"settlement_date":"1121","kind":"purchase","currency":"EUR","count":1,"amount":900,"reversed_count":1,"reversed_amount":900}]}"#,
        "\n",
    );

    #[test]
    fn the_example_of_the_documentation_reads() {
        let document = include_str!("../../../docs/clearing.md");
        assert!(document.contains(SAMPLE), "the documentation has another example");
        let report = Report::read(SAMPLE.as_bytes()).unwrap();
        assert_eq!((report.network.as_str(), report.items.len(), report.totals.len()), ("net1", 2, 1));
        assert_eq!(report.sha256, hex::encode(Sha256::digest(SAMPLE.as_bytes())));
    }

    #[test]
    fn a_cut_report_is_refused_whole() {
        for cut in 0..SAMPLE.len() {
            let error = Report::read(&SAMPLE.as_bytes()[..cut]).unwrap_err();
            assert!(matches!(error, ReportError::NoEnd | ReportError::Header(_)), "{cut}: {error}");
        }
        assert_eq!(Report::read(format!("{SAMPLE}x").as_bytes()).unwrap_err(), ReportError::NoEnd);
        let twice = format!("{SAMPLE}{SAMPLE}");
        assert_eq!(Report::read(twice.as_bytes()).unwrap_err(), ReportError::NoEnd);
    }

    #[test]
    fn totals_that_are_not_those_of_the_items_are_refused() {
        let changed = |from: &str, to: &str| Report::read(SAMPLE.replace(from, to).as_bytes()).unwrap_err();
        assert!(matches!(changed(r#""count":1"#, r#""count":2"#), ReportError::Totals(_)));
        assert!(matches!(changed(r#""reversed_amount":900"#, r#""reversed_amount":899"#), ReportError::Totals(_)));
        assert_eq!(changed(r#""items":2"#, r#""items":3"#), ReportError::Count { stated: 3, counted: 2 });
        assert!(matches!(changed(r#""captured":false"#, r#""captured":true"#), ReportError::Contradiction { line: 2, .. }));
        assert!(matches!(changed(r#""state":"open""#, r#""state":"opened""#), ReportError::Line { line: 2, .. }));
        assert!(matches!(changed(r#""amount":1250"#, r#""amount":1251"#), ReportError::Contradiction { line: 2, .. }));
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let long = format!("{}\n{}", SAMPLE.lines().next().unwrap(), "x".repeat(3 << 20));
        assert_eq!(Report::read(long.as_bytes()).unwrap_err(), ReportError::LineTooLong(2));
    }
}
