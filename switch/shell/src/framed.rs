//! Frames of a socket, over the pure functions of `iso8583`: as a stream for `tokio_util::codec`, and
//! whole for the writer, which counts what was sent of each.

use std::io;

use bytes::BytesMut;
use iso8583::{Frame, FrameError, Framing};
use tokio_util::codec::Decoder;

/// Reads the frames of one framing.
pub(crate) struct Frames(pub(crate) Framing);

/// Why no more frames come, where the peer has not simply closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Socket(#[from] io::Error),
}

impl Decoder for Frames {
    type Item = Frame;
    type Error = Unread;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Unread> {
        Ok(self.0.split(buffer)?)
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Unread> {
        let frame = self.0.split(buffer)?;
        if frame.is_none() {
            self.0.finish(buffer)?;
        }
        Ok(frame)
    }
}

/// A frame on its way out. None, with a line in the log, when the message cannot be framed.
pub(crate) fn frame(framing: &Framing, header: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let mut frame = BytesMut::new();
    match framing.write(header, message, &mut frame) {
        Ok(()) => Some(frame.into()),
        Err(error) => {
            tracing::error!(%error, "a message cannot be framed");
            None
        }
    }
}

/// The frame that tells a peer that we are alive.
pub(crate) fn keep_alive(framing: &Framing) -> Vec<u8> {
    let mut frame = BytesMut::new();
    framing.write_keep_alive(&mut frame);
    frame.into()
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio_util::codec::FramedRead;

    use super::*;

    #[tokio::test]
    async fn a_stream_that_ends_inside_a_frame_says_so_after_the_whole_ones() {
        let wire = b"\0\x040800\0\x040810\0\x0408".as_slice();
        let mut frames = FramedRead::new(wire, Frames(Framing::CARD));
        for whole in ["0800", "0810"] {
            assert_eq!(frames.next().await.and_then(Result::ok).map(|frame| frame.message), Some(whole.into()));
        }
        let ended = frames.next().await;
        assert!(matches!(ended, Some(Err(Unread::Frame(FrameError::Incomplete { wanted: 6, got: 4 })))), "{ended:?}");
    }
}
