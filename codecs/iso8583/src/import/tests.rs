use super::*;
use crate::{Charset, Message, Sensitivity, Shape, Side};

const PACKAGER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE isopackager PUBLIC "-//x//DTD//EN" "http://example.invalid/x.dtd">
<isopackager>
  <isofield id="0" length="4" name="Type" class="org.jpos.iso.IFB_NUMERIC" pad="true"/>
  <isofield id="1" length="16" name="Bits" class="org.jpos.iso.IFB_BITMAP"/>
  <isofield id="2" length="19" name="Card &amp; number" class="org.jpos.iso.IFB_LLNUM" pad="false"/>
  <isofield id="3" length="6" name="Code" class="org.jpos.iso.IFB_NUMERIC" pad="true"/>
  <isofield id="28" length="9" name="Fee" class="org.jpos.iso.IFB_AMOUNT"/>
  <isofield id="41" length="8" name="Terminal" class="org.jpos.iso.IF_CHAR"/>
  <isofield id="47" length="99" name="Odd one" class="org.example.IFX_OWN"/>
  <isofield id="64" length="8" name="MAC" class="org.jpos.iso.IFB_BINARY"/>
  <isofieldpackager id="127" length="9999" name="Private" class="org.jpos.iso.IFB_LLLLBINARY"
      packager="org.jpos.iso.packager.GenericSubFieldPackager">
    <isofield id="0" length="0" name="" class="org.jpos.iso.IF_NOP"/>
    <isofield id="1" length="8" name="Bits" class="org.jpos.iso.IFB_BITMAP"/>
    <isofield id="2" length="32" name="Key" class="org.jpos.iso.IFB_LLCHAR"/>
  </isofieldpackager>
</isopackager>"#;

#[test]
fn a_packager_becomes_a_spec_and_tells_what_it_could_not_take() {
    let imported = jpos("mine", PACKAGER).unwrap();
    let spec = Spec::from_toml(&imported.toml).unwrap();
    let numbers: Vec<_> = spec.fields().map(|field| field.number()).collect();
    assert_eq!(numbers, [2, 3, 28, 41, 64, 127]);
    let card = spec.field(2).unwrap();
    assert_eq!((card.name(), card.sensitivity()), ("Card & number", Sensitivity::Mask));
    assert_eq!(card.charset(), Charset::Bcd { side: Side::Right, fill: 0 });
    assert!(spec.field(64).unwrap().is_mac());
    let told: Vec<_> = imported.losses.iter().map(|loss| (loss.field.as_str(), loss.essential)).collect();
    assert_eq!(told, [("47", true), ("127.0", false)]);
    assert!(imported.is_incomplete());

    let mut message = Message::new("0200");
    message.set(2, "476173900101011").set(28, "D00000100").set(41, "TERM0001");
    message.set_path(&spec, "127.2", "ABC").unwrap();
    let wire = spec.encode(&message).unwrap();
    assert_eq!(
        hex::encode_upper(&wire),
        "0200C0000010008000000000000000000002154761739001010110440000010\
         05445524D303030310012400000000000000003414243"
            .replace(' ', "")
    );
    assert_eq!(spec.decode(wire.into()).unwrap().path(&spec, "127.2").as_deref(), Some(b"ABC".as_slice()));
}

#[test]
fn of_what_a_packager_lists_twice_the_later_counts() {
    let twice = r#"  <isofield id="3" length="7" name="Later" class="org.jpos.iso.IFB_NUMERIC" pad="false"/>
    <isofield id="36" length="104" name="Track 3" class="org.jpos.iso.IFB_LLLNUM"/>
</isopackager>"#;
    let text = PACKAGER.replace("</isopackager>", twice);
    let text = text
        .replace("name=\"Key\"", "name=\"Was\" class=\"org.jpos.iso.IFB_LLCHAR\"/><isofield id=\"2\" length=\"8\" name=\"Key\"");
    let imported = jpos("mine", &text).unwrap();
    let spec = Spec::from_toml(&imported.toml).unwrap();
    assert_eq!((spec.field(3).unwrap().name(), spec.field(3).unwrap().form().as_str()), ("Later", "n 7"));
    assert_eq!(spec.field(36).unwrap().form(), "z..104 LLL");
    let inner: Vec<_> = spec.field(127).unwrap().shape().fields().map(|field| field.form()).collect();
    assert_eq!(inner, ["ans..8 LL"]);
    let told: Vec<_> = imported.losses.iter().map(|loss| (loss.field.as_str(), loss.essential)).collect();
    assert_eq!(told, [("47", true), ("127.0", false), ("127.2", false), ("3", false)]);
}

/// As such files come: a system's DTD, comments, attributes over lines, class names without their package, what
/// other tools of theirs read.
const FOREIGN: &str = r#"<?xml version='1.0' standalone="no"?>
<!DOCTYPE isopackager SYSTEM "packager.dtd" [ <!-- nothing --> ]>
<!-- ours -->
<isopackager maxValidField="192" bitmapField="1" emitBitmap="true"
             thirdBitmapField="65" headerLength="5">
  <isofield
      id="000"
      length=" 4 "
      name="Type"
      class="IFA_NUMERIC"/>
  <isofield id="1" length="24" name="Bits" class="org.jpos.iso.IFB_BITMAP"></isofield>
  <isofield id="3" length="6" name="A &lt; B" class="IFA_NUMERIC" trim="true">
    <property name="x" value="y">any text &unknown; at all</property>
  </isofield>
  <isofield-validator type="LLC" id="3"/>
  <isofieldpackager id="60" length="9" name="Parts" class="IFA_LLCHAR" emitBitmap="false" firstField="1"
      packager="GenericSubFieldPackager">
    <isofield id="1" length="2" name="One" class="IF_CHAR"/>
    <isofield id="2" length="7" name="Two" class="IFA_NUMERIC"/>
  </isofieldpackager>
  <isofield id="130" length="2" name="Beyond" class="IFA_NUMERIC"/>
</isopackager>"#;

#[test]
fn a_packager_as_it_comes_is_read_and_what_is_strange_in_it_is_told() {
    let imported = jpos("mine", FOREIGN).unwrap();
    let spec = Spec::from_toml(&imported.toml).unwrap();
    let told: Vec<_> = imported.losses.iter().map(|loss| (loss.field.as_str(), loss.what.as_str(), loss.essential)).collect();
    let wanted =
        [("", "headerLength", true), ("", "property", false), ("", "isofield-validator", false), ("3", "trim=true", false)];
    assert_eq!(told, wanted);
    let parts: Vec<_> = spec.field(60).unwrap().shape().fields().map(|field| field.form()).collect();
    assert_eq!((parts, spec.field(3).unwrap().name()), (vec!["ans 2".to_owned(), "n 7".to_owned()], "A < B"));
    let mut message = Message::new("0800");
    message.set(3, "990000").set(130, "07");
    let wire = spec.encode(&message).unwrap();
    assert_eq!(wire.get(20..26), Some(b"990000".as_slice()), "the third bitmap stands behind the fields up to 64");
    assert_eq!(spec.decode(wire.into()), Ok(message));
    let other = jpos("mine", &FOREIGN.replace("bitmapField=\"1\"", "bitmapField=\"2\"")).unwrap();
    assert!(other.losses.iter().any(|loss| loss.what == "bitmapField=2" && loss.essential));
}

#[test]
fn what_is_no_packager_is_refused_with_its_place() {
    let reason = |text: &str| jpos("x", text).unwrap_err().to_string();
    assert!(reason("<isopackager>").contains("whole"));
    assert!(reason("<other/>").starts_with("byte 0: wanted isopackager"));
    assert!(reason("<isopackager><isofield id=\"300\"/></isopackager>").starts_with("byte 13: `id`"));
    assert!(reason("").contains("whole"));
    let entity =
        "<!DOCTYPE x [<!ENTITY a \"b\">]><isopackager><isofield id=\"2\" length=\"1\" name=\"&a;\" class=\"x\"/></isopackager>";
    assert!(reason(entity).contains("entity"));
    let deep = format!("<isopackager>{}", "<isofieldpackager id=\"2\" length=\"9\" class=\"x\">".repeat(40));
    assert!(reason(&deep).contains("too deep"));
    assert!(matches!(jpos("x", &" ".repeat(LONGEST_IMPORT + 1)), Err(ImportError::TooLong { .. })));
}

const BUILDER: &str = r#"{ "name": "theirs", "fields": {
  "0": { "type": "String", "length": 4, "enc": "ASCII", "prefix": "ASCII.Fixed" },
  "1": { "type": "Bitmap", "length": 8, "enc": "HexToASCII", "prefix": "Hex.Fixed" },
  "2": { "type": "String", "length": 19, "description": "Card", "enc": "BCD", "prefix": "BCD.LL" },
  "4": { "type": "Numeric", "length": 12, "enc": "ASCII", "prefix": "ASCII.Fixed", "padding": { "type": "Left", "pad": "0" } },
  "41": { "type": "String", "length": 8, "enc": "ASCII", "prefix": "ASCII.Fixed", "padding": { "type": "Right", "pad": " " } },
  "43": { "type": "Composite", "length": 40, "prefix": "ASCII.Fixed", "subfields": {
    "1": { "type": "String", "length": 25, "description": "Name", "enc": "ASCII", "prefix": "ASCII.Fixed" },
    "2": { "type": "String", "length": 15, "enc": "ASCII", "prefix": "ASCII.Fixed" } } },
  "48": { "type": "Composite", "length": 999, "prefix": "ASCII.LLL", "tag": { "length": 2, "enc": "ASCII", "sort": "StringsByInt" },
    "subfields": { "1": { "type": "String", "length": 4, "enc": "ASCII", "prefix": "ASCII.LL" } } },
  "55": { "type": "Composite", "length": 999, "prefix": "ASCII.LLL", "tag": { "enc": "BerTLVTag" },
    "subfields": { "9A": { "type": "Binary", "length": 3, "enc": "Binary", "prefix": "BerTLV" } } },
  "60": { "type": "String", "length": 9, "enc": "Own", "prefix": "ASCII.LL" }
} }"#;

#[test]
fn a_builders_json_becomes_a_spec_and_tells_what_it_could_not_take() {
    let imported = moov("", BUILDER).unwrap();
    let spec = Spec::from_toml(&imported.toml).unwrap();
    assert_eq!(spec.name(), "theirs");
    let numbers: Vec<_> = spec.fields().map(|field| field.number()).collect();
    assert_eq!(numbers, [2, 4, 41, 43, 48, 55]);
    assert_eq!(spec.field(55).unwrap().shape(), &Shape::BerTlv);
    let told: Vec<_> = imported.losses.iter().map(|loss| (loss.field.as_str(), loss.essential)).collect();
    assert_eq!(told, [("60", true)]);

    let mut message = Message::new("0100");
    message.set(2, "4761739001010119").set(4, "100");
    message.set_path(&spec, "48.01", "AB").unwrap();
    let wire = spec.encode(&message).unwrap();
    assert_eq!(wire.get(..20), Some(b"01005000000000010000".as_slice()));
    assert_eq!(wire.get(20..), Some(b"\x16\x47\x61\x73\x90\x01\x01\x01\x190000000001000060102AB".as_slice()));
}

#[test]
fn a_builders_json_of_before_is_read_and_what_is_strange_in_it_is_told() {
    let text = BUILDER
        .replace("HexToASCII", "Hex")
        .replace("\"sort\"", "\"padding\": { \"type\": \"Left\", \"pad\": \" \" }, \"order\": 1, \"sort\"");
    let text = text.replace(
        "  \"60\"",
        r#"  "52": { "type": "String", "length": 8, "enc": "Hex", "prefix": "Hex.Fixed" },
  "6": { "type": "String", "length": 12, "enc": "ASCII", "prefix": "ASCII.Fixed", "padding": { "type": "Left", "pad": "0" } },
  "59": { "type": "Composite", "length": 99, "prefix": "ASCII.LLL", "bitmap": { "type": "Bitmap", "length": 8, "enc": "Binary" },
    "subfields": { "2": { "type": "String", "length": 2, "enc": "ASCII", "prefix": "ASCII.Fixed" },
                   "3": { "type": "Binary", "length": 2, "enc": "Binary", "prefix": "Binary.Fixed" } } },
  "60""#,
    );
    let imported = moov("", &text).unwrap();
    let spec = Spec::from_toml(&imported.toml).unwrap();
    assert_eq!((spec.field(52).unwrap().charset(), spec.bitmap_form()), (Charset::HexAscii, crate::BitmapForm::HexAscii));
    let told: Vec<_> = imported.losses.iter().map(|loss| (loss.field.as_str(), loss.what.as_str(), loss.essential)).collect();
    assert_eq!(spec.field(6).unwrap().form(), "n 12");
    let wanted = [
        ("6", "String", false),
        ("48", "order", false),
        ("48", "Left", true),
        ("59", "Binary", true),
        ("60", "String in Own", true),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn what_is_no_builders_json_is_refused_with_its_place() {
    assert_eq!(moov("x", "{").unwrap_err(), ImportError::Json { line: 1, column: 1 });
    assert!(moov("x", "{\"fields\": []}").is_err());
    let deep = format!("{{\"fields\":{{\"2\":{}", "{\"subfields\":{\"1\":".repeat(500));
    assert!(moov("x", &deep).is_err());
}

#[test]
fn what_the_loader_refuses_is_taken_out_and_told() {
    let text = BUILDER.replace("\"length\": 40", "\"length\": 39").replace("\"length\": 12", "\"length\": 0");
    let imported = moov("x", &text).unwrap();
    let spec = Spec::from_toml(&imported.toml).unwrap();
    assert!(spec.field(4).is_none() && spec.field(43).unwrap().shape() == &Shape::Plain);
    let told: Vec<_> = imported.losses.iter().map(|loss| (loss.field.as_str(), loss.essential)).collect();
    assert_eq!(told, [("60", true), ("4", true), ("43.2", false)]);
}

proptest::proptest! {
    #[test]
    fn a_damaged_table_is_refused_or_makes_a_spec_that_loads(
        at in 0usize..2000, byte in proptest::prelude::any::<u8>(), jpos in proptest::prelude::any::<bool>()
    ) {
        let mut text = if jpos { PACKAGER } else { BUILDER }.as_bytes().to_vec();
        let at = at % text.len();
        text[at] = byte & 0x7F;
        crate::fuzz::fuzz_import(&text);
    }
}
