//! The JSON of a moov-io/iso8583 spec, as its documentation has it.

use iso8583::{BitmapForm, Charset, Content, Counts, Field, Length, Pad, PrefixForm, Shape, Side, Spec, import};
use serde_json::{Map, Value, json};

use crate::iso8583::differential::shared;

/// Dialects whose bitmap that form has no word for: hexadecimal text in EBCDIC.
const NOT_THERE: [&str; 2] = ["eh87", "iso93ebcdic"];

fn encoding(charset: Charset) -> Option<&'static str> {
    match charset {
        Charset::Ascii => Some("ASCII"),
        Charset::Ebcdic(_) => Some("EBCDIC"),
        Charset::Bcd { side: Side::Left, .. } => Some("BCD"),
        Charset::Bcd { side: Side::Right, .. } => Some("LBCD"),
        Charset::Binary => Some("Binary"),
        Charset::HexAscii => Some("HexToASCII"),
        Charset::HexEbcdic | Charset::SignedBcd { .. } => None,
    }
}

fn prefix(length: Length) -> Option<String> {
    let Length::Variable { prefix, .. } = length else { return Some("ASCII.Fixed".to_owned()) };
    let (form, letters) = match prefix.form {
        PrefixForm::Ascii => ("ASCII", prefix.digits),
        PrefixForm::Ebcdic => ("EBCDIC", prefix.digits),
        PrefixForm::Bcd => ("BCD", prefix.digits),
        PrefixForm::Binary => ("Binary", prefix.digits.div_ceil(2)),
        PrefixForm::HexAscii => ("Hex", prefix.digits.div_ceil(2)),
        PrefixForm::HexEbcdic => return None,
    };
    (letters <= 4 && prefix.counts == Counts::Content).then(|| format!("{form}.{}", "L".repeat(usize::from(letters))))
}

/// A field, where that form has words for it.
fn field(field: &Field) -> Option<Value> {
    // A packed track has a separator, which is no digit there.
    if field.content() == Content::Z && matches!(field.charset(), Charset::Bcd { .. }) {
        return None;
    }
    let mut item = json!({ "length": field.length().max(), "description": field.name(), "prefix": prefix(field.length())? });
    let mut put = |key: &str, value: Value| item.as_object_mut().and_then(|item| item.insert(key.to_owned(), value));
    if *field.shape() == Shape::BerTlv && field.charset() == Charset::Binary {
        put("type", json!("Composite"));
        put("tag", json!({ "enc": "BerTLVTag", "sort": "StringsByHex" }));
        put("subfields", json!({ "9A": { "type": "Binary", "length": 3, "enc": "Binary", "prefix": "BerTLV" } }));
        return Some(item);
    }
    put("enc", json!(encoding(field.charset())?));
    put("type", json!(if field.content() == Content::B { "Binary" } else { "String" }));
    match (field.length(), field.pad(), field.content().is_numeric()) {
        (Length::Fixed(_), _, true) => {
            put("type", json!("Numeric"));
            put("padding", json!({ "type": "Left", "pad": "0" }));
        }
        (Length::Fixed(_), Pad::Right(byte), _) => {
            put("padding", json!({ "type": "Right", "pad": char::from(byte).to_string() }));
        }
        _ => {}
    }
    Some(item)
}

/// A spec in that form, and the fields that are in it.
fn builder(spec: &Spec) -> Option<(String, Vec<u8>)> {
    let bitmap = match spec.bitmap_form() {
        BitmapForm::Binary => "Binary",
        BitmapForm::HexAscii => "HexToASCII",
        BitmapForm::HexEbcdic => return None,
    };
    let items: Vec<(u8, Value)> = spec.fields().filter_map(|row| Some((row.number(), field(row)?))).collect();
    let numbers = items.iter().map(|(number, _)| *number).collect();
    let mut fields: Map<String, Value> = items.into_iter().map(|(number, item)| (number.to_string(), item)).collect();
    let mti = json!({ "type": "String", "length": 4, "enc": encoding(spec.mti_charset())?, "prefix": "ASCII.Fixed" });
    fields.insert("0".to_owned(), mti);
    fields.insert("1".to_owned(), json!({ "type": "Bitmap", "length": 8, "enc": bitmap, "prefix": "Hex.Fixed" }));
    Some((json!({ "name": spec.name(), "fields": fields }).to_string(), numbers))
}

#[test]
fn what_is_imported_from_moov_decodes_as_ours() {
    let mut wrong = Vec::new();
    let ipm = ("mastercard-ipm".to_owned(), Spec::shipped("mastercard-ipm").expect("a shipped dialect"));
    for (table, ours) in shared().into_iter().chain([ipm]) {
        let Some((text, numbers)) = builder(&ours) else {
            assert!(NOT_THERE.contains(&table.as_str()), "{table} cannot be written in that form");
            continue;
        };
        let imported = import::moov("", &text).unwrap_or_else(|error| panic!("{table}: {error}"));
        let theirs = Spec::from_toml(&imported.toml).expect("a spec");
        wrong.extend(imported.losses.iter().filter(|loss| loss.essential).map(|loss| format!("{table}: {loss}")));
        if let Err(why) = super::decode_alike(&ours, &theirs, &numbers) {
            wrong.push(format!("{table}: {why}"));
        }
        let all = ours.fields().count();
        println!("moov: {table}: {} messages of {} of {all} fields", super::MESSAGES, numbers.len());
        assert!(numbers.len() * 10 >= all * 9, "{table}: that form has no words for most fields");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
