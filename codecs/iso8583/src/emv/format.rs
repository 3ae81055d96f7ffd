//! The formats of EMV Book 3 section 4.3: a class of content and its length, in digits, characters
//! or bytes.

use std::fmt;

use crate::tlv;

/// What a value is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Digits, two a byte, zeros on the left.
    N,
    /// Digits, two a byte, `F` on the right.
    Cn,
    /// Letters.
    A,
    /// Letters and digits.
    An,
    /// Printable characters of ISO/IEC 8859.
    Ans,
    /// Bytes.
    B,
    /// Data objects.
    Tlv,
}

impl Class {
    const ALL: [(&'static str, Self); 7] = [
        ("n", Self::N),
        ("cn", Self::Cn),
        ("a", Self::A),
        ("an", Self::An),
        ("ans", Self::Ans),
        ("b", Self::B),
        ("tlv", Self::Tlv),
    ];

    /// As EMV writes it; `tlv` for data objects.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, class)| *class == self).map_or("b", |(name, _)| name)
    }
}

/// A class and a length: `n 12`, `b 5..16`, `cn ..19`, `ans`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    class: Class,
    least: usize,
    most: Option<usize>,
}

impl Format {
    /// Reads the written form; `None` for what is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (class, length) = text.split_once(' ').unwrap_or((text, ".."));
        let (_, class) = Class::ALL.into_iter().find(|(name, _)| *name == class)?;
        let number = |text: &str| text.parse::<usize>().ok();
        let (least, most) = match length.split_once("..") {
            None => (number(length)?, Some(number(length)?)),
            Some(("", "")) => (0, None),
            Some(("", most)) => (0, Some(number(most)?)),
            Some((least, most)) => (number(least)?, Some(number(most)?)),
        };
        most.is_none_or(|most| most >= least && most > 0).then_some(Self { class, least, most })
    }

    /// What the value is made of.
    pub fn class(self) -> Class {
        self.class
    }

    /// Least and most bytes of a value; no most where the sources give none.
    pub fn bytes(self) -> (usize, Option<usize>) {
        let bytes = |units: usize| if matches!(self.class, Class::N | Class::Cn) { units.div_ceil(2) } else { units };
        (bytes(self.least), self.most.map(bytes))
    }

    /// Whether a value has this length and content.
    pub fn fits(self, value: &[u8]) -> bool {
        let (least, most) = self.bytes();
        let all = |right: fn(&u8) -> bool| value.iter().all(right);
        let content = match self.class {
            Class::N => nibbles(value).all(|nibble| nibble < 10) && self.most.is_none_or(|most| significant(value) <= most),
            Class::Cn => {
                let digits = nibbles(value).take_while(|nibble| *nibble < 10).count();
                let filled = nibbles(value).skip(digits).all(|nibble| nibble == 0xF);
                filled && digits >= self.least && self.most.is_none_or(|most| digits <= most)
            }
            Class::A => all(u8::is_ascii_alphabetic),
            Class::An => all(u8::is_ascii_alphanumeric),
            Class::Ans => all(|byte| matches!(byte, 0x20..=0x7E | 0xA0..)),
            Class::B => true,
            Class::Tlv => tlv::check(value).is_ok(),
        };
        content && value.len() >= least && most.is_none_or(|most| value.len() <= most)
    }
}

/// As it is written.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class.as_str())?;
        match (self.least, self.most) {
            (_, None) => Ok(()),
            (least, Some(most)) if least == most => write!(f, " {most}"),
            (0, Some(most)) => write!(f, " ..{most}"),
            (least, Some(most)) => write!(f, " {least}..{most}"),
        }
    }
}

fn nibbles(value: &[u8]) -> impl Iterator<Item = u8> {
    value.iter().flat_map(|byte| [byte >> 4, byte & 0x0F])
}

/// Digits behind the leading zeros.
fn significant(value: &[u8]) -> usize {
    nibbles(value).skip_while(|nibble| *nibble == 0).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(format: &str, hex: &str) -> bool {
        Format::parse(format).unwrap().fits(&hex::decode(hex).unwrap())
    }

    #[test]
    fn a_format_is_written_as_it_is_read() {
        for text in ["n 12", "cn ..19", "b 5..16", "ans", "tlv", "a 2"] {
            assert_eq!(Format::parse(text).map(|format| format.to_string()).as_deref(), Some(text));
        }
        for text in ["", "x 3", "n -1", "b 5..", "b 9..5", "n 0", "n 3 4"] {
            assert_eq!(Format::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_value_fits_by_length_and_content() {
        assert!(fits("n 12", "000000012345") && !fits("n 12", "00000001234A") && !fits("n 12", "0000012345"));
        assert!(fits("n 3", "0858") && !fits("n 3", "1858"));
        assert!(fits("cn ..19", "4761739001010119") && fits("cn ..19", "476173900101011F"));
        assert!(!fits("cn ..19", "47F1739001010119") && !fits("cn ..19", "476173900101011A"));
        assert!(!fits("cn ..19", "47617390010101190000"), "20 digits");
        assert!(fits("an 2", "3030") && !fits("an 2", "3020") && !fits("a 2", "3041"));
        assert!(fits("ans 1..16", "56495341E9") && !fits("ans 1..16", "0041") && !fits("ans 1..16", ""));
        assert!(fits("b 1..3", "0000") && !fits("b 1..3", "00000000"));
        assert!(fits("tlv", "8202180095050000008000") && !fits("tlv", "820318"));
    }
}
