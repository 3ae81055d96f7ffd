//! BER-TLV data objects as EMV uses them (EMV Book 3 annex B, ISO/IEC 8825-1): tags of up to 4
//! bytes, definite lengths of up to 4 length bytes, bounded nesting. Every step consumes at least
//! one byte or closes a template, so no input can make it loop, and time grows with its length.

use std::collections::BTreeSet;

use nom::bytes::complete::take;
use nom::error::Error;
use nom::{IResult, Parser};

use crate::Kind;
use crate::mask;

mod write;

pub use write::{TlvWriteError, write};

/// Constructed objects may stand this deep in one another.
pub const DEEPEST: usize = 4;
/// Most bytes of a tag. EMV uses up to 2, private ones 3.
const LONGEST_TAG: usize = 4;

/// One data object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Tag bytes.
    pub tag: &'a [u8],
    /// Value bytes.
    pub value: &'a [u8],
    /// Start of the tag, from the start of what is iterated or walked.
    pub offset: usize,
    /// Start of the value, from the same start.
    pub value_offset: usize,
}

impl<'a> Tlv<'a> {
    /// Whether the value is data objects itself (bit 6 of the first tag byte).
    pub fn is_constructed(&self) -> bool {
        self.tag.first().is_some_and(|first| first & 0x20 != 0)
    }

    /// The objects inside a constructed one; their offsets count from the start of its value.
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
        let inside = if self.is_constructed() { self.value } else { &[] };
        wanted(self.tag) || walk(inside).any(|object| object.map_or(true, |(_, object)| wanted(object.tag)))
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

/// Which bytes between objects mean nothing and are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Filler {
    /// None: every byte belongs to an object, and `00` is a tag.
    None,
    /// `00`, as EMV says (Book 3 annex B1).
    #[default]
    Zeros,
    /// `00` and `FF`, as some cards' files have them (ISO/IEC 7816-4). A private tag that begins
    /// with `FF` cannot be told from filler then.
    ZerosAndOnes,
}

impl Filler {
    fn is(self, byte: u8) -> bool {
        match self {
            Self::None => false,
            Self::Zeros => byte == 0x00,
            Self::ZerosAndOnes => matches!(byte, 0x00 | 0xFF),
        }
    }
}

/// Iterates over data objects without looking into them; ends after the first error.
#[derive(Debug, Clone)]
pub struct Tlvs<'a> {
    whole: &'a [u8],
    at: usize,
    filler: Filler,
}

impl<'a> Tlvs<'a> {
    /// Over the objects of `bytes`, with zeros for filler as in EMV.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::with_filler(bytes, Filler::default())
    }

    /// Over the objects of `bytes`, with this filler.
    pub fn with_filler(bytes: &'a [u8], filler: Filler) -> Self {
        Self { whole: bytes, at: 0, filler }
    }
}

impl<'a> Iterator for Tlvs<'a> {
    type Item = Result<Tlv<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = next_object(self.whole, self.at, self.whole.len(), self.filler).transpose()?;
        self.at = read.map_or(self.whole.len(), |(_, next)| next);
        Some(read.map(|(object, _)| object))
    }
}

/// Every object of `bytes` with its depth, from 0, a constructed one before those inside it; ends
/// after the first error. Offsets count from the start of `bytes`.
pub fn walk(bytes: &[u8]) -> Walk<'_> {
    Walk { whole: bytes, at: 0, open: [0; DEEPEST], depth: 0 }
}

/// See [`walk`].
#[derive(Debug, Clone)]
pub struct Walk<'a> {
    whole: &'a [u8],
    at: usize,
    /// Where the constructed objects end that we are in, outermost first: the first `depth` of them.
    open: [usize; DEEPEST],
    depth: usize,
}

impl<'a> Walk<'a> {
    /// Reads on; an error is made by the caller into the end of the walk.
    fn step(&mut self) -> Result<Option<(usize, Tlv<'a>)>, TlvError> {
        loop {
            let depth = self.depth;
            let end = depth.checked_sub(1).and_then(|last| self.open.get(last)).copied().unwrap_or(self.whole.len());
            let Some((object, next)) = next_object(self.whole, self.at, end, Filler::Zeros)? else {
                self.at = end;
                match depth.checked_sub(1) {
                    Some(outer) => self.depth = outer,
                    None => return Ok(None),
                }
                continue;
            };
            self.at = next;
            if object.is_constructed() {
                let Some(open) = self.open.get_mut(depth) else {
                    return Err(TlvError { kind: Kind::TlvTooDeep, offset: object.offset });
                };
                *open = next;
                self.depth = depth + 1;
                self.at = object.value_offset;
            }
            return Ok(Some((depth, object)));
        }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<(usize, Tlv<'a>), TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.at = self.whole.len();
            self.depth = 0;
        }
        step.transpose()
    }
}

/// The first object with this tag, at the top or inside constructed objects. A broken object ends
/// the search.
pub fn find<'a>(bytes: &'a [u8], tag: &[u8]) -> Option<&'a [u8]> {
    walk(bytes).map_while(Result::ok).find(|(_, object)| object.tag == tag).map(|(_, object)| object.value)
}

/// The first object at the top whose tag stood there before. EMV allows each tag once a template
/// (Book 3 annex B1); most readers take the first or the last of two, and not all the same. A broken
/// object ends the search.
pub fn first_duplicate(bytes: &[u8]) -> Option<Tlv<'_>> {
    let mut seen = BTreeSet::new();
    Tlvs::new(bytes).map_while(Result::ok).find(|object| !seen.insert(object.tag))
}

/// Checks that `bytes` are well-formed objects, constructed ones included.
///
/// # Errors
/// The first faulty part.
pub fn check(bytes: &[u8]) -> Result<(), TlvError> {
    if are_plain(bytes) {
        return Ok(());
    }
    walk(bytes).try_for_each(|object| object.map(|_| ()))
}

/// Whether `bytes` are objects as field 55 nearly always has them: none inside another, tags of one or two
/// bytes, lengths below 128, no filler. `false` says nothing; [`check`] decides.
#[inline]
pub(crate) fn are_plain(bytes: &[u8]) -> bool {
    // The bits of all heads, and of all first bytes less one, are looked at once behind the last object.
    let (mut rest, mut heads, mut firsts) = (bytes, 0, 0);
    // Where an object that is unusual leads does not matter: on, in any case. That a tag has a second byte is
    // a branch on purpose: it is guessed, and the next object is looked for before this one is understood.
    while let [first, second, third, ..] = rest {
        heads |= u16::from_le_bytes([*first, *second]);
        firsts |= u16::from(*first).wrapping_sub(1);
        let end = if first & 0x1F == 0x1F {
            heads |= u16::from_le_bytes([0, *third]);
            3 + usize::from(*third)
        } else {
            2 + usize::from(*second)
        };
        let Some(behind) = rest.get(end..) else { return false };
        rest = behind;
    }
    // The bit of a constructed object, those that say that a tag or a length goes on, and that of filler.
    rest.is_empty() && heads & 0x8020 == 0 && firsts & 0x8000 == 0
}

/// The first object of `whole[at..end]` behind filler, and where the next one starts; `None` where
/// there is only filler.
fn next_object(whole: &[u8], at: usize, end: usize, filler: Filler) -> Result<Option<(Tlv<'_>, usize)>, TlvError> {
    let rest = whole.get(at..end).unwrap_or_default();
    let start = at + rest.iter().take_while(|byte| filler.is(**byte)).count();
    match whole.get(start..end) {
        None | Some([]) => Ok(None),
        Some(rest) => object(rest, start).map(Some),
    }
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

/// The tag at the start of `input`, and what follows. A tag goes on while bit 8 of its further
/// bytes is set, if bits 1 to 5 of the first are all set.
pub(crate) fn parse_tag(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let more = input.first().is_some_and(|first| first & 0x1F == 0x1F);
    // One byte more than may be is enough to tell that a tag does not end.
    let going_on = |input: &[u8]| input.iter().skip(1).take(LONGEST_TAG).take_while(|byte| **byte & 0x80 != 0).count();
    let further = if more { going_on(input) + 1 } else { 0 };
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
    fn a_template_that_cannot_be_looked_into_is_kept_back() {
        for hex in ["70029F27", "7004700282FF", "700A7008700670047002E000", "DF7F0100"] {
            let bytes = hex::decode(hex).unwrap();
            assert!(Tlvs::new(&bytes).next().unwrap().unwrap().holds_card_data(), "{hex}");
        }
        assert!(!Tlvs::new(&[0x70, 3, 0x9C, 1, 0]).next().unwrap().unwrap().holds_card_data());
    }

    #[test]
    fn what_is_filler_is_an_option() {
        let bytes = hex::decode("00FF9F270180FF00").unwrap();
        let read =
            |filler| Tlvs::with_filler(&bytes, filler).map(|object| object.map(|object| object.tag_hex())).collect::<Vec<_>>();
        assert_eq!(read(Filler::ZerosAndOnes), [Ok("9F27".to_owned())]);
        let private = [Ok("FF9F27".to_owned()), Err(TlvError { kind: Kind::TlvTruncatedLength, offset: 8 })];
        assert_eq!(read(Filler::Zeros), private);
        let bytes = hex::decode("0000820101").unwrap();
        let tags: Vec<_> = Tlvs::with_filler(&bytes, Filler::None).map(|object| object.unwrap().tag_hex()).collect();
        assert_eq!(tags, ["00", "82"]);
    }

    #[test]
    fn a_walk_goes_into_templates_and_out_again() {
        let bytes = hex::decode("7008820118E1039A0126008A023030").unwrap();
        let walked: Vec<_> = walk(&bytes).map(|o| o.map(|(depth, o)| (depth, o.tag_hex(), o.offset)).unwrap()).collect();
        let wanted = [(0, "70", 0), (1, "82", 2), (1, "E1", 5), (2, "9A", 7), (0, "8A", 11)];
        assert_eq!(walked, wanted.map(|(depth, tag, offset)| (depth, tag.to_owned(), offset)));
        let bytes = hex::decode("70059A030102038201").unwrap();
        assert_eq!(walk(&bytes).last(), Some(Err(TlvError { kind: Kind::TlvValueOverrun, offset: 9 })));
        let bytes = hex::decode("70039A0301020382010000").unwrap();
        assert_eq!(walk(&bytes).last(), Some(Err(TlvError { kind: Kind::TlvValueOverrun, offset: 4 })), "past its template");
    }

    #[test]
    fn a_tag_that_stands_twice_is_found() {
        let bytes = hex::decode("8201189A03260715820119").unwrap();
        assert_eq!(first_duplicate(&bytes).map(|object| object.offset), Some(8));
        assert_eq!(first_duplicate(&bytes[..8]), None);
    }
}
