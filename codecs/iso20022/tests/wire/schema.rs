//! libxml2's `xmllint` must be in PATH (Debian package libxml2-utils).

use std::path::{Path, PathBuf};
use std::process::Command;

use iso20022::{Document, Envelope, write, write_document};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::roundtrip::envelope;

fn schema(definition: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/xsd").join(format!("{definition}.xsd"))
}

/// Validates files against a schema in one run of xmllint.
fn xmllint(definition: &str, files: &[PathBuf]) -> Result<(), String> {
    let mut command = Command::new("xmllint");
    command.args(["--nonet", "--noout", "--schema"]).arg(schema(definition)).args(files);
    let output = command.output().expect("xmllint in PATH (package libxml2-utils)");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The part of an envelope that a schema of its own describes.
fn header_of(bytes: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    let end = "</AppHdr>";
    let (start, end) = (text.find("<AppHdr").unwrap(), text.find(end).unwrap() + end.len());
    bytes[start..end].to_vec()
}

#[test]
fn what_is_written_is_valid_by_the_schemas_of_iso_20022() {
    let folder = std::env::temp_dir().join(format!("switchyard-iso20022-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut runner = TestRunner::deterministic();
    let mut files: Vec<(&'static str, PathBuf)> = Vec::new();
    for number in 0..400 {
        let envelope: Envelope = envelope().new_tree(&mut runner).unwrap().current();
        let definition = envelope.document.definition().unwrap();
        let (document, header) = (folder.join(format!("{number}.xml")), folder.join(format!("{number}.header.xml")));
        std::fs::write(&document, write_document(&envelope.document)).unwrap();
        std::fs::write(&header, header_of(&write(&envelope))).unwrap();
        files.push((definition, document));
        files.push(("head.001.001.02", header));
    }
    for definition in ["head.001.001.02", iso20022::PACS_008, iso20022::PACS_002, iso20022::PACS_028] {
        let of: Vec<PathBuf> = files.iter().filter(|(name, _)| *name == definition).map(|(_, file)| file.clone()).collect();
        assert!(of.len() > 50, "{definition}: only {} files", of.len());
        xmllint(definition, &of).unwrap();
    }
    // The check itself can fail: an invalid file is told.
    let wrong = folder.join("wrong.xml");
    let bytes = write_document(&Document::Unknown { namespace: "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08".into() });
    std::fs::write(&wrong, bytes).unwrap();
    xmllint(iso20022::PACS_008, &[wrong]).unwrap_err();
    std::fs::remove_dir_all(&folder).unwrap();
}
