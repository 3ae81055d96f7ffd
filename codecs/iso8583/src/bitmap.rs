//! Bitmaps: which fields are there, as one 128-bit number with bit 1 at the top.

use crate::charset::{hex_into, unhex};
use crate::error::{Fault, Got, Kind, Wanted};

/// How bitmaps stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BitmapForm {
    /// 16 hexadecimal characters each.
    HexAscii,
    /// 8 bytes each.
    Binary,
}

/// The set of fields that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bitmap(u128);

const SECONDARY: u8 = 1;

impl Bitmap {
    pub(crate) fn with(self, number: u8) -> Self {
        match number {
            1..=128 => Self(self.0 | 1 << (128 - u32::from(number))),
            _ => self,
        }
    }

    /// With the secondary bitmap announced where a field above 64 needs it.
    pub(crate) fn announced(self) -> Self {
        if self.0 & u128::from(u64::MAX) == 0 { self } else { self.with(SECONDARY) }
    }

    pub(crate) fn has_secondary(self) -> bool {
        self.0 >> 127 == 1
    }

    /// Fields named, not counting the secondary bitmap.
    pub(crate) fn fields(self) -> FieldNumbers {
        FieldNumbers(self.0 & !(1 << 127))
    }

    pub(crate) fn count(self) -> usize {
        usize::try_from(self.fields().0.count_ones()).unwrap_or(0)
    }

    /// Writes the primary bitmap, and the secondary one where it is announced.
    pub(crate) fn write(self, form: BitmapForm, out: &mut Vec<u8>) {
        let bytes = self.0.to_be_bytes();
        let used = bytes.get(..if self.has_secondary() { 16 } else { 8 }).unwrap_or_default();
        match form {
            BitmapForm::Binary => out.extend_from_slice(used),
            BitmapForm::HexAscii => hex_into(used, out),
        }
    }
}

impl BitmapForm {
    /// Bytes of one bitmap.
    pub(crate) fn wire_length(self) -> usize {
        match self {
            Self::Binary => 8,
            Self::HexAscii => 16,
        }
    }

    /// Reads one bitmap, the secondary one into the lower half. Faults count from its start.
    pub(crate) fn read(self, input: &[u8], into: Bitmap, second: bool) -> Result<Bitmap, Fault> {
        let width = self.wire_length();
        let cut_off = Fault { kind: Kind::Truncated, at: 0, wanted: Wanted::Bytes(width), got: Got::Bytes(input.len()) };
        let raw = input.get(..width).ok_or(cut_off)?;
        let bits = match self {
            Self::Binary => raw.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte)),
            Self::HexAscii => {
                let mut bytes = Vec::with_capacity(8);
                unhex(raw, Kind::BadBitmap, &mut bytes)?;
                bytes.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte))
            }
        };
        Ok(Bitmap(into.0 | if second { bits } else { bits << 64 }))
    }
}

/// Field numbers in ascending order; costs by fields named, not by 128.
pub(crate) struct FieldNumbers(u128);

impl Iterator for FieldNumbers {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let zeros = self.0.leading_zeros();
        if zeros >= 128 {
            return None;
        }
        self.0 &= !(1 << (127 - zeros));
        u8::try_from(zeros + 1).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_above_64_announces_the_secondary_bitmap() {
        let bitmap = Bitmap::default().with(7).with(11).with(70).announced();
        let mut out = Vec::new();
        bitmap.write(BitmapForm::HexAscii, &mut out);
        assert_eq!(out, b"82200000000000000400000000000000");
        let read = BitmapForm::HexAscii.read(&out, Bitmap::default(), false).unwrap();
        assert!(read.has_secondary());
        let read = BitmapForm::HexAscii.read(&out[16..], read, true).unwrap();
        assert_eq!(read.fields().collect::<Vec<_>>(), [7, 11, 70]);
        assert_eq!(read.count(), 3);
    }

    #[test]
    fn a_bitmap_character_that_is_not_hexadecimal_is_refused() {
        let fault = BitmapForm::HexAscii.read(b"82200000000G0000", Bitmap::default(), false).unwrap_err();
        assert_eq!((fault.kind, fault.at), (Kind::BadBitmap, 11));
    }
}
