//! Data objects for people: tag, length, name, value as it may be shown, and what its bits say.

use super::dictionary::{Entry, entry, sensitivity};
use super::explain::explain;
use super::format::Class;
use crate::field::Sensitivity;
use crate::mask;
use crate::tlv::{self, Tlv};

/// Data objects in lines, those inside templates indented; masked as the dictionary says, unknown
/// ones by length only. Says where an object does not have its format, stands twice, or is broken.
///
/// ```
/// let lines = iso8583::emv::describe_tlv(&[0x9C, 0x01, 0x20, 0x9F, 0x35, 0x01, 0x22]);
/// assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["9C", "1", "Transaction", "type", "20"]);
/// assert_eq!(lines[2].trim(), "byte 1: merchant, attended, offline with online capability");
/// ```
pub fn describe_tlv(value: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    // Inside a template that we do not know, known tags may mean something else.
    let mut unknown_template = None;
    for object in tlv::walk(value) {
        let (depth, object) = match object {
            Ok(object) => object,
            Err(error) => {
                lines.push(format!("broken: {error}"));
                break;
            }
        };
        if unknown_template.is_some_and(|template| depth <= template) {
            unknown_template = None;
        }
        let known = entry(object.tag);
        if known.is_none() && object.is_constructed() && unknown_template.is_none() {
            unknown_template = Some(depth);
        }
        let may = match (unknown_template, sensitivity(object.tag)) {
            (Some(_), Sensitivity::Clear | Sensitivity::Mask) => Sensitivity::Hide,
            (_, declared) => declared,
        };
        describe_object(depth, &object, known, may, &mut lines);
    }
    if let Some(twice) = tlv::first_duplicate(value) {
        lines.push(format!("{} stands twice, again at byte {}", twice.tag_hex(), twice.offset));
    }
    lines
}

fn describe_object(depth: usize, object: &Tlv<'_>, known: Option<&Entry>, may: Sensitivity, lines: &mut Vec<String>) {
    let indent = depth * 2;
    let name = known.map_or_else(|| unknown(object), |known| known.name().to_owned());
    let Some(shown) = shown(object, known, may) else { return };
    // What is wrong inside a template is told at its place.
    let fault = known.filter(|known| !object.is_constructed() && !known.format().fits(object.value));
    let fault = fault.map_or_else(String::new, |known| format!("  not {}", known.format()));
    let line = format!("{:indent$}{:<8} {:>3}  {name:<44} {shown}{fault}", "", object.tag_hex(), object.value.len());
    lines.push(line.trim_end().to_owned());
    if may == Sensitivity::Clear {
        let meanings = explain(object.tag, object.value);
        lines.extend(meanings.iter().map(|meaning| format!("{:indent$}               {meaning}", "")));
    }
}

/// The value as it may be shown; nothing for a template, whose objects follow; `None` for what is
/// left out.
fn shown(object: &Tlv<'_>, known: Option<&Entry>, may: Sensitivity) -> Option<String> {
    if object.is_constructed() {
        return Some(String::new());
    }
    let class = known.map_or(Class::B, |known| known.format().class());
    let digits = hex::encode_upper(object.value);
    match class {
        Class::Cn => mask::text(may, digits.trim_end_matches('F')),
        Class::A | Class::An | Class::Ans if may == Sensitivity::Clear => {
            Some(format!("{:?}", String::from_utf8_lossy(object.value)))
        }
        _ => mask::text(may, &digits),
    }
}

/// What the first byte tells of a tag that is not in the dictionary (ISO/IEC 8825-1).
fn unknown(object: &Tlv<'_>) -> String {
    let class = match object.tag.first().map(|first| first >> 6) {
        Some(0) => "universal",
        Some(1) => "application",
        Some(2) => "context-specific",
        _ => "private",
    };
    let form = if object.is_constructed() { "constructed" } else { "primitive" };
    format!("unknown, {class}, {form}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn described(hex: &str) -> Vec<String> {
        describe_tlv(&hex::decode(hex).unwrap())
    }

    fn dense(line: &str) -> String {
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_values_and_bits_are_shown() {
        let lines = described("9F02060000000123458A0230309F270140");
        assert_eq!(dense(&lines[0]), "9F02 6 Amount, authorised (numeric) 000000012345");
        assert_eq!(dense(&lines[1]), "8A 2 Authorisation response code \"00\"");
        assert_eq!(dense(&lines[3]), "byte 1 bits 8-7: TC: approved offline");
    }

    #[test]
    fn card_data_is_masked_hidden_or_left_out() {
        let track = "476173900101011D2712201123456789012345";
        let lines = described(&format!("5A08476173900101011F5713{track}99041234567F5F200441424344"));
        assert_eq!(dense(&lines[0]), "5A 8 Application primary account number (PAN) 476173*****1011");
        assert_eq!(dense(&lines[1]), format!("57 19 Track 2 equivalent data {}", "*".repeat(38)));
        assert_eq!(dense(&lines[2]), "5F20 4 Cardholder name ********");
        assert_eq!(lines.len(), 3, "PIN data is left out");
    }

    #[test]
    fn objects_of_a_template_stand_below_it_indented() {
        let lines = described("70098A0230309A03260715");
        assert!(lines[0].starts_with("70 ") && lines[1].starts_with("  8A "), "{lines:?}");
        assert_eq!(lines.len(), 3);
        assert_eq!(described("70088A0230309A03260715").last().unwrap(), "broken: tlv_value_overrun at byte 8");
    }

    #[test]
    fn what_is_unknown_is_told_by_class_and_form_and_hidden() {
        let lines = described("DF7F02ABCDE1078202180084010A8A023030");
        assert_eq!(dense(&lines[0]), "DF7F 2 unknown, private, primitive ****");
        assert_eq!(dense(&lines[1]), "E1 7 unknown, private, constructed");
        assert_eq!(dense(&lines[2]), "82 2 Application interchange profile (AIP) ****");
        assert_eq!(dense(lines.last().unwrap()), "8A 2 Authorisation response code \"00\"");
    }

    #[test]
    fn what_is_not_as_it_should_be_is_told() {
        let lines = described("9A022607 9A03260715".replace(' ', "").as_str());
        assert_eq!(dense(&lines[0]), "9A 2 Transaction date 2607 not n 6");
        assert_eq!(lines[2], "9A stands twice, again at byte 4");
    }

    #[test]
    fn no_value_that_is_not_clear_shows_wherever_it_stands() {
        let secret = *b"4761739001010119";
        for entry in crate::emv::dictionary().filter(|entry| entry.sensitivity() != Sensitivity::Clear) {
            let mut object = Vec::new();
            tlv::write(entry.tag(), &secret, &mut object).unwrap();
            let (mut known, mut unknown) = (Vec::new(), Vec::new());
            tlv::write(&[0x70], &object, &mut known).unwrap();
            tlv::write(&[0xE1], &object, &mut unknown).unwrap();
            for bytes in [object, known, unknown] {
                let text = describe_tlv(&bytes).join("\n");
                assert!(!text.contains("4761739001010119") && !text.contains("34373631"), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_value_of_any_tag_is_survived(objects in proptest::collection::vec((any::<prop::sample::Index>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..8)) {
            let tags: Vec<_> = crate::emv::dictionary().map(Entry::tag).collect();
            let mut bytes = Vec::new();
            for (tag, value) in objects {
                tlv::write(tags[tag.index(tags.len())], &value, &mut bytes).unwrap();
            }
            crate::fuzz::fuzz_tlv(&bytes);
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let lines = described("50041B5B324A");
        assert!(lines.iter().all(|line| !line.chars().any(char::is_control)), "{lines:?}");
    }
}
