//! Framing of card links, and of host commands: a 2-byte big-endian length that does not count itself, then the
//! message. Length 0 is a keep-alive. Nothing is allocated for a length before its bytes are there. Behind a
//! network access controller a TPDU stands before each message, counted by the length.

use bytes::{Buf, Bytes, BytesMut};

/// Longest message of a card link that is taken, in bytes.
pub const MAX_MESSAGE: usize = 4096;

/// A length above the cap: the stream cannot be followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("frame of {length} bytes, at most {most} are taken")]
pub struct FrameTooLong {
    /// What the length says.
    pub length: usize,
    /// The cap.
    pub most: usize,
}

/// Takes the next whole message of a card link out of what was received; keep-alives are skipped.
pub fn take(received: &mut BytesMut) -> Result<Option<Bytes>, FrameTooLong> {
    take_up_to(received, MAX_MESSAGE)
}

/// As [`take`], with another cap.
pub fn take_up_to(received: &mut BytesMut, most: usize) -> Result<Option<Bytes>, FrameTooLong> {
    while let Some(prefix) = received.first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*prefix));
        if length > most {
            return Err(FrameTooLong { length, most });
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

/// Appends a message of a card link in its frame. One longer than [`MAX_MESSAGE`] is not ours to send: it is left
/// out and `false` comes back.
pub fn put(out: &mut Vec<u8>, message: &[u8]) -> bool {
    put_up_to(out, message, MAX_MESSAGE)
}

/// As [`put`], with another cap.
pub fn put_up_to(out: &mut Vec<u8>, message: &[u8], most: usize) -> bool {
    match u16::try_from(message.len()) {
        Ok(length) if message.len() <= most => {
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(message);
            true
        }
        _ => false,
    }
}

/// What stands before each message of a terminal behind a network access controller: `60`, then
/// destination and source in 2 bytes each. An answer comes with the two turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tpdu([u8; 5]);

impl Tpdu {
    /// Of messages that the line of this number sends to the host, whose address is 0001.
    pub fn of_line(number: u16) -> Self {
        let [high, low] = number.to_be_bytes();
        Self([0x60, 0x00, 0x01, high, low])
    }

    /// The message with this before it.
    pub fn before(self, message: &[u8]) -> Vec<u8> {
        [&self.0, message].concat()
    }

    /// The answer behind a TPDU that is this one turned round. `None` where it is addressed to somebody
    /// else, or to nobody.
    pub fn behind(self, mut frame: Bytes) -> Option<Bytes> {
        let [id, to_high, to_low, from_high, from_low] = self.0;
        let wanted = [id, from_high, from_low, to_high, to_low];
        frame.starts_with(&wanted).then(|| frame.split_off(wanted.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_ours_only_with_our_address_turned_round() {
        let line = Tpdu::of_line(0x0203);
        assert_eq!(line.before(b"ask"), b"\x60\x00\x01\x02\x03ask");
        let behind = |frame: &'static [u8]| line.behind(Bytes::from_static(frame));
        assert_eq!(behind(b"\x60\x02\x03\x00\x01said").as_deref(), Some(&b"said"[..]));
        for other in [&b"\x60\x00\x01\x02\x03said"[..], b"\x60\x02\x04\x00\x01said", b"\x60\x02\x03", b"said"] {
            assert_eq!(behind(other), None);
        }
    }

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
        assert_eq!(take(&mut BytesMut::from(&[0x10, 0x01][..])), Err(FrameTooLong { length: 4097, most: 4096 }));
        assert!(!put(&mut Vec::new(), &[0; MAX_MESSAGE + 1]));
    }
}
