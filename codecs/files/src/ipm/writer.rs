//! Writes files: header, message numbers, checksum, count and trailer are its own work.

use std::io::Write;

use zeroize::Zeroize;

use super::Format;
use super::fault::{Fault, Level, MessageNumber, Reason, RecordFault};
use super::fields::{FieldTable, de};
use super::file_id::{FileId, Mode};
use super::function;
use super::pds::tag;
use super::record::Record;
use super::stream::{Blocked, MAX_RECORD};

/// What the trailer of a logical file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The file.
    pub id: FileId,
    /// Messages, header and trailer among them (PDS0306).
    pub messages: u32,
    /// Sum of DE4 of every message that has it, whatever its currency and direction (PDS0301).
    pub checksum: i128,
}

/// A writer of files. One physical file holds one or more logical ones: [`Writer::begin`], any number of
/// [`Writer::write`], [`Writer::end`], and [`Writer::finish`] after the last.
pub struct Writer<W> {
    stream: Blocked<W>,
    format: Format,
    table: FieldTable,
    frame: Vec<u8>,
    record: u64,
    open: Option<Totals>,
}

impl<W: Write> Writer<W> {
    /// Writes a file of this format with the built-in field table.
    pub fn new(sink: W, format: Format) -> Self {
        Self::with_table(sink, format, FieldTable::ipm())
    }

    /// The same with another field table.
    pub fn with_table(sink: W, format: Format, table: FieldTable) -> Self {
        let stream = Blocked::new(sink, format.layout);
        Self { stream, format, table, frame: Vec::with_capacity(MAX_RECORD), record: 0, open: None }
    }

    /// Begins a logical file with its header.
    pub fn begin(&mut self, id: FileId, mode: Mode) -> Result<(), Fault> {
        if self.open.is_some() {
            return Err(self.fault(RecordFault::head(0, Reason::NestedHeader)));
        }
        let mut header = Record::new(function::ADMINISTRATIVE);
        header.set(de::FUNCTION, function::HEADER);
        let items = [(tag::FILE_ID, id.as_str().as_bytes()), (tag::MODE, mode.as_bytes())];
        header.set_pds(items).map_err(|fault| self.fault(fault))?;
        self.open = Some(Totals { id, messages: 0, checksum: 0 });
        self.write(&mut header)
    }

    /// Writes a message; its DE71 is set here. After an error nothing more should be written: the file
    /// is not whole.
    pub fn write(&mut self, record: &mut Record) -> Result<(), Fault> {
        let Some(mut totals) = self.open else {
            return Err(self.fault(RecordFault::head(0, Reason::NoHeader)));
        };
        let number = totals.messages.checked_add(1).filter(|number| *number <= 99_999_999);
        totals.messages = number.ok_or_else(|| self.fault(RecordFault::head(0, Reason::TooMany)))?;
        let amount = record.number(de::AMOUNT).map_err(|fault| self.fault(fault))?.unwrap_or(0);
        totals.checksum = totals.checksum.saturating_add(i128::from(amount));
        record.set(de::MESSAGE_NUMBER, format!("{:08}", totals.messages).as_bytes());
        self.frame.as_mut_slice().zeroize();
        self.frame.clear();
        let encoded = record.encode(self.format.charset, &self.table, &mut self.frame);
        encoded.map_err(|fault| self.fault(fault))?;
        self.stream.record(&self.frame).map_err(|reason| self.fault(RecordFault::head(0, reason)))?;
        self.record = self.record.saturating_add(1);
        self.open = Some(totals);
        Ok(())
    }

    /// Ends the logical file with its trailer.
    pub fn end(&mut self) -> Result<Totals, Fault> {
        let Some(totals) = self.open else {
            return Err(self.fault(RecordFault::head(0, Reason::NoHeader)));
        };
        let messages = totals.messages.saturating_add(1);
        let (checksum, count) = (format!("{:016}", totals.checksum), format!("{messages:08}"));
        if checksum.len() > 16 {
            return Err(self.fault(RecordFault::pds(de::PRIVATE, Some(tag::CHECKSUM), 0, Reason::Range)));
        }
        let mut trailer = Record::new(function::ADMINISTRATIVE);
        trailer.set(de::FUNCTION, function::TRAILER);
        let items =
            [(tag::FILE_ID, totals.id.as_str().as_bytes()), (tag::CHECKSUM, checksum.as_bytes()), (tag::COUNT, count.as_bytes())];
        trailer.set_pds(items).map_err(|fault| self.fault(fault))?;
        self.write(&mut trailer)?;
        self.open = None;
        Ok(Totals { messages, ..totals })
    }

    /// Ends the physical file and gives the sink back, flushed. An open logical file is an error.
    pub fn finish(mut self) -> Result<W, Fault> {
        if self.open.is_some() || self.record == 0 {
            return Err(self.fault(RecordFault::head(0, Reason::NoTrailer)));
        }
        self.frame.zeroize();
        let (record, offset) = (self.record, self.stream.offset());
        let broken = |reason| Fault { record, field: None, pds: None, offset, reason, level: Level::File };
        self.stream.finish().map_err(broken)
    }

    fn fault(&self, fault: RecordFault) -> Fault {
        fault.at(self.record.saturating_add(1), self.stream.offset(), Level::File)
    }
}

/// The message number of a record, for readers that check it.
pub(crate) fn message_number(record: &Record) -> MessageNumber {
    let number = record.number(de::MESSAGE_NUMBER).ok().flatten();
    MessageNumber(number.and_then(|number| u32::try_from(number).ok()))
}
