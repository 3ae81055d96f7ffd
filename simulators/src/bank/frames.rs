//! Framing of bank links: a 4-byte big-endian length that does not count itself, then one envelope.
//! Length 0 is a keep-alive. Nothing is allocated for a length before its bytes are there.

use bytes::{Buf, Bytes, BytesMut};

/// Longest envelope that is taken, in bytes.
pub const MAX_ENVELOPE: usize = 65_536;

/// A length above [`MAX_ENVELOPE`]: the stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame of {0} bytes, at most {MAX_ENVELOPE} are taken")]
pub struct FrameTooLong(pub u32);

/// Takes the next whole envelope out of what was received; keep-alives are skipped.
pub fn take(received: &mut BytesMut) -> Result<Option<Bytes>, FrameTooLong> {
    while let Some(prefix) = received.first_chunk::<4>() {
        let claimed = u32::from_be_bytes(*prefix);
        let length = usize::try_from(claimed).ok().filter(|length| *length <= MAX_ENVELOPE).ok_or(FrameTooLong(claimed))?;
        if received.len() < 4 + length {
            return Ok(None);
        }
        received.advance(4);
        if length > 0 {
            return Ok(Some(received.split_to(length).freeze()));
        }
    }
    Ok(None)
}

/// Appends an envelope in its frame. One longer than [`MAX_ENVELOPE`] is not ours to send: it is left
/// out and `false` comes back.
pub fn put(out: &mut Vec<u8>, envelope: &[u8]) -> bool {
    match u32::try_from(envelope.len()) {
        Ok(length) if envelope.len() <= MAX_ENVELOPE => {
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(envelope);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_come_out_whole_whatever_pieces_they_arrive_in() {
        let mut sent = Vec::new();
        assert!(put(&mut sent, b"first") && put(&mut sent, b"") && put(&mut sent, b"second"));
        let mut received = BytesMut::new();
        let mut envelopes = Vec::new();
        for byte in sent {
            received.extend_from_slice(&[byte]);
            envelopes.extend(take(&mut received).unwrap());
        }
        assert_eq!(envelopes, [&b"first"[..], b"second"]);
    }

    #[test]
    fn a_length_above_the_cap_is_refused_before_its_bytes_come() {
        assert_eq!(take(&mut BytesMut::from(&[0, 1, 0, 1][..])), Err(FrameTooLong(65_537)));
        assert_eq!(take(&mut BytesMut::from(&[0xFF; 4][..])), Err(FrameTooLong(u32::MAX)));
        assert!(!put(&mut Vec::new(), &vec![0; MAX_ENVELOPE + 1]));
    }
}
