//! Golden messages and refusals, over the shipped ASCII dialect.

use bytes::Bytes;

use crate::*;

fn spec() -> std::sync::Arc<Spec> {
    Spec::shipped("iso87-ascii").unwrap()
}

/// A purchase with every kind of field: 0200 with PIN block and EMV data.
fn purchase() -> Message {
    let mut message = Message::new("0200");
    message
        .set(2, "4761739001010119")
        .set(3, "000000")
        .set(4, "000000012345")
        .set(7, "0715143059")
        .set(11, "123456")
        .set(12, "143059")
        .set(13, "0715")
        .set(14, "2712")
        .set(18, "5411")
        .set(22, "051")
        .set(25, "00")
        .set(32, "12345678")
        .set(35, "4761739001010119=27122011234567890")
        .set(41, "TERM1")
        .set(42, "MERCHANT0000001")
        .set(43, "ACME STORE 042          MONTEVIDEO   UYU")
        .set(49, "858")
        .set(52, [0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18])
        .set(55, hex::decode("9F2608AABBCCDD112233449F270180950500000080009F3704DEADBEEF").unwrap());
    message
}

const WIRE: &str = "0200723C448120E09200164761739001010119000000000000012345071514305912345614305907152712541105100\
                    08123456783447617390010101 19=27122011234567890";

fn wire() -> Vec<u8> {
    let mut wire: Vec<u8> = WIRE.bytes().filter(|byte| *byte != b' ').collect();
    wire.extend_from_slice(b"TERM1   MERCHANT0000001ACME STORE 042          MONTEVIDEO   UYU858A1B2C3D4E5F60718029");
    wire.extend_from_slice(&hex::decode("9F2608AABBCCDD112233449F270180950500000080009F3704DEADBEEF").unwrap());
    wire
}

fn refusal(wire: Vec<u8>) -> (Kind, Place, usize) {
    let error = spec().decode(Bytes::from(wire)).unwrap_err();
    (error.kind, error.place, error.offset)
}

#[test]
fn a_purchase_is_written_and_read_byte_for_byte() {
    assert_eq!(spec().encode(&purchase()).map(Bytes::from), Ok(Bytes::from(wire())));
    let read = spec().decode(Bytes::from(wire())).unwrap();
    assert_eq!(read, purchase());
    assert_eq!(read.str(41), Some("TERM1"));
    assert_eq!(read.get(52), Some([0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6, 0x07, 0x18].as_slice()));
    assert_eq!(read.mac_range(), None);
}

#[test]
fn plain_fields_are_slices_of_the_frame() {
    let frame = Bytes::from(wire());
    let read = spec().decode(frame.clone()).unwrap();
    assert!(frame.as_ptr_range().contains(&read.get(2).unwrap().as_ptr()));
}

#[test]
fn every_fault_is_named_with_kind_field_and_offset() {
    let with = |at: usize, byte: u8| {
        let mut wire = wire();
        wire[at] = byte;
        wire
    };
    let cut = |length: usize| wire()[..length].to_vec();
    assert_eq!(refusal(with(2, b'O')), (Kind::NonDigit, Place::Mti, 2));
    assert_eq!(refusal(with(4, b'G')), (Kind::BadBitmap, Place::Bitmap, 4));
    assert_eq!(refusal(with(20, b'X')), (Kind::BadLength, Place::Field(2), 20));
    assert_eq!(refusal(with(20, b'2')), (Kind::TooLong, Place::Field(2), 20));
    assert_eq!(refusal(with(47, b'x')), (Kind::NonDigit, Place::Field(4), 47));
    assert_eq!(refusal(with(58, b'4')), (Kind::BadDate, Place::Field(7), 58));
    assert_eq!(refusal(cut(3)), (Kind::Truncated, Place::Mti, 0));
    assert_eq!(refusal(cut(10)), (Kind::Truncated, Place::Bitmap, 4));
    assert_eq!(refusal(cut(21)), (Kind::Truncated, Place::Field(2), 20));
    assert_eq!(refusal(cut(22)), (Kind::Truncated, Place::Field(2), 22));
    assert_eq!(refusal(cut(30)), (Kind::Truncated, Place::Field(2), 22));
    let pin = wire().windows(4).position(|bytes| bytes == b"A1B2").unwrap();
    assert_eq!(refusal(with(pin + 3, b'Z')), (Kind::BadHex, Place::Field(52), pin + 3));
    assert_eq!(refusal(with(pin + 16, b'1')), (Kind::Truncated, Place::Field(55), pin + 19));
    assert_eq!(refusal(with(pin + 19 + 13, 0x82)), (Kind::TlvValueOverrun, Place::Field(55), pin + 19 + 16));
    let mut trailing = wire();
    trailing.push(b'0');
    assert_eq!(refusal(trailing), (Kind::Trailing, Place::End, wire().len()));
    assert_eq!(refusal(b"0800822000000000000004".to_vec()), (Kind::Truncated, Place::SecondBitmap, 20));
}

#[test]
fn an_undefined_field_is_named() {
    let text = "name = \"x\"\nmti = \"ascii\"\nbitmap = \"binary\"\n[fields]\n3 = { name = \"a\", content = \"n\", length = 6 }";
    let spec = Spec::from_toml(text).unwrap();
    let error = spec.decode(Bytes::from_static(b"0100\x30\0\0\0\0\0\0\x00000000")).unwrap_err();
    assert_eq!((error.kind, error.field(), error.offset), (Kind::UndefinedField, Some(4), 18));
    let mut message = Message::new("0100");
    message.set(4, "1");
    assert_eq!(spec.encode(&message).unwrap_err().kind, Kind::UndefinedField);
}

#[test]
fn a_fault_of_content_leaves_the_fields_on_both_sides_readable() {
    let mut wire = wire();
    wire[30] = b'x';
    let error = spec().decode(Bytes::from(wire)).unwrap_err();
    assert_eq!((error.kind, error.field(), error.offset), (Kind::NonDigit, Some(2), 30));
    assert_eq!(error.partial.mti(), "0200");
    assert_eq!(error.partial.get(2), None);
    assert_eq!(error.partial.str(11), Some("123456"));
    assert_eq!(error.partial.str(41), Some("TERM1"));
}

#[test]
fn a_noted_fault_does_not_refuse_the_message() {
    let mut message = Message::new("0200");
    message.set(43, b"CAF\xC9 CENTRAL");
    let wire = spec().encode(&message).unwrap();
    let read = spec().decode(Bytes::from(wire)).unwrap();
    assert_eq!(read.notes().iter().map(|note| (note.kind, note.field)).collect::<Vec<_>>(), [(Kind::BadChar, 43)]);
    assert_eq!(read.get(43), Some(b"CAF\xC9 CENTRAL".as_slice()));
}

#[test]
fn encoding_refuses_what_decoding_would() {
    let refused = |number: u8, content: &[u8]| {
        let mut message = Message::new("0200");
        message.set(number, content);
        spec().encode(&message).map_err(|error| (error.kind, error.place, error.offset)).unwrap_err()
    };
    assert_eq!(refused(2, b"47617390010101x9"), (Kind::NonDigit, Place::Field(2), 14));
    assert_eq!(refused(2, b"47617390010101191234"), (Kind::TooLong, Place::Field(2), 0));
    assert_eq!(refused(52, &[1, 2, 3]), (Kind::BadLength, Place::Field(52), 0));
    assert_eq!(refused(55, &[0x9F]), (Kind::TlvTruncatedTag, Place::Field(55), 0));
    assert_eq!(refused(28, b"+00000100"), (Kind::BadSign, Place::Field(28), 0));
    assert_eq!(refused(1, b""), (Kind::UndefinedField, Place::Field(1), 0));
    assert_eq!(refused(200, b""), (Kind::UndefinedField, Place::Field(200), 0));
    assert_eq!(spec().encode(&Message::new("02x0")).unwrap_err().place, Place::Mti);
    assert_eq!(spec().encode(&Message::new("020")).unwrap_err().place, Place::Mti);
}

#[test]
fn a_refused_message_leaves_the_buffer_as_it_was() {
    let mut message = Message::new("0200");
    message.set(3, "000000").set(4, "12x");
    let mut out = b"before".to_vec();
    assert!(spec().encode_into(&message, &mut out).is_err());
    assert_eq!(out, b"before");
}

#[test]
fn short_numbers_and_texts_are_filled() {
    let mut message = Message::new("0200");
    message.set(4, "100").set(41, "T1").set(44, "");
    let wire = spec().encode(&message).unwrap();
    assert_eq!(wire, b"02001000000000900000000000000100T1      00");
    assert_eq!(spec().decode(Bytes::from(wire)).unwrap().str(44), Some(""));
}

#[test]
fn the_mac_covers_everything_before_it_and_stands_last() {
    for (number, mac_field) in [(49, 64), (90, 128)] {
        let mut message = Message::new("0400");
        message.set(11, "000001").set(number, if number == 90 { "0".repeat(42) } else { "978".to_owned() });
        let mut covered = Vec::new();
        let wire = spec()
            .encode_with_mac(&message, |bytes| {
                covered = bytes.to_vec();
                *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF"
            })
            .unwrap();
        assert!(wire.ends_with(b"0123456789ABCDEF"));
        let read = spec().decode(Bytes::from(wire)).unwrap();
        assert!(read.has(mac_field));
        assert_eq!(read.mac_range(), Some(0..covered.len()));
        let (bytes, mac) = read.mac().unwrap();
        assert_eq!((bytes.as_ref(), mac), (covered.as_slice(), b"\x01\x23\x45\x67\x89\xAB\xCD\xEF".as_slice()));
        // Read, changed, signed again: the old MAC is not used.
        let again = spec().encode_for_mac(&read).unwrap();
        assert_eq!(again.bytes(), covered);
    }
}

#[test]
fn an_old_mac_is_not_announced_when_the_message_grows_a_second_bitmap() {
    let mut message = Message::new("0800");
    message.set(11, "000001").set(64, [0; 8]).set(70, "301");
    let wire = spec().encode_with_mac(&message, |_| [0xFF; 8]).unwrap();
    let read = spec().decode(Bytes::from(wire)).unwrap();
    assert_eq!(read.fields().map(|(number, _)| number).collect::<Vec<_>>(), [11, 70, 128]);
}

#[test]
fn a_mac_that_is_not_the_last_field_is_none() {
    let mut message = Message::new("0400");
    message.set(11, "000001").set(64, [0; 8]).set(70, "301");
    let wire = spec().encode(&message).unwrap();
    assert_eq!(spec().decode(Bytes::from(wire)).unwrap().mac(), None);
}

#[test]
fn a_packed_dialect_is_a_table_too() {
    let text = r#"
        name = "packed"
        mti = "bcd"
        bitmap = "binary"
        [defaults]
        numeric = "bcd"
        binary = "binary"
        prefix-form = "bcd"
        [fields]
        2 = { name = "PAN", content = "n", max = 19, prefix = 2 }
        22 = { name = "Entry mode", content = "n", length = 3 }
        35 = { name = "Track 2", content = "z", max = 37, prefix = 2, charset = "bcd", odd-side = "right", odd-fill = 15 }
        52 = { name = "PIN", content = "b", length = 8 }
    "#;
    let spec = Spec::from_toml(text).unwrap();
    let mut message = Message::new("0200");
    message.set(2, "4761739001010119").set(22, "051").set(35, "4761=2712").set(52, [7; 8]);
    let wire = spec.encode(&message).unwrap();
    assert_eq!(
        hex::encode_upper(&wire),
        "02004000040020001000164761739001010119005109 4761D2712F0707070707070707".replace(' ', "")
    );
    assert_eq!(spec.decode(Bytes::from(wire.clone())), Ok(message));
    let mut bad = wire;
    bad[19] = 0x10;
    let error = spec.decode(Bytes::from(bad)).unwrap_err();
    assert_eq!((error.kind, error.field(), error.offset), (Kind::BadPad, Some(22), 19));
}

#[test]
fn nothing_sensitive_shows_by_default() {
    let read = spec().decode(Bytes::from(wire())).unwrap();
    let mut broken = wire();
    broken[30] = b'x';
    let error = spec().decode(Bytes::from(broken)).unwrap_err();
    let unsigned = spec().encode_for_mac(&read).unwrap();
    // A bitmap that names other fields shifts the card number into harmless ones.
    let mut shifted = wire();
    shifted[13] = b'8';
    let shifted = spec().decode(Bytes::from(shifted)).unwrap_err();
    let shown = [
        describe(&spec(), &shifted.partial),
        to_json(&spec(), &shifted.partial, Show::Masked),
        format!("{shifted} {shifted:?}"),
        describe(&spec(), &read),
        to_json(&spec(), &read, Show::Masked),
        format!("{read:?} {unsigned:?}"),
        format!("{error} {error:?}"),
        describe(&spec(), &error.partial),
        error_to_json(&error),
    ];
    for text in shown {
        let dense: String = text.split_whitespace().collect();
        for secret in ["4761739001010119", "73900101", "27122011", "A1B2C3D4", "4131423243", "3733393030"] {
            assert!(!dense.contains(secret), "{secret} in {text}");
        }
    }
    assert!(describe(&spec(), &read).contains("476173******0119"));
    assert!(describe(&spec(), &read).contains("Primary account number"));
}

#[test]
fn card_data_inside_data_objects_is_masked() {
    let mut message = Message::new("0200");
    message.set(55, hex::decode("9F2701805A084761739001010119700A5A084761739001010119DF7F084761739001010119").unwrap());
    let (described, json) = (describe(&spec(), &message), to_json(&spec(), &message, Show::Masked));
    assert!(described.contains("476173******0119") && json.contains("****************"), "{described}{json}");
    for text in [described, json] {
        assert!(text.contains("9F27") && text.contains("80"), "{text}");
        assert!(!text.contains("47617390"), "{text}");
    }
}

#[test]
fn a_description_says_what_the_bits_of_data_objects_mean() {
    let text = describe(&spec(), &purchase());
    for wanted in
        ["Application cryptogram", "ARQC: online authorisation requested", "byte 4 bit 8: transaction exceeds floor limit"]
    {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
}

#[test]
fn revealed_json_gives_the_same_bytes_again() {
    let read = spec().decode(Bytes::from(wire())).unwrap();
    let json = to_json(&spec(), &read, Show::Revealed);
    assert!(json.contains(r#""55":{"9F26":"AABBCCDD11223344","9F27":"80""#), "{json}");
    let again = from_json(&spec(), &json).unwrap();
    assert_eq!(spec().encode(&again), Ok(wire()));
}

#[test]
fn json_of_another_form_is_refused() {
    assert_eq!(from_json(&spec(), r#"{"mti":"0200","fields":{"1":"x"}}"#), Err(JsonError::Field("1".to_owned())));
    assert_eq!(from_json(&spec(), r#"{"mti":"0200","fields":{"52":"x"}}"#), Err(JsonError::Hex(52)));
    assert_eq!(from_json(&spec(), r#"{"mti":"0200","fields":{"3":{"9F26":""}}}"#), Err(JsonError::Elements(3)));
    assert!(matches!(from_json(&spec(), r#"{"mti":"0200","fields":{},"x":1}"#), Err(JsonError::Form { line: 1, .. })));
}
