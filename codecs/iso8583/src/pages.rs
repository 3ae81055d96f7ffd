//! The pages of `docs/iso8583`: their examples run as tests of this crate.

#[doc = include_str!("../../../docs/iso8583/bitmaps.md")]
struct Bitmaps;
#[doc = include_str!("../../../docs/iso8583/dialects.md")]
struct Dialects;
#[doc = include_str!("../../../docs/iso8583/lengths.md")]
struct Lengths;
#[doc = include_str!("../../../docs/iso8583/mti.md")]
struct Mti;
#[doc = include_str!("../../../docs/iso8583/tlv.md")]
struct Tlv;
#[doc = include_str!("../../../docs/iso8583/tracks.md")]
struct Tracks;
#[doc = include_str!("../../../docs/iso8583/specs.md")]
struct Specs;
