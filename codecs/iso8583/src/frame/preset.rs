//! The framings that have a name.

use super::header::Header;
use super::{ETX, End, Framing, Length, LengthForm, Order, ZeroLength};

/// A framing with a name.
#[derive(Debug, Clone, Copy)]
pub struct Preset {
    /// Its name in configurations.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// The framing, with a cap of 4,096 bytes.
    pub framing: Framing,
}

/// A length, and nothing else around the message.
const fn counted(form: LengthForm, width: usize) -> Framing {
    let length = Length { form, width, inclusive: false, filler: 0 };
    Framing { length: Some(length), header: Header::NONE, end: End::Nothing, zero_length: ZeroLength::KeepAlive, cap: 4096 }
}

/// The same, with a length that counts itself.
const fn inclusive(framing: Framing) -> Framing {
    let length = match framing.length {
        Some(length) => Some(Length { inclusive: true, ..length }),
        None => None,
    };
    Framing { length, ..framing }
}

/// The same, with zero bytes behind the length.
const fn filled(framing: Framing, filler: usize) -> Framing {
    let length = match framing.length {
        Some(length) => Some(Length { filler, ..length }),
        None => None,
    };
    Framing { length, ..framing }
}

pub(super) const BINARY2: Framing = counted(LengthForm::Binary(Order::Big), 2);
pub(super) const BINARY4: Framing = counted(LengthForm::Binary(Order::Big), 4);
const ASCII4: Framing = counted(LengthForm::Ascii, 4);
const BCD2: Framing = counted(LengthForm::Bcd, 2);
const BASE24: Framing = Framing { end: End::Trailer { byte: ETX, counted: true }, ..BINARY2 };
const STX_ETX_LRC: Framing = Framing { length: None, end: End::StxEtxLrc, zero_length: ZeroLength::Error, ..BINARY2 };

/// Layouts as the public channel sources of jPOS (`org.jpos.iso.channel`) and moov-io/iso8583 (`network`)
/// have them; STX/ETX/LRC after ISO 1745 and ISO 1155.
const PRESETS: [Preset; 14] = [
    Preset { name: "binary2", about: "2-byte length", framing: BINARY2 },
    Preset { name: "binary2-inclusive", about: "2-byte length that counts itself", framing: inclusive(BINARY2) },
    Preset {
        name: "binary2-little",
        about: "2-byte length, lowest byte first",
        framing: counted(LengthForm::Binary(Order::Little), 2),
    },
    Preset { name: "binary4", about: "4-byte length", framing: BINARY4 },
    Preset { name: "binary4-inclusive", about: "4-byte length that counts itself", framing: inclusive(BINARY4) },
    Preset { name: "ascii4", about: "4 ASCII digits", framing: ASCII4 },
    Preset { name: "ascii4-inclusive", about: "4 ASCII digits that count themselves", framing: inclusive(ASCII4) },
    Preset { name: "bcd2", about: "4 digits in 2 bytes of BCD", framing: BCD2 },
    Preset { name: "cs", about: "2-byte length, 2 zero bytes", framing: filled(BINARY2, 2) },
    Preset {
        name: "vap",
        about: "2-byte length, 2 zero bytes, Visa BASE I header of 22 bytes",
        framing: Framing { header: Header::BASE_ONE, ..filled(BINARY2, 2) },
    },
    Preset { name: "nac", about: "2-byte length, TPDU of 5 bytes", framing: Framing { header: Header::TPDU, ..BINARY2 } },
    Preset {
        name: "ncc",
        about: "4 digits in 2 bytes of BCD, TPDU of 5 bytes",
        framing: Framing { header: Header::TPDU, ..BCD2 },
    },
    Preset { name: "base24", about: "2-byte length that counts a trailing byte 03", framing: BASE24 },
    Preset { name: "stx-etx-lrc", about: "no length: STX, the message, ETX, check byte", framing: STX_ETX_LRC },
];

impl Preset {
    /// Every preset, in the order in which people should see them.
    pub fn all() -> &'static [Self] {
        &PRESETS
    }

    /// The preset of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }
}
