//! Data objects of field 55 (EMV Book 3 annex B): well formed or not, as bytes or as hexadecimal text.

/// Constructed objects may stand this deep in one another.
const DEEPEST: usize = 4;

/// Whether these bytes are well-formed data objects.
#[inline]
pub(super) fn well_formed(bytes: &[u8]) -> bool {
    walk(bytes.len(), |at| bytes.get(at).copied()).is_some()
}

/// Whether this hexadecimal text, an even number of characters known to be hexadecimal, is.
#[inline]
pub(super) fn well_formed_text(text: &[u8]) -> bool {
    let pairs = text.as_chunks::<2>().0;
    let value = |digit: u8| (digit & 0x0F) + 9 * (digit >> 6);
    walk(pairs.len(), |at| pairs.get(at).map(|[high, low]| value(*high) << 4 | value(*low))).is_some()
}

/// `None` where an object is broken. A tag has at most 4 bytes, a length at most 4 behind its first.
#[inline(always)]
fn walk(length: usize, byte: impl Fn(usize) -> Option<u8>) -> Option<()> {
    let mut open = [0; DEEPEST];
    let (mut depth, mut end, mut at) = (0, length, 0);
    loop {
        while at == end {
            let Some(outer) = usize::checked_sub(depth, 1) else { return Some(()) };
            depth = outer;
            end = *open.get(depth)?;
        }
        let first = byte(at)?;
        at += 1;
        if first == 0 {
            continue;
        }
        if first & 0x1F == 0x1F {
            let mut further = 1;
            while at < end && byte(at)? & 0x80 != 0 {
                at += 1;
                further += 1;
            }
            if further > 3 {
                return None;
            }
            at += 1;
        }
        if at >= end {
            return None;
        }
        let mut value = usize::from(byte(at)?);
        at += 1;
        if value > 0x7F {
            let count = value & 0x7F;
            if !(1..=4).contains(&count) || end - at < count {
                return None;
            }
            value = 0;
            for place in at..at + count {
                value = value << 8 | usize::from(byte(place)?);
            }
            at += count;
        }
        if end - at < value {
            return None;
        }
        if first & 0x20 == 0 {
            at += value;
        } else {
            *open.get_mut(depth)? = end;
            depth += 1;
            end = at + value;
        }
    }
}
