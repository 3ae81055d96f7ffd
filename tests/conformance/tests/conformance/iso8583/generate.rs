//! Messages of a dialect at random, with a seed: every class, charset and length form that its fields have,
//! the structure of those that have one, mostly short values, and now and then the longest.

use iso8583::{Content, Date, Field, Length, Message, Shape, Spec, tlv};

/// Longest value that is made often; longer ones are for the few messages that are about length.
const SHORT: usize = 40;
/// Longest value that is made at all: a field may say 999,999.
const LONGEST: usize = 9_999;
/// Most fields of an ordinary message; some have all.
const FIELDS: usize = 24;

/// A message of these fields of the spec.
pub(super) fn message(spec: &Spec, numbers: &[u8], random: &mut fastrand::Rng) -> Message {
    let mti = format!("{:04}", random.u16(..10_000));
    let count = if random.u8(..200) == 0 { numbers.len() } else { random.usize(..=numbers.len().min(FIELDS)) };
    let mut message = Message::new(&mti);
    for number in random.choose_multiple(numbers, count) {
        let field = spec.field(*number).expect("a field of the spec");
        fill(spec, field, field.label(), true, &mut message, random);
    }
    message
}

/// Puts a value into a field, or into some of its parts.
fn fill(spec: &Spec, field: &Field, path: &str, top: bool, message: &mut Message, random: &mut fastrand::Rng) {
    let parts: Vec<&Field> = match field.shape() {
        Shape::Plain | Shape::BerTlv => {
            let value = value(field, top, random);
            message.set_path(spec, path, value).unwrap_or_else(|error| panic!("{} {path}: {error}", spec.name()));
            return;
        }
        // Without one the next has no place.
        Shape::Positional(parts) => parts.iter().collect(),
        // Private data subelements, none of which the spec knows.
        Shape::Tagged(_) if field.shape().fields().next().is_none() => {
            let value = text(class(field.content()), random.usize(..SHORT), random);
            message.set(field.number(), [format!("{:04}{:03}", random.u16(1..=9_999), value.len()).as_bytes(), &value].concat());
            return;
        }
        shape => {
            let known: Vec<&Field> = shape.fields().collect();
            let count = random.usize(1..=known.len().min(4));
            random.choose_multiple(known, count)
        }
    };
    for part in parts {
        fill(spec, part, &format!("{path}.{}", part.label()), false, message, random);
    }
}

/// How many units a value is to have. Parts are kept short, so that all of them find room.
fn length(field: &Field, top: bool, random: &mut fastrand::Rng) -> usize {
    let most = field.length().max().min(LONGEST);
    match field.length() {
        Length::Fixed(_) => most,
        _ if !top => random.usize(..=most.min(8)),
        _ => match random.u16(..500) {
            0 => most,
            1..=40 => most.min(999),
            41..=80 => 0,
            _ => random.usize(..=most.min(SHORT)),
        },
    }
}

fn value(field: &Field, top: bool, random: &mut fastrand::Rng) -> Vec<u8> {
    let length = length(field, top, random);
    let fixed = matches!(field.length(), Length::Fixed(_));
    match (field.content(), field.shape()) {
        (_, Shape::BerTlv) => data_objects(field.length().max().min(999), random),
        (Content::B, _) => std::iter::repeat_with(|| random.u8(..)).take(length).collect(),
        (Content::Xn, _) => {
            let sign = if random.bool() { "C" } else { "D" };
            [sign.as_bytes(), &text("0-9", length.max(1) - 1, random)].concat()
        }
        (content, _) if !content.date_parts().is_empty() => {
            content.date_parts().iter().flat_map(|part| date(part, random)).collect()
        }
        // Shorter than it must be: numbers are filled on the left, text on the right.
        (content @ (Content::N | Content::A | Content::An | Content::Ans), _) if fixed && top && random.u8(..4) == 0 => {
            text(class(content), random.usize(..=length), random)
        }
        (content, _) => text(class(content), length, random),
    }
}

/// The characters of a class, as ranges.
fn class(content: Content) -> &'static str {
    match content {
        Content::N => "0-9",
        Content::A => "A-Za-z",
        Content::An => "0-9A-Za-z",
        Content::Z => "0-9=-=",
        Content::Hex => "0-9A-F",
        Content::Track1 => " -_",
        _ => " -~",
    }
}

fn text(class: &str, length: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    let ranges = class.as_bytes().chunks(3).map(|range| range[0]..=range[2]);
    let characters: Vec<u8> = ranges.flatten().collect();
    std::iter::repeat_with(|| characters[random.usize(..characters.len())]).take(length).collect()
}

/// Two digits. Every month has 28 days.
fn date(part: &Date, random: &mut fastrand::Rng) -> Vec<u8> {
    let number = match part {
        Date::Century => 20,
        Date::Year => random.u8(..100),
        Date::Month => random.u8(1..=12),
        Date::Day => random.u8(1..=28),
        Date::Hour => random.u8(..24),
        Date::Minute | Date::Second => random.u8(..60),
    };
    format!("{number:02}").into_bytes()
}

fn data_objects(most: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    const TAGS: [&[u8]; 6] = [&[0x9F, 0x26], &[0x95], &[0x9A], &[0x5F, 0x2A], &[0x84], &[0x9F, 0x81, 0x01]];
    let mut out = Vec::new();
    for _ in 0..random.usize(..6) {
        let length = [0, 1, 6, 8, 130, 300][random.usize(..6)];
        let value: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
        let before = out.len();
        tlv::write(TAGS[random.usize(..6)], &value, &mut out).expect("a tag and a length that can be written");
        if out.len() > most {
            out.truncate(before);
        }
    }
    out
}
