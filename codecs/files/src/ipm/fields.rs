//! The field table of IPM records: which data elements exist, how long they are, what they hold.
//! Types and lengths as public readers have them (cardutil 0.7.3, isoparser); schemes' manuals decide.

/// How a field's length is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Always this many bytes.
    Fixed(usize),
    /// Two digits of length, then at most so many bytes.
    Ll(usize),
    /// Three digits of length, then at most so many bytes.
    Lll(usize),
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Digits.
    Digits,
    /// Text of the file's character set. A fixed-length one is filled with blanks on the right.
    Text,
    /// Bytes that are never translated.
    Binary,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Data element number, 2 to 128.
    pub number: u8,
    /// Its name.
    pub name: &'static str,
    /// Its length.
    pub form: Form,
    /// What it holds.
    pub content: Content,
}

/// The data elements that code here speaks of by name.
pub mod de {
    /// Primary account number.
    pub const PAN: u8 = 2;
    /// Processing code.
    pub const PROCESSING_CODE: u8 = 3;
    /// Amount, transaction.
    pub const AMOUNT: u8 = 4;
    /// Date and time, local transaction, `YYMMDDhhmmss`.
    pub const LOCAL_TIME: u8 = 12;
    /// Expiry `YYMM`.
    pub const EXPIRY: u8 = 14;
    /// Point of service data code.
    pub const POS_DATA: u8 = 22;
    /// Card sequence number.
    pub const CARD_SEQUENCE: u8 = 23;
    /// Function code.
    pub const FUNCTION: u8 = 24;
    /// Message reason code.
    pub const REASON: u8 = 25;
    /// Card acceptor business code (merchant category).
    pub const MERCHANT_CATEGORY: u8 = 26;
    /// Acquirer reference data.
    pub const ARD: u8 = 31;
    /// Acquiring institution.
    pub const ACQUIRER: u8 = 32;
    /// Forwarding institution.
    pub const FORWARDER: u8 = 33;
    /// Retrieval reference number.
    pub const RRN: u8 = 37;
    /// Approval code.
    pub const APPROVAL: u8 = 38;
    /// Service code.
    pub const SERVICE_CODE: u8 = 40;
    /// Terminal.
    pub const TERMINAL: u8 = 41;
    /// Card acceptor (merchant).
    pub const MERCHANT: u8 = 42;
    /// Card acceptor name and location.
    pub const ACCEPTOR: u8 = 43;
    /// Private data, first field.
    pub const PRIVATE: u8 = 48;
    /// Currency, transaction.
    pub const CURRENCY: u8 = 49;
    /// Chip data.
    pub const CHIP: u8 = 55;
    /// Transaction life cycle id.
    pub const LIFE_CYCLE: u8 = 63;
    /// Message number.
    pub const MESSAGE_NUMBER: u8 = 71;
    /// Member message text.
    pub const MEMBER_TEXT: u8 = 72;
    /// Transaction originator institution.
    pub const ORIGINATOR: u8 = 94;
    /// The fields that private data subelements run over, in order.
    pub const PRIVATE_FIELDS: [u8; 5] = [48, 62, 123, 124, 125];
}

const fn row(number: u8, name: &'static str, form: Form, content: Content) -> Field {
    Field { number, name, form, content }
}

use Content::{Binary, Digits, Text};
use Form::{Fixed, Ll, Lll};

/// The table as built in.
#[rustfmt::skip]
pub const IPM: &[Field] = &[
    row(2,   "primary account number",            Ll(19),    Digits),
    row(3,   "processing code",                   Fixed(6),  Digits),
    row(4,   "amount, transaction",               Fixed(12), Digits),
    row(5,   "amount, reconciliation",            Fixed(12), Digits),
    row(6,   "amount, cardholder billing",        Fixed(12), Digits),
    row(9,   "conversion rate, reconciliation",   Fixed(8),  Digits),
    row(10,  "conversion rate, billing",          Fixed(8),  Digits),
    row(12,  "date and time, local",              Fixed(12), Digits),
    row(14,  "expiration date",                   Fixed(4),  Digits),
    row(22,  "point of service data code",        Fixed(12), Text),
    row(23,  "card sequence number",              Fixed(3),  Digits),
    row(24,  "function code",                     Fixed(3),  Digits),
    row(25,  "message reason code",               Fixed(4),  Digits),
    row(26,  "card acceptor business code",       Fixed(4),  Digits),
    row(30,  "amounts, original",                 Fixed(24), Digits),
    row(31,  "acquirer reference data",           Ll(23),    Digits),
    row(32,  "acquiring institution",             Ll(11),    Digits),
    row(33,  "forwarding institution",            Ll(11),    Digits),
    row(37,  "retrieval reference number",        Fixed(12), Text),
    row(38,  "approval code",                     Fixed(6),  Text),
    row(40,  "service code",                      Fixed(3),  Text),
    row(41,  "card acceptor terminal",            Fixed(8),  Text),
    row(42,  "card acceptor",                     Fixed(15), Text),
    row(43,  "card acceptor name and location",   Ll(99),    Text),
    row(48,  "private data 1",                    Lll(999),  Text),
    row(49,  "currency, transaction",             Fixed(3),  Digits),
    row(50,  "currency, reconciliation",          Fixed(3),  Digits),
    row(51,  "currency, billing",                 Fixed(3),  Digits),
    row(54,  "amounts, additional",               Lll(999),  Text),
    row(55,  "chip data",                         Lll(999),  Binary),
    row(62,  "private data 2",                    Lll(999),  Text),
    row(63,  "transaction life cycle id",         Lll(999),  Text),
    row(71,  "message number",                    Fixed(8),  Digits),
    row(72,  "member message text",               Lll(999),  Text),
    row(73,  "date, action",                      Fixed(6),  Digits),
    row(93,  "destination institution",           Ll(11),    Digits),
    row(94,  "originator institution",            Ll(11),    Digits),
    row(95,  "card issuer reference data",        Ll(99),    Text),
    row(100, "receiving institution",             Ll(11),    Digits),
    row(105, "multi-use transaction id",          Lll(999),  Text),
    row(111, "amount, currency conversion",       Lll(999),  Text),
    row(123, "private data 3",                    Lll(999),  Text),
    row(124, "private data 4",                    Lll(999),  Text),
    row(125, "private data 5",                    Lll(999),  Text),
    row(127, "network data",                      Lll(999),  Text),
];

/// A field table: the built-in one, or that one with rows replaced as a scheme's manual wants them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTable {
    rows: Vec<Option<Field>>,
}

impl FieldTable {
    /// The built-in table.
    pub fn ipm() -> Self {
        IPM.iter().fold(Self { rows: vec![None; 129] }, |table, field| table.with(*field))
    }

    /// The same table with this row added or replaced. Numbers outside 2..=128 are ignored.
    pub fn with(mut self, field: Field) -> Self {
        if let (2..=128, Some(room)) = (field.number, self.rows.get_mut(usize::from(field.number))) {
            *room = Some(field);
        }
        self
    }

    /// The row of a data element.
    pub fn get(&self, number: u8) -> Option<&Field> {
        self.rows.get(usize::from(number))?.as_ref()
    }
}

impl Default for FieldTable {
    fn default() -> Self {
        Self::ipm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ascends_and_knows_no_stan() {
        assert!(IPM.windows(2).all(|pair| pair[0].number < pair[1].number));
        assert!(FieldTable::ipm().get(11).is_none() && FieldTable::ipm().get(7).is_none());
    }
}
