//! Properties of whole messages: any valid one round-trips, any damage gives a message that is written
//! as it was read, or a typed error.

use bytes::Bytes;
use proptest::prelude::*;

use crate::*;

fn spec() -> std::sync::Arc<Spec> {
    Spec::shipped("iso87-ascii").unwrap()
}

/// Content that a field of the shipped spec may hold, canonical.
fn content_of(field: &Field) -> BoxedStrategy<Vec<u8>> {
    let (least, most) = match field.length() {
        Length::Fixed(_) => (field.length().max(), field.length().max()),
        _ => (0, field.length().max().min(60)),
    };
    let text = |pattern: String| proptest::string::string_regex(&pattern).unwrap().prop_map(String::into_bytes).boxed();
    match field.content() {
        Content::N => text(format!("[0-9]{{{least},{most}}}")),
        Content::A => text(format!("[A-Za-z]{{{least},{most}}}")),
        Content::An if field.pad() == Pad::BLANKS => text(format!("[A-Za-z0-9]{{0,{most}}}")),
        Content::An => text(format!("[A-Za-z0-9]{{{least},{most}}}")),
        Content::Ans if field.pad() == Pad::BLANKS => text(format!("([ -~]{{0,{}}}[!-~])?", most - 1)),
        Content::Ans => text(format!("[ -~]{{{least},{most}}}")),
        Content::Z => text(format!("[0-9=D]{{{least},{most}}}")),
        Content::Xn => text(format!("[CD][0-9]{{{}}}", most - 1)),
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
        Content::Track1 => text(format!("[ -_]{{{least},{most}}}")),
        Content::Hex => text(format!("[0-9A-Fa-f]{{{least},{most}}}")),
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

fn any_message() -> impl Strategy<Value = Message> {
    let numbers: Vec<u8> = spec().fields().map(Field::number).collect();
    (proptest::string::string_regex("[0-9]{4}").unwrap(), proptest::sample::subsequence(numbers, 0..30)).prop_flat_map(
        |(mti, numbers)| {
            let contents: Vec<_> = numbers.iter().map(|number| content_of(spec().field(*number).unwrap())).collect();
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

proptest! {
    #[test]
    fn any_valid_message_round_trips(message in any_message()) {
        let wire = spec().encode(&message).unwrap();
        let read = spec().decode(Bytes::from(wire.clone())).unwrap();
        prop_assert_eq!(&read, &message);
        prop_assert_eq!(spec().encode(&read).unwrap(), wire);
        let json = to_json(&spec(), &message, Show::Revealed);
        prop_assert_eq!(from_json(&spec(), &json).unwrap(), message);
    }

    #[test]
    fn any_damage_gives_a_message_or_a_typed_error(message in any_message(), damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut in any::<prop::sample::Index>(), keep in any::<bool>()) {
        let mut wire = spec().encode(&message).unwrap();
        for (at, byte) in damage {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        if !keep {
            wire.truncate(cut.index(wire.len() + 1));
        }
        fuzz::fuzz_decode(&wire);
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
