//! On the port of instructing parties: envelopes that attack a parser.

use super::wire::{Peer, Seen};
use super::{Target, nothing_is_left, while_paying};

#[test]
fn xml_that_attacks_its_reader_is_refused_and_nobody_else_notices() {
    let target = Target::start("xml");
    let rejected_before = target.metric("switchyard_requests_rejected_total");
    let name = "n".repeat(30_000);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("not XML", b"0200".to_vec()),
        ("nothing but a root", b"<BizMsgEnvlp xmlns=\"urn:swift:xsd:envelope\"/>".to_vec()),
        ("an entity bomb", bomb()),
        ("an external entity", b"<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>".to_vec()),
        ("a processing instruction", b"<?xml-stylesheet href=\"http://127.0.0.1/\"?><a/>".to_vec()),
        ("a name of 30,000 bytes", format!("<{name}></{name}>").into_bytes()),
        ("10,000 elements deep", "<a>".repeat(10_000).into_bytes()),
        ("10,000 elements wide", format!("<a>{}</a>", "<b/>".repeat(10_000)).into_bytes()),
        ("10,000 attributes", format!("<a {}/>", (0..5_000).map(|n| format!("a{n}=\"\" ")).collect::<String>()).into_bytes()),
        ("bytes that are no UTF-8", b"<a>\xC3\x28</a>".to_vec()),
        ("UTF-16", "<a/>".encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("a NUL", b"<a>\0</a>".to_vec()),
        ("an end without a beginning", b"</a>".to_vec()),
        ("text of 60,000 bytes", format!("<a>{}</a>", "x".repeat(60_000)).into_bytes()),
    ];
    let count = cases.len();
    let approved = while_paying(&target, || {
        for (name, bytes) in cases {
            let mut peer = Peer::connect(&target.party, 4);
            let seen = peer.ask(&bytes);
            let refused = match &seen {
                Seen::Closed => true,
                Seen::Bytes(answer) => String::from_utf8_lossy(answer).contains("RJCT"),
                Seen::Code(_) => false,
            };
            assert!(refused, "{name}: {seen:?}");
            target.bounds_hold();
        }
        for (name, header) in [("4 GB announced", [0xFF; 4]), ("a megabyte announced", [0, 0x10, 0, 0])] {
            let mut peer = Peer::connect(&target.party, 4);
            peer.raw(&header);
            assert_eq!(peer.hear(), Seen::Closed, "{name}");
        }
        let mut peer = Peer::connect(&target.party, 4);
        peer.raw(&[0, 0, 0x10, 0, b'<']);
        assert_eq!(peer.hear(), Seen::Closed, "an envelope that never comes");
    });
    assert!(approved > 10, "{approved} payments meanwhile");
    assert!(target.metric("switchyard_requests_rejected_total") >= rejected_before + count as f64);
    nothing_is_left(target);
}

/// Nine times ten entities of the one before.
fn bomb() -> Vec<u8> {
    let mut text = "<!DOCTYPE a [<!ENTITY e0 \"ha\">".to_owned();
    for level in 1..10 {
        text += &format!("<!ENTITY e{level} \"{}\">", format!("&e{};", level - 1).repeat(10));
    }
    (text + "]><a>&e9;</a>").into_bytes()
}
