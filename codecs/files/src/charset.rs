//! Character sets of clearing files. Inside the house text is Latin-1 (ISO 8859-1); files come in
//! Latin-1 or in one of the two EBCDIC pages that scheme files use.

/// The character set of the text in a file. Binary fields are never translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charset {
    /// ISO 8859-1, of which ASCII is the lower half.
    Latin1,
    /// EBCDIC code page 500 (international).
    Cp500,
    /// EBCDIC code page 037 (USA, Canada). It differs from 500 in `! [ ] | ^`, the cent and the not
    /// sign alone.
    Cp037,
}

impl Charset {
    /// Translates bytes of the file into Latin-1.
    pub fn to_latin1(self, bytes: &mut [u8]) {
        translate(bytes, self.reading());
    }

    /// Translates Latin-1 into bytes of the file. Every byte has an image: the pages are permutations.
    pub fn from_latin1(self, bytes: &mut [u8]) {
        translate(bytes, self.writing());
    }

    /// Whether the bytes are decimal digits in this character set.
    pub fn are_digits(self, bytes: &[u8]) -> bool {
        let zero = if self == Self::Latin1 { b'0' } else { 0xF0 };
        bytes.iter().all(|byte| (zero..=zero + 9).contains(byte))
    }

    fn reading(self) -> Option<&'static [u8; 256]> {
        match self {
            Self::Latin1 => None,
            Self::Cp500 => Some(&CP500),
            Self::Cp037 => Some(&CP037),
        }
    }

    fn writing(self) -> Option<&'static [u8; 256]> {
        match self {
            Self::Latin1 => None,
            Self::Cp500 => Some(&TO_CP500),
            Self::Cp037 => Some(&TO_CP037),
        }
    }
}

fn translate(bytes: &mut [u8], table: Option<&'static [u8; 256]>) {
    if let Some(table) = table {
        // A u8 index into 256 entries cannot be out of bounds.
        bytes.iter_mut().for_each(|byte| *byte = table[usize::from(*byte)]);
    }
}

/// Latin-1 code of each byte of code page 500 (CCSID 500).
#[rustfmt::skip]
const CP500: [u8; 256] = [
    0x00, 0x01, 0x02, 0x03, 0x9C, 0x09, 0x86, 0x7F, 0x97, 0x8D, 0x8E, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F,
    0x10, 0x11, 0x12, 0x13, 0x9D, 0x85, 0x08, 0x87, 0x18, 0x19, 0x92, 0x8F, 0x1C, 0x1D, 0x1E, 0x1F,
    0x80, 0x81, 0x82, 0x83, 0x84, 0x0A, 0x17, 0x1B, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x05, 0x06, 0x07,
    0x90, 0x91, 0x16, 0x93, 0x94, 0x95, 0x96, 0x04, 0x98, 0x99, 0x9A, 0x9B, 0x14, 0x15, 0x9E, 0x1A,
    0x20, 0xA0, 0xE2, 0xE4, 0xE0, 0xE1, 0xE3, 0xE5, 0xE7, 0xF1, 0x5B, 0x2E, 0x3C, 0x28, 0x2B, 0x21,
    0x26, 0xE9, 0xEA, 0xEB, 0xE8, 0xED, 0xEE, 0xEF, 0xEC, 0xDF, 0x5D, 0x24, 0x2A, 0x29, 0x3B, 0x5E,
    0x2D, 0x2F, 0xC2, 0xC4, 0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xD1, 0xA6, 0x2C, 0x25, 0x5F, 0x3E, 0x3F,
    0xF8, 0xC9, 0xCA, 0xCB, 0xC8, 0xCD, 0xCE, 0xCF, 0xCC, 0x60, 0x3A, 0x23, 0x40, 0x27, 0x3D, 0x22,
    0xD8, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0xAB, 0xBB, 0xF0, 0xFD, 0xFE, 0xB1,
    0xB0, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70, 0x71, 0x72, 0xAA, 0xBA, 0xE6, 0xB8, 0xC6, 0xA4,
    0xB5, 0x7E, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0xA1, 0xBF, 0xD0, 0xDD, 0xDE, 0xAE,
    0xA2, 0xA3, 0xA5, 0xB7, 0xA9, 0xA7, 0xB6, 0xBC, 0xBD, 0xBE, 0xAC, 0x7C, 0xAF, 0xA8, 0xB4, 0xD7,
    0x7B, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0xAD, 0xF4, 0xF6, 0xF2, 0xF3, 0xF5,
    0x7D, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0xB9, 0xFB, 0xFC, 0xF9, 0xFA, 0xFF,
    0x5C, 0xF7, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xB2, 0xD4, 0xD6, 0xD2, 0xD3, 0xD5,
    0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0xB3, 0xDB, 0xDC, 0xD9, 0xDA, 0x9F,
];

/// Code page 037 (CCSID 37): seven characters sit elsewhere.
const CP037: [u8; 256] = {
    let mut table = CP500;
    table[0x4A] = 0xA2;
    table[0x4F] = b'|';
    table[0x5A] = b'!';
    table[0x5F] = 0xAC;
    table[0xB0] = b'^';
    table[0xBA] = b'[';
    table[0xBB] = b']';
    table
};

const TO_CP500: [u8; 256] = inverse(&CP500);
const TO_CP037: [u8; 256] = inverse(&CP037);

const fn inverse(table: &[u8; 256]) -> [u8; 256] {
    let mut inverse = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        inverse[table[byte] as usize] = byte as u8;
        byte += 1;
    }
    inverse
}

/// Latin-1 as a Rust string: every byte is the code point of the same number.
pub fn latin1_to_string(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// A string as Latin-1; characters outside of it become `?`, since a presentment must not fail for
/// the spelling of a shop's name.
pub fn string_to_latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_pages_are_permutations() {
        for page in [Charset::Cp500, Charset::Cp037] {
            let mut all: Vec<u8> = (0..=255).collect();
            page.to_latin1(&mut all);
            assert_ne!(all, (0..=255).collect::<Vec<u8>>());
            page.from_latin1(&mut all);
            assert_eq!(all, (0..=255).collect::<Vec<u8>>());
        }
    }

    #[test]
    fn the_pages_differ_in_seven_characters_alone() {
        let differs = |latin: &u8| TO_CP500[usize::from(*latin)] != TO_CP037[usize::from(*latin)];
        assert_eq!((0..=255).filter(differs).collect::<Vec<u8>>(), [b'!', b'[', b']', b'^', b'|', 0xA2, 0xAC]);
    }

    #[test]
    fn digits_and_letters_stand_where_ebcdic_has_them() {
        let mut text = *b"AZaz09 \\";
        Charset::Cp500.from_latin1(&mut text);
        assert_eq!(text, [0xC1, 0xE9, 0x81, 0xA9, 0xF0, 0xF9, 0x40, 0xE0]);
        assert!(Charset::Cp500.are_digits(&text[4..6]) && !Charset::Latin1.are_digits(&text[4..6]));
    }
}
