//! On the port of terminals: lengths, halves, slowness, and every field that can lie.

use std::io::Write;
use std::time::Duration;

use super::wire::{Fields, Peer, Seen, message};
use super::{CONNECTIONS, IN_FLIGHT, Target, among, nothing_is_left, reset, while_paying};

#[test]
fn broken_frames_are_closed_at_once_or_at_their_deadline_and_nobody_else_notices() {
    let target = Target::start("frames");
    let key = target.key("TERM0001");
    let good = |stan| message("0200", &target.purchase(stan, 900_000 + stan, 1_000), Some(&key));
    let closed_before = target.metric("switchyard_connections_closed_total");
    let mut closed = 0.0;
    let approved = while_paying(&target, || {
        let mut end = |name: &str, mut peer: Peer| {
            assert_eq!(peer.hear(), Seen::Closed, "{name}");
            closed += 1.0;
            target.bounds_hold();
        };
        // A keep-alive is not answered, and does no harm.
        let mut peer = target.terminal();
        peer.raw(&[0, 0, 0, 0]);
        assert_eq!(peer.ask(&good(1)), Seen::Code("00".to_owned()));

        let whole = peer.framed(&good(2));
        for (name, bytes) in [
            ("length 1", vec![0, 1, b'0']),
            ("length 65535", vec![0xFF, 0xFF]),
            ("length above the cap", vec![0x10, 0x01, b'0', b'2']),
            ("half a header, then silence", vec![0]),
            ("a header, then silence", vec![0x01, 0x00]),
            ("half a frame, then silence", whole[..whole.len() / 2].to_vec()),
            ("garbage", vec![0, 40].into_iter().chain((0..40u8).map(|n| n.wrapping_mul(7))).collect()),
            ("a TLS ClientHello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
            ("an HTTP request", b"GET / HTTP/1.1\r\nHost: switch\r\n\r\n".to_vec()),
        ] {
            let mut peer = target.terminal();
            peer.raw(&bytes);
            end(name, peer);
        }
        // The end of the stream in the middle of a frame.
        let mut peer = target.terminal();
        peer.raw(&whole[..20]);
        peer.stream().shutdown(std::net::Shutdown::Write).expect("a socket can be shut down");
        end("FIN in the middle", peer);
        // Two frames glued, the second cut: the first is answered.
        let mut peer = target.terminal();
        peer.raw(&[whole.clone(), whole[..9].to_vec()].concat());
        assert_eq!(peer.hear(), Seen::Code("00".to_owned()));
        end("the second of two cut", peer);
        // Byte by byte is slow, not wrong.
        let mut peer = target.terminal();
        for byte in peer.framed(&good(3)) {
            peer.raw(&[byte]);
        }
        assert_eq!(peer.hear(), Seen::Code("00".to_owned()));
        drop(peer);
        // A drip: each byte comes in time, the frame never does.
        let mut peer = target.terminal();
        peer.raw(&[0x01, 0x00]);
        let ended = (0..100).any(|_| !peer.raw(b"0") || peer.closed_within(Duration::from_millis(100)));
        assert!(ended, "a drip kept its connection for 10 s");
        closed += 1.0;
        // Resets in the middle of a frame.
        for _ in 0..20 {
            let mut peer = target.terminal();
            peer.raw(&whole[..30]);
            reset(peer.stream());
            closed += 1.0;
        }
    });
    assert!(approved > 10, "{approved} payments meanwhile");
    crate::lab::until("every connection to be counted", || {
        target.metric("switchyard_connections_closed_total") >= closed_before + closed
    });
    nothing_is_left(target);
}

#[test]
fn a_peer_that_sends_and_does_not_read_is_closed_and_holds_no_more_than_its_bounds() {
    let target = Target::start("unread");
    let approved = while_paying(&target, || {
        let peer = target.terminal();
        // Answered with 30, each of them, and nobody reads that.
        let frame = peer.framed(b"02000020000000000000000042").repeat(100);
        let mut sent = 0usize;
        let ended = (0..20_000).any(|_| {
            sent += frame.len();
            peer.stream().write_all(&frame).is_err()
        });
        assert!(ended, "{sent} bytes were taken from a peer that does not read");
        target.bounds_hold();
        assert!(target.metric("switchyard_writes_stalled_total") >= 1.0);
        // More connections than there are places: the rest waits outside, and those inside are served.
        let idle: Vec<Peer> = (0..CONNECTIONS * 3).map(|_| target.terminal()).collect();
        target.bounds_hold();
        drop(idle);
        let mut peer = target.terminal();
        let message = message("0200", &target.purchase(1, 800_001, 1_000), Some(&target.key("TERM0001")));
        assert_eq!(peer.ask(&message), Seen::Code("00".to_owned()));
    });
    assert!(approved > 10, "{approved} payments meanwhile");
    nothing_is_left(target);
}

/// A case: its name, the message, what may come back.
type Case = (&'static str, Vec<u8>, &'static str);

#[test]
fn messages_that_lie_are_refused_or_closed_and_counted() {
    let target = Target::start("messages");
    let rejected_before = target.metric("switchyard_requests_rejected_total");
    let (mut refused, mut wrong) = (0.0, Vec::new());
    let approved = while_paying(&target, || {
        for (name, bytes, wanted) in cases(&target) {
            let seen = target.terminal().ask(&bytes);
            println!("{name}: {seen:?}");
            if !among(&seen, wanted) {
                wrong.push(format!("{name}: {seen:?}, not {wanted}"));
            }
            refused += f64::from(u8::from(among(&seen, "30|63|closed")));
            target.bounds_hold();
        }
    });
    assert_eq!(wrong, Vec::<String>::new());
    assert!(approved > 10, "{approved} payments meanwhile");
    assert!(target.metric("switchyard_requests_rejected_total") >= rejected_before + refused);
    nothing_is_left(target);
}

fn cases(target: &Target) -> Vec<Case> {
    let key = target.key("TERM0001");
    let mut stan = 700_000;
    let mut with = |change: &dyn Fn(&mut Fields)| {
        stan += 1;
        let mut fields = target.purchase(stan, stan, 1_000);
        change(&mut fields);
        fields
    };
    let put = |number: u8, bytes: &[u8]| {
        let bytes = bytes.to_vec();
        move |fields: &mut Fields| drop(fields.insert(number, bytes.clone()))
    };
    let plain = with(&|_| {});
    let right = message("0200", &plain, Some(&key));
    let body = &right[20..];
    let bitmap = |bits: &str| [b"0200", bits.as_bytes(), body].concat();
    let mut cases: Vec<Case> = vec![
        ("MTI of letters", [b"02A0", &right[4..]].concat(), "closed|30"),
        ("an answer that nobody asked for", message("0110", &plain, Some(&key)), "closed|30"),
        ("MTI 9999", [b"9999", &right[4..]].concat(), "closed|30"),
        ("an MTI alone", b"0200".to_vec(), "closed"),
        ("bitmap of all ones", bitmap(&"F".repeat(16)), "closed|30"),
        ("two bitmaps of all ones", bitmap(&"F".repeat(32)), "closed|30"),
        ("bitmap of zeros", b"02000000000000000000".to_vec(), "closed|30"),
        ("bitmap of letters", bitmap("GHIJKLMNOPQRSTUV"), "closed|30"),
        ("a secondary bitmap that is not there", b"02008000000000000000".to_vec(), "closed|30"),
        ("a third bitmap", [&b"0200800000000000000080000000000000"[..], b"00"].concat(), "closed|30"),
        ("EBCDIC", right.iter().map(|byte| if byte.is_ascii_digit() { byte + 0xC0 } else { *byte }).collect(), "closed"),
        ("bytes behind the last field", [&right[..], b"0000"].concat(), "30"),
    ];
    let fields: [(&'static str, u8, Vec<u8>, &'static str); 24] = [
        ("a length of 99 with ten left", 2, b"991234567890".to_vec(), "closed|30"),
        ("a length of letters", 2, b"AB1234567890".to_vec(), "closed|30"),
        ("a negative length", 2, b"-1541333000000".to_vec(), "closed|30"),
        ("a length of blanks", 2, b"  541333000000".to_vec(), "closed|30"),
        ("a PAN without digits", 2, b"00".to_vec(), "closed|30"),
        ("a PAN of 11 digits", 2, b"1154133300000".to_vec(), "14|30"),
        ("a PAN of 20 digits", 2, b"2054133300000000000000".to_vec(), "closed|30"),
        ("a PAN of letters", 2, b"16541333ABCDEFGHIJ".to_vec(), "closed|30"),
        ("a PAN with a wrong check digit", 2, b"165413330000000001".to_vec(), "14|30"),
        ("an amount of letters", 4, b"00000000A000".to_vec(), "30"),
        ("an amount that is too large for any rule", 4, b"999999999999".to_vec(), "61|30"),
        ("a date in February that never was", 13, b"0230".to_vec(), "30"),
        ("a time past midnight", 12, b"250000".to_vec(), "30"),
        ("month 13", 7, b"1332000000".to_vec(), "30"),
        ("an expiry in month 99", 14, b"4999".to_vec(), "30"),
        ("STAN 000000", 11, b"000000".to_vec(), "closed"),
        ("a currency that is none", 49, b"000".to_vec(), "30|12|57|61|94"),
        ("a length of 999 with less left", 55, b"999\x9F\x26".to_vec(), "closed|30"),
        ("a data object of 4 GB", 55, b"012\x9F\x26\x84\xFF\xFF\xFF\xFF\0\0\0\0\0".to_vec(), "30"),
        ("indefinite length", 55, b"006\xE1\x80\x9F\x26\0\0".to_vec(), "30"),
        ("a data object cut in its tag", 55, b"001\x9F".to_vec(), "30"),
        ("a tag without an end", 55, [&b"255\x9F"[..], &[0xFF; 254]].concat(), "30"),
        ("a data object in a data object, 127 deep", 55, nested(), "00|30"),
        ("another institution", 32, b"1100000000099".to_vec(), "63"),
    ];
    for (name, number, bytes, wanted) in fields {
        cases.push((name, message("0200", &with(&put(number, &bytes)), Some(&key)), wanted));
    }
    let other = with(&put(42, format!("{:<15}", "M0002").as_bytes()));
    cases.push(("a terminal of another merchant", message("0200", &other, Some(&key)), "03|58|63|30"));
    cases.push(("a terminal that nobody knows", message("0200", &with(&put(41, b"NOBODY01")), Some(&key)), "63"));
    cases.push(("a MAC of another terminal", message("0200", &with(&|_| {}), Some(&target.key("TERM0002"))), "63"));
    cases.push(("no MAC", message("0200", &with(&|_| {}), None), "63|30"));
    // Log injection, SQL and a formula: cosmetic text must not decline money, and must not reach a log.
    for text in ["\u{1b}[2J\r\n{\"level\":\"ERROR\"}", "'; DROP TABLE ledger.payment; --", "=HYPERLINK(\"http://x\")"] {
        cases.push((
            "an evil name in DE43",
            message("0200", &with(&put(43, format!("{text:<40}").as_bytes())), Some(&key)),
            "00|30",
        ));
    }
    let reversal = |stan: u32, original: &str| {
        let mut fields = target.purchase(9, stan, 1_000);
        [14, 22, 25, 43, 60].iter().for_each(|number| drop(fields.remove(number)));
        fields.insert(90, original.as_bytes().to_vec());
        message("0400", &fields, Some(&key))
    };
    cases.extend([
        ("a reversal of itself", reversal(790_000, &format!("0400790000{:0>32}", 0)), "12"),
        (
            "a reversal of another acquirer's",
            reversal(790_001, &format!("0200000001112110111200000000099{:0>11}", 0)),
            "30|25|63",
        ),
        ("a reversal of letters", reversal(790_002, &"X".repeat(42)), "30"),
        (
            "key change by nobody",
            message("0800", &[(7, b"1121101112".to_vec()), (11, b"000001".to_vec()), (70, b"161".to_vec())].into(), None),
            "30|12|40|58|57|00",
        ),
    ]);
    cases
}

/// As deep as a DE55 has room.
fn nested() -> Vec<u8> {
    let mut inner = Vec::new();
    while inner.len() < 120 {
        inner = [vec![0xE1, u8::try_from(inner.len()).expect("short")], inner].concat();
    }
    [format!("{:03}", inner.len()).into_bytes(), inner].concat()
}

#[test]
fn one_request_three_hundred_times_is_one_payment_and_every_copy_is_answered() {
    let target = Target::start("copies");
    let key = target.key("TERM0001");
    let approved = while_paying(&target, || {
        for (amount, wanted) in [(1_091, "68|91|96"), (1_000, "00|96")] {
            // The issuer is silent about the first: every copy waits until the deadline.
            let first = message("0200", &target.purchase(5, 600_000, amount), Some(&key));
            let mut peer = target.terminal();
            let all = peer.framed(&first).repeat(300);
            peer.raw(&all);
            let seen: Vec<Seen> = (0..300).map(|_| peer.hear()).collect();
            assert!(seen.iter().all(|seen| among(seen, wanted)), "{amount}: {seen:?}");
            target.bounds_hold();
        }
        // The same claim with another amount is another matter.
        let mut peer = target.terminal();
        let changed = message("0200", &target.purchase(5, 600_000, 2_000), Some(&key));
        assert!(matches!(peer.ask(&changed), Seen::Code(_)));
    });
    assert!(approved > 10, "{approved} payments meanwhile; {IN_FLIGHT} in flight");
    nothing_is_left(target);
}
