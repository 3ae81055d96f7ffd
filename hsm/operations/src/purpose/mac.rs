//! Which key makes or checks a MAC or encrypts data, and how.

use crypto::dukpt::{self, Purpose};

use crate::{Algorithm, KeyName};

/// Padding methods of ISO/IEC 9797-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Method 1: zeros up to a whole block. Trailing zeros of the message are not protected.
    Zeros,
    /// Method 2: one 80 byte, then zeros; at least one byte is always added.
    OneThenZeros,
    /// Method 3: the length of the data in bits as a block in front, then as method 1.
    LengthFirst,
}

impl From<crypto::mac::Padding> for Padding {
    fn from(padding: crypto::mac::Padding) -> Self {
        match padding {
            crypto::mac::Padding::Zeros => Self::Zeros,
            crypto::mac::Padding::OneThenZeros => Self::OneThenZeros,
        }
    }
}

/// How a MAC is computed from a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MacMethod {
    /// ISO/IEC 9797-1 algorithm 3 (retail MAC) over TDES, with a padding method. Static keys: TAK, ZAK.
    Retail(Padding),
    /// Algorithm 1 (plain CBC-MAC) over TDES or AES: only for messages of one length. Static keys: TAKCBC,
    /// ZAKCBC.
    Cbc(Padding),
    /// CMAC over TDES or AES. Static keys: TAKCMAC, ZAKCMAC.
    Cmac,
}

impl Default for MacMethod {
    /// Retail MAC with padding method 1, as the default dialect has it.
    fn default() -> Self {
        Self::Retail(Padding::Zeros)
    }
}

/// Which of the MAC or data keys of a DUKPT transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacDirection {
    /// Terminal to us.
    Request,
    /// Us to terminal.
    Response,
    /// Both ways where the link says so: the key of requests for TDES, one of its own for AES.
    Both,
}

impl MacDirection {
    pub(crate) fn mac(self) -> Purpose {
        match self {
            Self::Request | Self::Both => Purpose::MacRequest,
            Self::Response => Purpose::MacResponse,
        }
    }

    pub(crate) fn data(self) -> Purpose {
        match self {
            Self::Request | Self::Both => Purpose::DataRequest,
            Self::Response => Purpose::DataResponse,
        }
    }

    /// AES DUKPT names uses as the terminal sees them.
    pub(crate) fn mac_aes(self) -> dukpt::aes::Purpose {
        match self {
            Self::Request => dukpt::aes::Purpose::MacGeneration,
            Self::Response => dukpt::aes::Purpose::MacVerification,
            Self::Both => dukpt::aes::Purpose::MacBoth,
        }
    }

    pub(crate) fn data_aes(self) -> dukpt::aes::Purpose {
        match self {
            Self::Request => dukpt::aes::Purpose::DataEncryption,
            Self::Response => dukpt::aes::Purpose::DataDecryption,
            Self::Both => dukpt::aes::Purpose::DataBoth,
        }
    }
}

/// Which key makes or checks a MAC, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MacSource {
    /// A static key.
    Static {
        /// A key with a role of the method.
        key: KeyName,
        /// How.
        method: MacMethod,
    },
    /// A MAC key of one TDES DUKPT transaction.
    Dukpt {
        /// A TDES key with role BDK.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: dukpt::Ksn,
        /// Which of the transaction's keys.
        direction: MacDirection,
        /// How.
        method: MacMethod,
    },
    /// A MAC key of one AES DUKPT transaction.
    DukptAes {
        /// An AES key with role BDK.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: dukpt::aes::Ksn,
        /// The algorithm of the MAC key.
        working: Algorithm,
        /// Which of the transaction's keys.
        direction: MacDirection,
        /// How.
        method: MacMethod,
    },
}

/// A static key with the default method.
impl From<KeyName> for MacSource {
    fn from(key: KeyName) -> Self {
        Self::Static { key, method: MacMethod::default() }
    }
}

/// Which key encrypts or decrypts data, in CBC mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataSource {
    /// A static key.
    Static {
        /// A key with role DEK.
        key: KeyName,
    },
    /// A data key of one TDES DUKPT transaction.
    Dukpt {
        /// A TDES key with role BDK.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: dukpt::Ksn,
        /// Which of the transaction's keys.
        direction: MacDirection,
    },
    /// A data key of one AES DUKPT transaction.
    DukptAes {
        /// An AES key with role BDK.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: dukpt::aes::Ksn,
        /// The algorithm of the data key.
        working: Algorithm,
        /// Which of the transaction's keys.
        direction: MacDirection,
    },
}
