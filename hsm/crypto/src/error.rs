//! Why an operation was refused: the class and nothing of the content.

/// One variant per reason. None carries a digit, a byte or a position of what was refused, since the
/// answers to many chosen questions would otherwise add up to a PIN or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CryptoError {
    /// A key of a length that its algorithm does not have.
    #[error("key length is not one of its algorithm")]
    KeyLength,
    /// Not hexadecimal.
    #[error("key is not hexadecimal")]
    KeyHex,
    /// A DES key byte has even parity (X9.24-1, FIPS 46-3).
    #[error("key has wrong parity")]
    Parity,
    /// A part of the key is a weak, semi-weak or possibly weak DES key.
    #[error("key has a weak part")]
    WeakKey,
    /// Two parts are equal: the key is shorter than it looks (single DES when the halves are equal).
    #[error("key has equal parts")]
    RepeatedParts,
    /// A PIN that is not 4 to 12 decimal digits (ISO 9564-1).
    #[error("PIN is not 4 to 12 digits")]
    PinLengthOrDigits,
    /// A PAN that does not have the digits that the operation needs, at most 19.
    #[error("PAN does not fit the operation")]
    Pan,
    /// The clear PIN block is not one of its format: wrong key, wrong PAN or garbled, which the caller
    /// must not be able to tell apart.
    #[error("PIN block is not valid")]
    PinBlock,
    /// A key index that is not a decimal digit.
    #[error("PVKI is not a digit")]
    Pvki,
    /// A key serial number of the wrong length.
    #[error("KSN has the wrong length")]
    KsnLength,
    /// A transaction counter with more than ten one bits, or zero: no device ever uses it.
    #[error("KSN has a counter that no device uses")]
    KsnCounter,
    /// A decimalization table that is not 16 decimal digits (IBM 3624).
    #[error("decimalization table is not 16 digits")]
    DecimalizationTable,
    /// Validation data that the PAN does not have, or that is filled with something not hexadecimal.
    #[error("validation data does not fit the PAN")]
    ValidationData,
    /// A PIN offset that is not 4 to 12 decimal digits, or of another length than the PIN.
    #[error("PIN offset does not fit the PIN")]
    Offset,
    /// An expiry date that is not four digits.
    #[error("expiry is not four digits")]
    Expiry,
    /// A service code that is not three digits.
    #[error("service code is not three digits")]
    ServiceCode,
    /// A transaction counter that is not four decimal digits.
    #[error("transaction counter is not four digits")]
    Counter,
    /// A PAN sequence number that is not two decimal digits.
    #[error("PAN sequence number is not two digits")]
    PanSequence,
    /// The card scheme needs a data element that was not given, or another kind of answer.
    #[error("card scheme needs other data")]
    EmvData,
    /// Data that is not whole blocks of the cipher.
    #[error("data is not whole blocks")]
    DataLength,
    /// A layout that is filled at random, where no random bytes were given.
    #[error("PIN block format needs random fill")]
    Fill,
    /// The key check value is not that of the key.
    #[error("key check value differs")]
    CheckValue,
    /// Too few components, or components of different lengths.
    #[error("key components do not fit each other")]
    Components,
    /// A key variant that does not exist.
    #[error("no such key variant")]
    Variant,
    /// A key block whose length is not the one it states, or not one of its version.
    #[error("key block has the wrong length")]
    BlockLength,
    /// A key block of an unknown version.
    #[error("key block version is unknown")]
    BlockVersion,
    /// A key block whose header, optional blocks or digits are malformed.
    #[error("key block is malformed")]
    BlockFormat,
    /// The MAC of a key block does not match: another protection key, or changed.
    #[error("key block is not authentic")]
    BlockMac,
    /// An authentic key block with a key in it that is none, or more than fits into one.
    #[error("key in the key block is not valid")]
    BlockKey,
    /// Text with a character outside the alphabet of its radix.
    #[error("text is not of the alphabet")]
    Alphabet,
    /// Text with fewer than a million possible values: format-preserving encryption would not hide it.
    #[error("text is too short to be encrypted in its format")]
    DomainTooSmall,
    /// The seal does not match: another key, other associated data, or changed bytes.
    #[error("sealed data is not authentic")]
    NotAuthentic,
    /// More data than the mode may take under one nonce.
    #[error("too much data for one seal")]
    TooLong,
}
