//! Sample files of public writers: decoded as their manifest says, written again byte for byte, and damaged
//! ones refused at the right level. A part of the files lies beside this test; `SWITCHYARD_VECTORS` names
//! a directory with all of them (`clearing/ipm` in it).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use files::Charset;
use files::charset::latin1_to_string;
use files::ipm::{FileId, Findings, Format, Layout, Mode, Presentment, Reader, Record, Rules, Verdict, Writer, de, tag, verify};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};

fn directories() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ipm");
    let all = std::env::var_os("SWITCHYARD_VECTORS").map(|root| Path::new(&root).join("clearing/ipm"));
    std::iter::once(own).chain(all).collect()
}

fn manifest(directory: &Path) -> Value {
    serde_json::from_slice(&fs::read(directory.join("manifest.json")).expect("manifest")).expect("manifest is JSON")
}

fn text<'v>(entry: &'v Value, key: &str) -> &'v str {
    entry[key].as_str().unwrap_or_default()
}

fn format(entry: &Value) -> Format {
    let charset = match text(entry, "encoding") {
        "latin-1" => Charset::Latin1,
        "cp500" => Charset::Cp500,
        "cp037" => Charset::Cp037,
        other => panic!("encoding {other}"),
    };
    Format { layout: if text(entry, "layout") == "b1014" { Layout::Blocked } else { Layout::Plain }, charset }
}

fn ascii(bytes: &[u8]) -> String {
    latin1_to_string(bytes)
}

/// A record as the decoded files have it.
fn as_json(record: &Record) -> Value {
    let mut object = serde_json::Map::new();
    object.insert("MTI".into(), ascii(record.message_type()).into());
    for field in record.fields() {
        let raw = record.get(field).unwrap();
        let value = if field == de::CHIP { hex::encode(raw) } else { latin1_to_string(raw) };
        object.insert(format!("DE{field}"), value.into());
    }
    for (tag, value) in record.pds().unwrap().iter() {
        object.insert(format!("PDS{tag:04}"), latin1_to_string(value).into());
    }
    Value::Object(object)
}

fn check_counts(name: &str, entry: &Value, found: &Findings) {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut totals: BTreeMap<(String, String), (u64, i128)> = BTreeMap::new();
    for file in &found.files {
        for ((kind, function), count) in &file.counts {
            *counts.entry(format!("{}/{}", ascii(kind), ascii(function))).or_default() += count;
        }
        for (group, sum) in &file.totals {
            let key = format!("{}/{}/{}", ascii(&group.message_type), ascii(&group.function), ascii(&group.transaction_type));
            let total = totals.entry((format!("{:03}", group.currency), key)).or_default();
            (total.0, total.1) = (total.0 + sum.count, total.1 + sum.minor);
        }
    }
    assert_eq!(serde_json::to_value(&counts).unwrap(), entry["counts"], "{name}: counts");
    let mut stated = BTreeMap::new();
    for (currency, groups) in entry["totals_by_currency"].as_object().unwrap() {
        for (key, sum) in groups.as_object().unwrap() {
            let sum = (sum["count"].as_u64().unwrap(), i128::from(sum["sum_de4"].as_i64().unwrap()));
            stated.insert((currency.clone(), key.clone()), sum);
        }
    }
    assert_eq!(totals, stated, "{name}: totals");
    let ids: Vec<&str> = found.files.iter().map(|file| file.id.as_str()).collect();
    assert_eq!(serde_json::to_value(ids).unwrap(), entry["file_ids"], "{name}: file ids");
    let checksum: i128 = found.files.iter().map(|file| file.checksum).sum();
    assert_eq!(checksum, i128::from(entry["sum_de4_all_messages"].as_i64().unwrap()), "{name}: sum of DE4");
    assert_eq!(found.records, entry["records"].as_u64().unwrap(), "{name}: records");
}

/// Writes the file again out of its records. Header and trailer are the writer's own, private data is packed
/// anew, and each first or second presentment goes through its view where the view holds all of it.
fn write_again(bytes: &[u8], from: Format, to: Format) -> Vec<u8> {
    let mut reader = Reader::new(bytes, from);
    let mut writer = Writer::new(Vec::new(), to);
    let mut record = Record::new(b"0000");
    while reader.read(&mut record).unwrap() {
        match (record.message_type(), &record.function()) {
            (b"1644", b"697") => {
                let pds = record.pds().unwrap();
                let id = FileId::parse(pds.get(tag::FILE_ID).unwrap()).unwrap();
                writer.begin(id, Mode::parse(pds.get(tag::MODE).unwrap()).unwrap()).unwrap();
            }
            (b"1644", b"695") => drop(writer.end().unwrap()),
            _ => {
                let items: Vec<(u16, Vec<u8>)> = record.pds().unwrap().iter().map(|(tag, value)| (tag, value.to_vec())).collect();
                record.set_pds(items.iter().map(|(tag, value)| (*tag, value.as_slice()))).unwrap();
                writer.write(&mut record).unwrap();
            }
        }
    }
    writer.finish().unwrap()
}

#[test]
fn good_files_decode_as_their_manifest_says_and_are_written_again_byte_for_byte() {
    for directory in directories() {
        let (mut files, mut records, mut compared) = (0, 0, 0);
        for entry in manifest(&directory)["files"].as_array().unwrap() {
            let name = text(entry, "file");
            let bytes = fs::read(directory.join(name)).unwrap();
            assert_eq!(hex::encode(Sha256::digest(&bytes)), text(entry, "sha256"), "{name} is not the file of the manifest");
            let format = format(entry);
            let mut decoded = Vec::new();
            let keep = text(entry, "decoded").ends_with(".jsonl");
            let found = verify(bytes.as_slice(), format, &Rules::default(), |record| {
                if keep {
                    decoded.push(as_json(record));
                }
            });
            assert_eq!(found.verdict(), Verdict::Accept, "{name}: {:?}", found.faults);
            check_counts(name, entry, &found);
            if keep {
                let stated = fs::read_to_string(directory.join(text(entry, "decoded"))).unwrap();
                let stated: Vec<Value> = stated.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                assert_eq!(decoded, stated, "{name}");
                compared += decoded.len();
            }
            let plain = write_again(&bytes, format, Format { layout: Layout::Plain, ..format });
            assert_eq!(hex::encode(Sha256::digest(&plain)), text(entry, "unblocked_vbs_sha256"), "{name} written again");
            let again = write_again(&bytes, format, format);
            // Some writers add a block of fill behind a stream that ends with a block.
            assert_eq!(again, bytes.get(..again.len()).unwrap(), "{name} written again");
            assert!(bytes.get(again.len()..).unwrap().iter().all(|byte| *byte == 0x40));
            files += 1;
            records += found.records;
        }
        assert!(files > 0 && compared > 0);
        println!("{files} good files, {records} records, {compared} of them compared field by field");
    }
}

#[test]
fn damaged_files_are_refused_at_the_right_level() {
    for directory in directories() {
        let mut cases = 0;
        for entry in manifest(&directory)["malformed"].as_array().unwrap() {
            let name = text(entry, "file");
            let bytes = fs::read(directory.join(name)).unwrap();
            let found = verify(bytes.as_slice(), format(entry), &Rules::default(), |_| {});
            let expected = match text(entry, "expected") {
                "reject_file" => Verdict::RejectFile,
                "reject_record" => Verdict::RejectRecord,
                "accept_with_warning" => Verdict::AcceptWithWarning,
                other => panic!("{other}"),
            };
            assert_eq!(found.verdict(), expected, "{name} ({}): {:?}", text(entry, "reason"), found.faults);
            assert!(!found.faults.is_empty(), "{name} is refused without a reason");
            cases += 1;
        }
        assert!(cases > 0);
        println!("{cases} damaged files");
    }
}

#[test]
fn the_networks_files_of_the_reconciliation_case_are_sound() {
    let Some(root) = std::env::var_os("SWITCHYARD_VECTORS") else { return };
    let directory = Path::new(&root).join("clearing/recon3");
    let entries = manifest(&directory);
    let entries = entries["clearing"].as_array().unwrap();
    assert!(!entries.is_empty());
    for entry in entries {
        let bytes = fs::read(directory.join(text(entry, "file"))).unwrap();
        let length = u64::try_from(bytes.len()).unwrap();
        let format = Format::detect(&bytes, length).unwrap();
        assert_eq!(format, Format { layout: Layout::Blocked, charset: Charset::Cp500 });
        let mut presentments = 0;
        let found = verify(bytes.as_slice(), format, &Rules::default(), |record| {
            presentments += usize::from(Presentment::read(record).is_ok());
        });
        assert_eq!(found.verdict(), Verdict::Accept, "{:?}", found.faults);
        assert_eq!(found.files[0].id.as_str(), text(entry, "file_id"));
        assert_eq!(found.records, entry["messages"].as_u64().unwrap(), "{}", text(entry, "file"));
        assert_eq!(found.records, u64::try_from(presentments).unwrap() + 2, "every one is a presentment");
    }
}

#[test]
fn a_fault_names_record_field_and_offset() {
    let directory = &directories()[0].join("malformed");
    let fault = |name: &str| {
        let bytes = fs::read(directory.join(name)).unwrap();
        let format = Format { layout: Layout::Plain, charset: Charset::Latin1 };
        let fault = verify(bytes.as_slice(), format, &Rules::default(), |_| {}).faults.remove(0);
        (fault.to_string(), bytes[usize::try_from(fault.offset).unwrap()..].to_vec())
    };
    let (shown, at) = fault("de4_not_numeric.ipm");
    assert!(shown.contains("record 4") && shown.contains("DE4: not a digit"), "{shown}");
    assert!(at.starts_with(b"A4"));
    let (shown, at) = fault("pds_len_not_numeric.ipm");
    assert!(shown.contains("DE48, PDS0023"), "{shown}");
    assert!(at.starts_with(b" 03"));
    let (shown, at) = fault("ard_check_digit.ipm");
    assert!(shown.contains("record 2") && shown.contains("DE31"), "{shown}");
    assert!(at.starts_with(b"75412346"));
}

#[test]
fn every_cut_and_every_flipped_byte_is_answered_without_panic_and_no_cut_is_accepted() {
    let directory = &directories()[0];
    for (name, layout) in [("two_logical.ascii.vbs.ipm", Layout::Plain), ("s3.ebcdic.b1014.ipm", Layout::Blocked)] {
        let bytes = fs::read(directory.join(name)).unwrap();
        let charset = if layout == Layout::Plain { Charset::Latin1 } else { Charset::Cp500 };
        let format = Format { layout, charset };
        for cut in 0..bytes.len() {
            let found = verify(&bytes[..cut], format, &Rules::default(), |_| {});
            // Only the terminator may be missing, or a whole logical file at the end.
            let end = layout == Layout::Plain && (cut == bytes.len() - 4 || found.files.len() == 1);
            assert!(found.verdict() == Verdict::RejectFile || end, "{name} cut at {cut}: {:?}", found.faults);
        }
        let mut damaged = bytes.clone();
        for at in 0..damaged.len() {
            damaged[at] ^= 0x55;
            verify(damaged.as_slice(), format, &Rules::default(), |record| drop(Presentment::read(record)));
            damaged[at] ^= 0x55;
        }
    }
}

fn content(field: &files::ipm::Field) -> BoxedStrategy<Vec<u8>> {
    use files::ipm::{Content, Form};
    let (least, most) = match field.form {
        Form::Fixed(length) => (length, length),
        Form::Ll(most) => (0, most),
        Form::Lll(most) => (0, most.min(60)),
    };
    let byte = match field.content {
        Content::Digits => (b'0'..=b'9').boxed(),
        Content::Text | Content::Binary => any::<u8>().boxed(),
    };
    prop::collection::vec(byte, least..=most).boxed()
}

fn any_record() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    // Private data and the message number are made elsewhere.
    let fields = files::ipm::IPM.iter().filter(|field| !de::PRIVATE_FIELDS.contains(&field.number) && field.number != 71);
    let each: Vec<_> = fields
        .map(|field| {
            let number = field.number;
            prop::option::of(content(field)).prop_map(move |value| value.map(|value| (number, value)))
        })
        .collect();
    each.prop_map(|fields| fields.into_iter().flatten().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_and_written_again_the_same(
        records in prop::collection::vec((any_record(), prop::collection::btree_map(0u16..9999, "[ -~]{0,300}", 0..8)), 0..6),
        blocked: bool,
        charset in prop::sample::select(vec![Charset::Latin1, Charset::Cp500, Charset::Cp037]),
    ) {
        let format = Format { layout: if blocked { Layout::Blocked } else { Layout::Plain }, charset };
        let write = || {
            let mut writer = Writer::new(Vec::new(), format);
            writer.begin(FileId::build(b"002", b"261120", "12345", 1).unwrap(), Mode::Test).unwrap();
            for (fields, private) in &records {
                let mut record = Record::new(b"1240");
                for (number, value) in fields {
                    record.set(*number, value);
                }
                record.set_pds(private.iter().map(|(tag, value)| (*tag, value.as_bytes()))).unwrap();
                writer.write(&mut record).unwrap();
            }
            let totals = writer.end().unwrap();
            (writer.finish().unwrap(), totals)
        };
        let (bytes, totals) = write();
        prop_assert_eq!(&write().0, &bytes);
        let mut reader = Reader::new(bytes.as_slice(), format);
        let mut record = Record::new(b"0000");
        prop_assert!(reader.read(&mut record).unwrap());
        for (fields, private) in &records {
            prop_assert!(reader.read(&mut record).unwrap());
            for (number, value) in fields {
                prop_assert_eq!(record.get(*number), Some(value.as_slice()));
            }
            let pds = record.pds().unwrap();
            prop_assert_eq!(pds.iter().count(), private.len());
            for (tag, value) in private {
                prop_assert_eq!(pds.get(*tag), Some(value.as_bytes()));
            }
        }
        prop_assert!(reader.read(&mut record).unwrap());
        prop_assert!(!reader.read(&mut record).unwrap());
        prop_assert_eq!(u64::from(totals.messages), reader.record_number());
        prop_assert_eq!(&write_again(&bytes, format, format), &bytes);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), blocked: bool) {
        let layout = if blocked { Layout::Blocked } else { Layout::Plain };
        let found = verify(bytes.as_slice(), Format { layout, charset: Charset::Latin1 }, &Rules::default(), |_| {});
        prop_assert_eq!(found.verdict(), Verdict::RejectFile);
        files::fuzz::fuzz_ipm(&bytes);
        files::fuzz::fuzz_chip(&bytes);
    }
}
