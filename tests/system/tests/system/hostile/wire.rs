//! A peer that may send anything: fields are bytes as they stand on the wire, right or wrong.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crypto::TdesKey;
use crypto::mac::{Padding, retail_mac};

/// Against a hang, not a measurement.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Fields as they stand on the wire, lengths included.
pub(super) type Fields = BTreeMap<u8, Vec<u8>>;

/// MTI, bitmaps and fields. With a key, a right MAC as the last field.
pub(super) fn message(mti: &str, fields: &Fields, key: Option<&TdesKey>) -> Vec<u8> {
    let second = fields.keys().any(|number| *number > 64);
    let mac = if second { 128 } else { 64 };
    let mut bits = [0u8; 16];
    let shown = fields.keys().copied().chain(second.then_some(1)).chain(key.map(|_| mac));
    shown.for_each(|number| bits[usize::from(number - 1) / 8] |= 0x80 >> ((number - 1) % 8));
    let mut raw = mti.as_bytes().to_vec();
    raw.extend(hex::encode_upper(&bits[..if second { 16 } else { 8 }]).bytes());
    fields.values().for_each(|field| raw.extend(field));
    if let Some(key) = key {
        let mac = retail_mac(key, &raw, Padding::Zeros);
        raw.extend(hex::encode_upper(mac).bytes());
    }
    raw
}

/// What a peer sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// The other end closed.
    Closed,
    /// DE39 of the answer.
    Code(String),
    /// Something else.
    Bytes(Vec<u8>),
}

/// One connection.
pub(super) struct Peer {
    stream: TcpStream,
    width: usize,
}

impl Peer {
    /// To a listener whose lengths have `width` bytes.
    pub(super) fn connect(address: &str, width: usize) -> Self {
        let stream = TcpStream::connect(address).expect("the switch listens");
        stream.set_nodelay(true).expect("a socket takes options");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes options");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket takes options");
        Self { stream, width }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// With its length before it.
    pub(super) fn framed(&self, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).expect("a test's message").to_be_bytes();
        [&length[4 - self.width..], message].concat()
    }

    /// Bytes as they are. False where the other end is gone.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> bool {
        match self.stream.write_all(bytes) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("nobody reads: {error}"),
            written => written.is_ok(),
        }
    }

    /// A message in its frame.
    pub(super) fn send(&mut self, message: &[u8]) -> bool {
        let frame = self.framed(message);
        self.raw(&frame)
    }

    /// The next answer.
    pub(super) fn hear(&mut self) -> Seen {
        let mut header = [0; 4];
        let Some(()) = self.fill(&mut header[4 - self.width..]) else { return Seen::Closed };
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(header)).expect("a length")];
        let Some(()) = self.fill(&mut body) else { return Seen::Closed };
        match code(&body) {
            Some(code) if self.width == 2 => Seen::Code(code),
            _ => Seen::Bytes(body),
        }
    }

    /// Sends and hears.
    pub(super) fn ask(&mut self, message: &[u8]) -> Seen {
        self.send(message);
        self.hear()
    }

    /// Whether the other end has closed, looking for no longer than `wait`.
    pub(super) fn closed_within(&mut self, wait: Duration) -> bool {
        self.stream.set_read_timeout(Some(wait)).expect("a socket takes options");
        let read = self.stream.read(&mut [0; 64]);
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes options");
        match read {
            Ok(read) => read == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    fn fill(&mut self, room: &mut [u8]) -> Option<()> {
        match self.stream.read_exact(room) {
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => panic!("silence: {error}"),
            read => read.ok(),
        }
    }
}

fn code(answer: &[u8]) -> Option<String> {
    let spec = iso8583::Spec::shipped("iso87-ascii").expect("it is shipped");
    let message = spec.decode(answer.to_vec().into()).ok()?;
    message.str(39).map(str::to_owned)
}
