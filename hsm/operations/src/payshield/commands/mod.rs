//! The commands, one typed request each. What they share: PIN block formats, accounts, serial numbers.

pub mod admin;
pub mod cards;
pub mod chip;
pub mod data;
pub mod macs;
pub mod pins;
pub mod status;

use crypto::dukpt::Ksn;
use zeroize::Zeroizing;

use super::codec::Writer;
use crate::HsmError;

/// Bytes of data that one command takes.
pub const MAX_DATA: usize = 16_000;

/// Lengths of key set, sub-key and device in a serial number of ten bytes.
const KSN_DESCRIPTOR: &[u8; 3] = b"609";

/// Layout of a PIN block, as host commands number them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PinFormat {
    /// ISO 9564-1 format 0.
    Iso0,
    /// Format 1.
    Iso1,
    /// Format 3.
    Iso3,
    /// Format 4, 16 bytes under AES.
    Iso4,
}

impl PinFormat {
    pub(super) fn code(self) -> &'static [u8; 2] {
        match self {
            Self::Iso0 => b"01",
            Self::Iso1 => b"05",
            Self::Iso3 => b"47",
            Self::Iso4 => b"48",
        }
    }

    /// Bytes of a block.
    pub(super) fn bytes(self) -> usize {
        if self == Self::Iso4 { 16 } else { 8 }
    }
}

impl TryFrom<crypto::pin::Format> for PinFormat {
    type Error = HsmError;

    /// Format 2 is for chip cards alone: no command here takes it.
    fn try_from(format: crypto::pin::Format) -> Result<Self, HsmError> {
        match format {
            crypto::pin::Format::Iso0 => Ok(Self::Iso0),
            crypto::pin::Format::Iso1 => Ok(Self::Iso1),
            crypto::pin::Format::Iso3 => Ok(Self::Iso3),
            _ => Err(HsmError::Unsupported("take this PIN block format")),
        }
    }
}

/// What commands are told of the PAN: twelve digits without the check digit, or all of it.
pub struct Account {
    text: Zeroizing<Vec<u8>>,
}

impl Account {
    /// The twelve rightmost digits without the check digit.
    ///
    /// # Errors
    /// [`HsmError::Pan`] when there are fewer.
    pub fn twelve(pan: &[u8]) -> Result<Self, HsmError> {
        let (_, body) = pan.split_last().ok_or(HsmError::Pan)?;
        let (_, twelve) = body.split_last_chunk::<12>().ok_or(HsmError::Pan)?;
        Ok(Self { text: Zeroizing::new(twelve.to_vec()) })
    }

    /// The whole PAN, for format 4.
    pub fn whole(pan: &[u8]) -> Self {
        let mut text = Zeroizing::new(Vec::with_capacity(pan.len() + 1));
        text.extend_from_slice(pan);
        text.push(b';');
        Self { text }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        out.bytes(&self.text);
    }

    /// The five last of the twelve digits.
    pub(super) fn last_five(&self) -> Option<&[u8; 5]> {
        self.text.last_chunk()
    }
}

pub(super) fn write_ksn(ksn: &Ksn, out: &mut Writer) {
    out.bytes(KSN_DESCRIPTOR);
    out.hex(ksn.as_bytes());
}
