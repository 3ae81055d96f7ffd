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
    /// The seal does not match: another key, other associated data, or changed bytes.
    #[error("sealed data is not authentic")]
    NotAuthentic,
    /// More data than the mode may take under one nonce.
    #[error("too much data for one seal")]
    TooLong,
}
