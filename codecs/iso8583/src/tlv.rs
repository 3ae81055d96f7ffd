//! BER-TLV data objects as EMV uses them (EMV Book 3 annex B, ISO/IEC 8825-1): tags of up to 4
//! bytes, definite lengths of up to 4 length bytes, bounded nesting. Every step consumes at least
//! one byte or ends, so no input can make it loop.

use nom::bytes::complete::take;
use nom::error::Error;
use nom::{IResult, Parser};

use crate::Kind;
use crate::mask;

/// Constructed objects may stand this deep in one another.
pub const DEEPEST: usize = 4;
/// Most bytes of a tag. EMV uses up to 2, private ones 3.
const LONGEST_TAG: usize = 4;

/// One data object. `offset` is where its tag starts, from the start of what is iterated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Tag bytes.
    pub tag: &'a [u8],
    /// Value bytes.
    pub value: &'a [u8],
    /// Start of the tag.
    pub offset: usize,
    /// Start of the value.
    pub value_offset: usize,
}

impl<'a> Tlv<'a> {
    /// Whether the value is data objects itself (bit 6 of the first tag byte).
    pub fn is_constructed(&self) -> bool {
        self.tag.first().is_some_and(|first| first & 0x20 != 0)
    }

    /// The objects inside a constructed one.
    pub fn children(&self) -> Tlvs<'a> {
        if self.is_constructed() { Tlvs::new(self.value) } else { Tlvs::new(&[]) }
    }

    /// The tag as upper-case hexadecimal, `9F26`.
    pub fn tag_hex(&self) -> String {
        hex::encode_upper(self.tag)
    }

    /// Whether the object holds card data (track 2, PAN, name, expiry, PIN data), or contains one
    /// that does, or cannot be looked into.
    pub fn holds_card_data(&self) -> bool {
        self.is_or_contains(mask::is_card_data)
    }

    /// Whether the tag of this object, or of one inside it, is what `wanted` says. `true` also where
    /// the inside is broken or nested too deep to tell: made to keep things back.
    pub fn is_or_contains(&self, wanted: impl Fn(&[u8]) -> bool) -> bool {
        self.is_or_contains_within(&wanted, DEEPEST)
    }

    fn is_or_contains_within(&self, wanted: &dyn Fn(&[u8]) -> bool, depth: usize) -> bool {
        let inside = |child: Result<Tlv<'_>, TlvError>| match (child, depth.checked_sub(1)) {
            (Ok(child), Some(depth)) => child.is_or_contains_within(wanted, depth),
            _ => true,
        };
        wanted(self.tag) || self.children().any(inside)
    }
}

/// Shows the tag and the length.
impl std::fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tlv({} [{}] @{})", self.tag_hex(), self.value.len(), self.offset)
    }
}

/// Why data objects could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct TlvError {
    /// One of the `Tlv…` kinds.
    pub kind: Kind,
    /// The faulty part: the tag, the length or the value, from the start of what is read.
    pub offset: usize,
}

/// Why a data object could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlvWriteError {
    /// Not one whole tag of at most 4 bytes.
    #[error("not a tag")]
    Tag,
    /// The value is longer than 65,535 bytes.
    #[error("value too long")]
    TooLong,
}

/// Iterates over data objects; ends after the first error. Zero bytes between objects are filler
/// (EMV Book 3 annex B1).
#[derive(Debug, Clone)]
pub struct Tlvs<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Tlvs<'a> {
    /// Over the objects of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { whole: bytes, at: 0 }
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.whole.get(self.at..)?;
        let filler = rest.iter().take_while(|byte| **byte == 0).count();
        let start = self.at + filler;
        let rest = self.whole.get(start..).filter(|rest| !rest.is_empty());
        let Some(rest) = rest else {
            self.at = self.whole.len();
            return None;
        };
        match object(rest, start) {
            Ok((tlv, next)) => {
                self.at = next;
                Some(Ok(tlv))
            }
            Err(error) => {
                self.at = self.whole.len();
                Some(Err(error))
            }
        }
    }
}

/// The first object with this tag, at the top or inside constructed objects. Broken objects end
/// the search.
pub fn find<'a>(bytes: &'a [u8], tag: &[u8]) -> Option<&'a [u8]> {
    find_within(bytes, tag, DEEPEST)
}

fn find_within<'a>(bytes: &'a [u8], tag: &[u8], depth: usize) -> Option<&'a [u8]> {
    Tlvs::new(bytes).map_while(Result::ok).find_map(|tlv| {
        if tlv.tag == tag {
            return Some(tlv.value);
        }
        tlv.is_constructed().then(|| find_within(tlv.value, tag, depth.checked_sub(1)?)).flatten()
    })
}

/// Checks that `bytes` are well-formed objects, constructed ones included.
pub fn check(bytes: &[u8]) -> Result<(), TlvError> {
    check_within(bytes, 0, DEEPEST)
}

fn check_within(bytes: &[u8], base: usize, depth: usize) -> Result<(), TlvError> {
    for tlv in Tlvs::new(bytes) {
        let tlv = tlv.map_err(|error| TlvError { offset: base + error.offset, ..error })?;
        if tlv.is_constructed() {
            let start = base + tlv.value_offset;
            let depth = depth.checked_sub(1).ok_or(TlvError { kind: Kind::TlvTooDeep, offset: base + tlv.offset })?;
            check_within(tlv.value, start, depth)?;
        }
    }
    Ok(())
}

/// Appends one object: the shortest definite length.
///
/// # Errors
/// A tag that is not exactly one tag, a value that is too long. `out` is then as it was.
pub fn write(tag: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), TlvWriteError> {
    match parse_tag(tag) {
        Ok(([], _)) if tag.first() != Some(&0) => {}
        _ => return Err(TlvWriteError::Tag),
    }
    let length = u16::try_from(value.len()).map_err(|_| TlvWriteError::TooLong)?;
    let [high, low] = length.to_be_bytes();
    out.extend_from_slice(tag);
    match (high, low) {
        (0, 0..=0x7F) => out.push(low),
        (0, _) => out.extend_from_slice(&[0x81, low]),
        _ => out.extend_from_slice(&[0x82, high, low]),
    }
    out.extend_from_slice(value);
    Ok(())
}

/// Reads the object at the start of `input`, which stands at `start`; also where the next one does.
fn object(input: &[u8], start: usize) -> Result<(Tlv<'_>, usize), TlvError> {
    let fail = |kind, rest: &[u8]| TlvError { kind, offset: start + input.len() - rest.len() };
    let (behind_tag, tag) = parse_tag(input).map_err(|_| fail(Kind::TlvTruncatedTag, input))?;
    let (behind_length, length) = parse_length(behind_tag).map_err(|kind| fail(kind, behind_tag))?;
    let value_offset = start + input.len() - behind_length.len();
    let taken: IResult<&[u8], &[u8]> = take(length).parse(behind_length);
    let (_, value) = taken.map_err(|_| fail(Kind::TlvValueOverrun, behind_length))?;
    Ok((Tlv { tag, value, offset: start, value_offset }, value_offset + value.len()))
}

/// A tag goes on while bit 8 of its further bytes is set, if bits 1 to 5 of the first are all set.
fn parse_tag(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let more = input.first().is_some_and(|first| first & 0x1F == 0x1F);
    let further = if more { input.iter().skip(1).take_while(|byte| **byte & 0x80 != 0).count() + 1 } else { 0 };
    if further >= LONGEST_TAG {
        return Err(nom::Err::Error(Error::new(input, nom::error::ErrorKind::TooLarge)));
    }
    take(1 + further).parse(input)
}

/// Short form, or 1 to 4 length bytes. 0x80 (indefinite) and more than 4 are refused.
fn parse_length(input: &[u8]) -> Result<(&[u8], usize), Kind> {
    let (first, rest) = input.split_first().ok_or(Kind::TlvTruncatedLength)?;
    let count = match first {
        0..=0x7F => return Ok((rest, usize::from(*first))),
        0x81..=0x84 => usize::from(first & 0x7F),
        _ => return Err(Kind::TlvBadLength),
    };
    let taken: IResult<&[u8], &[u8]> = take(count).parse(rest);
    let (rest, bytes) = taken.map_err(|_| Kind::TlvTruncatedLength)?;
    let length = bytes.iter().try_fold(0usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)));
    length.map(|length| (rest, length)).ok_or(Kind::TlvBadLength)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(hex: &str) -> Option<(Kind, usize)> {
        check(&hex::decode(hex).unwrap()).err().map(|error| (error.kind, error.offset))
    }

    #[test]
    fn broken_objects_name_the_faulty_part() {
        assert_eq!(error("9F"), Some((Kind::TlvTruncatedTag, 0)));
        assert_eq!(error("9F26"), Some((Kind::TlvTruncatedLength, 2)));
        assert_eq!(error("9F2682"), Some((Kind::TlvTruncatedLength, 2)));
        assert_eq!(error("E0809F2701800000"), Some((Kind::TlvBadLength, 1)));
        assert_eq!(error("9F26850000000001AA"), Some((Kind::TlvBadLength, 2)));
        assert_eq!(error("9F2701809F3704AABB"), Some((Kind::TlvValueOverrun, 7)));
        assert_eq!(error("9F2684FFFFFFFFAA"), Some((Kind::TlvValueOverrun, 7)));
        assert_eq!(error("9F8080808001AA"), Some((Kind::TlvTruncatedTag, 0)));
        assert_eq!(error("E004E002E000"), None);
        assert_eq!(error("E008E006E004E002E000"), Some((Kind::TlvTooDeep, 8)));
    }

    #[test]
    fn filler_between_objects_is_not_an_object() {
        let bytes = hex::decode("00009F270180000095050000008000").unwrap();
        let tags: Vec<_> = Tlvs::new(&bytes).map(|tlv| tlv.unwrap().tag_hex()).collect();
        assert_eq!(tags, ["9F27", "95"]);
    }

    #[test]
    fn card_data_is_found_inside_templates() {
        let bytes = hex::decode("700A9F2701805A03476173").unwrap();
        let template = Tlvs::new(&bytes).next();
        assert_eq!(
            template.map(|tlv| tlv.map(|tlv| tlv.holds_card_data())),
            Some(Err(TlvError { kind: Kind::TlvValueOverrun, offset: 2 }))
        );
        let bytes = hex::decode("70099F2701805A03476173").unwrap();
        assert!(Tlvs::new(&bytes).next().unwrap().unwrap().holds_card_data());
        assert_eq!(find(&bytes, &[0x9F, 0x27]), Some([0x80].as_slice()));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for length in [0, 1, 127, 128, 255, 256, 1000] {
            let value = vec![0xAB; length];
            let mut out = Vec::new();
            write(&[0x9F, 0x10], &value, &mut out).unwrap();
            let read: Vec<_> = Tlvs::new(&out).map(Result::unwrap).collect();
            assert_eq!(read.len(), 1);
            assert_eq!((read[0].tag, read[0].value), ([0x9F, 0x10].as_slice(), value.as_slice()));
        }
        assert_eq!(write(&[0x9F], &[], &mut Vec::new()), Err(TlvWriteError::Tag));
        assert_eq!(write(&[0x5A, 0x5A], &[], &mut Vec::new()), Err(TlvWriteError::Tag));
    }
}
