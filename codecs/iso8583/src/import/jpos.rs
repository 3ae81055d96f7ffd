//! The XML of a jPOS GenericPackager (`<isopackager>`). No DTD is read: what it would add are defaults
//! that the reader of jPOS does not rely on either. Attributes that say nothing about the wire are passed over,
//! others that are not known, and elements, are told.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::{DEEPEST, ImportError, Imported, Line, Table, bounded};

/// Where the filler of an odd number of packed digits stands.
#[derive(Clone, Copy)]
enum Odd {
    None,
    /// `pad="true"`: a zero on the left; else a zero on the right.
    ByPad,
    /// F on the right, unless `pad="true"`.
    F,
}

/// Class, digits and form of the prefix (0: fixed), content, charset, filler. From the public Java
/// source of jPOS 2.1.10 and its naming rule: IF, then A(SCII), B(inary) or E(BCDIC), a prefix of so
/// many L, H for a binary one, and what stands in it.
const CLASSES: [(&str, u8, &str, &str, &str, Odd); 57] = [
    ("IF_CHAR", 0, "", "ans", "ascii", Odd::None),
    ("IFA_NUMERIC", 0, "", "n", "ascii", Odd::None),
    ("IFA_AMOUNT", 0, "", "x+n", "ascii", Odd::None),
    ("IFA_BINARY", 0, "", "b", "hex-ascii", Odd::None),
    ("IFA_LCHAR", 1, "ascii", "ans", "ascii", Odd::None),
    ("IFA_LLCHAR", 2, "ascii", "ans", "ascii", Odd::None),
    ("IFA_LLLCHAR", 3, "ascii", "ans", "ascii", Odd::None),
    ("IFA_LLLLCHAR", 4, "ascii", "ans", "ascii", Odd::None),
    ("IFA_LLLLLCHAR", 5, "ascii", "ans", "ascii", Odd::None),
    ("IFA_LLLLLLCHAR", 6, "ascii", "ans", "ascii", Odd::None),
    ("IFA_LLNUM", 2, "ascii", "n", "ascii", Odd::None),
    ("IFA_LLLNUM", 3, "ascii", "n", "ascii", Odd::None),
    ("IFA_LBINARY", 1, "ascii", "b", "binary", Odd::None),
    ("IFA_LLBINARY", 2, "ascii", "b", "binary", Odd::None),
    ("IFA_LLLBINARY", 3, "ascii", "b", "binary", Odd::None),
    ("IFA_LLLLBINARY", 4, "ascii", "b", "binary", Odd::None),
    ("IFA_LLLLLBINARY", 5, "ascii", "b", "binary", Odd::None),
    ("IFA_LLLLLLBINARY", 6, "ascii", "b", "binary", Odd::None),
    ("IFB_NUMERIC", 0, "", "n", "bcd", Odd::ByPad),
    ("IFB_FNUMERIC", 0, "", "n", "bcd", Odd::F),
    ("IFB_AMOUNT", 0, "", "x+n", "bcd", Odd::None),
    // Currency, decimals and amount, packed as one number.
    ("IFB_AMOUNT2003", 0, "", "n", "bcd", Odd::ByPad),
    ("IFB_BINARY", 0, "", "b", "binary", Odd::None),
    ("IFB_LLCHAR", 2, "bcd", "ans", "ascii", Odd::None),
    ("IFB_LLLCHAR", 3, "bcd", "ans", "ascii", Odd::None),
    ("IFB_LLLLCHAR", 4, "bcd", "ans", "ascii", Odd::None),
    ("IFB_LLLLLLCHAR", 6, "bcd", "ans", "ascii", Odd::None),
    ("IFB_LLNUM", 2, "bcd", "n", "bcd", Odd::ByPad),
    ("IFB_LLLNUM", 3, "bcd", "n", "bcd", Odd::ByPad),
    ("IFB_LLBINARY", 2, "bcd", "b", "binary", Odd::None),
    ("IFB_LLLBINARY", 3, "bcd", "b", "binary", Odd::None),
    ("IFB_LLLLBINARY", 4, "bcd", "b", "binary", Odd::None),
    // One binary byte, or two, whatever the number of L says.
    ("IFB_LLHCHAR", 2, "binary", "ans", "ascii", Odd::None),
    ("IFB_LLLHCHAR", 4, "binary", "ans", "ascii", Odd::None),
    ("IFB_LLHECHAR", 2, "binary", "ans", "ebcdic", Odd::None),
    ("IFB_LLLHECHAR", 4, "binary", "ans", "ebcdic", Odd::None),
    ("IFB_LLHNUM", 2, "binary", "n", "bcd", Odd::ByPad),
    ("IFB_LLLHNUM", 4, "binary", "n", "bcd", Odd::ByPad),
    ("IFB_LLHBINARY", 2, "binary", "b", "binary", Odd::None),
    ("IFB_LLLHBINARY", 4, "binary", "b", "binary", Odd::None),
    ("IFE_CHAR", 0, "", "ans", "ebcdic", Odd::None),
    ("IFE_NUMERIC", 0, "", "n", "ebcdic", Odd::None),
    ("IFE_AMOUNT", 0, "", "x+n", "ebcdic", Odd::None),
    ("IFE_BINARY", 0, "", "b", "hex-ebcdic", Odd::None),
    ("IFE_LLCHAR", 2, "ebcdic", "ans", "ebcdic", Odd::None),
    ("IFE_LLLCHAR", 3, "ebcdic", "ans", "ebcdic", Odd::None),
    ("IFE_LLNUM", 2, "ebcdic", "n", "ebcdic", Odd::None),
    ("IFE_LLLNUM", 3, "ebcdic", "n", "ebcdic", Odd::None),
    ("IFE_LLBINARY", 2, "ebcdic", "b", "binary", Odd::None),
    ("IFE_LLLBINARY", 3, "ebcdic", "b", "binary", Odd::None),
    ("IFEA_LLCHAR", 2, "ebcdic", "ans", "ascii", Odd::None),
    ("IFEA_LLLCHAR", 3, "ebcdic", "ans", "ascii", Odd::None),
    ("IFAE_LLCHAR", 2, "ascii", "ans", "ebcdic", Odd::None),
    // Its prefix counts bytes.
    ("IFEB_LLNUM", 2, "ebcdic", "n", "bcd", Odd::F),
    ("IFA_BITMAP", 0, "", "bitmap", "hex-ascii", Odd::None),
    ("IFB_BITMAP", 0, "", "bitmap", "binary", Odd::None),
    ("IFE_BITMAP", 0, "", "bitmap", "hex-ebcdic", Odd::None),
];

/// An element's attributes, as far as they say something about the wire.
struct Element {
    id: String,
    name: String,
    class: String,
    length: u32,
    pad: bool,
    packager: String,
    emits_bitmap: bool,
    /// Attributes that are not known.
    foreign: Vec<String>,
    inner: Vec<Element>,
}

/// A packager as it is read.
#[derive(Default)]
struct Packager {
    attributes: Vec<(String, String)>,
    /// Names of elements that are not known.
    foreign: Vec<String>,
    elements: Vec<Element>,
}

/// An element that is open.
enum Open {
    Packager,
    Field(Element),
    /// One that is not known.
    Foreign,
}

/// Reads the XML of a packager into a spec of this name.
///
/// # Errors
/// What is not XML, not a packager, longer than [`super::LONGEST_IMPORT`] or nested too deep.
pub fn jpos(name: &str, text: &str) -> Result<Imported, ImportError> {
    bounded(text)?;
    let mut table = Table { name: name.to_owned(), origin: "a jPOS packager", ..Table::default() };
    let mut rows = Vec::new();
    let Packager { attributes, foreign, elements } = elements(text)?;
    for (attribute, value) in attributes {
        head(&attribute, &value, &mut table);
    }
    for name in foreign {
        table.lose(false, "", &name, "this element is not read");
    }
    for element in elements {
        let class = class(&element);
        match (element.id.as_str(), class) {
            ("0", Some((_, 0, _, _, charset @ ("ascii" | "bcd" | "ebcdic"), _))) => table.mti = Some(charset),
            ("1", Some((_, _, _, "bitmap", form, _))) => {
                table.bitmap = Some(form);
                if element.length > 16 && table.third.is_none() {
                    table.lose(true, "1", &element.class, "where its third bitmap stands: say `third-bitmap`");
                }
            }
            ("0" | "1", _) => {}
            _ => {
                if let Some(line) = line(&element, "", &mut table) {
                    put(line, &element, "", &mut rows, &mut table);
                }
            }
        }
    }
    table.rows = rows;
    Ok(table.finish())
}

/// What the packager as a whole says.
fn head(attribute: &str, value: &str, table: &mut Table) {
    match (attribute, value) {
        // The usual, in words; how many fields there are is told by the fields.
        ("bitmapField", "1") | ("emitBitmap", "true") | ("headerLength", "0") | ("maxValidField" | "type", _) => {}
        ("thirdBitmapField", "65") => table.third = Some("field65"),
        ("thirdBitmapField", "-999") => {}
        ("headerLength", _) => table.lose(true, "", attribute, "the header in front of a message belongs to the framing"),
        _ => table.lose(true, "", &format!("{attribute}={value}"), "this attribute of the packager is not read"),
    }
}

/// Adds a row. jPOS keeps what is listed last under a number.
fn put(line: Line, element: &Element, above: &str, rows: &mut Vec<Line>, table: &mut Table) {
    match rows.iter_mut().find(|row| row.key == line.key) {
        Some(row) => {
            table.lose(false, &format!("{above}{}", element.id), &element.class, "listed twice: the later one counts");
            *row = line;
        }
        None => rows.push(line),
    }
}

fn class(element: &Element) -> Option<(&'static str, u8, &'static str, &'static str, &'static str, Odd)> {
    let name = element.class.rsplit('.').next().unwrap_or_default();
    CLASSES.iter().find(|(class, ..)| *class == name).copied()
}

fn line(element: &Element, above: &str, table: &mut Table) -> Option<Line> {
    let path = format!("{above}{}", element.id);
    for attribute in &element.foreign {
        table.lose(false, &path, attribute, "this attribute is not read");
    }
    if element.length == 0 {
        table.lose(false, &path, &element.class, "a placeholder without a length");
        return None;
    }
    let Some((name, digits, form, mut content, charset, odd)) = class(element) else {
        table.lose(true, &path, &element.class, "this class is not in the importer's table");
        return None;
    };
    if content == "bitmap" {
        table.lose(above.is_empty(), &path, &element.class, "a bitmap in the place of a field");
        return None;
    }
    // Tracks have a separator, which numeric classes of jPOS carry as a half-byte.
    if above.is_empty() && matches!((element.id.as_str(), content), ("35", "n" | "ans") | ("36", "n")) {
        content = "z";
    }
    let odd = match odd {
        Odd::None => None,
        Odd::ByPad | Odd::F if element.pad => Some(("left", 0)),
        Odd::ByPad => Some(("right", 0)),
        Odd::F => Some(("right", 15)),
    };
    let mut line = Line {
        key: element.id.clone(),
        name: element.name.clone(),
        content,
        charset,
        length: element.length,
        prefix: (digits > 0).then_some((digits, form)),
        counts_bytes: name == "IFEB_LLNUM",
        odd,
        ..Line::default()
    };
    if !element.inner.is_empty() {
        nested(element, &path, &mut line, table);
    }
    Some(line)
}

fn nested(element: &Element, path: &str, line: &mut Line, table: &mut Table) {
    let packager = element.packager.rsplit('.').next().unwrap_or_default();
    if !matches!(packager, "GenericPackager" | "GenericSubFieldPackager") {
        table.lose(false, path, &element.packager, "this packager's subfields; the field itself is there");
        return;
    }
    let is_bitmap = |inner: &&Element| class(inner).is_some_and(|(_, _, _, content, ..)| content == "bitmap");
    let bitmap = element.inner.iter().find(is_bitmap).filter(|_| element.emits_bitmap);
    let shape = match bitmap {
        None => "shape = \"positional\"".to_owned(),
        Some(bitmap) => {
            let form = class(bitmap).map_or("binary", |(_, _, _, _, form, _)| form);
            let highest = element.inner.iter().filter_map(|inner| inner.id.parse::<u32>().ok()).max().unwrap_or(0);
            // One of 16 bytes is written as 8 where nothing above 64 is there.
            let bytes = if bitmap.length > 8 && highest <= 64 { 8 } else { bitmap.length };
            if bytes > 8 {
                table.lose(true, path, &bitmap.class, "a bitmap of 8 bytes that grows to 16: ours always has 16");
            }
            format!("shape = \"bitmap\", bitmap = \"{form}\", bitmap-bytes = {bytes}")
        }
    };
    let before = table.losses.len();
    let within = format!("{path}.");
    let mut rows = Vec::new();
    for inner in element.inner.iter().filter(|inner| !is_bitmap(inner)) {
        if let Some(line) = self::line(inner, &within, table) {
            put(line, inner, &within, &mut rows, table);
        }
    }
    if bitmap.is_none() && table.losses.iter().skip(before).any(|loss| loss.essential) {
        // Parts stand one behind the other: without one of them the others have no place.
        table.losses.iter_mut().skip(before).for_each(|loss| loss.essential = false);
        table.lose(false, path, &element.packager, "its subfields, since one of them is not known");
        return;
    }
    (line.shape, line.rows) = (Some(shape), rows);
}

/// The tree of `isofield` and `isofieldpackager` below `isopackager`.
fn elements(text: &str) -> Result<Packager, ImportError> {
    let mut reader = Reader::from_str(text);
    let (mut open, mut packager): (Vec<Open>, Packager) = Default::default();
    let mut seen = false;
    loop {
        let offset = reader.buffer_position();
        let fault = |reason| ImportError::Xml { offset, reason };
        let event = reader.read_event().map_err(|_| fault("not well-formed XML"))?;
        let empty = matches!(event, Event::Empty(_));
        match event {
            Event::Start(start) | Event::Empty(start) => {
                let opened = match (start.name().0, open.last()) {
                    (_, _) if open.len() > DEEPEST => return Err(fault("elements are nested too deep")),
                    ("isopackager", None) if !seen => {
                        packager.attributes = attributes(&start).map_err(fault)?;
                        Open::Packager
                    }
                    (_, None) => return Err(fault("wanted isopackager, and in it isofield and isofieldpackager")),
                    ("isofield" | "isofieldpackager", Some(Open::Packager | Open::Field(_))) => {
                        Open::Field(element(&start).map_err(fault)?)
                    }
                    (name, Some(_)) => {
                        if packager.foreign.iter().all(|known| known != name) {
                            packager.foreign.push(name.to_owned());
                        }
                        Open::Foreign
                    }
                };
                seen = true;
                if empty { close(opened, &mut open, &mut packager) } else { open.push(opened) }
            }
            Event::End(_) => match open.pop() {
                Some(element) => close(element, &mut open, &mut packager),
                None => return Err(fault("an end without a start")),
            },
            Event::Eof if open.is_empty() && seen => return Ok(packager),
            Event::Eof => return Err(fault("wanted isopackager, whole")),
            // In the text of an element that is not known anything may stand.
            Event::GeneralRef(_) if !matches!(open.last(), Some(Open::Foreign)) => return Err(fault("entities are not read")),
            _ => {}
        }
    }
}

fn close(closed: Open, open: &mut [Open], packager: &mut Packager) {
    let Open::Field(element) = closed else { return };
    match open.last_mut() {
        Some(Open::Field(outer)) => outer.inner.push(element),
        _ => packager.elements.push(element),
    }
}

/// Most attributes of an element that are looked at.
const MOST_ATTRIBUTES: usize = 32;

/// Names and values.
fn attributes(start: &BytesStart<'_>) -> Result<Vec<(String, String)>, &'static str> {
    let mut all = Vec::new();
    for attribute in start.attributes().take(MOST_ATTRIBUTES + 1) {
        let attribute = attribute.map_err(|_| "an attribute that is not well-formed, or stands twice")?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0);
        let value = value.map_err(|_| "an attribute's value with an entity that XML does not define")?;
        all.push((attribute.key.0.to_owned(), value.into_owned()));
    }
    if all.len() > MOST_ATTRIBUTES { Err("an element with too many attributes") } else { Ok(all) }
}

/// Attributes that are read, or say nothing about the wire: which field comes first the fields say.
const ATTRIBUTES: [&str; 9] = ["id", "name", "class", "length", "pad", "packager", "emitBitmap", "firstField", "maxValidField"];

fn element(start: &BytesStart<'_>) -> Result<Element, &'static str> {
    let all = attributes(start)?;
    let attribute = |name: &str| all.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
    let id = attribute("id").filter(|id| id.parse::<u8>().is_ok()).ok_or("`id` is missing or no number up to 255")?;
    let length = attribute("length").and_then(|length| length.parse().ok()).ok_or("`length` is missing or no number")?;
    // Which of the fields is the bitmap its class says.
    let foreign = all.iter().filter(|(name, _)| !ATTRIBUTES.contains(&name.as_str()) && name != "bitmapField");
    Ok(Element {
        id: id.trim_start_matches('0').to_owned() + if id.bytes().all(|digit| digit == b'0') { "0" } else { "" },
        name: attribute("name").unwrap_or_default().to_owned(),
        class: attribute("class").ok_or("`class` is missing")?.to_owned(),
        length,
        pad: attribute("pad") == Some("true"),
        packager: attribute("packager").unwrap_or_default().to_owned(),
        emits_bitmap: attribute("emitBitmap") != Some("false"),
        foreign: foreign.map(|(name, value)| format!("{name}={value}")).collect(),
        inner: Vec::new(),
    })
}
