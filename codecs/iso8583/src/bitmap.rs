//! Bitmaps: which fields are there. Three words of 64, bit 1 of each at the top; bit 1 of the first
//! announces the second bitmap, bit 1 of the second (65) the third where the spec has one.

use crate::charset::{hex_into, hex_value, unhex_sixteen};
use crate::ebcdic::{CodePage, through};
use crate::error::{Fault, Got, Kind, Wanted};

/// How bitmaps stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BitmapForm {
    /// Two hexadecimal ASCII characters a byte.
    HexAscii,
    /// Two hexadecimal EBCDIC characters a byte.
    HexEbcdic,
    /// Raw bytes.
    Binary,
}

/// Where a third bitmap stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Third {
    /// The spec has none; 65 is a field as any other.
    #[default]
    None,
    /// Behind the second bitmap.
    Follows,
    /// In the place of field 65, behind the fields up to 64.
    Field65,
}

/// Bytes of one bitmap of a message.
const BYTES: usize = 8;

impl BitmapForm {
    /// Bytes on the wire of a bitmap of so many bytes.
    pub(crate) fn wire_length(self, bytes: usize) -> usize {
        match self {
            Self::Binary => bytes,
            Self::HexAscii | Self::HexEbcdic => bytes * 2,
        }
    }

    /// Reads one bitmap of a message, right or wrong.
    #[cold]
    #[inline(never)]
    fn read_carefully(self, input: &[u8]) -> Result<u64, Fault> {
        Ok(u64::try_from(self.read(BYTES, input)? >> 64).unwrap_or(0))
    }

    /// Reads a bitmap of at most 16 bytes: its bits, bit 1 at the top. Faults count from its start.
    pub(crate) fn read(self, bytes: usize, input: &[u8]) -> Result<u128, Fault> {
        let width = self.wire_length(bytes);
        let cut_off = || Fault::new(Kind::Truncated, 0, Wanted::Bytes(width), Got::Bytes(input.len()));
        let raw = input.get(..width).ok_or_else(cut_off)?;
        let mut bits: u128 = 0;
        match self {
            Self::Binary => raw.iter().for_each(|byte| bits = bits << 8 | u128::from(*byte)),
            Self::HexAscii | Self::HexEbcdic => {
                let ebcdic = self == Self::HexEbcdic;
                for (at, byte) in raw.iter().enumerate() {
                    let Some(value) = hex_value(*byte, ebcdic) else {
                        let read = if ebcdic { through(CodePage::Cp037.reading(), *byte) } else { *byte };
                        return Err(Fault::new(Kind::BadBitmap, at, Wanted::HexDigit, Got::byte(read)));
                    };
                    bits = bits << 4 | u128::from(value);
                }
            }
        }
        Ok(bits << (128 - 8 * bytes.clamp(1, 16)))
    }

    /// Writes a bitmap of at most 16 bytes.
    pub(crate) fn write(self, bytes: usize, bits: u128, out: &mut Vec<u8>) {
        let all = bits.to_be_bytes();
        let used = all.get(..bytes).unwrap_or_default();
        match self {
            Self::Binary => out.extend_from_slice(used),
            Self::HexAscii => hex_into(used, false, out),
            Self::HexEbcdic => hex_into(used, true, out),
        }
    }
}

/// The fields that a message's bitmaps name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bitmap([u64; 3]);

/// The bit that announces the second and the third bitmap, in the word before it.
const ANNOUNCES: u64 = 1 << 63;

impl Bitmap {
    pub(crate) fn with(self, number: u8) -> Self {
        let mut words = self.0;
        // 0 comes before 1 and is no field, as those above 192 are.
        let at = number.wrapping_sub(1);
        if let Some(word) = words.get_mut(usize::from(at / 64)) {
            *word |= ANNOUNCES >> (at % 64);
        }
        Self(words)
    }

    /// With the further bitmaps announced that its fields need.
    pub(crate) fn announced(mut self) -> Self {
        let [first, second, third] = &mut self.0;
        *second |= if *third == 0 { 0 } else { ANNOUNCES };
        *first |= if *second == 0 { 0 } else { ANNOUNCES };
        self
    }

    pub(crate) fn has_second(self) -> bool {
        self.0[0] & ANNOUNCES != 0
    }

    /// Whether bit 65 is set: a third bitmap where the spec has one.
    pub(crate) fn has_third(self) -> bool {
        self.0[1] & ANNOUNCES != 0
    }

    /// Fields named in bitmap 1, 2 or 3 (`word` 0 to 2), without the bits that announce a bitmap.
    pub(crate) fn fields(self, word: u8, third: Third) -> FieldNumbers {
        let bits = self.0.get(usize::from(word)).copied().unwrap_or(0);
        let announces = word == 0 || word == 1 && third != Third::None;
        let bits = if announces { bits & !ANNOUNCES } else { bits };
        FieldNumbers { bits: bits.reverse_bits(), base: word * 64 + 1 }
    }

    /// The most fields that a message can have whose first and second bitmap these are.
    pub(crate) fn most_fields(self, third: Third) -> usize {
        // Most messages have one bitmap, and counting its bits takes a dozen instructions.
        let count = |word: u64| if word == 0 { 0 } else { usize::try_from(word.count_ones()).unwrap_or(0) };
        let [first, second, behind] = self.0;
        let to_come = if third == Third::Field65 && self.has_third() { 64 } else { 0 };
        count(first) + count(second) + count(behind) + to_come
    }

    /// Reads one bitmap into its word. Faults count from its start.
    #[inline(always)]
    pub(crate) fn read(&mut self, word: usize, form: BitmapForm, input: &[u8]) -> Result<usize, Fault> {
        let plainly = match form {
            BitmapForm::Binary => input.first_chunk().map(|raw| u64::from_be_bytes(*raw)),
            BitmapForm::HexAscii => input.first_chunk().and_then(unhex_sixteen).map(u64::from_be_bytes),
            BitmapForm::HexEbcdic => None,
        };
        let bits = match plainly {
            Some(bits) => bits,
            None => form.read_carefully(input)?,
        };
        if let Some(word) = self.0.get_mut(word) {
            *word = bits;
        }
        Ok(form.wire_length(BYTES))
    }

    /// Writes one bitmap.
    pub(crate) fn write(self, word: usize, form: BitmapForm, out: &mut Vec<u8>) {
        let bits = self.0.get(word).copied().unwrap_or(0);
        form.write(BYTES, u128::from(bits) << 64, out);
    }
}

/// Field numbers in ascending order; costs by fields named, not by 64.
pub(crate) struct FieldNumbers {
    /// The first field at the bottom, where the next one is found and taken off in two instructions.
    bits: u64,
    base: u8,
}

impl Iterator for FieldNumbers {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        if self.bits == 0 {
            return None;
        }
        let at = u8::try_from(self.bits.trailing_zeros()).unwrap_or(0);
        self.bits &= self.bits - 1;
        Some(self.base + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bitmap: Bitmap, third: Third) -> Vec<u8> {
        (0..3).flat_map(|word| bitmap.fields(word, third)).collect()
    }

    #[test]
    fn a_field_above_64_announces_the_second_bitmap() {
        let bitmap = Bitmap::default().with(7).with(11).with(70).announced();
        let mut out = Vec::new();
        bitmap.write(0, BitmapForm::HexAscii, &mut out);
        bitmap.write(1, BitmapForm::HexAscii, &mut out);
        assert_eq!(out, b"82200000000000000400000000000000");
        let mut read = Bitmap::default();
        assert_eq!(read.read(0, BitmapForm::HexAscii, &out), Ok(16));
        assert!(read.has_second() && !read.has_third());
        read.read(1, BitmapForm::HexAscii, &out[16..]).unwrap();
        assert_eq!(fields(read, Third::None), [7, 11, 70]);
        assert_eq!(read, bitmap);
    }

    #[test]
    fn a_field_above_128_announces_both() {
        let bitmap = Bitmap::default().with(2).with(129).with(192).with(0).announced();
        assert!(bitmap.has_second() && bitmap.has_third());
        assert_eq!(fields(bitmap, Third::Follows), [2, 129, 192]);
        assert_eq!(fields(bitmap, Third::None), [2, 65, 129, 192]);
    }

    #[test]
    fn a_bitmap_character_that_is_not_hexadecimal_is_refused() {
        let fault = BitmapForm::HexAscii.read(8, b"82200000000G0000").unwrap_err();
        assert_eq!((fault.kind, fault.at), (Kind::BadBitmap, 11));
        let fault = BitmapForm::HexEbcdic.read(1, b"82").unwrap_err();
        assert_eq!((fault.kind, fault.at), (Kind::BadBitmap, 0));
        assert_eq!(BitmapForm::HexEbcdic.read(1, &[0xF8, 0x81]), Ok(0x8A << 120));
    }
}
