//! From captures to a published file.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ledger::{CaptureKind, Clearing, PaymentKind};
use payments::{
    Amount, BusinessDate, CardRef, Currency, Evidence, Expiry, LinkId, LocalDateTime, Pan, PaymentId, ProcessingCode, Rrn, Shard,
    Text, Wall,
};

use super::*;
use crate::clearing::endpoint::tests::sample as endpoint;

pub(crate) fn date() -> BusinessDate {
    BusinessDate::parse("2026-11-21").unwrap()
}

pub(crate) fn key(sequence: u32) -> FileKey {
    FileKey { date: date(), sequence, frozen_at: Wall(1_795_300_000_000_000) }
}

pub(crate) fn payment(number: i64) -> PaymentId {
    PaymentId(uuid::Uuid::from_u128(u128::try_from(number).unwrap()))
}

/// A test card whose "sealed" form is its number.
fn card(number: i64) -> CardRef {
    let base = format!("541333{number:09}");
    let check = (b'0'..=b'9').find(|digit| Pan::new(format!("{base}{}", char::from(*digit)).as_bytes()).unwrap().luhn_valid());
    let pan = format!("{base}{}", char::from(check.unwrap()));
    CardRef {
        token: [1; 16],
        first_six: Text::literal("541333"),
        last_four: Text::new(&pan[12..]).unwrap(),
        sealed: pan.into_bytes(),
    }
}

pub(crate) fn unseal(_: PaymentId, card: &CardRef) -> Unsealed {
    let pan = Pan::new(&card.sealed).map_err(|error| CannotUnseal::Card(error.to_string()))?;
    Ok(ClearCard { pan, expiry: Expiry::new(b"2811").ok(), sequence: None })
}

pub(crate) fn captured(seq: i64, of: i64, kind: CaptureKind, minor: i64, currency: Currency) -> Captured {
    let refund = kind == CaptureKind::Refund;
    Captured {
        shard: Shard(0),
        item: ledger::Capture {
            seq,
            payment: payment(of),
            number: 1,
            date: date(),
            kind,
            clearing: Clearing::Presentment,
            network: LinkId::literal("net1"),
            amount: Amount::new(minor, currency).unwrap(),
        },
        facts: Facts {
            acquirer: Text::literal("ACQ1"),
            merchant: Text::literal("M0001"),
            terminal: Text::literal("TERM0001"),
            rrn: Rrn::new(format!("6325{of:08}").as_bytes()).unwrap(),
            kind: if refund { PaymentKind::Refund } else { PaymentKind::Purchase },
            accepted: Wall(1_795_300_000_000_000),
            local: LocalDateTime::parse(b"175603", b"1121").unwrap(),
            processing_code: ProcessingCode::new(if refund { b"200000" } else { b"000000" }).unwrap(),
            card: card(of),
            evidence: Evidence {
                merchant_category: Text::literal("5814"),
                entry_mode: Text::literal("051"),
                acceptor: Text::literal("CORNER COFFEE          BERLIN       BEDE"),
                emv: vec![(Text::literal("9F26"), "1122334455667788".into()), (Text::literal("9F34"), "420300".into())],
                ..Evidence::default()
            },
            approval: Some(Text::literal("A1B2C3")),
            network_id: Some(Text::new(&format!("N{of:015}")).unwrap()),
        },
        takes_back: None,
    }
}

fn day() -> Vec<Captured> {
    use CaptureKind::{Refund, Sale, Void};
    vec![
        captured(1, 1, Sale, 1250, Currency::EUR),
        captured(2, 2, Sale, 900, Currency::EUR),
        captured(3, 3, Refund, 300, Currency::EUR),
        captured(4, 2, Void, 900, Currency::EUR),
        captured(5, 4, Sale, 1000, Currency::JPY),
        captured(6, 5, Sale, 700, Currency::EUR),
        captured(7, 5, Void, 200, Currency::EUR),
    ]
}

fn frozen() -> Frozen {
    freeze(&endpoint(), key(1), day()).unwrap()
}

/// What the journals of [`day`] move, written down by hand.
fn ledger() -> BTreeMap<Currency, i128> {
    BTreeMap::from([(Currency::EUR, 1250 - 300 + 500), (Currency::JPY, 1000)])
}

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("switchyard-clearing-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn publish_into(directory: &Path) -> Result<Published, Error> {
    publish(directory, &endpoint(), &frozen(), &mut unseal, &ledger(), &mut |_| Ok(()))
}

#[test]
fn voided_items_are_not_presented_and_voided_parts_not_either() {
    let frozen = frozen();
    let items: Vec<_> = frozen.items.iter().map(|item| (item.capture.item.seq, item.movement, item.amount.minor())).collect();
    assert_eq!(
        items,
        [(1, Movement::Sale, 1250), (3, Movement::Refund, 300), (5, Movement::Sale, 1000), (6, Movement::Sale, 500)]
    );
    let lonely = freeze(&endpoint(), key(1), vec![captured(1, 1, CaptureKind::Void, 1, Currency::EUR)]);
    assert_eq!(lonely, Err(Error::VoidWithoutItem(payment(1))));
}

#[test]
fn what_does_not_belong_into_a_file_does_not_get_in() {
    let refused = |change: fn(&mut Captured)| {
        let mut other = captured(1, 1, CaptureKind::Sale, 100, Currency::EUR);
        change(&mut other);
        freeze(&endpoint(), key(1), vec![other]).unwrap_err()
    };
    assert_eq!(refused(|c| c.item.clearing = Clearing::Online), Error::Foreign(payment(1)));
    assert_eq!(refused(|c| c.item.network = LinkId::literal("net2")), Error::Foreign(payment(1)));
    assert_eq!(refused(|c| c.item.date = c.item.date.next()), Error::Foreign(payment(1)));
    assert_eq!(refused(|c| c.shard = Shard(1000)), Error::Reference(payment(1)));
    let twice = vec![captured(1, 1, CaptureKind::Sale, 100, Currency::EUR); 2];
    assert_eq!(freeze(&endpoint(), key(1), twice), Err(Error::Twice(payment(1))));
}

#[test]
fn the_same_set_gives_the_same_bytes_in_whatever_order_it_comes() {
    let bytes = |captures| {
        let frozen = freeze(&endpoint(), key(1), captures).unwrap();
        build(&endpoint(), &frozen, &mut unseal, Vec::new()).unwrap()
    };
    let (first, manifest) = bytes(day());
    let mut shuffled = day();
    fastrand::Rng::with_seed(7).shuffle(&mut shuffled);
    // The order of arrival must not matter, but captures of one payment have their order by number.
    assert_eq!(bytes(shuffled), (first, manifest));
}

#[test]
fn the_manifest_says_what_is_in_the_file() {
    let (bytes, manifest) = build(&endpoint(), &frozen(), &mut unseal, Vec::new()).unwrap();
    assert_eq!((manifest.messages, manifest.presentments, manifest.amount_checksum), (6, 4, 1250 + 300 + 1000 + 500));
    assert_eq!(manifest.file_id.as_str(), "0022611210000001234500001");
    assert_eq!(manifest.file, "scheme1-2026-11-21-00001.ipm");
    assert_eq!(manifest.captures, [Range { shard: 0, first: 1, last: 6, count: 4 }]);
    assert_eq!(manifest.bytes, u64::try_from(bytes.len()).unwrap());
    assert_eq!(manifest.reference_checksum, 1 + 3 + 5 + 6);
    let (rows, _) = read_rows(bytes.as_slice(), endpoint().format()).unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(net_by_currency(rows.iter().map(|row| (row.movement, row.amount))), ledger());
    assert_eq!(rows[0].ard.as_str()[..11], *"75412346325");
}

#[test]
fn the_bytes_of_a_file_do_not_depend_on_process_time_or_machine() {
    let (_, manifest) = build(&endpoint(), &frozen(), &mut unseal, Vec::new()).unwrap();
    // Changes with the format only: then say so in the changelog, for a rerun would make other bytes.
    assert_eq!(manifest.sha256.as_str(), "c8631fcf67ee5acc36907be5ca567c0c9643ec87be6bb7cf2bcbc6068859d6f6");
}

#[test]
fn a_sent_file_posts_both_directions_of_each_currency_once() {
    let (_, manifest) = build(&endpoint(), &frozen(), &mut unseal, Vec::new()).unwrap();
    let sent: Vec<_> = manifest
        .sent()
        .unwrap()
        .iter()
        .map(|sent| (sent.reference.to_string(), sent.sales.minor(), sent.refunds.minor()))
        .collect();
    assert_eq!(
        sent,
        [("0022611210000001234500001/EUR".to_owned(), 1750, 300), ("0022611210000001234500001/JPY".to_owned(), 1000, 0)]
    );
}

#[test]
fn a_credit_takes_back_the_presentment_that_it_names() {
    let sale = freeze(&endpoint(), key(1), vec![captured(1, 1, CaptureKind::Sale, 1250, Currency::EUR)]).unwrap();
    let presented = Presented { ard: sale.items[0].ard, kind: CaptureKind::Sale };
    let mut credit = captured(9, 1, CaptureKind::Credit, 1250, Currency::EUR);
    (credit.item.date, credit.takes_back) = (date().next(), Some(presented));
    let next = FileKey { date: date().next(), ..key(1) };
    let frozen = freeze(&endpoint(), next, vec![credit]).unwrap();
    let (bytes, _) = build(&endpoint(), &frozen, &mut unseal, Vec::new()).unwrap();
    prove(bytes.as_slice(), endpoint().format(), &frozen, &BTreeMap::from([(Currency::EUR, -1250)])).unwrap();
    let (rows, _) = read_rows(bytes.as_slice(), endpoint().format()).unwrap();
    assert_eq!((rows[0].movement, rows[0].ard), (Movement::SaleReversal, presented.ard));
}

#[test]
fn a_refund_that_would_read_as_a_sale_is_not_written() {
    let mut refund = captured(1, 1, CaptureKind::Refund, 100, Currency::EUR);
    refund.facts.processing_code = ProcessingCode::new(b"000000").unwrap();
    let frozen = freeze(&endpoint(), key(1), vec![refund]).unwrap();
    let error = build(&endpoint(), &frozen, &mut unseal, Vec::new()).unwrap_err();
    assert!(matches!(error, Error::Fact { field: 3, .. }), "{error}");
}

#[test]
fn a_file_is_published_once_with_mode_0600_and_found_again() {
    let directory = Directory::new("once");
    let first = publish_into(&directory.0).unwrap();
    assert!(!first.found);
    assert_eq!(directory.names(), ["scheme1-2026-11-21-00001.ipm", "scheme1-2026-11-21-00001.json"]);
    for name in directory.names() {
        assert_eq!(fs::metadata(directory.0.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(&directory.0).unwrap().permissions().mode() & 0o777, 0o700);
    let again = publish_into(&directory.0).unwrap();
    assert!(again.found);
    assert_eq!(again.manifest, first.manifest);
}

#[test]
fn a_crash_at_any_step_shows_no_half_file_and_the_rerun_makes_the_same_bytes() {
    let whole = Directory::new("whole");
    let expected = publish_into(&whole.0).unwrap();
    let bytes = fs::read(&expected.data).unwrap();
    for crash in Step::ALL {
        let directory = Directory::new(&format!("crash-{crash:?}"));
        let stop = Error::Io { step: "crash", kind: std::io::ErrorKind::Other };
        let mut at = |step| if step == crash { Err(stop.clone()) } else { Ok(()) };
        let crashed = publish(&directory.0, &endpoint(), &frozen(), &mut unseal, &ledger(), &mut at);
        assert_eq!(crashed, Err(stop.clone()));
        let mark = directory.0.join("scheme1-2026-11-21-00001.json");
        assert_eq!(mark.exists(), crash == Step::ManifestNamed, "{crash:?}");
        let rerun = publish_into(&directory.0).unwrap();
        assert_eq!(rerun.found, crash == Step::ManifestNamed);
        assert_eq!((fs::read(&rerun.data).unwrap(), rerun.manifest), (bytes.clone(), expected.manifest.clone()), "{crash:?}");
        assert_eq!(directory.names().len(), 2, "{:?}", directory.names());
    }
}

#[test]
fn a_file_that_does_not_move_what_the_ledger_moved_is_not_published() {
    let directory = Directory::new("ledger");
    let mut other = ledger();
    other.insert(Currency::EUR, 1449);
    let refused = publish(&directory.0, &endpoint(), &frozen(), &mut unseal, &other, &mut |_| Ok(()));
    assert_eq!(refused, Err(Error::Ledger { currency: Currency::EUR, file: 1450, ledger: 1449 }));
    assert!(directory.names().iter().all(|name| name.starts_with(".tmp-")));
    other = BTreeMap::from([(Currency::USD, 5)]);
    other.extend(ledger());
    assert!(publish(&directory.0, &endpoint(), &frozen(), &mut unseal, &other, &mut |_| Ok(())).is_err());
}

#[test]
fn a_proof_finds_a_record_that_is_missing_or_changed() {
    let bytes = |frozen: &Frozen| build(&endpoint(), frozen, &mut unseal, Vec::new()).unwrap().0;
    let good = frozen();
    let proved = |other: &Frozen| prove(bytes(other).as_slice(), endpoint().format(), &good, &ledger());
    assert_eq!(proved(&good), Ok(()));
    let mut less = good.clone();
    less.items.pop();
    assert_eq!(proved(&less), Err(Error::Differs { index: 3, field: "missing" }));
    let mut more = good.clone();
    more.items.push(good.items[0].clone());
    assert_eq!(proved(&more), Err(Error::Differs { index: 4, field: "too many" }));
    let mut changed = good.clone();
    changed.items[1].amount = Amount::new(301, Currency::EUR).unwrap();
    assert_eq!(proved(&changed), Err(Error::Differs { index: 1, field: "amount" }));
    let mut renamed = good.clone();
    renamed.items[1].capture.facts.rrn = Rrn::new(b"632599999999").unwrap();
    assert_eq!(proved(&renamed), Err(Error::Differs { index: 1, field: "rrn" }));
}

#[test]
fn a_published_file_that_was_changed_is_found_damaged() {
    let directory = Directory::new("damaged");
    let published = publish_into(&directory.0).unwrap();
    let mut bytes = fs::read(&published.data).unwrap();
    bytes[100] ^= 1;
    fs::write(&published.data, bytes).unwrap();
    assert!(matches!(publish_into(&directory.0), Err(Error::Damaged(_))));
    assert!(matches!(read_manifest(&published.mark), Err(Error::Damaged(_))));
}

#[test]
fn another_set_under_the_same_name_is_a_conflict() {
    let directory = Directory::new("conflict");
    publish_into(&directory.0).unwrap();
    let other = freeze(&endpoint(), key(1), day()[..1].to_vec()).unwrap();
    let sums = BTreeMap::from([(Currency::EUR, 1250)]);
    assert_eq!(publish(&directory.0, &endpoint(), &other, &mut unseal, &sums, &mut |_| Ok(())), Err(Error::Conflict));
}

#[test]
fn a_day_without_captures_gives_an_empty_file_that_proves() {
    let frozen = freeze(&endpoint(), key(1), Vec::new()).unwrap();
    let (bytes, manifest) = build(&endpoint(), &frozen, &mut unseal, Vec::new()).unwrap();
    assert_eq!((manifest.messages, manifest.presentments), (2, 0));
    prove(bytes.as_slice(), endpoint().format(), &frozen, &BTreeMap::new()).unwrap();
}
