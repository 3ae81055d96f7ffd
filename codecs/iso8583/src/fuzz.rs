//! What fuzzers feed: one function per reader, over the shipped specs. They return nothing; what
//! they find is a panic, or an assertion that two ways of reading disagree.

use bytes::{Bytes, BytesMut};

use crate::{FrameError, Message, Preset, Show, Spec, describe, emv, from_json, import, tlv, to_json};

/// Decodes with every shipped spec, see [`decode_with`].
pub fn fuzz_decode(input: &[u8]) {
    Spec::shipped_names().filter_map(Spec::shipped).for_each(|spec| decode_with(&spec, input));
}

/// Decodes with one spec. What is accepted must be written again byte for byte, must survive being
/// built anew from its fields, and must be described; an error must point into the input.
pub fn decode_with(spec: &Spec, input: &[u8]) {
    match spec.decode(Bytes::copy_from_slice(input)) {
        Ok(message) => {
            let _ = (describe(spec, &message), to_json(spec, &message, Show::Masked));
            let wire = spec.encode(&message);
            assert_eq!(wire.as_deref(), Ok(input), "what was read is not written as it was");
            let mut anew = Message::new(message.mti());
            for (number, content) in message.fields() {
                anew.set(number, content);
            }
            let wire = spec.encode(&anew);
            let again = wire.map(|wire| spec.decode(Bytes::from(wire)));
            assert_eq!(again.as_ref().map(|read| read.as_ref()), Ok(Ok(&message)), "what was read cannot be written");
        }
        Err(error) => {
            assert!(error.offset <= input.len(), "an offset behind the end");
            let _ = (describe(spec, &error.partial), to_json(spec, &error.partial, Show::Masked));
        }
    }
}

/// Splits frames with every preset. Bytes must not appear or vanish, nothing above the cap may come out
/// or be held, and what came out must be split again from what is written of it.
pub fn fuzz_frame(input: &[u8]) {
    const CAP: usize = 256;
    for framing in Preset::all().iter().map(|preset| preset.framing.with_cap(CAP)) {
        let mut buffer = BytesMut::from(input);
        let (mut wire, mut frames) = (BytesMut::new(), Vec::new());
        let ended = loop {
            match framing.split(&mut buffer) {
                Ok(Some(frame)) => {
                    assert!(frame.header.len() + frame.message.len() <= CAP, "more than the cap");
                    framing.write(&frame.header, &frame.message, &mut wire).expect("what was read cannot be written");
                    frames.push(frame.message);
                }
                Ok(None) => break framing.finish(&buffer),
                Err(error) => break Err(error),
            }
        };
        assert!(wire.len() + buffer.len() <= input.len(), "bytes appeared");
        match ended {
            Ok(()) => assert!(buffer.is_empty(), "bytes vanished"),
            // A header that its length leaves no room for is told before it is there.
            Err(FrameError::Truncated { offset, .. }) => assert!(offset < framing.longest(), "an offset behind the end"),
            Err(error) => assert!(error.offset() <= buffer.len(), "an offset behind the end"),
        }
        if framing.split(&mut buffer) == Ok(None) {
            assert!(buffer.len() < framing.longest(), "waits for more than the longest frame");
        }
        let mut again = Vec::new();
        while let Ok(Some(frame)) = framing.split(&mut wire) {
            again.push(frame.message);
        }
        assert!(wire.is_empty() && again == frames, "what was written is read otherwise");
    }
}

/// Walks data objects and describes them, and reads the same bytes as a data object list. What is
/// well formed must be found again after writing.
pub fn fuzz_tlv(input: &[u8]) {
    let _ = emv::describe_tlv(input);
    if let Ok(dol) = emv::Dol::parse(input)
        && let Ok(built) = dol.build_from(input)
    {
        assert_eq!(built.len(), dol.length());
    }
    for filler in [tlv::Filler::None, tlv::Filler::ZerosAndOnes] {
        let within = |object: tlv::Tlv<'_>| object.value_offset + object.value.len() <= input.len();
        assert!(tlv::Tlvs::with_filler(input, filler).map_while(Result::ok).all(within));
    }
    assert_eq!(tlv::walk(input).find_map(Result::err), tlv::check(input).err());
    let mut out = Vec::new();
    for object in tlv::Tlvs::new(input).map_while(Result::ok) {
        let _ = object.holds_card_data();
        if tlv::write(object.tag, object.value, &mut out).is_err() {
            return;
        }
    }
    let tags = |bytes| tlv::Tlvs::new(bytes).map_while(Result::ok).map(|tlv| tlv.tag.to_vec()).collect::<Vec<_>>();
    assert_eq!(tags(input), tags(&out));
    let _ = tlv::check(input);
}

/// Loads a spec from text. What follows the first NUL, which no TOML may hold, is a message to decode with
/// it, see [`decode_with`].
pub fn fuzz_spec(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let (text, message) = input.split_at(at);
    if let Ok(Ok(spec)) = std::str::from_utf8(text).map(Spec::from_toml)
        && let Some((_, message)) = message.split_first()
    {
        decode_with(&spec, message);
    }
}

/// Imports a table of either form. What comes out must load.
pub fn fuzz_import(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        for imported in [import::jpos("x", text), import::moov("x", text)].into_iter().flatten() {
            assert!(Spec::from_toml(&imported.toml).is_ok(), "what was imported does not load");
            let _ = imported.losses.iter().map(ToString::to_string).collect::<Vec<_>>();
        }
    }
}

/// Reads a message from JSON text, and writes it again where it is one.
pub fn fuzz_json(input: &[u8]) {
    if let (Ok(text), Some(spec)) = (std::str::from_utf8(input), Spec::shipped("iso87-ascii"))
        && let Ok(message) = from_json(&spec, text)
    {
        let _ = spec.encode(&message);
        let _ = to_json(&spec, &message, Show::Masked);
    }
}
