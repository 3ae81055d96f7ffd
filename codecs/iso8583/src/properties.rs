//! Properties of whole messages: any valid one round-trips, any damage gives a message that is written
//! as it was read, or a typed error.

use bytes::Bytes;
use proptest::prelude::*;

use crate::*;

fn spec() -> std::sync::Arc<Spec> {
    Spec::shipped("iso87-ascii").unwrap()
}

/// One row: content, charset and length in every combination that a spec may have.
fn any_row(number: u8) -> impl Strategy<Value = String> {
    let texts = ["ascii", "ebcdic", "ebcdic-500", "ebcdic-1047"];
    let packed = ["bcd", "bcd", "ascii", "ebcdic"];
    let bytes = ["binary", "hex-ascii", "hex-ebcdic"];
    let classes: Vec<_> = Content::ALL.to_vec();
    let forms = ["ascii", "ebcdic", "bcd", "binary", "hex-ascii", "hex-ebcdic"];
    let counts = ["content", "bytes", "nibbles"];
    (
        (proptest::sample::select(classes), 0usize..4, any::<bool>(), 2u32..40),
        (1u8..=6, proptest::sample::select(forms.to_vec()), proptest::sample::select(counts.to_vec()), any::<bool>()),
        (proptest::sample::select(vec!["left", "right"]), 0u8..16, 0usize..8),
    )
        .prop_map(move |((content, charset, fixed, length), (digits, form, counts, inclusive), (side, fill, pad))| {
            let digit_class = content.is_numeric() || matches!(content, Content::Z | Content::Hex | Content::Xn);
            let charset = match content {
                Content::B => bytes[charset % 3],
                _ if digit_class => packed[charset],
                _ => texts[charset],
            };
            let odd = if charset == "bcd" { format!(", odd-side = \"{side}\", odd-fill = {fill}") } else { String::new() };
            let dated = content.date_parts().len() * 2;
            let length = match (fixed, dated) {
                (_, 1..) => format!("length = {dated}"),
                (true, _) => {
                    let pads = ["", ", pad = \"none\"", ", pad = \"blanks\"", ", pad = { left = \" \" }"];
                    let pad = if charset == "bcd" || content == Content::B { "" } else { pads[pad % 4] };
                    format!("length = {length}{pad}")
                }
                _ if content == Content::Xn && charset == "bcd" => {
                    format!("max = {length}, prefix = 3, prefix-form = \"{form}\"")
                }
                _ => format!(
                    "max = {length}, prefix = {digits}, prefix-form = \"{form}\", counts = \"{counts}\", inclusive = {inclusive}"
                ),
            };
            let name = content.as_str();
            format!("{number} = {{ name = \"{name}\", content = \"{name}\", charset = \"{charset}\", {length}{odd} }}")
        })
}

/// A spec with a random row for each of some fields; rows that a spec may not have are left out.
fn any_spec() -> impl Strategy<Value = Spec> {
    let numbers = vec![2u8, 3, 4, 5, 35, 48, 64, 70, 100, 128, 129, 192];
    let rows: Vec<_> = numbers.into_iter().map(any_row).collect();
    let head = (
        proptest::sample::select(vec!["ascii", "bcd", "ebcdic"]),
        proptest::sample::select(vec!["binary", "hex-ascii", "hex-ebcdic"]),
        proptest::sample::select(vec!["follows", "field65"]),
    );
    (head, rows).prop_map(|((mti, bitmap, third), rows)| {
        let head = format!("name = \"any\"\nmti = \"{mti}\"\nbitmap = \"{bitmap}\"\nthird-bitmap = \"{third}\"\n[fields]\n");
        let sound = rows.into_iter().filter(|row| Spec::from_toml(&format!("{head}{row}\n")).is_ok());
        Spec::from_toml(&format!("{head}{}\n", sound.collect::<Vec<_>>().join("\n"))).unwrap()
    })
}

/// Content that a field may hold, canonical: without the blanks that would be taken off.
fn content_of(field: &Field) -> BoxedStrategy<Vec<u8>> {
    let most = field.length().max().min(60);
    let trimmed = matches!(field.pad(), Pad::Left(b' ') | Pad::Right(b' '));
    let least = match field.length() {
        Length::Fixed(_) if !trimmed => most,
        _ => 0,
    };
    let text = |pattern: String| proptest::string::string_regex(&pattern).unwrap().prop_map(String::into_bytes).boxed();
    let of = |class: &str| text(format!("[{class}]{{{least},{most}}}"));
    let packed = matches!(field.charset(), Charset::Bcd { .. });
    match field.content() {
        Content::N => of("0-9"),
        Content::A => of("A-Za-z"),
        Content::An => of("A-Za-z0-9"),
        Content::Ans => of(if trimmed { "!-~" } else { " -~" }),
        Content::Track1 => of(if trimmed { "!-_" } else { " -_" }),
        Content::Z => of(if packed { "0-9=" } else { "0-9=D" }),
        Content::Hex => of(if packed { "0-9A-F" } else { "0-9A-Fa-f" }),
        Content::Xn => text(format!("[CD][0-9]{{{},{}}}", least.saturating_sub(1), most - 1)),
        Content::B if *field.shape() == Shape::BerTlv => {
            proptest::collection::vec((0x80u8..=0x9E, proptest::collection::vec(any::<u8>(), 0..9)), 0..8)
                .prop_map(|objects| {
                    let mut out = Vec::new();
                    for (tag, value) in objects {
                        tlv::write(&[tag], &value, &mut out).unwrap();
                    }
                    out
                })
                .boxed()
        }
        Content::B => proptest::collection::vec(any::<u8>(), least..=most).boxed(),
        dated => text(dated.date_parts().iter().map(date_pattern).collect()),
    }
}

fn date_pattern(part: &Date) -> &'static str {
    match part {
        Date::Century | Date::Year => "[0-9][0-9]",
        Date::Month => "(0[1-9]|1[0-2])",
        Date::Day => "(0[1-9]|1[0-9]|2[0-8])",
        Date::Hour => "([01][0-9]|2[0-3])",
        Date::Minute | Date::Second => "[0-5][0-9]",
    }
}

fn any_message(spec: std::sync::Arc<Spec>) -> impl Strategy<Value = Message> {
    let numbers: Vec<u8> = spec.fields().map(Field::number).collect();
    let most = numbers.len().min(30);
    (proptest::string::string_regex("[0-9]{4}").unwrap(), proptest::sample::subsequence(numbers, 0..=most)).prop_flat_map(
        move |(mti, numbers)| {
            let contents: Vec<_> = numbers.iter().map(|number| content_of(spec.field(*number).unwrap())).collect();
            (Just(mti), Just(numbers), contents).prop_map(|(mti, numbers, contents)| {
                let mut message = Message::new(&mti);
                for (number, content) in numbers.iter().zip(contents) {
                    message.set(*number, content);
                }
                message
            })
        },
    )
}

/// Several wrong bytes, and where to cut.
type Damage = (Vec<(prop::sample::Index, u8)>, Option<prop::sample::Index>);

fn any_damage() -> impl Strategy<Value = Damage> {
    (proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), any::<Option<prop::sample::Index>>())
}

fn damaged(mut wire: Vec<u8>, (bytes, cut): Damage) -> Vec<u8> {
    for (at, byte) in bytes {
        let at = at.index(wire.len());
        wire[at] = byte;
    }
    if let Some(cut) = cut {
        wire.truncate(cut.index(wire.len() + 1));
    }
    wire
}

fn spec_and_message() -> impl Strategy<Value = (std::sync::Arc<Spec>, Message)> {
    any_spec().prop_flat_map(|spec| {
        let spec = std::sync::Arc::new(spec);
        (Just(spec.clone()), any_message(spec))
    })
}

/// Writes a message. A count of bytes cannot tell an odd number of packed digits: such fields go.
fn written(spec: &Spec, message: &mut Message) -> Vec<u8> {
    loop {
        let error = match spec.encode(message) {
            Ok(wire) => return wire,
            Err(error) => error,
        };
        let field = spec.field(error.field().unwrap()).unwrap();
        let packed = matches!(field.charset(), Charset::Bcd { .. });
        let inexact = matches!(field.length(), Length::Variable { prefix, .. } if prefix.counts == Counts::Bytes);
        assert!(error.kind == Kind::BadLength && packed && inexact, "{error}: {field:?}");
        message.remove(field.number());
    }
}

/// A message some of whose contents are damaged.
fn miswritten(mut message: Message, damage: Vec<(prop::sample::Index, Damage)>) -> Message {
    let numbers: Vec<u8> = message.fields().map(|(number, _)| number).collect();
    for (nth, damage) in damage {
        if let Some(number) = numbers.get(nth.index(numbers.len().max(1))) {
            let content = message.get(*number).unwrap().to_vec();
            let wrong = if content.is_empty() { vec![b' '] } else { damaged(content, damage) };
            message.set(*number, wrong);
        }
    }
    message
}

/// Reads and writes the quick way and the careful one: both say the same.
fn agree(spec: &Spec, message: &Message, damage: Damage) -> Result<(), TestCaseError> {
    let careful = crate::plan::careful(spec);
    let (wire, carefully) = (spec.encode(message), careful.encode(message));
    prop_assert_eq!(&wire, &carefully);
    let Ok(wire) = wire else { return Ok(()) };
    for frame in [wire.clone(), damaged(wire, damage)].map(Bytes::from) {
        match (spec.decode(frame.clone()), careful.decode(frame)) {
            (Ok(read), Ok(carefully)) => {
                prop_assert_eq!((&read, read.notes(), read.mac_range()), (&carefully, carefully.notes(), carefully.mac_range()));
                prop_assert_eq!(spec.encode(&read), careful.encode(&carefully));
            }
            (Err(read), Err(carefully)) => {
                prop_assert_eq!((read.to_string(), read.offset), (carefully.to_string(), carefully.offset));
                prop_assert_eq!(read.partial, carefully.partial);
            }
            (read, carefully) => prop_assert!(false, "{:?}, carefully {:?}", read, carefully),
        }
    }
    Ok(())
}

fn any_miswriting() -> impl Strategy<Value = Vec<(prop::sample::Index, Damage)>> {
    proptest::collection::vec((any::<prop::sample::Index>(), any_damage()), 0..3)
}

proptest! {
    #[test]
    fn the_quick_way_and_the_careful_one_agree_on_any_message(
        message in any_message(spec()), wrong in any_miswriting(), damage in any_damage(), binary in any::<bool>()
    ) {
        // The same numbers: what is right for one table is mostly right for the other.
        let spec = if binary { Spec::shipped("iso87-binary").unwrap() } else { spec() };
        agree(&spec, &miswritten(message, wrong), damage)?;
    }

    #[test]
    fn the_quick_way_and_the_careful_one_agree_on_any_message_of_any_spec(
        (spec, message) in spec_and_message(), wrong in any_miswriting(), damage in any_damage()
    ) {
        agree(&spec, &miswritten(message, wrong), damage)?;
    }

    #[test]
    fn any_valid_message_round_trips(message in any_message(spec())) {
        let wire = spec().encode(&message).unwrap();
        let read = spec().decode(Bytes::from(wire.clone())).unwrap();
        prop_assert_eq!(&read, &message);
        prop_assert_eq!(spec().encode(&read).unwrap(), wire);
        let json = to_json(&spec(), &message, Show::Revealed);
        prop_assert_eq!(from_json(&spec(), &json).unwrap(), message);
    }

    #[test]
    fn any_valid_message_of_any_spec_round_trips((spec, mut message) in spec_and_message()) {
        let wire = written(&spec, &mut message);
        let read = spec.decode(Bytes::from(wire.clone()));
        prop_assert_eq!(read.as_ref(), Ok(&message));
        prop_assert_eq!(spec.encode(&read.unwrap()).unwrap(), wire);
    }

    #[test]
    fn any_damage_to_any_spec_gives_a_message_or_a_typed_error((spec, mut message) in spec_and_message(), damage in any_damage()) {
        let wire = written(&spec, &mut message);
        fuzz::decode_with(&spec, &damaged(wire, damage));
    }

    #[test]
    fn any_damage_gives_a_message_or_a_typed_error(message in any_message(spec()), damage in any_damage()) {
        let wire = spec().encode(&message).unwrap();
        fuzz::fuzz_decode(&damaged(wire, damage));
    }

    #[test]
    fn any_damage_to_structure_gives_a_message_or_a_typed_error(damage in any_damage()) {
        let spec = crate::structured::spec();
        let wire = spec.encode(&crate::structured::full(&spec)).unwrap();
        fuzz::decode_with(&spec, &damaged(wire, damage));
    }

    #[test]
    fn any_bytes_are_survived(input in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz::fuzz_decode(&input);
        fuzz::fuzz_frame(&input);
        fuzz::fuzz_tlv(&input);
        fuzz::fuzz_spec(&input);
        fuzz::fuzz_json(&input);
    }
}
