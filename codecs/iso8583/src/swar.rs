//! Eight characters at a time: whether all of them are digits, and digits packed and unpacked. The
//! check of a whole message is one pass over its bytes, so it must not cost a branch a byte.

/// Whether every byte is an ASCII digit.
#[inline]
pub(crate) fn all_digits(bytes: &[u8]) -> bool {
    over_words(bytes, eight_digits)
}

/// Whether every byte is printable ASCII, 0x20 to 0x7E.
#[inline]
pub(crate) fn all_printable(bytes: &[u8]) -> bool {
    over_words(bytes, eight_printable)
}

/// Whether the first `width` bytes of `rest` are there and digits.
#[inline(always)]
pub(crate) fn starts_with_digits(rest: &[u8], width: usize) -> bool {
    over_start(rest, width, eight_digits, all_digits)
}

/// As [`starts_with_digits`], of printable ASCII, 0x20 to 0x7E.
#[inline(always)]
pub(crate) fn starts_printable(rest: &[u8], width: usize) -> bool {
    over_start(rest, width, eight_printable, all_printable)
}

/// A field of a message has others behind it: a short one is looked at as a whole word of which the bytes
/// that are not its own are made zeros in ASCII, with no question how long it is.
#[inline(always)]
fn over_start(rest: &[u8], width: usize, word: impl Fn(u64) -> bool, all: impl Fn(&[u8]) -> bool) -> bool {
    match (rest.first_chunk::<8>(), FIRST_BYTES.get(width)) {
        (Some(eight), Some(own)) => {
            let own = u64::from_le_bytes(*own);
            word(u64::from_le_bytes(*eight) & own | THREES & !own)
        }
        _ => rest.get(..width).is_some_and(all),
    }
}

/// All bits of the first bytes of a word, of none to all eight.
pub(crate) const FIRST_BYTES: [[u8; 8]; 9] = {
    let mut all = [[0; 8]; 9];
    let mut count = 0;
    while count < 9 {
        let mut at = 0;
        while at < count {
            all[count][at] = 0xFF;
            at += 1;
        }
        count += 1;
    }
    all
};

/// Bytes that overlap are looked at twice: the last word stands over the one before it, and fewer than
/// eight bytes are made one word of their first and last. Most fields are that short, and a loop over
/// their bytes costs more than all the rest of reading them.
#[inline(always)]
fn over_words(bytes: &[u8], word: impl Fn(u64) -> bool) -> bool {
    if let Some(last) = bytes.last_chunk::<8>() {
        let words = bytes.as_chunks::<8>().0;
        return words.iter().fold(true, |all, eight| all & word(u64::from_le_bytes(*eight))) & word(u64::from_le_bytes(*last));
    }
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
        (Some(first), Some(last), _) => word(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))),
        (.., [a, b, c]) => word(u64::from_le_bytes([*a, *b, *c, *a, *b, *c, *a, *b])),
        (.., [a, b]) => word(u64::from_le_bytes([*a, *b, *a, *b, *a, *b, *a, *b])),
        (.., [a]) => word(u64::from_le_bytes([*a; 8])),
        _ => true,
    }
}

/// Eight digits as ASCII characters, of four bytes of packed ones, and whether they are digits.
#[inline]
pub(crate) fn unpack_eight(packed: [u8; 4]) -> ([u8; 8], bool) {
    let nibbles = nibbles(packed);
    // Adding 6 reaches 16 only from 10 on.
    ((THREES | nibbles).to_le_bytes(), (nibbles + SIX) & HIGH == 0)
}

/// Whether the half-bytes of eight bytes of packed digits are digits.
#[inline(always)]
pub(crate) fn sixteen_digits(packed: u64) -> bool {
    (((packed & LOW) + SIX) | ((packed >> 4 & LOW) + SIX)) & HIGH == 0
}

/// Whether the half-bytes of all these bytes are digits.
#[inline]
pub(crate) fn all_packed_digits(bytes: &[u8]) -> bool {
    over_words(bytes, sixteen_digits)
}

/// Fewer than eight bytes as the first ones of a word, zeros behind. Of parts that may overlap, never byte
/// by byte through memory: a word that is read where single bytes were just written waits for all of them.
#[inline(always)]
pub(crate) fn word_of(bytes: &[u8]) -> u64 {
    let behind = |first: usize| 8 * (bytes.len() - first);
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        (Some(first), Some(last), ..) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (behind(4) & 63)
        }
        (_, _, Some(first), Some(last)) => {
            u64::from(u16::from_le_bytes(*first)) | u64::from(u16::from_le_bytes(*last)) << (behind(2) & 63)
        }
        _ => bytes.first().map_or(0, |byte| u64::from(*byte)),
    }
}

/// Eight characters of upper-case hexadecimal, of four bytes.
#[inline]
pub(crate) fn hex_of_four(bytes: [u8; 4]) -> [u8; 8] {
    let nibbles = nibbles(bytes);
    // From 10 on adding 6 carries, and `A` stands 7 behind the character that follows `9`.
    let letters = (nibbles + SIX) >> 4 & 0x0101_0101_0101_0101;
    (THREES + nibbles + letters * 7).to_le_bytes()
}

/// Four bytes of packed digits, of the characters of content that is known to have such a form: digits and
/// `=` (0x3D) have their half-byte below, letters count on from 9.
#[inline]
pub(crate) fn pack_eight(characters: [u8; 8]) -> [u8; 4] {
    let word = u64::from_le_bytes(characters);
    let letters = word >> 6 & 0x0101_0101_0101_0101;
    let nibbles = ((word & LOW) + letters * 9) & LOW;
    let pairs = (nibbles << 4 | nibbles >> 8) & 0x00FF_00FF_00FF_00FF;
    let pairs = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF;
    let [a, b, _, _, c, d, _, _] = pairs.to_le_bytes();
    [a, b, c, d]
}

/// The half-bytes of four bytes, each in a byte of its own, the upper one first.
#[inline]
fn nibbles(bytes: [u8; 4]) -> u64 {
    let spread = u64::from(u32::from_le_bytes(bytes));
    let spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF;
    let spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF;
    // What crosses into the byte beside stands in its upper half.
    (spread << 8 | spread >> 4) & LOW
}

const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
const LOW: u64 = 0x0F0F_0F0F_0F0F_0F0F;
const TOP: u64 = 0x8080_8080_8080_8080;
const SIX: u64 = 0x0606_0606_0606_0606;
const THREES: u64 = 0x3030_3030_3030_3030;

/// High half-bytes 3, and adding 6 carries out of no low one.
fn eight_digits(word: u64) -> bool {
    ((word ^ THREES) | (word.wrapping_add(SIX) ^ THREES)) & HIGH == 0
}

/// No top bit; subtracting 0x20 borrows from none; adding 1 reaches the top bit from 0x7F alone.
fn eight_printable(word: u64) -> bool {
    let seven = word & !TOP;
    let below_a_blank = !(seven + 0x6060_6060_6060_6060);
    (word | below_a_blank | (seven + 0x0101_0101_0101_0101)) & TOP == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_judged_as_its_bytes_are() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'7'; length];
                    bytes[at] = byte;
                    assert_eq!(all_digits(&bytes), byte.is_ascii_digit(), "{length} {at} {byte:#x}");
                    assert_eq!(all_printable(&bytes), (0x20..=0x7E).contains(&byte), "{length} {at} {byte:#x}");
                }
            }
        }
        assert_eq!(unpack_eight([0x12, 0x34, 0x56, 0x70]), (*b"12345670", true));
        assert!(!unpack_eight([0x12, 0x34, 0x56, 0x7A]).1 && !unpack_eight([0xF2, 0x34, 0x56, 0x70]).1);
        assert!(sixteen_digits(u64::from_le_bytes([0x12, 0x34, 0x56, 0x78, 0x90, 0x99, 0, 1])));
        assert!((0..16).all(|at| (0xA..=0xF).all(|nibble| !sixteen_digits(nibble << (4 * at)))));
        for length in 0..8 {
            let mut word = [0; 8];
            word.iter_mut().zip(1..).take(length).for_each(|(byte, number)| *byte = number);
            assert_eq!(word_of(&[1, 2, 3, 4, 5, 6, 7][..length]), u64::from_le_bytes(word), "{length}");
        }
        assert_eq!(hex_of_four([0x1A, 0xF0, 0x9B, 0xC7]), *b"1AF09BC7");
        assert_eq!(pack_eight(*b"1A=9f067"), [0x1A, 0xD9, 0xF0, 0x67]);
        assert!(all_digits(b"") && all_printable(b""));
    }
}
