//! The fixed header between length and message: kept beside the message as bytes, turned round for
//! the answer.

use std::fmt;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// The longest fixed header, bytes.
pub(super) const LONGEST: usize = 32;

/// What is known of the bytes of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderKind {
    /// Nothing: an answer carries the request's header as it came.
    Opaque,
    /// A TPDU, 5 bytes: identifier (60), destination and source address of 2 bytes each.
    Tpdu,
    /// Visa's BASE I header, 22 bytes: among others the length of header and message (bytes 4 and 5), and
    /// destination and source station of 3 bytes each (from byte 6).
    BaseOne,
}

impl HeaderKind {
    /// Bytes, where the kind says.
    pub(super) const fn length(self) -> Option<usize> {
        match self {
            Self::Opaque => None,
            Self::Tpdu => Some(5),
            Self::BaseOne => Some(22),
        }
    }

    /// Its name in configurations.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Opaque => "opaque",
            Self::Tpdu => "tpdu",
            Self::BaseOne => "base-one",
        }
    }

    /// Destination and source.
    fn addresses(self) -> Option<(Range<usize>, Range<usize>)> {
        match self {
            Self::Opaque => None,
            Self::Tpdu => Some((1..3, 3..5)),
            Self::BaseOne => Some((5..8, 8..11)),
        }
    }
}

/// A fixed header: its kind, and the bytes that a message carries which answers none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header {
    kind: HeaderKind,
    length: usize,
    bytes: [u8; LONGEST],
}

/// The kind and the count.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({} bytes)", self.kind, self.length)
    }
}

impl Header {
    /// No header.
    pub(super) const NONE: Self = Self { kind: HeaderKind::Opaque, length: 0, bytes: [0; LONGEST] };
    /// A TPDU with the usual identifier and no addresses.
    pub(super) const TPDU: Self = Self::starting(HeaderKind::Tpdu, 5, &[0x60]);
    /// A BASE I header of length 22, header format 1, text format 2, without stations.
    pub(super) const BASE_ONE: Self = Self::starting(HeaderKind::BaseOne, 22, &[22, 1, 2]);

    const fn starting(kind: HeaderKind, length: usize, first: &[u8]) -> Self {
        let mut bytes = [0; LONGEST];
        let mut at = 0;
        while at < first.len() {
            bytes[at] = first[at];
            at += 1;
        }
        Self { kind, length, bytes }
    }

    /// A header of these bytes; none when they are too many, or not as many as the kind has.
    pub(super) fn new(kind: HeaderKind, given: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..given.len())?.copy_from_slice(given);
        kind.length().is_none_or(|length| length == given.len()).then_some(Self { kind, length: given.len(), bytes })
    }

    /// What is known of it.
    pub const fn kind(&self) -> HeaderKind {
        self.kind
    }

    /// Its bytes in a message that answers none: empty where the framing has no header.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Its length, bytes.
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// The header of the answer to a message that came with `received`: source and destination change
    /// places, the rest stays.
    pub fn answer(&self, received: &Bytes) -> Bytes {
        let Some((destination, source)) = self.kind.addresses() else { return received.clone() };
        let (Some(to), Some(from)) = (received.get(destination.clone()), received.get(source.clone())) else {
            return received.clone();
        };
        let mut answer = BytesMut::from(received.as_ref());
        for (place, address) in [(destination, from), (source, to)] {
            if let Some(place) = answer.get_mut(place) {
                place.copy_from_slice(address);
            }
        }
        answer.freeze()
    }

    /// Puts the message's length into a header that has it.
    pub(super) fn seal(&self, header: &mut [u8], message: usize) {
        // 22 + a message that a 2-byte length in front can announce; more than fits is cut, not a panic.
        let total = u16::try_from(self.length.saturating_add(message)).unwrap_or(u16::MAX);
        if self.kind == HeaderKind::BaseOne
            && let Some(place) = header.get_mut(3..5)
        {
            place.copy_from_slice(&total.to_be_bytes());
        }
    }
}
