//! Packed digits and hexadecimal text to content, checked in the same pass. The last block stands over the
//! one before it, so that nothing is done byte by byte but what is shorter than a block.

/// Two digits of each byte, where there is room for eight more than that; whether all of them are digits.
#[inline(always)]
pub(super) fn unpack(packed: &[u8], to: &mut [u8]) -> bool {
    let mut right = true;
    if let Some(last) = packed.last_chunk::<4>() {
        for (block, room) in packed.as_chunks::<4>().0.iter().zip(to.as_chunks_mut::<8>().0) {
            right &= unpack_eight(*block, room);
        }
        let end = packed.len() * 2 - 8;
        return to.get_mut(end..).and_then(<[u8]>::first_chunk_mut).is_some_and(|room| unpack_eight(*last, room)) & right;
    }
    let mut block = [0; 4];
    block.iter_mut().zip(packed).for_each(|(room, byte)| *room = *byte);
    to.first_chunk_mut().is_some_and(|room| unpack_eight(block, room))
}

#[inline(always)]
fn unpack_eight(packed: [u8; 4], to: &mut [u8; 8]) -> bool {
    let spread = u64::from(u32::from_le_bytes(packed));
    let spread = (spread | spread << 16) & 0x0000_FFFF_0000_FFFF;
    let spread = (spread | spread << 8) & 0x00FF_00FF_00FF_00FF;
    let nibbles = (spread << 8 | spread >> 4) & 0x0F0F_0F0F_0F0F_0F0F;
    *to = (nibbles | 0x3030_3030_3030_3030).to_le_bytes();
    (nibbles + 0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0 == 0
}

/// The bytes of hexadecimal text; whether it is that and of that length. The compiler makes vectors of it.
#[inline(always)]
pub(super) fn unhex(text: &[u8], to: &mut [u8]) -> bool {
    let mut right = text.len() == to.len() * 2;
    if let (Some(last), Some(end)) = (text.last_chunk::<32>(), to.len().checked_sub(16)) {
        for (block, room) in text.as_chunks::<32>().0.iter().zip(to.as_chunks_mut::<16>().0) {
            right &= unhex_block(block, room);
        }
        return to.get_mut(end..).and_then(<[u8]>::first_chunk_mut).is_some_and(|room| unhex_block::<32, 16>(last, room)) & right;
    }
    if let (Ok(text), Ok(room)) = (<&[u8; 16]>::try_from(text), <&mut [u8; 8]>::try_from(&mut *to)) {
        return unhex_block(text, room);
    }
    for (pair, room) in text.as_chunks::<2>().0.iter().zip(to) {
        right &= unhex_block::<2, 1>(pair, std::array::from_mut(room));
    }
    right
}

#[inline(always)]
fn unhex_block<const CHARACTERS: usize, const BYTES: usize>(text: &[u8; CHARACTERS], to: &mut [u8; BYTES]) -> bool {
    let mut wrong = 0;
    let values = text.map(|byte| {
        let letter = u8::from((byte | 0x20).wrapping_sub(b'a') < 6);
        wrong |= 1 ^ (u8::from(byte.wrapping_sub(b'0') < 10) | letter);
        (byte & 0x0F) + 9 * letter
    });
    for (room, [high, low]) in to.iter_mut().zip(values.as_chunks::<2>().0) {
        *room = high << 4 | low;
    }
    wrong == 0
}
