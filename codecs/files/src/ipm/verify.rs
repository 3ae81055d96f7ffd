//! Proves a file before anything in it is used: frames, fields, check digits, message numbers, and the
//! trailer's count and checksum against what the file holds.

use std::collections::BTreeMap;
use std::io::Read;

use super::ard::{Ard, luhn_valid};
use super::fault::{Fault, Level, Reason, RecordFault};
use super::fields::{FieldTable, de};
use super::file_id::{FileId, Mode};
use super::pds::tag;
use super::reader::Reader;
use super::record::{Record, number};
use super::writer::message_number;
use super::{Format, function};

/// Findings that are kept; more are only counted.
const MAX_FINDINGS: usize = 1_000;
/// Logical files in one physical file.
const MAX_LOGICAL_FILES: usize = 1_000;
/// Groups of totals in one logical file.
const MAX_GROUPS: usize = 4_096;

/// What differs between counterparties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether PDS0306 counts header and trailer too (most do) or only what is between them.
    pub count_frame: bool,
    /// Whether a wrong check digit of the account number refuses the record.
    pub pan_check_digit: bool,
    /// The field table.
    pub table: FieldTable,
}

impl Default for Rules {
    fn default() -> Self {
        Self { count_frame: true, pan_check_digit: true, table: FieldTable::ipm() }
    }
}

/// How a file is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing is wrong.
    Accept,
    /// Accepted, with something to tell the sender.
    AcceptWithWarning,
    /// The file is sound, some records are not.
    RejectRecord,
    /// Nothing of it may be used.
    RejectFile,
}

/// What totals are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// DE49, ISO 4217 numeric.
    pub currency: u16,
    /// Message type.
    pub message_type: [u8; 4],
    /// DE24.
    pub function: [u8; 3],
    /// First two digits of DE3.
    pub transaction_type: [u8; 2],
}

/// A count and a sum of DE4 in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// Messages.
    pub count: u64,
    /// Minor units.
    pub minor: i128,
}

/// One logical file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalFile {
    /// PDS0105 of the header.
    pub id: FileId,
    /// PDS0122 of the header.
    pub mode: Mode,
    /// Messages, header and trailer among them, and those that were refused.
    pub messages: u64,
    /// Sum of DE4.
    pub checksum: i128,
    /// Messages by type and function.
    pub counts: BTreeMap<([u8; 4], [u8; 3]), u64>,
    /// Messages with an amount, by currency, type, function and transaction type.
    pub totals: BTreeMap<Group, Sum>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Faults in the order of the file, at most 1,000.
    pub faults: Vec<Fault>,
    /// Faults beyond those.
    pub more: u64,
    /// The logical files, complete or not.
    pub files: Vec<LogicalFile>,
    /// Records in the physical file.
    pub records: u64,
    /// Bytes of the unblocked stream.
    pub bytes: u64,
    worst: Option<Level>,
}

impl Findings {
    /// How the file is to be taken.
    pub fn verdict(&self) -> Verdict {
        match self.worst {
            None => Verdict::Accept,
            Some(Level::Warning) => Verdict::AcceptWithWarning,
            Some(Level::Record) => Verdict::RejectRecord,
            Some(Level::File) => Verdict::RejectFile,
        }
    }

    fn add(&mut self, fault: Fault) {
        self.worst = self.worst.max(Some(fault.level));
        if self.faults.len() < MAX_FINDINGS {
            self.faults.push(fault);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }
}

/// Reads a file to its end and proves it. `each` sees every record that was read whole and has no fault of
/// its own, header and trailer among them; whether the *file* stands is known only when this returns, so
/// nothing that `each` does may be final before.
pub fn verify<R: Read>(source: R, format: Format, rules: &Rules, mut each: impl FnMut(&Record)) -> Findings {
    let mut reader = Reader::with_table(source, format, rules.table.clone());
    let mut check = Check { rules, found: Findings::default(), open: None, unproved: false, after_trailer: 0 };
    let mut record = Record::new(b"0000");
    loop {
        match reader.read(&mut record) {
            Ok(true) => {
                let place = Place { record: reader.record_number(), base: reader.base() };
                check.record(&record, place, &mut each);
            }
            Ok(false) => break,
            Err(fault) if fault.level == Level::Record => check.unreadable(fault),
            Err(fault) => {
                check.found.add(fault);
                break;
            }
        }
    }
    check.end(&reader)
}

/// Where a record is.
#[derive(Clone, Copy)]
struct Place {
    record: u64,
    base: u64,
}

impl Place {
    fn fault(self, fault: RecordFault, level: Level) -> Fault {
        fault.at(self.record, self.base, level)
    }
}

struct Check<'r> {
    rules: &'r Rules,
    found: Findings,
    /// Index of the logical file that is open.
    open: Option<usize>,
    /// Whether a message of the open file could not be read, so that its sum cannot be proved.
    unproved: bool,
    after_trailer: u64,
}

impl Check<'_> {
    fn record(&mut self, record: &Record, place: Place, each: &mut impl FnMut(&Record)) {
        let administrative = record.message_type() == function::ADMINISTRATIVE;
        let code = record.function();
        if administrative && &code == function::HEADER {
            self.header(record, place);
        }
        let Some(index) = self.open else {
            // Said once for each stretch outside of a file.
            if self.after_trailer == 0 {
                self.found.add(place.fault(RecordFault::head(0, Reason::NoHeader), Level::File));
            }
            self.after_trailer += 1;
            return;
        };
        let trailer = administrative && &code == function::TRAILER;
        self.count(index, record, place);
        if trailer {
            self.trailer(index, record, place);
            (self.open, self.after_trailer) = (None, 0);
        }
        match check_record(record, self.rules) {
            Ok(()) => each(record),
            Err(fault) => self.found.add(place.fault(fault, Level::Record)),
        }
    }

    /// A record that could not be read still is a message of the file.
    fn unreadable(&mut self, fault: Fault) {
        match self.open.and_then(|index| self.found.files.get_mut(index)) {
            Some(file) => file.messages = file.messages.saturating_add(1),
            None => self.found.add(Fault { reason: Reason::NoHeader, level: Level::File, ..fault.clone() }),
        }
        self.unproved = true;
        self.found.add(fault);
    }

    fn header(&mut self, record: &Record, place: Place) {
        let fault =
            |reason, tag| place.fault(RecordFault::pds(de::PRIVATE, Some(tag), record.offset(de::PRIVATE), reason), Level::File);
        if self.open.is_some() {
            self.found.add(place.fault(RecordFault::head(0, Reason::NestedHeader), Level::File));
        }
        if self.found.files.len() >= MAX_LOGICAL_FILES {
            return self.found.add(place.fault(RecordFault::head(0, Reason::TooMany), Level::File));
        }
        let pds = record.pds().ok();
        let value = |tag| pds.as_ref().and_then(|pds| pds.get(tag));
        let id = value(tag::FILE_ID).ok_or(Reason::Missing).and_then(FileId::parse);
        let mode = value(tag::MODE).ok_or(Reason::Missing).and_then(Mode::parse);
        let (id, mode) = match (id, mode) {
            (Ok(id), Ok(mode)) => (id, mode),
            (Err(reason), _) => return self.found.add(fault(reason, tag::FILE_ID)),
            (_, Err(reason)) => return self.found.add(fault(reason, tag::MODE)),
        };
        if self.found.files.iter().any(|file| file.id == id) {
            self.found.add(fault(Reason::FileIdTwice, tag::FILE_ID));
        }
        self.open = Some(self.found.files.len());
        self.unproved = false;
        let file = LogicalFile { id, mode, messages: 0, checksum: 0, counts: BTreeMap::new(), totals: BTreeMap::new() };
        self.found.files.push(file);
    }

    fn count(&mut self, index: usize, record: &Record, place: Place) {
        let Some(file) = self.found.files.get_mut(index) else { return };
        file.messages = file.messages.saturating_add(1);
        let want = u32::try_from(file.messages).unwrap_or(u32::MAX);
        let got = message_number(record);
        let amount = record.number(de::AMOUNT).ok().flatten();
        let code = record.function();
        let mut full = file.counts.len() >= MAX_GROUPS && !file.counts.contains_key(&(*record.message_type(), code));
        if !full {
            *file.counts.entry((*record.message_type(), code)).or_default() += 1;
        }
        if let Some(amount) = amount {
            file.checksum = file.checksum.saturating_add(i128::from(amount));
            let group = group(record);
            full |= file.totals.len() >= MAX_GROUPS && !file.totals.contains_key(&group);
            if !full {
                let sum = file.totals.entry(group).or_default();
                sum.count = sum.count.saturating_add(1);
                sum.minor = sum.minor.saturating_add(i128::from(amount));
            }
        }
        if got.0 != Some(want) {
            let offset = record.offset(de::MESSAGE_NUMBER);
            let fault = RecordFault::new(de::MESSAGE_NUMBER, offset, Reason::MessageNumber { got, want });
            self.found.add(place.fault(fault, Level::File));
        }
        if full {
            self.found.add(place.fault(RecordFault::head(0, Reason::TooMany), Level::File));
        }
    }

    fn trailer(&mut self, index: usize, record: &Record, place: Place) {
        let Some(file) = self.found.files.get(index) else { return };
        let offset = record.offset(de::PRIVATE);
        let fault = |reason, tag, level| place.fault(RecordFault::pds(de::PRIVATE, Some(tag), offset, reason), level);
        let pds = record.pds().ok();
        let value = |tag| pds.as_ref().and_then(|pds| pds.get(tag));
        let stated = |tag, digits| match value(tag) {
            Some(raw) if raw.len() == digits => number(raw).ok_or(Reason::NotDigit),
            Some(raw) => Err(Reason::FieldTooLong(raw.len())),
            None => Err(Reason::Missing),
        };
        let counted = if self.rules.count_frame { file.messages } else { file.messages.saturating_sub(2) };
        let mut faults = Vec::new();
        match value(tag::FILE_ID).ok_or(Reason::Missing).and_then(FileId::parse) {
            Ok(id) if id == file.id => {}
            Ok(_) => faults.push(fault(Reason::FileIdMismatch, tag::FILE_ID, Level::File)),
            Err(reason) => faults.push(fault(reason, tag::FILE_ID, Level::File)),
        }
        match stated(tag::COUNT, 8) {
            Ok(stated) if stated == counted => {}
            Ok(stated) => faults.push(fault(Reason::Count { stated, counted }, tag::COUNT, Level::File)),
            Err(reason) => faults.push(fault(reason, tag::COUNT, Level::File)),
        }
        match stated(tag::CHECKSUM, 16).map(i128::from) {
            Ok(stated) if stated == file.checksum => {}
            // The refused record's amount may be what is missing: nobody can tell.
            Ok(_) if self.unproved => faults.push(fault(Reason::ChecksumUnproved, tag::CHECKSUM, Level::Warning)),
            Ok(stated) => {
                faults.push(fault(Reason::Checksum { stated, summed: file.checksum }, tag::CHECKSUM, Level::File));
            }
            Err(reason) => faults.push(fault(reason, tag::CHECKSUM, Level::File)),
        }
        faults.into_iter().for_each(|fault| self.found.add(fault));
    }

    fn end<R: Read>(mut self, reader: &Reader<R>) -> Findings {
        self.found.records = reader.record_number();
        self.found.bytes = reader.offset();
        let place = Place { record: reader.record_number().saturating_add(1), base: reader.offset() };
        let broken = self.found.worst == Some(Level::File);
        if self.open.is_some() {
            self.found.add(place.fault(RecordFault::head(0, Reason::NoTrailer), Level::File));
        } else if self.found.files.is_empty() && !broken {
            let reason = if self.found.bytes == 0 { Reason::Empty } else { Reason::NoMessages };
            self.found.add(place.fault(RecordFault::head(0, reason), Level::File));
        }
        if let Some(offset) = reader.unterminated().filter(|_| self.found.bytes > 0) {
            let reason = Reason::NoTerminator;
            let record = place.record;
            self.found.add(Fault { record, field: None, pds: None, offset, reason, level: Level::Warning });
        }
        self.found
    }
}

/// What must hold inside one record, beyond that it could be read.
fn check_record(record: &Record, rules: &Rules) -> Result<(), RecordFault> {
    let fault = |field, reason| RecordFault::new(field, record.offset(field), reason);
    record.pds()?;
    if rules.pan_check_digit && record.get(de::PAN).is_some_and(|pan| !luhn_valid(pan)) {
        return Err(fault(de::PAN, Reason::PanCheckDigit));
    }
    if let Some(ard) = record.get(de::ARD) {
        Ard::parse(ard).map_err(|reason| fault(de::ARD, reason))?;
    }
    if record.get(de::LOCAL_TIME).is_some_and(|time| !date_time_exists(time)) {
        return Err(fault(de::LOCAL_TIME, Reason::Date));
    }
    if record.message_type() == function::PRESENTMENT {
        for field in [de::PAN, de::PROCESSING_CODE, de::AMOUNT, de::FUNCTION, de::ARD, de::CURRENCY] {
            if record.get(field).is_none() {
                return Err(fault(field, Reason::Missing));
            }
        }
    }
    Ok(())
}

/// `YYMMDDhhmmss`.
fn date_time_exists(raw: &[u8]) -> bool {
    let two = |at: usize| raw.get(at..at + 2).and_then(number).unwrap_or(99);
    let (year, month, day) = (two(0), two(2), two(4));
    let days = match month {
        2 if year % 4 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day) && two(6) < 24 && two(8) < 60 && two(10) < 60
}

fn group(record: &Record) -> Group {
    let currency = record.number(de::CURRENCY).ok().flatten().and_then(|code| u16::try_from(code).ok()).unwrap_or(0);
    let kind = record.get(de::PROCESSING_CODE).and_then(|code| code.get(..2)?.try_into().ok()).unwrap_or(*b"--");
    Group { currency, message_type: *record.message_type(), function: record.function(), transaction_type: kind }
}
