//! Puts frames at the end of a buffer.

use bytes::{BufMut, BytesMut};

use super::{ETX, End, FrameError, Framing, STX, ZeroLength, lrc};

impl Framing {
    /// Appends a frame to `out`. `header` is what [`Header::answer`](super::Header::answer) made of the
    /// request's, or [`Header::bytes`](super::Header::bytes) where there was none; empty where the framing
    /// has none.
    ///
    /// # Errors
    /// What [`Framing::split`] would not take at the other end; `out` is then as it was.
    pub fn write(&self, header: &[u8], message: &[u8], out: &mut BytesMut) -> Result<(), FrameError> {
        if message.is_empty() {
            match self.zero_length {
                ZeroLength::Deliver if header.is_empty() => {
                    self.write_keep_alive(out);
                    return Ok(());
                }
                ZeroLength::Deliver => {}
                ZeroLength::KeepAlive | ZeroLength::Error => return Err(FrameError::Empty),
            }
        }
        if header.len() != self.header.length() {
            return Err(FrameError::WrongHeader { wanted: self.header.length(), got: header.len() });
        }
        let content = header.len().saturating_add(message.len());
        let own = self.length.map_or(0, |length| length.own() + self.end.counted());
        let cap = self.length.map_or(self.cap, |length| self.cap.min(length.form.largest(length.width).saturating_sub(own)));
        if content > cap {
            return Err(FrameError::TooLong { length: content, cap, digits: false });
        }
        if let (None, Some(last)) = (self.length, self.end.last())
            && let Some(offset) = message.iter().position(|byte| *byte == last)
        {
            return Err(FrameError::EndInside { offset });
        }
        out.reserve(self.longest() - self.cap + content);
        if let Some(length) = self.length {
            length.form.write(content + own, length.width, out);
            out.put_bytes(0, length.filler);
        }
        self.put_content(header, message, out);
        Ok(())
    }

    /// Appends a frame of nothing, which tells the peer that we are alive.
    pub fn write_keep_alive(&self, out: &mut BytesMut) {
        match self.length {
            Some(length) => {
                length.form.write(length.own(), length.width, out);
                out.put_bytes(0, length.filler);
            }
            None => self.put_content(&[], &[], out),
        }
    }

    fn put_content(&self, header: &[u8], message: &[u8], out: &mut BytesMut) {
        if self.end == End::StxEtxLrc {
            out.put_u8(STX);
        }
        let start = out.len();
        out.put_slice(header);
        self.header.seal(out.get_mut(start..).unwrap_or_default(), message.len());
        out.put_slice(message);
        match self.end {
            End::Nothing => {}
            End::Trailer { byte, .. } => out.put_u8(byte),
            End::StxEtxLrc => {
                let check = lrc(out.get(start..).unwrap_or_default());
                out.put_slice(&[ETX, check]);
            }
        }
    }
}
