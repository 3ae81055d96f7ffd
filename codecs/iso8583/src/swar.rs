//! Eight characters at a time: whether all of them are digits. The check of a whole message is one
//! pass over its bytes, so it must not cost a branch a byte.

/// Whether every byte is an ASCII digit.
pub(crate) fn all_digits(bytes: &[u8]) -> bool {
    over_words(bytes, eight_digits, |byte| byte.is_ascii_digit())
}

/// Whether every half-byte is at most 9.
pub(crate) fn all_packed_digits(bytes: &[u8]) -> bool {
    over_words(bytes, sixteen_nibbles, |byte| byte & 0x0F <= 9 && byte >> 4 <= 9)
}

/// Whether every byte is printable ASCII, 0x20 to 0x7E.
pub(crate) fn all_printable(bytes: &[u8]) -> bool {
    over_words(bytes, eight_printable, |byte| (0x20..=0x7E).contains(&byte))
}

/// The last word overlaps the one before it: cheaper than a loop over the bytes that are left.
fn over_words(bytes: &[u8], word: impl Fn(u64) -> bool, byte: impl Fn(u8) -> bool) -> bool {
    match (bytes.as_chunks::<8>(), bytes.last_chunk::<8>()) {
        ((words, _), Some(last)) => {
            words.iter().fold(true, |all, eight| all & word(u64::from_le_bytes(*eight))) & word(u64::from_le_bytes(*last))
        }
        _ => bytes.iter().fold(true, |all, one| all & byte(*one)),
    }
}

const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
const LOW: u64 = 0x0F0F_0F0F_0F0F_0F0F;
const TOP: u64 = 0x8080_8080_8080_8080;
const SIX: u64 = 0x0606_0606_0606_0606;

/// High half-bytes 3, and adding 6 carries out of no low one.
fn eight_digits(word: u64) -> bool {
    word & HIGH == 0x3030_3030_3030_3030 && word.wrapping_add(SIX) & HIGH == 0x3030_3030_3030_3030
}

/// Adding 6 to each half-byte reaches 16 only from 10 on.
fn sixteen_nibbles(word: u64) -> bool {
    ((word & LOW) + SIX) & HIGH == 0 && ((word >> 4 & LOW) + SIX) & HIGH == 0
}

/// No top bit; subtracting 0x20 borrows from none; adding 1 reaches the top bit from 0x7F alone.
fn eight_printable(word: u64) -> bool {
    let seven = word & !TOP;
    let at_least_a_blank = (seven + 0x6060_6060_6060_6060) & TOP == TOP;
    word & TOP == 0 && at_least_a_blank && (seven + 0x0101_0101_0101_0101) & TOP == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_judged_as_its_bytes_are() {
        for length in [1, 4, 7, 8, 9, 16, 19] {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'7'; length];
                    bytes[at] = byte;
                    assert_eq!(all_digits(&bytes), byte.is_ascii_digit(), "{length} {at} {byte:#x}");
                    assert_eq!(all_printable(&bytes), (0x20..=0x7E).contains(&byte), "{length} {at} {byte:#x}");
                    bytes.fill(0x59);
                    bytes[at] = byte;
                    assert_eq!(all_packed_digits(&bytes), byte >> 4 < 10 && byte & 15 < 10, "{length} {at} {byte:#x}");
                }
            }
        }
        assert!(all_digits(b"") && all_printable(b"") && all_packed_digits(b""));
    }
}
