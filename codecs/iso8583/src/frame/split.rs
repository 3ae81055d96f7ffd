//! Takes frames off the front of a buffer.

use std::ops::Range;

use bytes::{Buf, BytesMut};

use super::{ETX, End, Frame, FrameError, Framing, Length, LengthForm, Mark, STX, ZeroLength, lrc};

/// What stands at the front of a buffer.
enum Front {
    /// Not a whole frame; it has at least so many bytes.
    Needs(usize),
    /// A frame of `total` bytes, header and message where `payload` says.
    Whole { total: usize, payload: Range<usize> },
}

impl Framing {
    /// Takes the next frame off the front of `buffer`; `None` when more bytes are needed, and room for
    /// them is then reserved. Everything announced is checked before that, so a length alone makes
    /// nobody allocate more than [`Framing::longest`]. Call it until it gives `None`: a read may bring
    /// many frames. One call looks at no byte twice.
    ///
    /// # Errors
    /// What is wrong with the frame at the front. The buffer is then left as it is, and the stream is
    /// lost: close it.
    pub fn split(&self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        loop {
            let (total, payload) = match self.front(buffer)? {
                Front::Needs(wanted) => {
                    buffer.reserve(wanted.saturating_sub(buffer.len()));
                    return Ok(None);
                }
                Front::Whole { total, payload } => (total, payload),
            };
            if payload.is_empty() && self.zero_length == ZeroLength::KeepAlive {
                buffer.advance(total);
                continue;
            }
            let mut frame = buffer.split_to(total).freeze();
            frame.truncate(payload.end);
            frame.advance(payload.start);
            let header = frame.split_to(if payload.is_empty() { 0 } else { self.header.length() });
            return Ok(Some(Frame { header, message: frame }));
        }
    }

    /// What `rest` means, the bytes that are left when the stream ends and [`Framing::split`] has given
    /// `None`: all is well when there are none.
    ///
    /// # Errors
    /// [`FrameError::Incomplete`] with what is missing.
    pub fn finish(&self, rest: &[u8]) -> Result<(), FrameError> {
        if rest.is_empty() {
            return Ok(());
        }
        match self.front(rest)? {
            Front::Needs(wanted) => Err(FrameError::Incomplete { wanted, got: rest.len() }),
            Front::Whole { .. } => Ok(()),
        }
    }

    fn front(&self, buffer: &[u8]) -> Result<Front, FrameError> {
        match self.length {
            Some(length) => self.counted(length, buffer),
            None => self.delimited(buffer),
        }
    }

    /// A frame that says how long it is.
    fn counted(&self, length: Length, buffer: &[u8]) -> Result<Front, FrameError> {
        let lead = length.lead();
        let Some(written) = buffer.get(..length.width) else { return Ok(Front::Needs(lead)) };
        let announced = length.form.read(written)?;
        let too_small = |wanted| FrameError::LengthTooSmall { wanted, got: announced };
        let body = announced.checked_sub(length.own()).ok_or(too_small(length.own()))?;
        // Nothing follows a zero, not even what would end a message.
        let (marks, before, after) =
            if body == 0 { (0, 0, 0) } else { (self.end.counted(), self.end.before(), self.end.after()) };
        let content = body.checked_sub(marks).ok_or(too_small(length.own() + marks))?;
        if content > self.cap {
            let digits = matches!(length.form, LengthForm::Binary(_)) && written.iter().all(u8::is_ascii_digit);
            return Err(FrameError::TooLong { length: content, cap: self.cap, digits });
        }
        let payload = lead + before..lead + before + content;
        // Before the rest is waited for: more bytes would not mend it.
        self.check_content(&payload)?;
        if let Some(at) = buffer.iter().take(lead).skip(length.width).position(|byte| *byte != 0) {
            return Err(FrameError::Desync { offset: length.width + at, wanted: Mark::Filler });
        }
        let total = payload.end + after;
        if buffer.len() < total {
            return Ok(Front::Needs(total));
        }
        if body > 0 {
            self.check_marks(buffer, &payload)?;
        }
        Ok(Front::Whole { total, payload })
    }

    /// A frame that ends where its delimiter stands.
    fn delimited(&self, buffer: &[u8]) -> Result<Front, FrameError> {
        let start = self.end.before();
        let last = self.end.last().unwrap_or(ETX);
        if let (End::StxEtxLrc, Some(first)) = (self.end, buffer.first())
            && *first != STX
        {
            return Err(FrameError::Desync { offset: 0, wanted: Mark::Stx });
        }
        let Some(length) = buffer.iter().skip(start).take(self.cap.saturating_add(1)).position(|byte| *byte == last) else {
            if buffer.len().saturating_sub(start) > self.cap {
                return Err(FrameError::TooLong { length: self.cap.saturating_add(1), cap: self.cap, digits: false });
            }
            return Ok(Front::Needs(buffer.len().max(start) + self.end.after()));
        };
        let payload = start..start + length;
        self.check_content(&payload)?;
        let total = payload.end + self.end.after();
        if buffer.len() < total {
            return Ok(Front::Needs(total));
        }
        self.check_marks(buffer, &payload)?;
        Ok(Front::Whole { total, payload })
    }

    /// That a frame has a header and a message, or nothing where nothing is allowed.
    fn check_content(&self, payload: &Range<usize>) -> Result<(), FrameError> {
        let wanted = self.header.length();
        match payload.len().checked_sub(wanted) {
            _ if payload.is_empty() && self.zero_length != ZeroLength::Error => Ok(()),
            _ if payload.is_empty() => Err(FrameError::Empty),
            None => Err(FrameError::Truncated { offset: payload.start, wanted, got: payload.len() }),
            Some(0) if self.zero_length != ZeroLength::Deliver => Err(FrameError::Empty),
            Some(_) => Ok(()),
        }
    }

    /// That the bytes around header and message are what they must be.
    fn check_marks(&self, buffer: &[u8], payload: &Range<usize>) -> Result<(), FrameError> {
        let mark = |offset: usize, byte: u8, wanted: Mark| match buffer.get(offset) {
            Some(stands) if *stands == byte => Ok(()),
            _ => Err(FrameError::Desync { offset, wanted }),
        };
        match self.end {
            End::Nothing => Ok(()),
            End::Trailer { byte, .. } => mark(payload.end, byte, Mark::Trailer),
            End::StxEtxLrc => {
                mark(payload.start - 1, STX, Mark::Stx)?;
                mark(payload.end, ETX, Mark::Etx)?;
                mark(payload.end + 1, lrc(buffer.get(payload.clone()).unwrap_or_default()), Mark::Lrc)
            }
        }
    }
}
