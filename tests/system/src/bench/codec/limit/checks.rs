//! Checks of contents. Whole fields without a branch a byte; where the length is known when this is
//! compiled, two words that overlap are all there is.

/// Whether every byte is a digit.
#[inline(always)]
pub(super) fn digits(bytes: &[u8]) -> bool {
    words(bytes, |word| word & HIGH == THREES && word.wrapping_add(SIXES) & HIGH == THREES, u8::is_ascii_digit)
}

/// Whether every half-byte is at most 9.
#[inline(always)]
pub(super) fn packed(bytes: &[u8]) -> bool {
    let word = |word: u64| (((word & LOW) + SIXES) | (((word >> 4) & LOW) + SIXES)) & HIGH == 0;
    words(bytes, word, |byte| byte & 0x0F <= 9 && byte >> 4 <= 9)
}

/// Whether every byte is printable ASCII.
#[inline(always)]
pub(super) fn printable(bytes: &[u8]) -> bool {
    let word = |word: u64| {
        let seven = word & !TOPS;
        (word | !(seven + 0x6060_6060_6060_6060) | (seven + 0x0101_0101_0101_0101)) & TOPS == 0
    };
    words(bytes, word, |byte| matches!(byte, 0x20..=0x7E))
}

/// Whether every byte is a hexadecimal digit of either case. The compiler makes vectors of it.
#[inline(always)]
pub(super) fn hexadecimal(bytes: &[u8]) -> bool {
    let is = |byte: u8| (byte.wrapping_sub(b'0') < 10) | ((byte | 0x20).wrapping_sub(b'a') < 6);
    let (blocks, rest) = bytes.as_chunks::<16>();
    let block = |block: &[u8; 16]| block.iter().fold(true, |all, byte| all & is(*byte));
    blocks.iter().fold(true, |all, one| all & block(one)) & rest.iter().fold(true, |all, byte| all & is(*byte))
}

/// Whether every byte may stand in track 2.
#[inline(always)]
pub(super) fn track(bytes: &[u8]) -> bool {
    let is = |byte: u8| (byte.wrapping_sub(b'0') < 10) | (byte == b'=') | (byte == b'D');
    let (blocks, rest) = bytes.as_chunks::<16>();
    let block = |block: &[u8; 16]| block.iter().fold(true, |all, byte| all & is(*byte));
    blocks.iter().fold(true, |all, one| all & block(one)) & rest.iter().fold(true, |all, byte| all & is(*byte))
}

/// Whether every byte is a letter or a digit.
#[inline(always)]
pub(super) fn letters_or_digits(bytes: &[u8]) -> bool {
    let is = |byte: u8| (byte.wrapping_sub(b'0') < 10) | ((byte | 0x20).wrapping_sub(b'a') < 26);
    bytes.iter().fold(true, |all, byte| all & is(*byte))
}

/// What is left without the blanks at the end.
#[inline(always)]
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    let mut left = bytes;
    while let [front @ .., b' '] = left {
        left = front;
    }
    left
}

const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
const LOW: u64 = 0x0F0F_0F0F_0F0F_0F0F;
const TOPS: u64 = 0x8080_8080_8080_8080;
const SIXES: u64 = 0x0606_0606_0606_0606;
const THREES: u64 = 0x3030_3030_3030_3030;

/// Eight bytes at a time, the last word over the one before; the rest of a short field byte by byte.
#[inline(always)]
fn words(bytes: &[u8], word: impl Fn(u64) -> bool, byte: impl Fn(&u8) -> bool) -> bool {
    match (bytes.as_chunks::<8>().0, bytes.last_chunk::<8>()) {
        (words, Some(last)) => {
            words.iter().fold(true, |all, eight| all & word(u64::from_le_bytes(*eight))) & word(u64::from_le_bytes(*last))
        }
        _ => bytes.iter().fold(true, |all, one| all & byte(one)),
    }
}

/// Two digits as a number.
#[inline(always)]
fn number(tens: u8, ones: u8) -> u8 {
    (tens & 0x0F) * 10 + (ones & 0x0F)
}

/// `MMDD` that can be; 29 February always can.
#[inline(always)]
pub(super) fn month_day([m1, m2, d1, d2]: [u8; 4]) -> bool {
    day_of(number(m1, m2), number(d1, d2))
}

/// `hhmmss` that can be.
#[inline(always)]
pub(super) fn time([h1, h2, m1, m2, s1, s2]: [u8; 6]) -> bool {
    (number(h1, h2) < 24) & (number(m1, m2) < 60) & (number(s1, s2) < 60)
}

/// `MMDD` of packed digits.
#[inline(always)]
pub(super) fn packed_month_day([month, day]: [u8; 2]) -> bool {
    day_of(number(month >> 4, month), number(day >> 4, day))
}

/// `hhmmss` of packed digits, whose order is that of the numbers.
#[inline(always)]
pub(super) fn packed_time([hour, minute, second]: [u8; 3]) -> bool {
    (hour < 0x24) & (minute < 0x60) & (second < 0x60)
}

/// The last day of each month; of what is no month, no day.
const LAST_DAY: [u8; 128] = {
    let mut last = [0; 128];
    let days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while month < days.len() {
        last[month + 1] = days[month];
        month += 1;
    }
    last
};

#[inline(always)]
fn day_of(month: u8, day: u8) -> bool {
    (day != 0) & (LAST_DAY.get(usize::from(month)).is_some_and(|last| day <= *last))
}
