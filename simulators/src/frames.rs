//! Framing of card links: a 2-byte big-endian length that does not count itself, then the message.
//! Length 0 is a keep-alive. Nothing is allocated for a length before its bytes are there.

use bytes::{Buf, Bytes, BytesMut};

/// Longest message that is taken, in bytes.
pub const MAX_MESSAGE: usize = 4096;

/// A length above [`MAX_MESSAGE`]: the stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame of {0} bytes, at most {MAX_MESSAGE} are taken")]
pub struct FrameTooLong(pub usize);

/// Takes the next whole message out of what was received; keep-alives are skipped.
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

/// Appends a message in its frame. A message longer than [`MAX_MESSAGE`] is not ours to send: it is
/// left out and `false` comes back.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_whatever_pieces_they_arrive_in() {
        let mut sent = Vec::new();
        assert!(put(&mut sent, b"first") && put(&mut sent, b"") && put(&mut sent, b"second"));
        let mut received = BytesMut::new();
        let mut messages = Vec::new();
        for byte in sent {
            received.extend_from_slice(&[byte]);
            messages.extend(take(&mut received).unwrap());
        }
        assert_eq!(messages, [&b"first"[..], b"second"]);
    }

    #[test]
    fn a_length_above_the_cap_is_refused_before_its_bytes_come() {
        assert_eq!(take(&mut BytesMut::from(&[0x10, 0x01][..])), Err(FrameTooLong(4097)));
        assert!(!put(&mut Vec::new(), &[0; MAX_MESSAGE + 1]));
    }
}
