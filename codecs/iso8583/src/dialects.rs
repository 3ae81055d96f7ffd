//! The shipped dialects: their files, and the tables that the documentation and the command line show.
//! Each is like what its name says; none is certified by anybody.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use crate::bitmap::BitmapForm;
use crate::ebcdic::CodePage;
use crate::field::{Charset, Field, Length, PrefixForm, Sensitivity, Side};
use crate::spec::{Spec, Version};

/// Name and TOML text, in the order of the documentation.
const SHIPPED: [(&str, &str); 11] = [
    ("iso87-ascii", include_str!("../specs/iso87-ascii.toml")),
    ("iso87-binary", include_str!("../specs/iso87-binary.toml")),
    ("iso93-ascii", include_str!("../specs/iso93-ascii.toml")),
    ("iso93-binary", include_str!("../specs/iso93-binary.toml")),
    ("iso93-ebcdic", include_str!("../specs/iso93-ebcdic.toml")),
    ("iso2003-binary", include_str!("../specs/iso2003-binary.toml")),
    ("cmf", include_str!("../specs/cmf.toml")),
    ("base24", include_str!("../specs/base24.toml")),
    ("postilion", include_str!("../specs/postilion.toml")),
    ("visa-base1", include_str!("../specs/visa-base1.toml")),
    ("mastercard-ipm", include_str!("../specs/mastercard-ipm.toml")),
];

static COMPILED: LazyLock<Vec<Arc<Spec>>> =
    LazyLock::new(|| SHIPPED.iter().filter_map(|(_, text)| Spec::from_toml(text).ok().map(Arc::new)).collect());

impl Spec {
    /// A shipped dialect by name; compiled at first use.
    pub fn shipped(name: &str) -> Option<Arc<Self>> {
        COMPILED.iter().find(|spec| spec.name == name).cloned()
    }

    /// The names of the shipped dialects.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The TOML text of a shipped dialect, to start one's own from.
    pub fn shipped_text(name: &str) -> Option<&'static str> {
        SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
    }
}

/// The shipped dialects as a Markdown table.
pub fn dialects_table() -> String {
    let mut rows =
        vec![["name", "what", "edition", "MTI", "bitmaps", "amount (DE4)", "terminal (DE41)", "fields"].map(str::to_owned)];
    for spec in COMPILED.iter() {
        let wire = |number| spec.field(number).map(|field| charset_name(field.charset())).unwrap_or_default();
        rows.push([
            spec.name().to_owned(),
            spec.title().to_owned(),
            edition(spec.version()).to_owned(),
            charset_name(spec.mti_charset()),
            bitmap_name(spec.bitmap_form()).to_owned(),
            wire(4),
            wire(41),
            spec.fields().count().to_string(),
        ]);
    }
    markdown(&rows)
}

/// The fields of a dialect as a Markdown table, subfields below what they stand in.
pub fn fields_table(spec: &Spec) -> String {
    let mut rows = vec![["field", "name", "form", "on the wire", "length", "shape", "shown"].map(str::to_owned)];
    spec.fields().for_each(|field| field_rows("", field, &mut rows));
    markdown(&rows)
}

fn field_rows(above: &str, field: &Field, rows: &mut Vec<[String; 7]>) {
    let path = format!("{above}{}", field.label());
    let shown = match field.sensitivity() {
        Sensitivity::Clear => "all",
        Sensitivity::Mask => "masked",
        Sensitivity::Hide => "its length",
        Sensitivity::Drop => "nothing",
    };
    let stored = if field.is_durable() { "" } else { ", never stored" };
    rows.push([
        path.clone(),
        field.name().to_owned(),
        field.form(),
        charset_name(field.charset()),
        length_name(field.length()),
        field.shape().as_str().to_owned(),
        format!("{shown}{stored}"),
    ]);
    field.shape().fields().for_each(|inner| field_rows(&format!("{path}."), inner, rows));
}

fn edition(version: Version) -> &'static str {
    match version {
        Version::V1987 => "1987",
        Version::V1993 => "1993",
        Version::V2003 => "2003",
    }
}

fn bitmap_name(form: BitmapForm) -> &'static str {
    match form {
        BitmapForm::Binary => "binary",
        BitmapForm::HexAscii => "hex-ascii",
        BitmapForm::HexEbcdic => "hex-ebcdic",
    }
}

fn page_name(page: CodePage) -> &'static str {
    match page {
        CodePage::Cp037 => "ebcdic",
        CodePage::Cp500 => "ebcdic-500",
        CodePage::Cp1047 => "ebcdic-1047",
    }
}

fn charset_name(charset: Charset) -> String {
    match charset {
        Charset::Ascii => "ascii".to_owned(),
        Charset::Ebcdic(page) => page_name(page).to_owned(),
        Charset::Bcd { side, fill } | Charset::SignedBcd { side, fill } => {
            let side = if side == Side::Left { "left" } else { "right" };
            format!("bcd, odd: {fill:X} {side}")
        }
        Charset::Binary => "binary".to_owned(),
        Charset::HexAscii => "hex-ascii".to_owned(),
        Charset::HexEbcdic => "hex-ebcdic".to_owned(),
    }
}

fn length_name(length: Length) -> String {
    match length {
        Length::Fixed(_) => "fixed".to_owned(),
        Length::Enclosed { .. } => "what is left".to_owned(),
        Length::Variable { prefix, .. } => {
            let form = match prefix.form {
                PrefixForm::Ascii => "ascii",
                PrefixForm::Ebcdic => "ebcdic",
                PrefixForm::Bcd => "bcd",
                PrefixForm::Binary => "binary",
                PrefixForm::HexAscii => "hex-ascii",
                PrefixForm::HexEbcdic => "hex-ebcdic",
            };
            format!("{form}, {} digits", prefix.digits)
        }
    }
}

/// The first row is the head.
fn markdown<const N: usize>(rows: &[[String; N]]) -> String {
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "| {} |", row.join(" | "));
        if at == 0 {
            let _ = writeln!(out, "|{}", "---|".repeat(N));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::inside::{Parent, compose};
    use crate::shape::Shape;
    use crate::{Content, Message};

    #[test]
    fn every_shipped_dialect_loads_under_its_own_name() {
        for (name, text) in SHIPPED {
            assert_eq!(Spec::from_toml(text).map(|spec| spec.name), Ok(name.to_owned()));
            assert!(Spec::shipped(name).is_some());
        }
    }

    #[test]
    fn every_shipped_dialect_says_that_it_is_like_and_whence() {
        for (name, text) in SHIPPED.iter().filter(|(name, _)| *name != "iso87-ascii") {
            let head: String = text.lines().take_while(|line| line.starts_with('#')).collect();
            assert!(head.contains("ike ") && head.contains("not certified by anybody"), "{name}");
            assert!(head.contains("Facts: "), "{name}");
        }
    }

    /// Content for a field: as long as it may be, but no longer than one would read.
    fn sample(field: &Field) -> Vec<u8> {
        let length = match field.length() {
            Length::Fixed(length) => usize::try_from(length).unwrap(),
            _ => field.length().max().min(24),
        };
        let text = |pattern: &str| pattern.bytes().cycle().take(length).collect::<Vec<_>>();
        match (field.shape(), field.content()) {
            (Shape::BerTlv, _) => hex::decode("9F2608AABBCCDD00112233950500000080009F3602003C").unwrap(),
            (Shape::Positional(_) | Shape::Tagged(_) | Shape::Bitmap(_), _) => structured(field),
            (_, Content::N) => text("1234567890"),
            (_, Content::Xn) => [b"D".as_slice(), &text("0123456789")[1..]].concat(),
            (_, Content::Z) => text("4761739001010119=2712"),
            (_, Content::B) => text("\u{1}\u{7f}\u{0}A"),
            (_, Content::A | Content::An) => text("ABCDEF"),
            (_, Content::Hex) => text("0A1B"),
            (_, Content::Ans | Content::Track1) => text("NO. 1/ABC-9"),
            (_, dated) => match dated.date_parts().len() {
                7 => b"20271231235958".to_vec(),
                6 => b"271231235958".to_vec(),
                5 => b"1231235958".to_vec(),
                _ if dated == Content::Time => b"235958".to_vec(),
                _ if dated == Content::MonthDay => b"1231".to_vec(),
                other => panic!("no sample of {other} parts"),
            },
        }
    }

    /// As many elements as there is room for.
    fn structured(field: &Field) -> Vec<u8> {
        let (mut elements, mut whole) = (Vec::new(), Vec::new());
        for inner in field.shape().fields() {
            elements.push((inner.label, sample(inner)));
            match compose(Parent::Field(field), &elements) {
                Ok(content) if content.len() <= field.length().max() => whole = content,
                _ => drop(elements.pop()),
            }
        }
        whole
    }

    #[test]
    fn a_message_of_every_field_round_trips_in_every_dialect() {
        for spec in COMPILED.iter() {
            let mut message = Message::new("0200");
            // The MAC is the last field of its half.
            for field in spec.fields().filter(|field| field.number() != 64) {
                message.set(field.number(), sample(field));
            }
            let wire = spec.encode(&message).unwrap_or_else(|error| panic!("{}: {error}", spec.name()));
            let read = spec.decode(Bytes::from(wire.clone())).unwrap_or_else(|error| panic!("{}: {error}", spec.name()));
            assert_eq!(spec.encode(&read).as_deref(), Ok(wire.as_slice()), "{}", spec.name());
            for (number, content) in message.fields() {
                let pad = spec.field(number).unwrap().pad();
                assert_eq!(read.get(number), Some(pad.trim(content)), "{} {number}", spec.name());
            }
            assert!(read.mac_range().is_some() || spec.name() == "mastercard-ipm", "{}", spec.name());
        }
    }

    #[test]
    fn card_data_is_hidden_in_every_dialect() {
        for spec in COMPILED.iter() {
            let field = |number| spec.field(number);
            assert_eq!(field(2).map(Field::sensitivity), Some(Sensitivity::Mask), "{}", spec.name());
            for number in [14, 34, 35, 36, 45, 52].into_iter().filter_map(field) {
                assert_eq!(number.sensitivity(), Sensitivity::Hide, "{} {}", spec.name(), number.number());
            }
            for number in [35, 36, 45, 52].into_iter().filter_map(field) {
                assert!(!number.is_durable(), "{} {}", spec.name(), number.number());
            }
        }
        let postilion = Spec::shipped("postilion").unwrap();
        assert!(!postilion.field(127).unwrap().is_durable(), "127.10 is a card verification value");
    }

    #[test]
    fn the_table_of_the_documentation_is_what_the_code_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/iso8583/dialects.md");
        let page = std::fs::read_to_string(path).unwrap_or_default();
        let (open, close) = ("<!-- dialects -->\n", "<!-- /dialects -->");
        let (before, rest) = page.split_once(open).expect("the page has a place for the table");
        let (table, after) = rest.split_once(close).expect("the place ends");
        if std::env::var_os("SWITCHYARD_BLESS").is_some() {
            std::fs::write(path, format!("{before}{open}{}{close}{after}", dialects_table())).unwrap();
        } else {
            assert!(table == dialects_table(), "stale: run this test once with SWITCHYARD_BLESS=1");
        }
    }
}
