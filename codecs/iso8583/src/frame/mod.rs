//! Framing: where one message ends and the next begins, as pure functions over buffers. A framing is
//! data; what it may consist of is drawn at [`Framing`].

mod config;
mod error;
mod header;
mod length;
mod preset;
mod split;
mod write;

#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;

pub use config::FramingError;
pub use error::{FrameError, Mark};
pub use header::{Header, HeaderKind};
pub use length::{LengthForm, Order};
pub use preset::Preset;

/// First byte of text between delimiters (ASCII STX).
const STX: u8 = 0x02;
/// Last byte of text between delimiters (ASCII ETX), and the trailer of BASE24.
const ETX: u8 = 0x03;

/// How messages are framed on a link. On the wire, in this order, each part but the message optional:
///
/// ```text
/// length | filler | STX | header | message | trailer, or ETX LRC
/// ```
///
/// The length counts all that follows the filler, the filler and itself only where it is inclusive,
/// the trailer only where that is counted. Without a length, trailer or ETX is what ends a message,
/// so the message cannot contain it, and there is no header.
///
/// In TOML a framing is the name of a [`Preset`], or a table: a preset and what differs from it.
///
/// ```
/// # use iso8583::Framing;
/// #[derive(serde::Deserialize)]
/// struct Link { framing: Framing }
/// let nac: Link = toml::from_str(r#"framing = { preset = "nac", header = "6000010000" }"#).unwrap();
/// let mut wire = bytes::BytesMut::new();
/// nac.framing.write(nac.framing.header().bytes(), b"0800", &mut wire).unwrap();
/// assert_eq!(wire.as_ref(), b"\x00\x09\x60\x00\x01\x00\x000800");
/// let frame = nac.framing.split(&mut wire).unwrap().unwrap();
/// assert_eq!(frame.message, "0800");
/// assert_eq!(nac.framing.header().answer(&frame.header).as_ref(), b"\x60\x00\x00\x00\x01");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    length: Option<Length>,
    header: Header,
    end: End,
    zero_length: ZeroLength,
    cap: usize,
}

/// The length in front of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Length {
    form: LengthForm,
    /// Bytes.
    width: usize,
    /// Whether it counts itself and the filler.
    inclusive: bool,
    /// Zero bytes behind it.
    filler: usize,
}

/// What stands around header and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Nothing,
    Trailer { byte: u8, counted: bool },
    StxEtxLrc,
}

/// What a frame without header and message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ZeroLength {
    /// The peer is alive; nothing is handed on.
    KeepAlive,
    /// A fault.
    Error,
    /// Handed on as an empty [`Frame`], so that it can be answered.
    Deliver,
}

/// One message off the wire, and the header that stood before it.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The fixed header (a TPDU, a BASE I header); empty where the framing has none.
    pub header: Bytes,
    /// The message; empty only where a framing delivers empty frames.
    pub message: Bytes,
}

/// Counts only: a message holds card data.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes of header, {} of message)", self.header.len(), self.message.len())
    }
}

impl Framing {
    /// Card links unless configured otherwise: 2-byte length, messages of at most 4,096 bytes.
    pub const CARD: Self = preset::BINARY2;
    /// Bank links unless configured otherwise: 4-byte length, envelopes of at most 65,536 bytes.
    pub const BANK: Self = preset::BINARY4.with_cap(65_536);

    /// The same framing with another cap: the most bytes that header and message may have together.
    #[must_use]
    pub const fn with_cap(self, cap: usize) -> Self {
        Self { cap, ..self }
    }

    /// The most bytes that header and message may have together, taken or sent.
    pub const fn cap(&self) -> usize {
        self.cap
    }

    /// The fixed header between length and message.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The most bytes a frame may have on the wire: what a reader has to hold at once.
    pub const fn longest(&self) -> usize {
        let length = match self.length {
            Some(length) => length.lead(),
            None => 0,
        };
        (length + self.end.before() + self.end.after()).saturating_add(self.cap)
    }
}

impl Length {
    /// Bytes before what is counted: length and filler.
    const fn lead(self) -> usize {
        self.width + self.filler
    }

    /// What the length counts beside the frame's own content.
    const fn own(self) -> usize {
        if self.inclusive { self.lead() } else { 0 }
    }
}

impl End {
    /// Bytes between length and header.
    const fn before(self) -> usize {
        match self {
            Self::Nothing | Self::Trailer { .. } => 0,
            Self::StxEtxLrc => 1,
        }
    }

    /// Bytes behind the message.
    const fn after(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Trailer { .. } => 1,
            Self::StxEtxLrc => 2,
        }
    }

    /// The byte that follows the message.
    const fn last(self) -> Option<u8> {
        match self {
            Self::Nothing => None,
            Self::Trailer { byte, .. } => Some(byte),
            Self::StxEtxLrc => Some(ETX),
        }
    }

    /// How many bytes of its own a length in front counts.
    const fn counted(self) -> usize {
        match self {
            Self::Trailer { counted: false, .. } => 0,
            _ => self.before() + self.after(),
        }
    }
}

/// The longitudinal redundancy check of text between STX and ETX: all its bytes and the ETX, exclusively
/// or-ed (ISO 1155, over 8 bits).
fn lrc(text: &[u8]) -> u8 {
    text.iter().fold(ETX, |sum, byte| sum ^ byte)
}
