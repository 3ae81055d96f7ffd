//! Messages with structure inside their fields: read by path, set by path, refused by path.

use bytes::Bytes;

use crate::*;

/// One field of every shape, in a binary dialect.
const TEXT: &str = r#"
name = "structured"
mti = "ascii"
bitmap = "binary"
trailing = "allow"
third-bitmap = "field65"
[defaults]
numeric = "bcd"
binary = "binary"
prefix-form = "bcd"
[fields]
3 = { name = "Processing code", content = "n", length = 6 }
28 = { name = "Fee", content = "x+n", length = 9, charset = "bcd" }
35 = { name = "Track 2", content = "z", max = 37, prefix = 2, prefix-form = "binary", counts = "nibbles", charset = "bcd", odd-side = "right", odd-fill = 15, sensitivity = "hide", durable = false }
41 = { name = "Terminal", content = "ans", length = 8, charset = "ebcdic-500" }
52 = { name = "PIN", content = "b", length = 8, charset = "hex-ascii" }
66 = { name = "Settlement", content = "n", length = 1 }
129 = { name = "Beyond", content = "n", length = 2 }
130 = { name = "Beyond", content = "n", length = 2 }
131 = { name = "Beyond", content = "n", length = 2 }
192 = { name = "Beyond", content = "n", length = 2 }
[fields.43]
name = "Name and location"
content = "ans"
length = 40
charset = "ebcdic"
shape = "positional"
fields.1 = { name = "Name", content = "ans", length = 25, at = 1 }
fields.2 = { name = "City", content = "ans", length = 13, at = 26 }
fields.3 = { name = "Country", content = "a", length = 2, at = 39 }
[fields.48]
name = "Private"
content = "ans"
max = 999
prefix = 3
shape = "pds"
fields.0023 = { name = "Terminal type", content = "an", length = 3 }
fields.0146 = { name = "Amounts", content = "n", max = 36, sensitivity = "hide" }
fields.0158 = { name = "Business", content = "ans", length = 4, shape = "positional", fields.1 = { name = "Brand", content = "an", length = 3 }, fields.2 = { name = "Level", content = "n", length = 1 } }
[fields.104]
name = "Datasets"
content = "b"
max = 9999
prefix = 4
shape = "datasets"
[fields.127]
name = "Nested"
content = "b"
max = 999999
prefix = 6
prefix-form = "ascii"
shape = "bitmap"
fields.2 = { name = "Key", content = "ans", max = 32, prefix = 2, prefix-form = "ascii" }
fields.10 = { name = "CVV2", content = "n", length = 3, charset = "ascii", sensitivity = "drop", fault = "note", durable = false }
fields.20 = { name = "Settlement date", content = "CCYYMMDD", length = 8 }
fields.25 = { name = "Chip", content = "b", max = 255, prefix = 3, shape = "ber-tlv" }
"#;

pub(crate) fn spec() -> Spec {
    Spec::from_toml(TEXT).unwrap()
}

pub(crate) fn full(spec: &Spec) -> Message {
    let mut message = Message::new("0200");
    message.set(3, "1").set(28, "C00000150").set(35, "4761=27").set(41, "T[1]").set(52, [0xAB; 8]).set(66, "1").set(130, "7");
    for (path, content) in [
        ("43.1", b"ACME STORE".as_slice()),
        ("43.2", b"MONTEVIDEO"),
        ("43.3", b"UY"),
        ("48.0023", b"CT1"),
        ("48.0146", b"70000000"),
        ("48.0158", b"VIS1"),
        ("48.0158.1", b"MCC"),
        ("104.01.9F26", &[1, 2, 3]),
        ("104.71", &[0x80, 0]),
        ("127.25.9F27", &[0x80]),
        ("127.10", b"123"),
        ("127.2", b"0000000123456789"),
    ] {
        message.set_path(spec, path, content).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    message
}

#[test]
fn every_shape_is_written_read_and_found_by_path() {
    let spec = spec();
    let wire = spec.encode(&full(&spec)).unwrap();
    let read = spec.decode(Bytes::from(wire.clone())).unwrap();
    assert_eq!(read, spec.decode(Bytes::from(spec.encode(&read).unwrap())).unwrap());
    assert_eq!(spec.encode(&read), Ok(wire));
    let path = |path: &str| read.path(&spec, path).map(|content| content.into_owned());
    assert_eq!(path("3"), Some(b"000001".to_vec()));
    assert_eq!(path("43.2"), Some(b"MONTEVIDEO".to_vec()));
    assert_eq!(path("48.0158.1"), Some(b"MCC".to_vec()));
    assert_eq!(path("104.01.9f26"), Some(vec![1, 2, 3]));
    assert_eq!(path("104.71"), Some(vec![0x80, 0]));
    assert_eq!(path("127.2"), Some(b"0000000123456789".to_vec()));
    assert_eq!(path("127.10"), Some(b"123".to_vec()));
    assert_eq!(path("127.25.9F27"), Some(vec![0x80]));
    assert_eq!(
        read.get(48),
        Some(b"0023003CT1014600870000000".iter().chain(b"0158004MCC1").copied().collect::<Vec<_>>().as_slice())
    );
    for nowhere in ["127.3", "127.25.9F28", "48.0099", "3.1", "x", "200", "43.1.1", "", "127."] {
        assert_eq!(path(nowhere), None, "{nowhere}");
    }
}

#[test]
fn what_an_element_is_set_to_must_fit_there() {
    let spec = spec();
    let mut message = full(&spec);
    let before = message.clone();
    let mut refused = |path: &str, content: &[u8]| {
        let error = message.set_path(&spec, path, content).map(|_| ()).unwrap_err();
        (error.kind, format!("{}{}", error.place, error.path))
    };
    assert_eq!(refused("127.20", b"20230229"), (Kind::BadDate, "127.20".to_owned()));
    assert_eq!(refused("48.0023", b"CT12"), (Kind::TooLong, "48.0023".to_owned()));
    assert_eq!(refused("127.3", b""), (Kind::UndefinedField, "127".to_owned()));
    assert_eq!(refused("48.23", b""), (Kind::UndefinedField, "48".to_owned()));
    assert_eq!(refused("9.1", b""), (Kind::UndefinedField, "9".to_owned()));
    assert_eq!(message, before);
    let mut message = Message::new("0200");
    let error = message.set_path(&spec, "43.2", "X").map(|_| ()).unwrap_err();
    assert_eq!((error.kind, error.path.to_string().as_str()), (Kind::BadLength, ".1"));
}

#[test]
fn a_fault_inside_a_field_is_named_by_path_and_place() {
    let spec = spec();
    let wire = spec.encode(&full(&spec)).unwrap();
    let position = |needle: &[u8]| wire.windows(needle.len()).position(|bytes| bytes == needle).unwrap();
    let refused = |at: usize, byte: u8| {
        let mut wire = wire.clone();
        wire[at] = byte;
        let error = spec.decode(Bytes::from(wire)).unwrap_err();
        assert_eq!(error.partial.str(3), Some("000001"));
        (error.kind, format!("{}{}", error.place, error.path), error.offset)
    };
    let amounts = position(b"0146008");
    assert_eq!(refused(amounts + 9, b'x'), (Kind::NonDigit, "48.0146".to_owned(), amounts + 9));
    assert_eq!(refused(amounts + 4, b'x'), (Kind::TlvBadLength, "48".to_owned(), amounts + 4));
    assert_eq!(refused(amounts + 4, b'9'), (Kind::TlvValueOverrun, "48".to_owned(), amounts + 7));
    let level = position(b"0158004MCC1") + 10;
    assert_eq!(refused(level, b'x'), (Kind::NonDigit, "48.0158.2".to_owned(), level));
    // The country stands in EBCDIC; a digit is no letter.
    let country = position(&[0xE4, 0xE8]);
    assert_eq!(refused(country + 1, 0xF1), (Kind::BadChar, "43.3".to_owned(), country + 1));
    let chip = position(&[0x9F, 0x27, 1, 0x80]);
    assert_eq!(refused(chip + 2, 2), (Kind::TlvValueOverrun, "127.25".to_owned(), chip + 3));
    let key = position(b"160000000123456789");
    assert_eq!(refused(key, b'9'), (Kind::TooLong, "127.2".to_owned(), key));
    let bitmap = key - 8;
    assert_eq!(refused(bitmap, 0x60), (Kind::UndefinedField, "127".to_owned(), key + 18));
}

#[test]
fn a_noted_fault_of_a_subfield_does_not_refuse_the_message() {
    let spec = spec();
    let mut message = Message::new("0200");
    message.set_path(&spec, "127.10", "789").unwrap().set_path(&spec, "127.20", "20240229").unwrap();
    let mut wire = spec.encode(&message).unwrap();
    let cvv2 = wire.len() - 7;
    assert_eq!(wire[cvv2..], [b'7', b'8', b'9', 0x20, 0x24, 0x02, 0x29]);
    wire[cvv2 + 1] = b'x';
    let read = spec.decode(Bytes::from(wire.clone())).unwrap();
    let notes: Vec<_> = read.notes().iter().map(|note| (note.kind, note.field, note.path.to_string(), note.offset)).collect();
    assert_eq!(notes, [(Kind::NonDigit, 127, ".10".to_owned(), cvv2 + 1)]);
    assert_eq!(read.path(&spec, "127.20").as_deref(), Some(b"20240229".as_slice()));
    assert_eq!(spec.encode(&read), Ok(wire.clone()));
    wire[cvv2 + 6] = 0x31;
    let error = spec.decode(Bytes::from(wire)).unwrap_err();
    assert_eq!((error.kind, error.path.to_string().as_str(), error.offset), (Kind::BadDate, ".20", cvv2 + 6));
}

#[test]
fn decoding_and_encoding_change_no_byte() {
    let spec = spec();
    let mut wire = spec.encode(&full(&spec)).unwrap();
    let position = |wire: &[u8], needle: &[u8]| wire.windows(needle.len()).position(|bytes| bytes == needle).unwrap();
    // Lower-case hexadecimal, a tag that the spec does not know, a long form of a length, bytes that follow.
    let pin = position(&wire, b"ABABABABABABABAB");
    wire[pin..pin + 16].copy_from_slice(b"abABabABabABabAB");
    let tag = position(&wire, b"0146008");
    wire[tag..tag + 4].copy_from_slice(b"9999");
    wire.extend_from_slice(b"\x00\xFFrest");
    let read = spec.decode(Bytes::from(wire.clone())).unwrap();
    assert_eq!(spec.encode(&read), Ok(wire.clone()));
    // A field that is set is written anew; what stands beside it keeps its bytes.
    let mut changed = read.clone();
    changed.set(3, "000009").set_path(&spec, "48.0023", "CT2").unwrap();
    let mut wanted = wire.clone();
    let code = position(&wanted, &[0, 0, 1, b'C']);
    wanted[code + 2] = 9;
    let terminal = position(&wanted, b"CT1");
    wanted[terminal + 2] = b'2';
    assert_eq!(spec.encode(&changed).map(hex::encode), Ok(hex::encode(wanted)));
    // Another table of the same form has another wire form as far as anybody knows: canonical.
    assert_eq!(super::structured::spec().encode(&read).map(|anew| anew.ends_with(b"rest")), Ok(false));
}

#[test]
fn an_announced_bitmap_without_fields_is_written_again() {
    let spec = Spec::shipped("iso87-ascii").unwrap();
    let wire = Bytes::from_static(b"0800822000000000000000000000000000000715143100000001");
    let read = spec.decode(wire.clone()).unwrap();
    assert_eq!(spec.encode(&read), Ok(wire.to_vec()));
    let lower = Bytes::from_static(b"080002200000000000000715143100000001");
    let mut read = spec.decode(lower).unwrap();
    read.set(39, "00");
    assert_eq!(spec.encode(&read), Ok(b"08000220000002000000071514310000000100".to_vec()));
}

#[test]
fn a_fault_that_was_noted_is_not_written_by_a_stricter_table() {
    let strict = Spec::shipped("iso87-ascii").unwrap();
    let lax = strict.noting_except(&[4]);
    let wire = Bytes::from_static(b"080002200000000000000715143100OOOOO1");
    let read = lax.decode(wire.clone()).unwrap();
    assert_eq!(lax.encode(&read), Ok(wire.to_vec()));
    assert_eq!(strict.encode(&read).map_err(|error| (error.kind, error.field())), Err((Kind::NonDigit, Some(11))));
}

#[test]
fn elements_stand_in_json_and_come_back_from_it() {
    let spec = spec();
    let message = full(&spec);
    let json = to_json(&spec, &message, Show::Revealed);
    assert!(json.contains(r#""127":{"2":"0000000123456789","10":"123","25":{"9F27":"80"}}"#), "{json}");
    assert!(json.contains(r#""48":{"0023":"CT1","0146":"70000000","0158":{"1":"MCC","2":"1"}}"#), "{json}");
    assert!(json.contains(r#""104":{"01":{"9F26":"010203"},"71":"8000"}"#), "{json}");
    assert_eq!(from_json(&spec, &json).as_ref(), Ok(&message));
    let masked = to_json(&spec, &message, Show::Masked);
    assert!(!masked.contains("\"123\"") && !masked.contains("70000000") && masked.contains("********"), "{masked}");
    let table = describe(&spec, &message);
    assert!(table.contains("Country") && table.contains("Brand") && !table.contains("70000000"), "{table}");
}

#[test]
fn the_common_elements_have_types() {
    let mut message = Message::new("0200");
    message.set(2, "4761739001010119").set(4, "000000012345").set(11, "00012x");
    assert_eq!((message.amount(), message.pan()), (Ok(12345), Ok("4761739001010119")));
    assert_eq!(message.stan(), Err(AccessError::NotANumber(11)));
    assert_eq!(message.rrn(), Err(AccessError::Missing(37)));
    message.set(4, "99999999999999999999").set(41, b"\xFF");
    assert_eq!(message.amount(), Err(AccessError::NotANumber(4)));
    assert_eq!(message.terminal(), Err(AccessError::NotText(41)));
}

#[test]
fn a_spec_that_cannot_work_is_refused_where_it_stands() {
    let refused = |fields: &str| {
        let text = format!("name = \"x\"\nmti = \"ascii\"\nbitmap = \"binary\"\n[fields]\n{fields}\n");
        let error = Spec::from_toml(&text).unwrap_err();
        (error.path, error.reason)
    };
    let positional = |length: u32, parts: &str| {
        refused(&format!(
            "43 = {{ name = \"a\", content = \"ans\", length = {length}, shape = \"positional\", fields = {{ {parts} }} }}"
        ))
    };
    let part = |key: &str, rest: &str| format!("{key} = {{ name = \"p\", content = \"ans\", {rest} }}");
    let (path, reason) = positional(5, &format!("{}, {}", part("1", "length = 3"), part("2", "length = 4")));
    assert_eq!((path.as_str(), reason.as_str()), ("43.2", "it does not fit: it ends at 7, the field has 5"));
    assert_eq!(positional(9, &part("1", "length = 3")).1, "its subfields take 3, it has 9");
    let (path, reason) = positional(7, &format!("{}, {}", part("1", "length = 3"), part("2", "length = 4, at = 3")));
    assert_eq!((path.as_str(), reason.as_str()), ("43.2", "it overlaps what stands before it, which ends at 3"));
    let (_, reason) = positional(8, &format!("{}, {}", part("1", "length = 3"), part("2", "length = 4, at = 5")));
    assert_eq!(reason, "it starts at 4: parts stand without a gap");
    assert_eq!(
        positional(3, &format!("{}, {}", part("1", "length = 1"), part("01", "length = 2"))).1,
        "the subfield is defined twice"
    );
    let (path, reason) = refused(
        "48 = { name = \"a\", content = \"ans\", max = 99, prefix = 2, shape = \"pds\", fields = { 23 = { name = \"p\", content = \"n\", length = 3 } } }",
    );
    assert_eq!((path.as_str(), reason.as_str()), ("48.23", "a tag here has 4 digits"));
    let (_, reason) = refused(
        "104 = { name = \"a\", content = \"b\", max = 99, prefix = 2, shape = \"datasets\", fields = { 0a = { name = \"p\", content = \"b\", max = 3 }, 0A = { name = \"p\", content = \"b\", max = 3 } } }",
    );
    assert_eq!(reason, "the tag is ambiguous: it is defined twice");
    let (_, reason) = refused(
        "127 = { name = \"a\", content = \"b\", length = 10, shape = \"bitmap\", fields = { 2 = { name = \"p\", content = \"n\", length = 3 } } }",
    );
    assert_eq!(reason, "it does not fit: with the bitmap it takes 11, the field has 10");
    let mut deep = "{ name = \"p\", content = \"ans\", length = 1 }".to_owned();
    for _ in 0..6 {
        deep = format!("{{ name = \"p\", content = \"ans\", length = 1, shape = \"positional\", fields.1 = {deep} }}");
    }
    assert_eq!(refused(&format!("43 = {deep}")).1, "subfields are nested too deep");
    assert!(refused("2 = { name = \"a\", content = \"n\", max = 9, prefix = 7 }").1.contains("1 to 6"));
    assert_eq!(refused("2 = { name = \"a\", content = \"n\", length = 1000000 }").1, "a length is from 1 to 999999");
    assert_eq!(
        refused("2 = { name = \"a\", content = \"n\", length = 4, pad = { left = \"*\" } }").1,
        "content n cannot hold this pad character"
    );
}

#[test]
fn a_third_bitmap_in_a_fields_place_may_name_any_number_of_fields() {
    let spec = spec();
    let mut message = Message::new("0200");
    message.set(3, "000000").set(129, "01").set(130, "02").set(131, "03").set(192, "04");
    let wire = spec.encode(&message).unwrap();
    assert_eq!(spec.decode(Bytes::from(wire)), Ok(message));
}
