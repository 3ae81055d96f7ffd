//! Why a stream cannot be read on, or a message not be framed. Never content: where a stream is out
//! of step, anything may stand in the place of a length.

use std::fmt;

/// Why a stream cannot be read on (the peer's fault or the configuration's: close it, for nothing says
/// where the next message begins), or why a message cannot be framed (then nothing was written).
/// Offsets count from the first byte of the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FrameError {
    /// The stream ended inside a frame.
    #[error("the stream ended after {got} bytes of a frame, at least {wanted} were wanted")]
    Incomplete {
        /// Bytes that the frame has at least.
        wanted: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// More than the cap: announced by a length, read without an end, or given to be written.
    #[error("{length} bytes in a frame, at most {cap} may be{}", Digits(*.digits))]
    TooLong {
        /// Bytes of header and message together (where nothing announces them: at least).
        length: usize,
        /// Most bytes that may be: the link's cap, or what the length header can express.
        cap: usize,
        /// The bytes of a binary length are all ASCII digits: the peer seems to use another framing.
        digits: bool,
    },
    /// Something else than a decimal digit in a length.
    #[error("no digit at byte {offset}, in the length of a frame")]
    NotADigit {
        /// The byte that is not a digit, or holds a half-byte above 9.
        offset: usize,
    },
    /// A length that is smaller than what it always counts.
    #[error("a length of {got}, at least {wanted} is always counted")]
    LengthTooSmall {
        /// What is always counted: the length itself, delimiters, trailer.
        wanted: usize,
        /// The length.
        got: usize,
    },
    /// A frame without a message, where that is no keep-alive.
    #[error("a frame without a message")]
    Empty,
    /// The frame ends inside its fixed header.
    #[error("a frame of {got} bytes at byte {offset}, its header alone has {wanted}")]
    Truncated {
        /// Where the header begins.
        offset: usize,
        /// Bytes of the header.
        wanted: usize,
        /// Bytes that there are.
        got: usize,
    },
    /// Something else where a fixed byte belongs: reader and writer do not agree where frames are.
    #[error("something else at byte {offset}, where {wanted} belongs")]
    Desync {
        /// The wrong byte.
        offset: usize,
        /// What belongs there.
        wanted: Mark,
    },
    /// The message to be framed contains the byte that would end it.
    #[error("the message has the frame's own end at byte {offset}")]
    EndInside {
        /// Where, in header and message.
        offset: usize,
    },
    /// The header to be written has not the bytes that the framing says.
    #[error("a header of {got} bytes, the framing has one of {wanted}")]
    WrongHeader {
        /// Bytes of the framing's header.
        wanted: usize,
        /// Bytes given.
        got: usize,
    },
}

impl FrameError {
    /// The kind of fault, a name for logs, metrics and test cases.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Incomplete { .. } => "incomplete",
            Self::TooLong { .. } => "too_long",
            Self::NotADigit { .. } | Self::LengthTooSmall { .. } | Self::Empty => "bad_length",
            Self::Truncated { .. } => "truncated",
            Self::Desync { .. } => "desync",
            Self::EndInside { .. } | Self::WrongHeader { .. } => "unframeable",
        }
    }

    /// The first offending byte, from the start of the frame; of a length its first byte, of what is cut
    /// off the first that is missing.
    pub fn offset(&self) -> usize {
        match self {
            Self::NotADigit { offset }
            | Self::Truncated { offset, .. }
            | Self::Desync { offset, .. }
            | Self::EndInside { offset } => *offset,
            Self::Incomplete { got, .. } => *got,
            Self::TooLong { .. } | Self::LengthTooSmall { .. } | Self::Empty | Self::WrongHeader { .. } => 0,
        }
    }
}

/// A byte that every frame of a link has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A zero byte behind the length.
    Filler,
    /// The start of text.
    Stx,
    /// The end of text.
    Etx,
    /// The check byte of the text.
    Lrc,
    /// The trailer.
    Trailer,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filler => "a zero byte",
            Self::Stx => "STX",
            Self::Etx => "ETX",
            Self::Lrc => "the text's LRC",
            Self::Trailer => "the trailer",
        })
    }
}

struct Digits(bool);

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0 { "; the length's bytes are ASCII digits: does the peer frame with \"ascii4\"?" } else { "" })
    }
}
