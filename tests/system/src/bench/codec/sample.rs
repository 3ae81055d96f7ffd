//! The message that is measured: a purchase with a PIN and chip data, twenty fields, in two layouts.

use iso8583::{Message, Spec, SpecError};

/// The message type.
pub const MTI: &str = "0200";

/// The fields that are text or digits, canonical content. What is missing among them is [`PIN_BLOCK`]
/// and [`CHIP`], which are bytes.
pub const TEXT: [(u8, &str); 18] = [
    (2, "4761739001010119"),
    (3, "000000"),
    (4, "000000012345"),
    (7, "0715143100"),
    (11, "123456"),
    (12, "143100"),
    (13, "0715"),
    (14, "2712"),
    (18, "5411"),
    (22, "051"),
    (25, "00"),
    (32, "40012345"),
    (35, "4761739001010119=27122011143878089"),
    (37, "519614123456"),
    (41, "TERM0001"),
    (42, "MERCHANT0000001"),
    (43, "CORNER SHOP             LONDON        GB"),
    (49, "826"),
];

/// Field 52 as hexadecimal text.
pub const PIN_BLOCK: &str = "1A2B3C4D5E6F7081";

/// Field 55 as hexadecimal text: seventeen data objects.
pub const CHIP: &str = "9F26081122334455667788\
    9F270180\
    9F100706010A03A0A800\
    9F370412345678\
    9F3602001A\
    95050880048000\
    9A03260715\
    9C0100\
    9F0206000000012345\
    5F2A020826\
    82021980\
    9F1A020826\
    9F0306000000000000\
    9F3303E0F8C8\
    9F3403020300\
    9F350122\
    8407A0000000031010";

/// Fields of the message.
pub const FIELDS: usize = TEXT.len() + 2;

/// How the message stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// All in ASCII.
    Ascii,
    /// Digits packed, binary content as it is.
    Packed,
}

impl Layout {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ascii, Self::Packed];

    /// As figures name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Packed => "bcd",
        }
    }

    /// Bytes of the message.
    pub fn length(self) -> usize {
        match self {
            Self::Ascii => 456,
            Self::Packed => 284,
        }
    }

    /// Its field table.
    ///
    /// # Errors
    /// When the table is wrong.
    pub fn spec(self) -> Result<Spec, SpecError> {
        match self {
            Self::Ascii => Spec::load("ascii.toml", include_str!("ascii.toml"), &|_| None),
            Self::Packed => Spec::load("packed.toml", include_str!("packed.toml"), &|_| None),
        }
    }
}

/// The content of every field in ascending order.
pub fn contents() -> Vec<(u8, Vec<u8>)> {
    let text = TEXT.iter().map(|(number, text)| (*number, text.as_bytes().to_vec()));
    let binary = [(52, PIN_BLOCK), (55, CHIP)].map(|(number, text)| (number, hex::decode(text).unwrap_or_default()));
    let mut all: Vec<_> = text.chain(binary).collect();
    all.sort_unstable_by_key(|(number, _)| *number);
    all
}

/// The message as the codec builds it.
pub fn message() -> Message {
    let mut message = Message::new(MTI);
    for (number, content) in contents() {
        message.set(number, content);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_the_lengths_of_the_reference() {
        for layout in Layout::ALL {
            let spec = layout.spec().expect("a sound table");
            let wire = spec.encode(&message()).expect("a sound message");
            assert_eq!(wire.len(), layout.length(), "{layout:?}");
            let read = spec.decode(wire.into()).expect("what was written");
            assert_eq!(read, message());
            assert_eq!(read.len(), FIELDS);
        }
    }
}
