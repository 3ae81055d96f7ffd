//! Framing: a binary length header before each message, as pure functions over buffers.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// How messages are framed on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// Length of the header.
    pub header: HeaderLength,
    /// The longest message, in bytes, that is taken or sent.
    pub cap: usize,
}

/// A big-endian length header that does not count itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderLength {
    /// Two bytes: card links.
    Two,
    /// Four bytes: bank links.
    Four,
}

impl HeaderLength {
    fn width(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    fn largest(self) -> usize {
        match self {
            Self::Two => usize::from(u16::MAX),
            Self::Four => usize::try_from(u32::MAX).unwrap_or(usize::MAX),
        }
    }
}

impl Framing {
    /// Card links: 2-byte header, messages of at most 4,096 bytes.
    pub const CARD: Self = Self { header: HeaderLength::Two, cap: 4096 };
    /// Bank links: 4-byte header, envelopes of at most 65,536 bytes.
    pub const BANK: Self = Self { header: HeaderLength::Four, cap: 65_536 };
}

/// Why a stream cannot be read on, or a message not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header announces (or the message has) more than the cap. The stream is lost: close it.
    #[error("frame of {length} bytes, at most {cap} are taken")]
    TooLong {
        /// Length announced or given.
        length: usize,
        /// The link's cap.
        cap: usize,
    },
    /// An empty message would be a keep-alive.
    #[error("an empty message cannot be framed")]
    Empty,
}

/// Takes the next message off the front of `buffer`; `None` when more bytes are needed. Zero-length
/// frames are keep-alives and are skipped. The cap is checked before anything is reserved, so a
/// header alone can make nobody allocate.
///
/// # Errors
/// [`FrameError::TooLong`]; the buffer is then left as it is.
pub fn split_frame(buffer: &mut BytesMut, framing: Framing) -> Result<Option<Bytes>, FrameError> {
    let width = framing.header.width();
    while let Some(header) = buffer.get(..width) {
        let length = header.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
        if length > framing.cap {
            return Err(FrameError::TooLong { length, cap: framing.cap });
        }
        if length == 0 {
            buffer.advance(width);
            continue;
        }
        let whole = width + length;
        if buffer.len() < whole {
            buffer.reserve(whole - buffer.len());
            return Ok(None);
        }
        buffer.advance(width);
        return Ok(Some(buffer.split_to(length).freeze()));
    }
    Ok(None)
}

/// Appends header and message to `buffer`.
///
/// # Errors
/// A message that is empty or longer than the cap; the buffer is then as it was.
pub fn write_frame(message: &[u8], framing: Framing, buffer: &mut BytesMut) -> Result<(), FrameError> {
    if message.is_empty() {
        return Err(FrameError::Empty);
    }
    let too_long = FrameError::TooLong { length: message.len(), cap: framing.cap.min(framing.header.largest()) };
    if message.len() > framing.cap {
        return Err(too_long);
    }
    buffer.reserve(framing.header.width() + message.len());
    match framing.header {
        HeaderLength::Two => buffer.put_u16(u16::try_from(message.len()).map_err(|_| too_long)?),
        HeaderLength::Four => buffer.put_u32(u32::try_from(message.len()).map_err(|_| too_long)?),
    }
    buffer.put_slice(message);
    Ok(())
}

/// Appends a zero-length frame.
pub fn write_keep_alive(framing: Framing, buffer: &mut BytesMut) {
    buffer.put_bytes(0, framing.header.width());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_frames_of_one_read_come_out_in_order() {
        let mut buffer = BytesMut::new();
        write_frame(b"0800", Framing::CARD, &mut buffer).unwrap();
        write_keep_alive(Framing::CARD, &mut buffer);
        write_frame(b"0810", Framing::CARD, &mut buffer).unwrap();
        buffer.put_slice(&[0, 9, b'x']);
        assert_eq!(split_frame(&mut buffer, Framing::CARD), Ok(Some(Bytes::from_static(b"0800"))));
        assert_eq!(split_frame(&mut buffer, Framing::CARD), Ok(Some(Bytes::from_static(b"0810"))));
        assert_eq!(split_frame(&mut buffer, Framing::CARD), Ok(None));
        assert_eq!(buffer.as_ref(), [0, 9, b'x']);
    }

    #[test]
    fn a_header_above_the_cap_reserves_nothing() {
        let mut buffer = BytesMut::from([0xFF, 0xFF, 0xFF, 0xFF].as_slice());
        let before = buffer.capacity();
        assert_eq!(split_frame(&mut buffer, Framing::BANK), Err(FrameError::TooLong { length: 0xFFFF_FFFF, cap: 65_536 }));
        assert_eq!((buffer.capacity(), buffer.len()), (before, 4));
    }

    #[test]
    fn bytes_may_come_one_at_a_time() {
        let mut wire = BytesMut::new();
        write_frame(b"message", Framing::BANK, &mut wire).unwrap();
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        for byte in wire {
            buffer.put_u8(byte);
            frames.extend(split_frame(&mut buffer, Framing::BANK).unwrap());
        }
        assert_eq!(frames, [Bytes::from_static(b"message")]);
    }

    #[test]
    fn what_cannot_be_framed_is_refused() {
        let mut buffer = BytesMut::new();
        assert_eq!(write_frame(&[], Framing::CARD, &mut buffer), Err(FrameError::Empty));
        let wide = Framing { header: HeaderLength::Two, cap: 100_000 };
        assert_eq!(write_frame(&vec![0; 70_000], wide, &mut buffer), Err(FrameError::TooLong { length: 70_000, cap: 65_535 }));
        assert!(buffer.is_empty());
    }
}
