//! What callers say when they ask for an operation: where a PIN comes from and goes to, how a MAC is
//! made, what a data key is for.

use std::fmt;

use crypto::dukpt::{Ksn, Purpose};
use crypto::mac::Padding;
use crypto::pin::Format;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::KeyName;

/// What a backend can and cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Name of the backend, for logs and `doctor`.
    pub backend: &'static str,
    /// Whether a clear PIN never leaves the device during a translation. The production profile refuses
    /// a PIN route where this is false.
    pub pin_stays_inside: bool,
    /// Whether keys stay in a device or token.
    pub keys_stay_inside: bool,
}

/// How a PIN block came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinSource {
    /// Under a static terminal or zone PIN key.
    Static {
        /// A key with role TPK or ZPK.
        key: KeyName,
        /// The block's layout.
        format: Format,
    },
    /// Under the PIN key of one TDES DUKPT transaction.
    Dukpt {
        /// A key with role BDK.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: Ksn,
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
            Self::Static { format, .. } | Self::Dukpt { format, .. } => *format,
        }
    }
}

/// Where a PIN block goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinTarget {
    /// A key with role ZPK.
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

/// How a MAC is computed from a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MacMethod {
    /// ISO/IEC 9797-1 algorithm 3 (retail MAC) with a padding method.
    Retail(Padding),
}

impl Default for MacMethod {
    /// Retail MAC with padding method 1, as the default dialect has it.
    fn default() -> Self {
        Self::Retail(Padding::Zeros)
    }
}

/// Which of the two MAC keys of a DUKPT transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MacDirection {
    /// Terminal to us, or both ways where the link says so.
    Request,
    /// Us to terminal.
    Response,
}

impl MacDirection {
    pub(crate) fn purpose(self) -> Purpose {
        match self {
            Self::Request => Purpose::MacRequest,
            Self::Response => Purpose::MacResponse,
        }
    }
}

/// Which key makes or checks a MAC, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MacSource {
    /// A static key.
    Static {
        /// A key with role TAK or ZAK.
        key: KeyName,
        /// How.
        method: MacMethod,
    },
    /// A MAC key of one TDES DUKPT transaction.
    Dukpt {
        /// A key with role BDK.
        bdk: KeyName,
        /// The key serial number of the message.
        ksn: Ksn,
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

/// A clear key of 32 bytes for data outside the HSM: sealing, keyed fingerprints. It is kept only
/// wrapped, and in memory while in use.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl DataKey {
    pub(crate) fn new(raw: [u8; 32]) -> Self {
        Self(raw)
    }

    /// The clear bytes.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for DataKey {
    fn eq(&self, other: &Self) -> bool {
        crypto::same(&self.0, &other.0)
    }
}

impl Eq for DataKey {}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

/// A data key under a key encryption key, authenticated together with its purpose: may be stored
/// anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedDataKey(pub Vec<u8>);

impl fmt::Debug for WrappedDataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedDataKey({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_pass_through_never_show_in_debug() {
        let shown = format!("{:?} {:?}", DataKey::new([0xA5; 32]), WrappedDataKey(vec![0xA5; 61]));
        assert_eq!(shown, "DataKey([redacted]) WrappedDataKey(61 bytes)");
        assert_ne!(DataKey::new([0xA5; 32]), DataKey::new([0xA4; 32]));
    }
}
