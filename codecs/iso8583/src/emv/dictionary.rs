//! The dictionary: tag to name, format, source and sensitivity; and the meanings of bits beside it.
//! Both tables are compiled in and read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::format::Format;
use crate::field::Sensitivity;
use crate::tlv;

/// Who makes a data object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The card.
    Card,
    /// The terminal.
    Terminal,
    /// The issuer.
    Issuer,
}

/// What is known of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    tag: Vec<u8>,
    name: String,
    format: Format,
    source: Source,
    sensitivity: Sensitivity,
}

impl Entry {
    /// Tag bytes.
    pub fn tag(&self) -> &[u8] {
        &self.tag
    }

    /// Name for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the value looks like.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Who makes it.
    pub fn source(&self) -> Source {
        self.source
    }

    /// What may be shown of it.
    pub fn sensitivity(&self) -> Sensitivity {
        self.sensitivity
    }
}

/// What is known of a tag; `None` for one that is not in `emv/tags.toml`.
pub fn entry(tag: &[u8]) -> Option<&'static Entry> {
    TAGS.get(tag)
}

/// Every known tag, in ascending order of its bytes.
pub fn dictionary() -> impl Iterator<Item = &'static Entry> {
    TAGS.values()
}

/// What may be shown of the value of a tag. Of an unknown one nothing but its length: it may hold
/// anything.
pub fn sensitivity(tag: &[u8]) -> Sensitivity {
    entry(tag).map_or(Sensitivity::Hide, Entry::sensitivity)
}

/// One meaning: it holds where byte `byte` (from 1) has exactly `value` under `mask`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) byte: usize,
    pub(super) mask: u8,
    pub(super) value: u8,
    pub(super) text: String,
}

/// The meanings of the bits of a tag, by byte; empty where there are none.
pub(super) fn meanings(tag: &[u8]) -> &'static [Meaning] {
    BITS.get(tag).map_or(&[], Vec::as_slice)
}

// A table that cannot be read is empty, and everything hidden; the tests below do not let it be so.
static TAGS: LazyLock<BTreeMap<Vec<u8>, Entry>> =
    LazyLock::new(|| read_tags(include_str!("../../emv/tags.toml")).unwrap_or_default());
static BITS: LazyLock<BTreeMap<Vec<u8>, Vec<Meaning>>> =
    LazyLock::new(|| read_bits(include_str!("../../emv/bits.toml")).unwrap_or_default());

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TagTable {
    tags: BTreeMap<String, TagRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TagRow {
    name: String,
    format: String,
    source: Source,
    #[serde(default)]
    sensitivity: Sensitivity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BitTable {
    like: BTreeMap<String, String>,
    bits: BTreeMap<String, Vec<(usize, u8, u8, String)>>,
}

fn read_tags(text: &str) -> Result<BTreeMap<Vec<u8>, Entry>, String> {
    let table: TagTable = toml::from_str(text).map_err(|error| error.to_string())?;
    let entries = table.tags.into_iter().map(|(key, row)| {
        let tag = tag(&key)?;
        let format = Format::parse(&row.format).ok_or(format!("{key}: {:?} is not a format", row.format))?;
        let entry = Entry { tag: tag.clone(), name: row.name, format, source: row.source, sensitivity: row.sensitivity };
        Ok((tag, entry))
    });
    entries.collect()
}

fn read_bits(text: &str) -> Result<BTreeMap<Vec<u8>, Vec<Meaning>>, String> {
    let table: BitTable = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut bits = BTreeMap::new();
    for (key, rows) in table.bits {
        let row = |(byte, mask, value, text)| Meaning { byte, mask, value, text };
        bits.insert(tag(&key)?, rows.into_iter().map(row).collect::<Vec<_>>());
    }
    for (key, other) in table.like {
        let rows = bits.get(&tag(&other)?).cloned().ok_or(format!("{key}: there are no bits of {other}"))?;
        bits.insert(tag(&key)?, rows);
    }
    Ok(bits)
}

fn tag(key: &str) -> Result<Vec<u8>, String> {
    let tag = hex::decode(key).map_err(|_| format!("{key:?} is not hexadecimal"))?;
    match tlv::parse_tag(&tag) {
        Ok(([], _)) => Ok(tag),
        _ => Err(format!("{key} is not one tag")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emv::Class;

    #[test]
    fn the_tables_load() {
        assert_eq!(read_tags(include_str!("../../emv/tags.toml")).map(|tags| tags.len()), Ok(dictionary().count()));
        assert!(dictionary().count() >= 200);
        assert!(read_bits(include_str!("../../emv/bits.toml")).is_ok_and(|bits| bits.len() >= 11 + 6));
    }

    #[test]
    fn a_table_that_cannot_be_right_is_refused() {
        let row =
            |tag: &str, format: &str| format!("[tags]\n{tag} = {{ name = \"x\", format = \"{format}\", source = \"card\" }}");
        assert!(read_tags(&row("9F26", "b 8")).is_ok());
        assert!(read_tags(&row("9F", "b 8")).is_err(), "half a tag");
        assert!(read_tags(&row("9A9A", "b 8")).is_err(), "two tags");
        assert!(read_tags(&row("9F26", "b 8..")).is_err(), "half a format");
        assert!(read_bits("[like]\n95 = \"96\"\n[bits]\n").is_err());
    }

    #[test]
    fn constructed_tags_are_templates_and_only_they() {
        for entry in dictionary() {
            let constructed = entry.tag().first().is_some_and(|first| first & 0x20 != 0);
            assert_eq!(constructed, entry.format().class() == Class::Tlv, "{}", hex::encode_upper(entry.tag()));
        }
    }

    #[test]
    fn every_meaning_stands_within_its_object_and_excludes_its_neighbours() {
        for (tag, rows) in BITS.iter() {
            let name = hex::encode_upper(tag);
            let (_, most) = entry(tag).unwrap().format().bytes();
            for (at, row) in rows.iter().enumerate() {
                assert!((1..=most.unwrap()).contains(&row.byte), "{name}: {row:?}");
                assert_eq!(row.value & !row.mask, 0, "{name}: {row:?}");
                let low = row.mask >> row.mask.trailing_zeros();
                assert_eq!(low & low.wrapping_add(1), 0, "{name}: bits apart in {row:?}");
                for other in rows.iter().skip(at + 1).filter(|other| other.byte == row.byte && other.mask & row.mask != 0) {
                    assert!(other.mask == row.mask && other.value != row.value, "{name}: {row:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn what_identifies_a_card_or_proves_its_holder_is_not_clear() {
        for tag in ["57", "5A", "56", "99", "5F20", "5F24", "5F30", "9F0B", "9F1F", "9F20", "9F6B", "86", "5F53"] {
            assert_ne!(sensitivity(&hex::decode(tag).unwrap()), Sensitivity::Clear, "{tag}");
        }
        for tag in ["9F26", "9F34", "95", "82", "9F10", "84", "5F34"] {
            assert_eq!(sensitivity(&hex::decode(tag).unwrap()), Sensitivity::Clear, "{tag}");
        }
        assert_eq!(sensitivity(&[0xDF, 0x7F]), Sensitivity::Hide);
    }
}
