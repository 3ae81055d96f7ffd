//! Digits out of the hexadecimal digits of a cipher's output, as PVV, CVV and option B take them.

/// The decimal digits in their order, then the letters less ten; each as an ASCII digit.
pub(crate) fn decimalise(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let nibbles = || bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
    let decimal = nibbles().filter(|nibble| *nibble < 10);
    let letters = nibbles().filter(|nibble| *nibble >= 10).map(|nibble| nibble - 10);
    decimal.chain(letters).map(|digit| b'0' | digit)
}

/// `N` bytes of digits, two in each, out of ASCII digits from the left; what is missing is zero.
pub(crate) fn packed<const N: usize>(digits: impl IntoIterator<Item = u8>) -> [u8; N] {
    let mut bytes = [0; N];
    for (at, digit) in digits.into_iter().enumerate() {
        if let Some(byte) = bytes.get_mut(at / 2) {
            *byte |= (digit & 0x0F) << if at.is_multiple_of(2) { 4 } else { 0 };
        }
    }
    bytes
}

/// Whether these are decimal digits, so many of them.
pub(crate) fn digits(text: &[u8], count: usize) -> bool {
    text.len() == count && text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_after_all_digits() {
        assert_eq!(decimalise(&[0xA1, 0xF2]).collect::<Vec<_>>(), b"1205");
        assert_eq!(packed::<3>(*b"12345"), [0x12, 0x34, 0x50]);
        assert_eq!(packed::<1>(*b"123"), [0x12]);
    }
}
