//! Frames of host commands: a 2-byte big-endian length that does not count itself, then the message.
//! Length 0 is skipped. Nothing is allocated for a length before its bytes are there.

use bytes::{Buf, Bytes, BytesMut};

/// Longest message that is taken, in bytes.
pub const MAX_MESSAGE: usize = 32_768;

/// A length above [`MAX_MESSAGE`]: the stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame of {0} bytes, at most {MAX_MESSAGE} are taken")]
pub struct FrameTooLong(pub usize);

/// Takes the next whole message out of what was received.
pub fn take(received: &mut BytesMut) -> Result<Option<Bytes>, FrameTooLong> {
    while let Some(prefix) = received.first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*prefix));
        if length > MAX_MESSAGE {
            return Err(FrameTooLong(length));
        }
        if received.len() < 2 + length {
            return Ok(None);
        }
        received.advance(2);
        if length > 0 {
            return Ok(Some(received.split_to(length).freeze()));
        }
    }
    Ok(None)
}

/// Appends a message in its frame; one that is too long is left out and `false` comes back.
pub fn put(out: &mut Vec<u8>, message: &[u8]) -> bool {
    match u16::try_from(message.len()) {
        Ok(length) if message.len() <= MAX_MESSAGE => {
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(message);
            true
        }
        _ => false,
    }
}
