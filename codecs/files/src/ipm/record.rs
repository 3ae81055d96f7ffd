//! One record: message type, bitmap, fields. Text is Latin-1 in here whatever the file's character set.

use std::fmt;

use zeroize::Zeroize;

use super::fault::{Reason, RecordFault};
use super::fields::{Content, Field, FieldTable, Form};
use super::stream::MAX_RECORD;
use crate::charset::{Charset, latin1_to_string};

/// Bytes of the message type and the bitmap.
const HEAD: usize = 20;

/// Where a field lies in the record's buffer.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    len: usize,
    /// First byte of the content in the record as read, for faults found later.
    offset: usize,
}

/// A record of a clearing file. It holds account numbers: `Debug` shows lengths only, and its memory
/// is wiped when it is reused or dropped.
pub struct Record {
    message_type: [u8; 4],
    content: Vec<u8>,
    spans: [Option<Span>; 129],
}

impl Record {
    /// An empty record of a message type, for example `b"1240"`.
    pub fn new(message_type: &[u8; 4]) -> Self {
        // Room for the longest record, so that the buffer never moves and leaves a copy behind.
        Self { message_type: *message_type, content: Vec::with_capacity(MAX_RECORD), spans: [None; 129] }
    }

    /// The message type, four ASCII digits.
    pub fn message_type(&self) -> &[u8; 4] {
        &self.message_type
    }

    /// The function code, DE24, or `000` where there is none.
    pub fn function(&self) -> [u8; 3] {
        self.get(super::de::FUNCTION).and_then(|code| code.try_into().ok()).unwrap_or(*b"000")
    }

    /// The content of a data element: Latin-1 text, or bytes of a binary one.
    pub fn get(&self, field: u8) -> Option<&[u8]> {
        let span = self.span(field)?;
        self.content.get(span.start..span.start.checked_add(span.len)?)
    }

    /// The content of a text element, without trailing blanks.
    pub fn text(&self, field: u8) -> Option<String> {
        let raw = self.get(field)?;
        let end = raw.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        Some(latin1_to_string(raw.get(..end).unwrap_or_default()))
    }

    /// The number in a numeric element.
    pub fn number(&self, field: u8) -> Result<Option<u64>, RecordFault> {
        let Some(raw) = self.get(field) else { return Ok(None) };
        match number(raw) {
            Some(value) => Ok(Some(value)),
            None => Err(RecordFault::new(field, self.offset(field), Reason::NotDigit)),
        }
    }

    /// Where the content of a data element began in the record as read; 0 for one that was set.
    pub fn offset(&self, field: u8) -> usize {
        self.span(field).map_or(0, |span| span.offset)
    }

    /// Sets a data element, Latin-1 or binary. Whether it fits its field is checked when it is written.
    pub fn set(&mut self, field: u8, value: &[u8]) -> &mut Self {
        if self.content.len().saturating_add(value.len()) > self.content.capacity() {
            self.grow(value.len());
        }
        let start = self.content.len();
        self.content.extend_from_slice(value);
        self.place(field, Some(Span { start, len: value.len(), offset: 0 }));
        self
    }

    /// Takes a data element away.
    pub fn remove(&mut self, field: u8) {
        self.place(field, None);
    }

    /// The numbers of the data elements that are there, ascending.
    pub fn fields(&self) -> impl Iterator<Item = u8> {
        (2..=128).filter(|field| self.span(*field).is_some())
    }

    /// Empties it for another message of this type. The old content is wiped.
    pub fn reset(&mut self, message_type: &[u8; 4]) {
        // Only what was used: wiping the spare room for every record would cost more than reading it.
        self.content.as_mut_slice().zeroize();
        self.content.clear();
        self.spans = [None; 129];
        self.message_type = *message_type;
    }

    /// Reads a record out of its bytes, in place of what was in it.
    pub fn decode(&mut self, bytes: &[u8], charset: Charset, table: &FieldTable) -> Result<(), RecordFault> {
        self.reset(b"0000");
        let Some((head, body)) = bytes.split_at_checked(HEAD) else {
            return Err(RecordFault::head(bytes.len(), Reason::CutInRecord));
        };
        let (message_type, bitmap) = head.split_at(4);
        self.message_type = read_message_type(message_type, charset)?;
        let bitmap = bitmap.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
        if bitmap >> 127 == 0 {
            return Err(RecordFault::head(4, Reason::Bitmap));
        }
        let mut rest = body;
        for number in (2u8..=128).filter(|number| bitmap >> (128 - number) & 1 == 1) {
            let at = bytes.len() - rest.len();
            let field = table.get(number).ok_or_else(|| {
                // The bit itself is what offends.
                RecordFault::new(number, 4 + usize::from((number - 1) / 8), Reason::UnusedField)
            })?;
            let (content, after) =
                split_field(field, rest, charset).map_err(|(skip, r)| RecordFault::new(number, at + skip, r))?;
            let offset = bytes.len() - after.len() - content.len();
            self.append(field, content, offset, charset)?;
            rest = after;
        }
        match rest.is_empty() {
            true => Ok(()),
            false => Err(RecordFault::head(bytes.len() - rest.len(), Reason::Trailing)),
        }
    }

    /// Appends the record's bytes to `out`. Nothing is cut or padded silently, save blanks behind
    /// short fixed-length text.
    pub fn encode(&self, charset: Charset, table: &FieldTable, out: &mut Vec<u8>) -> Result<(), RecordFault> {
        let mut message_type = self.message_type;
        if !message_type.iter().all(u8::is_ascii_digit) {
            return Err(RecordFault::head(0, Reason::MessageType));
        }
        charset.from_latin1(&mut message_type);
        out.extend_from_slice(&message_type);
        let bitmap = self.fields().fold(1u128 << 127, |bits, number| bits | 1 << (128 - number));
        out.extend_from_slice(&bitmap.to_be_bytes());
        for number in self.fields() {
            let fault = |reason| RecordFault::new(number, 0, reason);
            let field = table.get(number).ok_or(fault(Reason::UnusedField))?;
            let value = self.get(number).unwrap_or_default();
            write_field(field, value, charset, out).map_err(fault)?;
        }
        Ok(())
    }

    fn append(&mut self, field: &Field, raw: &[u8], offset: usize, charset: Charset) -> Result<(), RecordFault> {
        if self.content.len().saturating_add(raw.len()) > self.content.capacity() {
            return Err(RecordFault::new(field.number, offset, Reason::FieldTooLong(raw.len())));
        }
        let start = self.content.len();
        self.content.extend_from_slice(raw);
        let content = self.content.get_mut(start..).unwrap_or_default();
        if field.content != Content::Binary {
            charset.to_latin1(content);
        }
        if field.content == Content::Digits
            && let Some(wrong) = content.iter().position(|byte| !byte.is_ascii_digit())
        {
            return Err(RecordFault::new(field.number, offset + wrong, Reason::NotDigit));
        }
        self.place(field.number, Some(Span { start, len: raw.len(), offset }));
        Ok(())
    }

    /// Makes room without leaving the old buffer's content in freed memory.
    fn grow(&mut self, more: usize) {
        let mut larger = Vec::with_capacity(self.content.capacity().saturating_add(more).saturating_add(MAX_RECORD));
        larger.extend_from_slice(&self.content);
        self.content.zeroize();
        self.content = larger;
    }

    fn span(&self, field: u8) -> Option<&Span> {
        self.spans.get(usize::from(field))?.as_ref()
    }

    fn place(&mut self, field: u8, span: Option<Span>) {
        if let Some(room) = self.spans.get_mut(usize::from(field)) {
            *room = span;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.content.zeroize();
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({}", latin1_to_string(&self.message_type))?;
        for field in self.fields() {
            write!(f, " DE{field}[{}]", self.get(field).map_or(0, <[u8]>::len))?;
        }
        f.write_str(")")
    }
}

fn read_message_type(raw: &[u8], charset: Charset) -> Result<[u8; 4], RecordFault> {
    if !charset.are_digits(raw) {
        let other = if charset == Charset::Latin1 { Charset::Cp500 } else { Charset::Latin1 };
        let reason = if other.are_digits(raw) { Reason::OtherCharset } else { Reason::MessageType };
        return Err(RecordFault::head(0, reason));
    }
    let mut message_type: [u8; 4] = raw.try_into().map_err(|_| RecordFault::head(0, Reason::MessageType))?;
    charset.to_latin1(&mut message_type);
    Ok(message_type)
}

/// Content and what follows.
type Split<'a> = (&'a [u8], &'a [u8]);

/// Takes a field off the front. A fault comes with how many bytes into the field it lies.
fn split_field<'a>(field: &Field, bytes: &'a [u8], charset: Charset) -> Result<Split<'a>, (usize, Reason)> {
    let (digits, max) = match field.form {
        Form::Fixed(len) => return bytes.split_at_checked(len).ok_or((bytes.len(), Reason::CutInField)),
        Form::Ll(max) => (2, max),
        Form::Lll(max) => (3, max),
    };
    let (length, rest) = bytes.split_at_checked(digits).ok_or((bytes.len(), Reason::CutInField))?;
    if !charset.are_digits(length) {
        return Err((0, Reason::FieldLength));
    }
    // Digits of both character sets have their value in the low nibble.
    let length = length.iter().fold(0, |value, byte| value * 10 + usize::from(byte & 0x0F));
    if length > max {
        return Err((0, Reason::FieldTooLong(length)));
    }
    rest.split_at_checked(length).ok_or((digits + rest.len(), Reason::CutInField))
}

fn write_field(field: &Field, value: &[u8], charset: Charset, out: &mut Vec<u8>) -> Result<(), Reason> {
    if field.content == Content::Digits && !value.iter().all(u8::is_ascii_digit) {
        return Err(Reason::NotDigit);
    }
    let start = out.len();
    let (Form::Fixed(max) | Form::Ll(max) | Form::Lll(max)) = field.form;
    if value.len() > max {
        return Err(Reason::FieldTooLong(value.len()));
    }
    match field.form {
        Form::Fixed(_) => {}
        Form::Ll(_) => out.extend_from_slice(format!("{:02}", value.len()).as_bytes()),
        Form::Lll(_) => out.extend_from_slice(format!("{:03}", value.len()).as_bytes()),
    }
    let content = out.len();
    out.extend_from_slice(value);
    if matches!(field.form, Form::Fixed(_)) && value.len() < max {
        if field.content != Content::Text {
            return Err(Reason::FieldTooShort(value.len()));
        }
        out.resize(content + max, b' ');
    }
    let translated = if field.content == Content::Binary { out.get_mut(start..content) } else { out.get_mut(start..) };
    charset.from_latin1(translated.unwrap_or_default());
    Ok(())
}

/// The number in digits, where it is one that fits.
pub(crate) fn number(raw: &[u8]) -> Option<u64> {
    raw.iter().try_fold(0u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_amount_is_refused_not_cut() {
        let mut record = Record::new(b"1240");
        record.set(4, b"1234567890123");
        let fault = record.encode(Charset::Latin1, &FieldTable::ipm(), &mut Vec::new()).unwrap_err();
        assert_eq!((fault.field, fault.reason), (Some(4), Reason::FieldTooLong(13)));
        record.set(4, b"123");
        let fault = record.encode(Charset::Latin1, &FieldTable::ipm(), &mut Vec::new()).unwrap_err();
        assert_eq!(fault.reason, Reason::FieldTooShort(3));
    }

    #[test]
    fn account_numbers_never_show_in_debug() {
        let mut record = Record::new(b"1240");
        record.set(2, b"5413330089020011").set(3, b"000000");
        assert_eq!(format!("{record:?}"), "Record(1240 DE2[16] DE3[6])");
    }

    #[test]
    fn a_fault_names_field_and_offset() {
        let mut out = Vec::new();
        let mut record = Record::new(b"1240");
        record.set(3, b"000000").set(4, b"000000000123");
        record.encode(Charset::Cp037, &FieldTable::ipm(), &mut out).unwrap();
        out[30] = 0xC1;
        let fault = record.decode(&out, Charset::Cp037, &FieldTable::ipm()).unwrap_err();
        assert_eq!((fault.field, fault.offset, fault.reason), (Some(4), 30, Reason::NotDigit));
        out.truncate(35);
        let fault = record.decode(&out, Charset::Cp037, &FieldTable::ipm()).unwrap_err();
        assert_eq!((fault.field, fault.offset, fault.reason), (Some(4), 35, Reason::CutInField));
    }
}
