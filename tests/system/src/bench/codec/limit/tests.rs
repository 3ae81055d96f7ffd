//! The limit refuses what the codec refuses, or it is no limit.

use super::*;
use crate::bench::codec::sample::{Layout, contents, message};

fn numbers() -> impl Iterator<Item = u8> {
    contents().into_iter().map(|(number, _)| number)
}

fn frame(layout: Layout) -> Vec<u8> {
    layout.spec().expect("a sound table").encode(&message()).expect("a sound message")
}

/// Where the bitmap stands.
fn bitmap(layout: Layout) -> std::ops::Range<usize> {
    match layout {
        Layout::Ascii => 4..20,
        Layout::Packed => 2..10,
    }
}

fn read(layout: Layout, frame: &[u8], places: &mut Found) -> Result<(), Refused> {
    match layout {
        Layout::Ascii => read_ascii(frame, places),
        Layout::Packed => read_packed(frame, places),
    }
}

fn place(layout: Layout, frame: &[u8], found: &mut Found) -> Result<(), Refused> {
    match layout {
        Layout::Ascii => place_ascii(frame, found),
        Layout::Packed => place_packed(frame, found),
    }
}

#[test]
fn the_limit_hands_over_the_content_that_the_codec_hands_over() {
    for layout in Layout::ALL {
        let (frame, mut found) = (frame(layout), Found::default());
        read(layout, &frame, &mut found).expect("a sound message");
        for (nth, (number, content)) in contents().iter().enumerate() {
            assert_eq!(found.content(&frame, nth), content, "{layout:?} field {number}");
        }
    }
}

#[test]
fn packed_digits_of_every_length_are_handed_over() {
    let spec = Layout::Packed.spec().expect("a sound table");
    for (pan, acquirer) in (0..=19).flat_map(|pan| (0..=11).map(move |acquirer| (pan, acquirer))) {
        let (pan, acquirer) = (&"1234567890123456789"[..pan], &"98765432109"[..acquirer]);
        let mut message = message();
        message.set(2, pan).set(32, acquirer);
        let (frame, mut found) = (spec.encode(&message).expect("a sound message"), Found::default());
        read(Layout::Packed, &frame, &mut found).expect("a sound message");
        for (nth, number) in numbers().enumerate() {
            assert_eq!(Some(found.content(&frame, nth)), message.get(number), "field {number}: {pan} {acquirer}");
        }
    }
}

#[test]
fn places_only_are_where_the_fields_stand() {
    for layout in Layout::ALL {
        let (frame, mut found) = (frame(layout), Found::default());
        place(layout, &frame, &mut found).expect("a sound message");
        for (nth, (number, content)) in contents().iter().enumerate() {
            let bare = match (layout, found.content(&frame, nth)) {
                (Layout::Packed, packed) if hex::encode(packed).ends_with(&*String::from_utf8_lossy(content)) => continue,
                (Layout::Ascii, text) if matches!(number, 52 | 55) => hex::decode(text).expect("hexadecimal"),
                (_, found) => found.to_vec(),
            };
            assert_eq!(bare, *content, "{layout:?} field {number}");
        }
    }
}

#[test]
fn the_limit_refuses_what_the_codec_refuses_whichever_byte_is_changed() {
    for layout in Layout::ALL {
        let (spec, sound) = (layout.spec().expect("a sound table"), frame(layout));
        let (mut accepted, mut refused) = (0, 0);
        for at in 0..sound.len() {
            for byte in 0..=u8::MAX {
                let mut frame = sound.clone();
                frame[at] = byte;
                let limit = read(layout, &frame, &mut Found::default());
                let placed = place(layout, &frame, &mut Found::default());
                assert_eq!(placed, limit, "{layout:?}: {byte:#04x} at {at}");
                let codec = spec.decode(frame.into());
                // Another bitmap may make another message of the same bytes, which the limit knows not.
                let same = codec.as_ref().is_ok_and(|read| read.fields().map(|(number, _)| number).eq(numbers()));
                assert_eq!(limit.is_ok(), same, "{layout:?}: {byte:#04x} at {at}: {limit:?}, {:?}", codec.err());
                assert!(same == codec.is_ok() || bitmap(layout).contains(&at), "{layout:?}: {byte:#04x} at {at}");
                if codec.is_ok() { accepted += 1 } else { refused += 1 }
            }
        }
        assert!(accepted > sound.len() * 10 && refused > sound.len() * 50, "{accepted} accepted, {refused} refused");
    }
}

#[test]
fn the_limit_refuses_what_the_codec_refuses_wherever_the_frame_ends() {
    for layout in Layout::ALL {
        let (spec, sound) = (layout.spec().expect("a sound table"), frame(layout));
        for length in 0..sound.len() {
            assert!(read(layout, &sound[..length], &mut Found::default()).is_err(), "{layout:?}: {length}");
            assert!(spec.decode(sound[..length].to_vec().into()).is_err(), "{layout:?}: {length}");
        }
        let mut longer = sound.clone();
        longer.push(b'0');
        assert!(read(layout, &longer, &mut Found::default()).is_err());
        assert!(spec.decode(longer.into()).is_err());
    }
}

#[test]
fn the_limit_writes_what_the_codec_writes_and_refuses_what_it_refuses() {
    for layout in Layout::ALL {
        let (spec, all) = (layout.spec().expect("a sound table"), contents());
        let write = |all: &[(u8, Vec<u8>)]| {
            let contents: Contents<'_> = std::array::from_fn(|nth| all[nth].1.as_slice());
            let mut out = Vec::new();
            match layout {
                Layout::Ascii => write_ascii(b"0200", &contents, &mut out),
                Layout::Packed => write_packed(b"0200", &contents, &mut out),
            }
            .map(|()| out)
        };
        assert_eq!(write(&all).expect("a sound message"), frame(layout));
        for (nth, (number, content)) in all.iter().enumerate() {
            for at in 0..content.len() {
                for byte in 0..=u8::MAX {
                    let mut changed = all.clone();
                    changed[nth].1[at] = byte;
                    let mut message = message();
                    message.set(*number, &changed[nth].1);
                    let (limit, codec) = (write(&changed).ok(), spec.encode(&message).ok());
                    assert_eq!(limit, codec, "{layout:?}: {byte:#04x} at {at} of field {number}");
                }
            }
        }
    }
}
