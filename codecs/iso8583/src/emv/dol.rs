//! Data object lists: how a card asks the terminal for data (EMV Book 3 section 5.4). A list is tags
//! and lengths; what is built from it is the values alone, cut or filled to those lengths.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::dictionary::entry;
use super::format::Class;
use crate::tlv::{self, TlvError, parse_tag};

/// Most bytes of a list: the greatest length that EMV gives the objects that hold one.
const LONGEST: usize = 252;

/// One wish of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DolEntry<'a> {
    /// Tag bytes.
    pub tag: &'a [u8],
    /// Bytes wanted.
    pub length: u8,
}

/// A data object list: CDOL1, CDOL2, PDOL, DDOL or TDOL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dol<'a> {
    entries: Vec<DolEntry<'a>>,
}

/// Why a list could not be read. Offsets count from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DolError {
    /// A tag that does not end, or is longer than 4 bytes.
    #[error("a tag that does not end at byte {offset}")]
    Tag {
        /// Start of the tag.
        offset: usize,
    },
    /// A tag without a length.
    #[error("a length is missing at byte {offset}")]
    Length {
        /// Where it should stand.
        offset: usize,
    },
    /// A list longer than any object that holds one.
    #[error("a list of {got} bytes, at most {wanted} wanted")]
    TooLong {
        /// The most.
        wanted: usize,
        /// Its length.
        got: usize,
    },
}

impl<'a> Dol<'a> {
    /// Reads a list: a tag and one byte of length, again and again.
    ///
    /// # Errors
    /// A list that is too long, or ends within an entry.
    pub fn parse(list: &'a [u8]) -> Result<Self, DolError> {
        if list.len() > LONGEST {
            return Err(DolError::TooLong { wanted: LONGEST, got: list.len() });
        }
        let mut entries = Vec::new();
        let mut rest = list;
        while !rest.is_empty() {
            let offset = list.len() - rest.len();
            let (behind, tag) = parse_tag(rest).map_err(|_| DolError::Tag { offset })?;
            let (length, behind) = behind.split_first().ok_or(DolError::Length { offset: list.len() })?;
            entries.push(DolEntry { tag, length: *length });
            rest = behind;
        }
        Ok(Self { entries })
    }

    /// Its wishes in order.
    pub fn entries(&self) -> &[DolEntry<'a>] {
        &self.entries
    }

    /// Bytes that are built from it.
    pub fn length(&self) -> usize {
        self.entries.iter().map(|wanted| usize::from(wanted.length)).sum()
    }

    /// The values it asks for, one behind the other, each exactly as long as wanted: too long ones
    /// lose their first bytes where the format is n, else their last; too short ones get zeros in
    /// front (n), `FF` behind (cn) or zeros behind (all others). What `find` does not have, and what
    /// is constructed, is zeros. Wiped when it goes, for a card may ask for card data.
    pub fn build<'v>(&self, find: impl Fn(&[u8]) -> Option<&'v [u8]>) -> Zeroizing<Vec<u8>> {
        // With its whole room at once: a vector that grows leaves copies behind.
        let mut out = Zeroizing::new(Vec::with_capacity(self.length()));
        for wanted in &self.entries {
            let constructed = wanted.tag.first().is_some_and(|first| first & 0x20 != 0);
            let value = if constructed { None } else { find(wanted.tag) };
            let class = entry(wanted.tag).map_or(Class::B, |entry| entry.format().class());
            fit(value.unwrap_or_default(), value.map_or(Class::B, |_| class), usize::from(wanted.length), &mut out);
        }
        out
    }

    /// As [`Dol::build`], from data objects, the first of each tag, at the top or inside templates.
    ///
    /// # Errors
    /// Objects that are not well formed.
    pub fn build_from(&self, objects: &[u8]) -> Result<Zeroizing<Vec<u8>>, TlvError> {
        let mut values: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
        for object in tlv::walk(objects) {
            let (_, object) = object?;
            values.entry(object.tag).or_insert(object.value);
        }
        Ok(self.build(|tag| values.get(tag).copied()))
    }
}

/// Appends `value`, cut or filled to `length`.
fn fit(value: &[u8], class: Class, length: usize, out: &mut Vec<u8>) {
    let missing = length.saturating_sub(value.len());
    let kept = value.len().min(length);
    match class {
        Class::N => {
            out.extend(std::iter::repeat_n(0x00, missing));
            out.extend_from_slice(value.get(value.len() - kept..).unwrap_or_default());
        }
        _ => {
            let filler = if class == Class::Cn { 0xFF } else { 0x00 };
            out.extend_from_slice(value.get(..kept).unwrap_or_default());
            out.extend(std::iter::repeat_n(filler, missing));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Amount 12.345 (n), PAN (cn), response code (an), unpredictable number (b), in a template.
    const OBJECTS: &str = "701E9F02060000000123455A08476173900101011F8A0230309F3704DEADBEEF5F2A020858";

    fn built(list: &str) -> String {
        let (list, objects) = (hex::decode(list).unwrap(), hex::decode(OBJECTS).unwrap());
        hex::encode_upper(Dol::parse(&list).unwrap().build_from(&objects).unwrap())
    }

    #[test]
    fn values_come_in_the_order_of_the_list() {
        assert_eq!(built("9F37049F02065F2A02"), "DEADBEEF0000000123450858");
    }

    #[test]
    fn each_format_is_cut_and_filled_on_its_own_side() {
        assert_eq!(built("9F0204"), "00012345", "n loses its first bytes");
        assert_eq!(built("9F0208"), "0000000000012345", "n gets zeros in front");
        assert_eq!(built("5A04"), "47617390", "cn loses its last bytes");
        assert_eq!(built("5A0A"), "476173900101011FFFFF", "cn gets FF behind");
        assert_eq!(built("8A01"), "30", "an loses its last bytes");
        assert_eq!(built("8A03"), "303000", "an gets zeros behind");
        assert_eq!(built("9F3702"), "DEAD", "b loses its last bytes");
        assert_eq!(built("9F3706"), "DEADBEEF0000", "b gets zeros behind");
    }

    #[test]
    fn what_is_not_there_and_what_is_constructed_is_zeros() {
        assert_eq!(built("9F66045F3601"), "0000000000");
        assert_eq!(built("7005"), "0000000000");
        assert_eq!(built("5A00"), "");
        // An absent PAN is not FF either.
        assert_eq!(Dol::parse(&[0x5A, 2]).unwrap().build(|_| None).as_slice(), [0, 0]);
    }

    #[test]
    fn a_list_that_ends_within_an_entry_is_refused() {
        assert_eq!(Dol::parse(&[0x9F, 0x02, 6, 0x9F]), Err(DolError::Tag { offset: 3 }));
        assert_eq!(Dol::parse(&[0x9F, 0x02, 6, 0x9C]), Err(DolError::Length { offset: 4 }));
        assert_eq!(Dol::parse(&[0x9F, 0x80, 0x80, 0x80, 0x00, 1]), Err(DolError::Tag { offset: 0 }));
        assert_eq!(Dol::parse(&[0x9C; 254]), Err(DolError::TooLong { wanted: 252, got: 254 }));
        assert_eq!(Dol::parse(&[]).map(|dol| dol.length()), Ok(0));
    }

    proptest! {
        #[test]
        fn what_is_built_is_as_long_as_the_list_wants(list in proptest::collection::vec(any::<u8>(), 0..260), value in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(dol) = Dol::parse(&list) {
                prop_assert_eq!(dol.build(|_| Some(&value)).len(), dol.length());
            }
        }
    }
}
