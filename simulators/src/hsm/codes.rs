//! Error codes of answers, by what they say.

use crypto::CryptoError;

/// Two characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(pub(super) [u8; 2]);

impl Code {
    pub(super) const DONE: Self = Self(*b"00");
    /// Verification failed; of an import: the key had wrong parity.
    pub(super) const FAILED: Self = Self(*b"01");
    /// A PVK of double length, advice.
    pub(super) const LONG_PVK: Self = Self(*b"02");
    pub(super) const MODE: Self = Self(*b"02");
    pub(super) const COMPONENT_COUNT: Self = Self(*b"03");
    pub(super) const INPUT_FORMAT: Self = Self(*b"03");
    pub(super) const OUTPUT_FORMAT: Self = Self(*b"04");
    pub(super) const ALGORITHM: Self = Self(*b"04");
    pub(super) const CHIP_MODE: Self = Self(*b"04");
    pub(super) const CHIP_SCHEME: Self = Self(*b"05");
    pub(super) const KEY_TYPE_FIELD: Self = Self(*b"05");
    pub(super) const MESSAGE_LENGTH: Self = Self(*b"06");
    pub(super) const TARGET_MODE: Self = Self(*b"07");
    pub(super) const TARGET_KEY_TYPE: Self = Self(*b"08");
    pub(super) const PADDING: Self = Self(*b"09");
    pub(super) const FIRST_PARITY: Self = Self(*b"10");
    pub(super) const SECOND_PARITY: Self = Self(*b"11");
    pub(super) const INPUT: Self = Self(*b"15");
    pub(super) const PIN_BLOCK: Self = Self(*b"20");
    pub(super) const ACCOUNT: Self = Self(*b"22");
    pub(super) const PIN_FORMAT: Self = Self(*b"23");
    pub(super) const PIN_LENGTH: Self = Self(*b"24");
    pub(super) const TABLE: Self = Self(*b"25");
    pub(super) const KEY_SCHEME: Self = Self(*b"26");
    pub(super) const KEY_LENGTH: Self = Self(*b"27");
    pub(super) const KEY_TYPE: Self = Self(*b"28");
    pub(super) const NOT_BLOCKS: Self = Self(*b"35");
    pub(super) const TREE: Self = Self(*b"52");
    pub(super) const DISABLED: Self = Self(*b"68");
    pub(super) const EQUAL_PARTS: Self = Self(*b"75");
    pub(super) const DATA_LENGTH: Self = Self(*b"80");
    pub(super) const NO_DATA: Self = Self(*b"81");
    pub(super) const BLOCK_SCHEME: Self = Self(*b"A1");
    pub(super) const BLOCK_MAC: Self = Self(*b"A4");
    pub(super) const BLOCK_USAGE: Self = Self(*b"A6");
    pub(super) const BLOCK_ALGORITHM: Self = Self(*b"A7");
    pub(super) const BLOCK_OPTIONAL: Self = Self(*b"AB");
    pub(super) const BLOCK_LENGTH: Self = Self(*b"83");
}

impl From<CryptoError> for Code {
    /// What is wrong with a PIN, a card or a length; keys are told by the command, which knows which.
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::PinBlock => Self::PIN_BLOCK,
            CryptoError::PinLengthOrDigits => Self::PIN_LENGTH,
            CryptoError::Pan => Self::ACCOUNT,
            CryptoError::KeyLength => Self::KEY_LENGTH,
            CryptoError::DataLength => Self::NOT_BLOCKS,
            CryptoError::DecimalizationTable => Self::TABLE,
            _ => Self::INPUT,
        }
    }
}
