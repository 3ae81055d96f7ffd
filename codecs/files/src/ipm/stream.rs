//! The physical layer: records with a 4-byte length before each, a zero length at the end, plain or
//! cut into blocks of 1014 bytes (1012 of data, then 0x40 0x40).

use std::io::{ErrorKind, Read, Write};

use super::fault::{Fault, Level, Reason};

/// Longest record that is read. All variable fields at their longest make 13.5 kB.
pub const MAX_RECORD: usize = 16_384;
/// Bytes of a block.
pub const BLOCK: usize = 1014;
/// Bytes of data in a block.
pub const BLOCK_DATA: usize = 1012;
/// What blocks are filled and marked with: an EBCDIC blank.
const FILL: u8 = 0x40;
/// Read-ahead of an unblocked stream.
const READ_AHEAD: usize = 65_536;

/// How the stream of records lies in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Records one after the other.
    Plain,
    /// In blocks of 1014 bytes.
    Blocked,
}

impl Layout {
    /// Where a byte of the unblocked stream lies in the file.
    pub fn physical(self, offset: u64) -> u64 {
        match self {
            Self::Plain => offset,
            Self::Blocked => offset.saturating_add(offset / 1012 * 2),
        }
    }
}

/// Reads the stream out of its layout. Memory is one buffer, whatever lengths the file claims.
pub(crate) struct Unblocked<R> {
    source: R,
    layout: Layout,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Unblocked offset of `buffer[start]`.
    offset: u64,
    ended: bool,
}

impl<R: Read> Unblocked<R> {
    pub(crate) fn new(source: R, layout: Layout) -> Self {
        let room = if layout == Layout::Blocked { BLOCK } else { READ_AHEAD };
        Self { source, layout, buffer: vec![0; room], start: 0, end: 0, offset: 0, ended: false }
    }

    /// Offset of the next byte in the unblocked stream.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends the next `wanted` bytes to `out`, fewer where the stream ends.
    pub(crate) fn take(&mut self, wanted: usize, out: &mut Vec<u8>) -> Result<usize, Reason> {
        let mut taken = 0;
        while taken < wanted {
            if self.start == self.end && !self.refill()? {
                break;
            }
            let end = self.end.min(self.start.saturating_add(wanted - taken));
            let piece = self.buffer.get(self.start..end).unwrap_or_default();
            out.extend_from_slice(piece);
            taken += piece.len();
            self.offset = self.offset.saturating_add(u64::try_from(piece.len()).unwrap_or(0));
            self.start = end;
        }
        Ok(taken)
    }

    /// Reads to the end and says whether everything left is block fill, or nothing at all.
    pub(crate) fn only_fill_left(&mut self) -> Result<bool, Reason> {
        loop {
            if self.start == self.end && !self.refill()? {
                return Ok(true);
            }
            let left = self.buffer.get(self.start..self.end).unwrap_or_default();
            if self.layout == Layout::Plain || left.iter().any(|byte| *byte != FILL) {
                return Ok(false);
            }
            self.offset = self.offset.saturating_add(u64::try_from(left.len()).unwrap_or(0));
            self.start = self.end;
        }
    }

    fn refill(&mut self) -> Result<bool, Reason> {
        if self.ended {
            return Ok(false);
        }
        let mut filled = 0;
        // A block is read whole; an unblocked stream takes what one read gives.
        while filled < self.buffer.len() {
            match self.source.read(self.buffer.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Reason::Io(error.kind())),
            }
            if self.layout == Layout::Plain {
                break;
            }
        }
        (self.start, self.end) = (0, filled);
        if filled == 0 {
            self.ended = true;
            return Ok(false);
        }
        if self.layout == Layout::Blocked {
            match self.buffer.get(..filled).and_then(|block| block.split_at_checked(BLOCK_DATA)) {
                Some((_, [FILL, FILL])) => self.end = BLOCK_DATA,
                Some((_, [_, _])) => return Err(Reason::BlockMarker),
                _ => return Err(Reason::CutInBlock),
            }
        }
        Ok(true)
    }
}

/// What the next length says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A record; its bytes are in the buffer, its first byte is at this offset.
    Record(u64),
    /// The zero length, and nothing behind it.
    Terminator,
    /// The end of the bytes where a length should stand, at this offset.
    End(u64),
}

impl<R: Read> Unblocked<R> {
    /// Reads the next record into `out`, which is cleared first.
    pub(crate) fn frame(&mut self, record: u64, out: &mut Vec<u8>) -> Result<Frame, Fault> {
        let at = self.offset;
        let fault = |offset, reason| Fault { record, field: None, pds: None, offset, reason, level: Level::File };
        let mut length = Vec::with_capacity(4);
        let got = self.take(4, &mut length).map_err(|reason| fault(at, reason))?;
        let length = match (got, <[u8; 4]>::try_from(length.as_slice())) {
            (0, _) => return Ok(Frame::End(at)),
            (_, Ok(bytes)) => u32::from_be_bytes(bytes),
            (_, Err(_)) => return Err(fault(at, Reason::CutInLength)),
        };
        if length == 0 {
            let sound = self.only_fill_left().map_err(|reason| fault(self.offset, reason))?;
            return if sound { Ok(Frame::Terminator) } else { Err(fault(self.offset, Reason::DataAfterTerminator)) };
        }
        if length == u32::from_be_bytes([FILL; 4]) && self.layout == Layout::Blocked {
            // Fill where a length should stand: the terminator was forgotten.
            let sound = self.only_fill_left().map_err(|reason| fault(self.offset, reason))?;
            return if sound { Ok(Frame::End(at)) } else { Err(fault(at, Reason::RecordTooLong(length))) };
        }
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        if wanted > MAX_RECORD {
            return Err(fault(at, Reason::RecordTooLong(length)));
        }
        let start = self.offset;
        out.clear();
        if self.take(wanted, out).map_err(|reason| fault(start, reason))? < wanted {
            return Err(fault(self.offset, Reason::CutInRecord));
        }
        Ok(Frame::Record(start))
    }
}

/// Writes the stream in its layout.
pub(crate) struct Blocked<W> {
    sink: W,
    layout: Layout,
    /// Bytes of data in the block that is being filled.
    filled: usize,
    offset: u64,
}

impl<W: Write> Blocked<W> {
    pub(crate) fn new(sink: W, layout: Layout) -> Self {
        Self { sink, layout, filled: 0, offset: 0 }
    }

    /// Offset of the next byte in the unblocked stream.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Writes one record with its length; the caller has bounded it.
    pub(crate) fn record(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let length = u32::try_from(bytes.len()).map_err(|_| Reason::RecordTooLong(u32::MAX))?;
        if bytes.len() > MAX_RECORD {
            return Err(Reason::RecordTooLong(length));
        }
        self.put(&length.to_be_bytes())?;
        self.put(bytes)
    }

    /// Writes the terminator, fills the last block, flushes, and gives the sink back.
    pub(crate) fn finish(mut self) -> Result<W, Reason> {
        self.put(&[0; 4])?;
        if self.layout == Layout::Blocked && self.filled > 0 {
            let fill = vec![FILL; BLOCK.saturating_sub(self.filled)];
            self.write(&fill)?;
        }
        self.sink.flush().map_err(|error| Reason::Io(error.kind()))?;
        Ok(self.sink)
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Reason> {
        self.offset = self.offset.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        if self.layout == Layout::Plain {
            return self.write(bytes);
        }
        while !bytes.is_empty() {
            let room = BLOCK_DATA.saturating_sub(self.filled);
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.write(now)?;
            self.filled += now.len();
            if self.filled == BLOCK_DATA {
                self.write(&[FILL; 2])?;
                self.filled = 0;
            }
            bytes = later;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        self.sink.write_all(bytes).map_err(|error| Reason::Io(error.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(layout: Layout, records: &[&[u8]]) -> Vec<u8> {
        let mut out = Blocked::new(Vec::new(), layout);
        records.iter().for_each(|record| out.record(record).unwrap());
        out.finish().unwrap()
    }

    #[test]
    fn records_come_back_out_of_blocks_at_every_length_around_a_block() {
        for length in (1..=12).chain(996..=1020).chain(2010..=2030) {
            let record: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let file = written(Layout::Blocked, &[&record, b"second"]);
            assert_eq!(file.len() % BLOCK, 0);
            let mut stream = Unblocked::new(file.as_slice(), Layout::Blocked);
            let mut out = Vec::new();
            assert_eq!(stream.frame(1, &mut out).unwrap(), Frame::Record(4));
            assert_eq!(out, record);
            assert!(matches!(stream.frame(2, &mut out).unwrap(), Frame::Record(_)));
            assert_eq!(out, b"second");
            assert_eq!(stream.frame(3, &mut out).unwrap(), Frame::Terminator);
        }
    }

    #[test]
    fn an_extra_block_of_fill_is_no_data() {
        let mut file = written(Layout::Blocked, &[&[1; 1004]]);
        assert_eq!(file.len(), BLOCK);
        file.extend([FILL; BLOCK]);
        let mut stream = Unblocked::new(file.as_slice(), Layout::Blocked);
        let mut out = Vec::new();
        assert!(matches!(stream.frame(1, &mut out).unwrap(), Frame::Record(_)));
        assert_eq!(stream.frame(2, &mut out).unwrap(), Frame::Terminator);
    }

    #[test]
    fn a_claimed_length_is_refused_before_it_is_read() {
        let mut out = Vec::new();
        let mut stream = Unblocked::new(&b"\x7f\xff\xff\xff...."[..], Layout::Plain);
        assert_eq!(stream.frame(1, &mut out).unwrap_err().reason, Reason::RecordTooLong(0x7fff_ffff));
        assert!(out.capacity() < 1024);
    }

    #[test]
    fn physical_offsets_skip_the_markers() {
        assert_eq!(Layout::Blocked.physical(1011), 1011);
        assert_eq!(Layout::Blocked.physical(1012), 1014);
    }
}
