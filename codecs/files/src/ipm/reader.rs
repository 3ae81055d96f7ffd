//! Reads records out of a file, one after the other, in constant memory.

use std::io::Read;

use zeroize::Zeroize;

use super::Format;
use super::fault::{Fault, Level, Reason};
use super::fields::FieldTable;
use super::record::Record;
use super::stream::{Frame, MAX_RECORD, Unblocked};

/// A reader of records. It checks frames and fields; what a *file* has to be is [`super::verify`]'s matter.
pub struct Reader<R> {
    stream: Unblocked<R>,
    format: Format,
    table: FieldTable,
    frame: Vec<u8>,
    record: u64,
    base: u64,
    end: Option<End>,
}

/// How the stream ended.
#[derive(Clone)]
enum End {
    Terminated,
    Unterminated(u64),
    Broken(Fault),
}

impl<R: Read> Reader<R> {
    /// Reads a file of this format with the built-in field table.
    pub fn new(source: R, format: Format) -> Self {
        Self::with_table(source, format, FieldTable::ipm())
    }

    /// The same with another field table.
    pub fn with_table(source: R, format: Format, table: FieldTable) -> Self {
        let stream = Unblocked::new(source, format.layout);
        // The frame buffer holds account numbers; with this room it never moves.
        Self { stream, format, table, frame: Vec::with_capacity(MAX_RECORD), record: 0, base: 0, end: None }
    }

    /// Reads the next record in place of what `record` held. `false` at the end of the stream.
    ///
    /// After a fault of level [`Level::Record`] the next call goes on with the next record; after one of
    /// level [`Level::File`] every call gives that fault again.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, Fault> {
        match &self.end {
            Some(End::Broken(fault)) => return Err(fault.clone()),
            Some(_) => return Ok(false),
            None => {}
        }
        let number = self.record.saturating_add(1);
        match self.stream.frame(number, &mut self.frame) {
            Ok(Frame::Record(base)) => (self.record, self.base) = (number, base),
            Ok(Frame::Terminator) => {
                self.end = Some(End::Terminated);
                return Ok(false);
            }
            Ok(Frame::End(offset)) => {
                self.end = Some(End::Unterminated(offset));
                return Ok(false);
            }
            Err(fault) => {
                self.end = Some(End::Broken(fault.clone()));
                return Err(fault);
            }
        }
        record.decode(&self.frame, self.format.charset, &self.table).map(|()| true).map_err(|fault| {
            // Text in another character set says that the file is not what was agreed.
            let level = if fault.reason == Reason::OtherCharset { Level::File } else { Level::Record };
            let fault = fault.at(number, self.base, level);
            if level == Level::File {
                self.end = Some(End::Broken(fault.clone()));
            }
            fault
        })
    }

    /// Number of the record read last, from 1.
    pub fn record_number(&self) -> u64 {
        self.record
    }

    /// Offset of the first byte of that record in the unblocked stream.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Where the terminator should have stood, once the stream has ended without it.
    pub fn unterminated(&self) -> Option<u64> {
        match self.end {
            Some(End::Unterminated(offset)) => Some(offset),
            _ => None,
        }
    }

    /// Bytes of the unblocked stream read so far.
    pub fn offset(&self) -> u64 {
        self.stream.offset()
    }
}

impl<R> Drop for Reader<R> {
    fn drop(&mut self) {
        self.frame.zeroize();
    }
}
