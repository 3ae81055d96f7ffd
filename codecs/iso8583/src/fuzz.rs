//! What fuzzers feed: one function per reader, over the shipped specs. They return nothing; what
//! they find is a panic, or an assertion that two ways of reading disagree.

use bytes::{Bytes, BytesMut};

use crate::{Framing, HeaderLength, Show, Spec, describe, emv, from_json, split_frame, tlv, to_json};

/// Decodes with every shipped spec. What is accepted must be written again, read back equal, and
/// be described.
pub fn fuzz_decode(input: &[u8]) {
    for spec in Spec::shipped_names().filter_map(Spec::shipped) {
        match spec.decode(Bytes::copy_from_slice(input)) {
            Ok(message) => {
                let _ = describe(&spec, &message);
                let wire = spec.encode(&message);
                let again = wire.map(|wire| spec.decode(Bytes::from(wire)));
                assert_eq!(again.as_ref().map(|read| read.as_ref()), Ok(Ok(&message)), "what was read cannot be written");
            }
            Err(error) => {
                assert!(error.offset <= input.len(), "an offset behind the end");
                let _ = describe(&spec, &error.partial);
            }
        }
    }
}

/// Splits frames with both header lengths; bytes must not appear or vanish.
pub fn fuzz_frame(input: &[u8]) {
    for header in [HeaderLength::Two, HeaderLength::Four] {
        let framing = Framing { header, cap: 4096 };
        let mut buffer = BytesMut::from(input);
        let mut taken = 0;
        while let Ok(Some(frame)) = split_frame(&mut buffer, framing) {
            assert!((1..=4096).contains(&frame.len()));
            taken += frame.len();
        }
        assert!(taken + buffer.len() <= input.len());
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

/// Loads a spec from text.
pub fn fuzz_spec(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = Spec::from_toml(text);
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
