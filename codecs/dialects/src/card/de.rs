//! Data element numbers of ISO 8583:1987 by name.

pub(crate) const PAN: u8 = 2;
pub(crate) const PROCESSING_CODE: u8 = 3;
pub(crate) const AMOUNT: u8 = 4;
pub(crate) const TRANSMISSION: u8 = 7;
pub(crate) const STAN: u8 = 11;
pub(crate) const LOCAL_TIME: u8 = 12;
pub(crate) const LOCAL_DATE: u8 = 13;
pub(crate) const EXPIRY: u8 = 14;
pub(crate) const SETTLEMENT_DATE: u8 = 15;
pub(crate) const MERCHANT_CATEGORY: u8 = 18;
pub(crate) const ENTRY_MODE: u8 = 22;
pub(crate) const CARD_SEQUENCE: u8 = 23;
pub(crate) const CONDITION: u8 = 25;
pub(crate) const ACQUIRING_INSTITUTION: u8 = 32;
pub(crate) const FORWARDING_INSTITUTION: u8 = 33;
pub(crate) const TRACK2: u8 = 35;
pub(crate) const RRN: u8 = 37;
pub(crate) const APPROVAL: u8 = 38;
pub(crate) const RESPONSE_CODE: u8 = 39;
pub(crate) const TERMINAL: u8 = 41;
pub(crate) const MERCHANT: u8 = 42;
pub(crate) const ACCEPTOR: u8 = 43;
pub(crate) const RESPONSE_DATA: u8 = 44;
pub(crate) const CURRENCY: u8 = 49;
pub(crate) const PIN_BLOCK: u8 = 52;
pub(crate) const SECURITY_CONTROL: u8 = 53;
pub(crate) const BALANCES: u8 = 54;
pub(crate) const ICC: u8 = 55;
pub(crate) const ECOMMERCE: u8 = 60;
pub(crate) const POS_DATA: u8 = 61;
pub(crate) const NETWORK_ID: u8 = 63;
pub(crate) const MAC: u8 = 64;
pub(crate) const NETWORK_FUNCTION: u8 = 70;
pub(crate) const ORIGINAL: u8 = 90;
pub(crate) const REPLACEMENT_AMOUNTS: u8 = 95;
pub(crate) const MAC_2: u8 = 128;

/// Fields of an answer that decide what it means and to what it belongs. A fault in one of them
/// makes the answer unreadable; in any other it is noted.
pub(crate) const DECIDING: [u8; 6] = [AMOUNT, STAN, RESPONSE_CODE, CURRENCY, MAC, MAC_2];

/// What an answer echoes (`docs/wire.md`).
pub(crate) const ECHOED: [u8; 12] = [
    PROCESSING_CODE,
    AMOUNT,
    TRANSMISSION,
    STAN,
    LOCAL_TIME,
    LOCAL_DATE,
    ACQUIRING_INSTITUTION,
    RRN,
    TERMINAL,
    MERCHANT,
    CURRENCY,
    NETWORK_FUNCTION,
];

/// Elements of a request that travel on unread. DE55 goes without card data.
pub(crate) const FORWARDED: [u8; 3] = [ICC, ECOMMERCE, POS_DATA];

/// Every element that is read or written here, but for the MAC: what a mapping has to place.
pub(crate) const MAPPED: [u8; 34] = [
    PAN,
    PROCESSING_CODE,
    AMOUNT,
    TRANSMISSION,
    STAN,
    LOCAL_TIME,
    LOCAL_DATE,
    EXPIRY,
    SETTLEMENT_DATE,
    MERCHANT_CATEGORY,
    ENTRY_MODE,
    CARD_SEQUENCE,
    CONDITION,
    ACQUIRING_INSTITUTION,
    FORWARDING_INSTITUTION,
    TRACK2,
    RRN,
    APPROVAL,
    RESPONSE_CODE,
    TERMINAL,
    MERCHANT,
    ACCEPTOR,
    RESPONSE_DATA,
    CURRENCY,
    PIN_BLOCK,
    SECURITY_CONTROL,
    BALANCES,
    ICC,
    ECOMMERCE,
    POS_DATA,
    NETWORK_ID,
    NETWORK_FUNCTION,
    ORIGINAL,
    REPLACEMENT_AMOUNTS,
];

/// Those of them that a request does not have.
const OF_ANSWERS: [u8; 4] = [SETTLEMENT_DATE, RESPONSE_DATA, BALANCES, NETWORK_ID];

/// Whether an element of a request is read here. What is not, and does not travel on unread, is dropped and
/// counted.
pub(crate) fn is_read(number: u8) -> bool {
    matches!(number, MAC | MAC_2) || MAPPED.contains(&number) && !OF_ANSWERS.contains(&number)
}
