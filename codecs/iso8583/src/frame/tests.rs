use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::*;

fn preset(name: &str) -> Framing {
    Preset::named(name).unwrap().framing
}

fn configured(text: &str) -> Result<Framing, String> {
    #[derive(serde::Deserialize, Debug)]
    struct Link {
        framing: Framing,
    }
    toml::from_str::<Link>(&format!("framing = {text}")).map(|link| link.framing).map_err(|error| error.message().to_owned())
}

/// Frames of a whole stream, and how it ended.
fn read(framing: Framing, wire: &[u8]) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut buffer = BytesMut::from(wire);
    let mut frames = Vec::new();
    loop {
        match framing.split(&mut buffer) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, framing.finish(&buffer)),
            Err(error) => return (frames, Err(error)),
        }
    }
}

fn error(framing: Framing, wire: &[u8]) -> FrameError {
    read(framing, wire).1.unwrap_err()
}

#[test]
fn each_preset_has_its_bytes_on_the_wire() {
    let wires: [(&str, &[u8]); 14] = [
        ("binary2", b"\x00\x040800"),
        ("binary2-inclusive", b"\x00\x060800"),
        ("binary2-little", b"\x04\x000800"),
        ("binary4", b"\x00\x00\x00\x040800"),
        ("binary4-inclusive", b"\x00\x00\x00\x080800"),
        ("ascii4", b"00040800"),
        ("ascii4-inclusive", b"00080800"),
        ("bcd2", b"\x00\x040800"),
        ("cs", b"\x00\x04\x00\x000800"),
        ("vap", b"\x00\x1A\x00\x00\x16\x01\x02\x00\x1A\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x000800"),
        ("nac", b"\x00\x09\x60\x00\x00\x00\x000800"),
        ("ncc", b"\x00\x09\x60\x00\x00\x00\x000800"),
        ("base24", b"\x00\x050800\x03"),
        ("stx-etx-lrc", b"\x020800\x03\x0B"),
    ];
    assert_eq!(wires.map(|(name, _)| name).as_slice(), Preset::all().iter().map(|preset| preset.name).collect::<Vec<_>>());
    for (name, wire) in wires {
        let framing = preset(name);
        let mut out = BytesMut::new();
        framing.write(framing.header().bytes(), b"0800", &mut out).unwrap();
        assert_eq!(out.as_ref(), wire, "{name}");
        let (frames, ended) = read(framing, wire);
        assert_eq!((frames.len(), ended), (1, Ok(())), "{name}");
        assert_eq!(frames[0].message, "0800", "{name}");
        assert_eq!(frames[0].header.len(), framing.header().bytes().len(), "{name}");
    }
}

#[test]
fn a_length_of_digits_counts_in_tens_and_hundreds() {
    let message = [b'x'; 1234];
    for (name, head) in
        [("ascii4", b"1234".as_slice()), ("bcd2", b"\x12\x34"), ("binary2", b"\x04\xD2"), ("binary2-little", b"\xD2\x04")]
    {
        let mut out = BytesMut::new();
        preset(name).write(&[], &message, &mut out).unwrap();
        assert!(out.starts_with(head), "{name}");
        assert_eq!(read(preset(name), &out).0[0].message, message.as_slice(), "{name}");
    }
}

#[test]
fn many_frames_of_one_read_come_out_in_order() {
    let mut buffer = BytesMut::from(b"\0\x040800\0\0\0\x040810\0\x09x".as_slice());
    assert_eq!(Framing::CARD.split(&mut buffer).unwrap().unwrap().message, "0800");
    assert_eq!(Framing::CARD.split(&mut buffer).unwrap().unwrap().message, "0810");
    assert_eq!(Framing::CARD.split(&mut buffer), Ok(None));
    assert_eq!(buffer.as_ref(), b"\0\x09x");
    assert_eq!(Framing::CARD.finish(&buffer), Err(FrameError::Incomplete { wanted: 11, got: 3 }));
}

#[test]
fn a_length_above_the_cap_reserves_nothing() {
    let mut buffer = BytesMut::from([0xFF; 4].as_slice());
    let before = buffer.capacity();
    let error = FrameError::TooLong { length: 0xFFFF_FFFF, cap: 65_536, digits: false };
    assert_eq!(Framing::BANK.split(&mut buffer), Err(error));
    assert_eq!((buffer.capacity(), buffer.len()), (before, 4));
}

#[test]
fn a_message_of_exactly_the_cap_passes_and_one_byte_more_does_not() {
    for preset in Preset::all() {
        let framing = preset.framing.with_cap(100);
        let header = framing.header().bytes();
        let mut wire = BytesMut::new();
        framing.write(header, &vec![b'x'; 100 - header.len()], &mut wire).unwrap();
        assert_eq!(wire.len(), framing.longest(), "{}", preset.name);
        let most = framing.cap();
        let error = framing.write(header, &vec![b'x'; 101 - header.len()], &mut wire).unwrap_err();
        assert_eq!(error, FrameError::TooLong { length: 101, cap: most, digits: false }, "{}", preset.name);
        assert_eq!(wire.len(), framing.longest(), "{}", preset.name);
        assert_eq!(read(framing, &wire).1, Ok(()), "{}", preset.name);
        let (_, ended) = read(framing.with_cap(99), &wire);
        assert_eq!(ended.unwrap_err().kind(), "too_long", "{}", preset.name);
    }
}

#[test]
fn ascii_digits_read_as_a_binary_length_are_pointed_out() {
    let error = error(Framing::CARD, b"00550800");
    assert_eq!(error, FrameError::TooLong { length: 0x3030, cap: 4096, digits: true });
    assert!(error.to_string().contains("ascii4"), "{error}");
}

#[test]
fn a_length_that_is_no_number_or_too_small_is_refused() {
    assert_eq!(error(preset("bcd2"), b"\x00\x3Axx"), FrameError::NotADigit { offset: 1 });
    assert_eq!(error(preset("bcd2"), b"\xA0\x30xx"), FrameError::NotADigit { offset: 0 });
    assert_eq!(error(preset("ascii4"), b"00 5xxxxx"), FrameError::NotADigit { offset: 2 });
    assert_eq!(error(preset("binary2-inclusive"), b"\0\x01x"), FrameError::LengthTooSmall { wanted: 2, got: 1 });
    let counted = configured(r#"{ length = "ascii", inclusive = true, trailer = 3 }"#).unwrap();
    assert_eq!(
        error(configured(r#"{ stx_etx_lrc = true }"#).unwrap(), b"\0\x02\x02\x03"),
        FrameError::LengthTooSmall { wanted: 3, got: 2 }
    );
    assert_eq!(read(counted, b"00090800\x03").0[0].message, "0800");
}

#[test]
fn a_frame_that_ends_inside_its_header_is_truncated_and_nobody_waits_for_it() {
    let truncated = FrameError::Truncated { offset: 2, wanted: 5, got: 3 };
    assert_eq!(error(preset("nac"), b"\0\x03\x60\0\x01"), truncated);
    assert_eq!(error(preset("nac"), b"\0\x03"), truncated);
    assert_eq!(error(preset("nac"), b"\0\x05\x60\0\x01\0\0"), FrameError::Empty);
}

#[test]
fn a_byte_that_every_frame_has_is_missed() {
    let desync = |offset, wanted| FrameError::Desync { offset, wanted };
    assert_eq!(error(preset("cs"), b"\0\x04\0\x010800"), desync(3, Mark::Filler));
    assert_eq!(error(preset("base24"), b"\0\x050800\x04"), desync(6, Mark::Trailer));
    assert_eq!(error(preset("stx-etx-lrc"), b"0800\x03\x0B"), desync(0, Mark::Stx));
    assert_eq!(error(preset("stx-etx-lrc"), b"\x020800\x03\x0A"), desync(6, Mark::Lrc));
    let both = configured(r#"{ stx_etx_lrc = true }"#).unwrap();
    assert_eq!(read(both, b"\0\x07\x020800\x03\x0B").0[0].message, "0800");
    assert_eq!(error(both, b"\0\x07\x010800\x03\x0B"), desync(2, Mark::Stx));
    assert_eq!(error(both, b"\0\x07\x020800\x04\x0B"), desync(7, Mark::Etx));
}

#[test]
fn what_ends_a_message_may_stand_inside_only_where_a_length_counts_it() {
    let mut wire = BytesMut::new();
    assert_eq!(preset("stx-etx-lrc").write(&[], b"ab\x03c", &mut wire), Err(FrameError::EndInside { offset: 2 }));
    assert!(wire.is_empty());
    preset("base24").write(&[], b"ab\x03c", &mut wire).unwrap();
    assert_eq!(read(preset("base24"), &wire).0[0].message, "ab\x03c");
    let ended = configured(r#"{ length = "none", trailer = 3 }"#).unwrap();
    assert_eq!(read(ended, b"ab\x03c\x03").0.len(), 2);
}

#[test]
fn frames_of_nothing_are_skipped_refused_or_delivered() {
    for preset in Preset::all() {
        let mut wire = BytesMut::new();
        preset.framing.write_keep_alive(&mut wire);
        let with = |zero_length| Framing { zero_length, ..preset.framing };
        assert_eq!(read(with(ZeroLength::KeepAlive), &wire), (vec![], Ok(())), "{}", preset.name);
        assert_eq!(error(with(ZeroLength::Error), &wire), FrameError::Empty, "{}", preset.name);
        let (frames, ended) = read(with(ZeroLength::Deliver), &wire);
        assert_eq!((frames.as_slice(), ended), ([Frame { header: Bytes::new(), message: Bytes::new() }].as_slice(), Ok(())));
        let mut again = BytesMut::new();
        with(ZeroLength::Deliver).write(&frames[0].header, &frames[0].message, &mut again).unwrap();
        assert_eq!(again, wire, "{}", preset.name);
        assert_eq!(preset.framing.write(preset.framing.header().bytes(), &[], &mut again), Err(FrameError::Empty));
    }
}

#[test]
fn an_answer_goes_back_to_the_address_it_came_from() {
    let (nac, vap) = (preset("nac"), preset("vap"));
    let frame = &read(nac, b"\0\x09\x60\x00\x01\x80\x020800").0[0];
    assert_eq!(nac.header().answer(&frame.header).as_ref(), b"\x60\x80\x02\x00\x01");
    let came = b"\x16\x01\x02\x00\x1ADDDSSS\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let answer = vap.header().answer(&Bytes::from_static(came));
    assert_eq!(answer.get(5..11), Some(b"SSSDDD".as_slice()));
    let mut wire = BytesMut::new();
    vap.write(&answer, b"081012", &mut wire).unwrap();
    assert_eq!(wire.get(..9), Some(b"\x00\x1C\x00\x00\x16\x01\x02\x00\x1C".as_slice()));
    assert_eq!(nac.write(&[], b"0810", &mut wire), Err(FrameError::WrongHeader { wanted: 5, got: 0 }));
}

#[test]
fn what_a_length_cannot_express_is_not_written() {
    let mut wire = BytesMut::new();
    let wide = |name| preset(name).with_cap(100_000);
    let too_long = |cap| Err(FrameError::TooLong { length: 70_000, cap, digits: false });
    assert_eq!(wide("binary2").write(&[], &[0; 70_000], &mut wire), too_long(65_535));
    assert_eq!(wide("binary2-inclusive").write(&[], &[0; 70_000], &mut wire), too_long(65_533));
    assert_eq!(wide("base24").write(&[], &[0; 70_000], &mut wire), too_long(65_534));
    assert_eq!(wide("bcd2").write(&[], &[0; 70_000], &mut wire), too_long(9_999));
    assert!(wire.is_empty());
    assert_eq!(wide("binary4").write(&[], &[0; 70_000], &mut wire), Ok(()));
}

#[test]
fn a_configured_framing_is_a_preset_or_what_differs_from_it() {
    assert_eq!(configured(r#""nac""#), Ok(preset("nac")));
    assert_eq!(configured("{}"), Ok(preset("binary2")));
    assert_eq!(configured(r#"{ length = "ascii" }"#), Ok(preset("ascii4")));
    assert_eq!(configured(r#"{ preset = "ascii4", length = "bcd" }"#), Ok(preset("bcd2")));
    assert_eq!(configured(r#"{ order = "little" }"#), Ok(preset("binary2-little")));
    assert_eq!(configured(r#"{ bytes = 4, inclusive = true }"#), Ok(preset("binary4-inclusive")));
    assert_eq!(configured(r#"{ filler = 2 }"#), Ok(preset("cs")));
    assert_eq!(configured(r#"{ trailer = 3 }"#), Ok(preset("base24")));
    assert_eq!(configured(r#"{ header = "6000000000", header_kind = "tpdu" }"#), Ok(preset("nac")));
    assert_eq!(configured(r#"{ preset = "nac", header = "" }"#), Ok(preset("binary2")));
    assert_eq!(configured(r#"{ length = "none", stx_etx_lrc = true, zero_length = "error" }"#), Ok(preset("stx-etx-lrc")));
    let uncounted = configured(r#"{ preset = "base24", trailer_counted = false }"#).unwrap();
    assert_eq!(read(uncounted, b"\0\x040800\x03").0[0].message, "0800");
    let six = configured(r#"{ length = "ascii", bytes = 6 }"#).unwrap();
    assert_eq!(read(six, b"0000040800").0[0].message, "0800");
}

#[test]
fn a_framing_that_cannot_be_says_what_is_wrong_and_what_would_be_right() {
    for (text, says) in [
        (r#""nack""#, "framing \"nack\" is not known; there are \"binary2\""),
        (r#"{ preset = "x" }"#, "framing \"x\" is not known"),
        (r#"{ bytes = 3 }"#, "a length in binary has 2 or 4 bytes, bytes is 3"),
        (r#"{ length = "ascii", bytes = 7 }"#, "1 to 6"),
        (r#"{ length = "bcd", bytes = 5 }"#, "1 to 4"),
        (r#"{ length = "bcd", order = "little" }"#, "order means nothing with length = \"bcd\""),
        (r#"{ length = "none", bytes = 2, trailer = 3 }"#, "bytes means nothing with length = \"none\""),
        (r#"{ length = "none" }"#, "must say where a message ends"),
        (r#"{ length = "none", trailer = 3, header = "60" }"#, "header means nothing with length = \"none\""),
        (r#"{ trailer = 3, stx_etx_lrc = true }"#, "exclude each other"),
        (r#"{ trailer_counted = true }"#, "needs a trailer"),
        (r#"{ filler = 9 }"#, "at most 8"),
        (r#"{ header = "6x" }"#, "hexadecimal"),
        (r#"{ preset = "nac", header = "6000" }"#, "header has 2 bytes, header_kind = \"tpdu\" has 5"),
        (r#"{ header_kind = "tpdu" }"#, "header_kind needs header"),
        (r#"{ lenght = "ascii" }"#, "unknown field `lenght`"),
        (r#"{ length = "hex" }"#, "unknown variant `hex`"),
        ("2", "the name of a framing or a table"),
    ] {
        let said = configured(text).unwrap_err();
        assert!(said.contains(says), "{text}: {said}");
    }
}

#[test]
fn neither_errors_nor_debug_show_what_was_in_a_frame() {
    let frames = read(preset("nac"), b"\0\x09\x60\0\0\0\x004111").0;
    assert_eq!(format!("{frames:?}"), "[Frame(5 bytes of header, 4 of message)]");
    assert_eq!(error(preset("ascii4"), b"4111 1111").to_string(), "4111 bytes in a frame, at most 4096 may be");
}

#[test]
fn the_page_about_framing_says_what_the_code_does() {
    let page = include_str!("../../../../docs/iso8583/framing.md");
    let rows: Vec<Vec<&str>> = page.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    let named = |row: &&Vec<&str>| row.get(1).and_then(|cell| Preset::named(cell.trim_matches('`'))).is_some();
    let (hex, about): (Vec<_>, Vec<_>) = rows.iter().filter(named).partition(|row| row[2].starts_with('`'));
    let presets: Vec<_> = Preset::all().iter().map(|preset| vec![preset.name.to_owned(), preset.about.to_owned()]).collect();
    let told: Vec<_> = about.iter().map(|row| vec![row[1].trim_matches('`').to_owned(), row[2].to_owned()]).collect();
    assert_eq!(told, presets);
    assert!(hex.len() >= 5);
    for row in hex {
        let wire = hex::decode(row[2].replace(['`', ' '], "")).unwrap();
        let frames = read(preset(row[1].trim_matches('`')), &wire);
        assert_eq!((frames.0[0].message.as_ref(), frames.1), (b"0800".as_slice(), Ok(())), "{row:?}");
    }
    let written: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("framing = ")).collect();
    assert!(written.len() >= 5);
    for text in written {
        configured(text).unwrap();
    }
    for kind in ["too_long", "bad_length", "truncated", "desync", "incomplete"] {
        assert!(rows.iter().any(|row| row.get(1) == Some(&format!("`{kind}`").as_str())), "{kind}");
    }
}

/// A preset, messages that it can carry, keep-alives between them where it has them.
fn stream() -> impl Strategy<Value = (Framing, Vec<Vec<u8>>)> {
    let byte = any::<u8>().prop_map(|byte| if byte == ETX { b'x' } else { byte });
    let message = proptest::collection::vec(byte, 0..60);
    (0..Preset::all().len(), proptest::collection::vec(message, 0..8))
        .prop_map(|(at, messages)| (Preset::all()[at].framing.with_cap(100), messages))
}

proptest! {
    #[test]
    fn any_chunks_of_a_stream_give_the_same_messages((framing, messages) in stream(), cuts in proptest::collection::vec(1..40usize, 1..200)) {
        let mut wire = BytesMut::new();
        for message in &messages {
            if !message.is_empty() {
                framing.write(framing.header().bytes(), message, &mut wire).unwrap();
            } else if framing.zero_length == ZeroLength::KeepAlive {
                framing.write_keep_alive(&mut wire);
            }
        }
        let (mut buffer, mut got) = (BytesMut::new(), Vec::new());
        let mut cuts = cuts.into_iter().cycle();
        while !wire.is_empty() {
            let chunk = wire.split_to(cuts.next().unwrap().min(wire.len()));
            buffer.put_slice(&chunk);
            while let Some(frame) = framing.split(&mut buffer).unwrap() {
                got.push(frame.message.to_vec());
            }
            prop_assert!(buffer.len() < framing.longest());
        }
        prop_assert_eq!(framing.finish(&buffer), Ok(()));
        let sent: Vec<_> = messages.into_iter().filter(|message| !message.is_empty()).collect();
        prop_assert_eq!(got, sent);
    }

    #[test]
    fn whatever_comes_one_byte_at_a_time_is_a_frame_or_a_typed_error_in_bounded_room(at in 0..Preset::all().len(), input in proptest::collection::vec(any::<u8>(), 0..600)) {
        let framing = Preset::all()[at].framing.with_cap(128);
        let whole = read(framing, &input);
        let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
        let mut ended = Ok(());
        'stream: for byte in input {
            buffer.put_u8(byte);
            loop {
                match framing.split(&mut buffer) {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => { ended = Err(error); break 'stream; }
                }
            }
            prop_assert!(buffer.len() < framing.longest() && buffer.capacity() <= 4 * framing.longest(), "{}", buffer.capacity());
        }
        let ended = ended.and_then(|()| framing.finish(&buffer));
        prop_assert_eq!((frames, ended), whole);
    }
}
