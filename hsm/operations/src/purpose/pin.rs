//! Where a PIN comes from, where it goes, and what it is compared with.

use crypto::dukpt;
use crypto::ibm3624::{DecimalizationTable, Offset, ValidationData};
use crypto::pvv::Pvv;

use crate::{Algorithm, KeyName};

/// How a PIN is laid out in its block (ISO 9564-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Format 0: the PIN filled with F, exclusive-or the PAN.
    Iso0,
    /// Format 1: the PIN filled at random, for where the PAN is not known.
    Iso1,
    /// Format 2: towards a chip card only, so that no operation takes or makes one.
    Iso2,
    /// Format 3: the PIN filled with random letters, exclusive-or the PAN.
    Iso3,
    /// Format 4: 16 bytes under AES, bound to the PAN.
    Iso4,
}

impl Format {
    /// The layout of formats of 8 bytes.
    pub(crate) fn eight(self) -> Option<crypto::pin::Format> {
        match self {
            Self::Iso0 => Some(crypto::pin::Format::Iso0),
            Self::Iso1 => Some(crypto::pin::Format::Iso1),
            Self::Iso2 => Some(crypto::pin::Format::Iso2),
            Self::Iso3 => Some(crypto::pin::Format::Iso3),
            Self::Iso4 => None,
        }
    }

    /// Whether a block of this format may become one of another (ISO 9564-1, translation of formats): what is
    /// bound to a PAN stays bound, and format 2 is for chip cards.
    pub(crate) fn may_become(self, target: Self) -> bool {
        match (self, target) {
            (Self::Iso2, _) | (_, Self::Iso2) => false,
            (source, Self::Iso1) => source == Self::Iso1,
            (_, Self::Iso0 | Self::Iso3 | Self::Iso4) => true,
        }
    }
}

/// How a PIN block came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinSource {
    /// Under a static terminal or zone PIN key.
    Static {
        /// A key with role TPK or ZPK: AES for format 4, else TDES.
        key: KeyName,
        /// The block's layout.
        format: Format,
    },
    /// Under the PIN key of one TDES DUKPT transaction.
    Dukpt {
        /// A TDES key with role BDK.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: dukpt::Ksn,
        /// The block's layout.
        format: Format,
    },
    /// Under the PIN key of one AES DUKPT transaction.
    DukptAes {
        /// An AES key with role BDK.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: dukpt::aes::Ksn,
        /// The algorithm of the PIN key: AES for format 4, else TDES.
        working: Algorithm,
        /// The block's layout.
        format: Format,
    },
}

impl PinSource {
    /// Format 0 under a static key, the common case.
    pub fn format0(key: KeyName) -> Self {
        Self::Static { key, format: Format::Iso0 }
    }

    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Static { format, .. } | Self::Dukpt { format, .. } | Self::DukptAes { format, .. } => *format,
        }
    }
}

/// Where a PIN block goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinTarget {
    /// A key with role ZPK: AES for format 4, else TDES.
    pub key: KeyName,
    /// The block's layout.
    pub format: Format,
}

impl PinTarget {
    /// Format 0, the common case.
    pub fn format0(key: KeyName) -> Self {
        Self { key, format: Format::Iso0 }
    }
}

/// What an issuer keeps of a PIN. Its `Debug` shows none of it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PinReference {
    /// Visa's method.
    Visa {
        /// A key with role PVKVISA.
        pvk: KeyName,
        /// The key's index, an ASCII digit.
        index: u8,
        /// The value.
        pvv: Pvv,
    },
    /// IBM 3624 with an offset.
    Ibm3624 {
        /// A key with role PVKIBM.
        pvk: KeyName,
        /// What turns letters into digits: one of those that the operator allows.
        table: DecimalizationTable,
        /// The part of the PAN that the key encrypts.
        data: ValidationData,
        /// The offset.
        offset: Offset,
    },
}

/// Whether a PIN is the cardholder's. A PIN block that is none is a PIN that is not the cardholder's: nobody
/// outside can tell the two apart, by the answer or by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub struct Verified(pub bool);
