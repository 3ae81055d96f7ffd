//! Message authentication codes: M6 makes, M8 checks, GW does both for DUKPT.

use crypto::dukpt::Ksn;

use super::super::codec::{Malformed, Reader, Request, Writer};
use super::super::keys::{Role, Wrapped};
use super::write_ksn;

/// Algorithm and padding of a MAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MacAlgorithm {
    /// ISO/IEC 9797-1 algorithm 1.
    One(MacPadding),
    /// Algorithm 3, the retail MAC.
    Three(MacPadding),
    /// CMAC.
    Cmac,
}

/// Padding methods of ISO/IEC 9797-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MacPadding {
    /// Method 1, zeros.
    Zeros,
    /// Method 2, a one and zeros.
    OneThenZeros,
    /// Method 3, the length in front.
    Length,
}

impl MacPadding {
    fn code(self) -> u8 {
        match self {
            Self::Zeros => b'1',
            Self::OneThenZeros => b'2',
            Self::Length => b'3',
        }
    }
}

/// A key for MACs, and how.
pub struct MacMethod<'a> {
    /// Terminal or zone authentication key.
    pub role: Role,
    /// The key.
    pub key: &'a Wrapped,
    /// How.
    pub algorithm: MacAlgorithm,
    /// Bytes of the MAC: 4, 8 or 16.
    pub bytes: usize,
}

impl MacMethod<'_> {
    fn write(&self, data: &[u8], out: &mut Writer) {
        let size = match self.bytes {
            16 => b'2',
            8 => b'1',
            _ => b'0',
        };
        let (algorithm, padding) = match self.algorithm {
            MacAlgorithm::One(padding) => (b'1', padding.code()),
            MacAlgorithm::Three(padding) => (b'3', padding.code()),
            MacAlgorithm::Cmac => (b'6', b'0'),
        };
        // The only part, in bytes.
        out.bytes(&[b'0', b'0', size, algorithm, padding]);
        out.bytes(self.key.key_type(self.role));
        self.key.write(out);
        out.counted(data);
    }
}

/// M6.
pub struct MakeMac<'a> {
    /// Key and method.
    pub method: MacMethod<'a>,
    /// What it is over.
    pub data: &'a [u8],
}

impl Request for MakeMac<'_> {
    type Response = Vec<u8>;

    fn code(&self) -> [u8; 2] {
        *b"M6"
    }

    fn room(&self) -> usize {
        self.data.len() + 1024
    }

    fn write(&self, out: &mut Writer) {
        self.method.write(self.data, out);
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        Ok(fields.hex(self.method.bytes)?.to_vec())
    }
}

/// M8. Refused with 01 when the MAC is another.
pub struct CheckMac<'a> {
    /// Key and method; as many bytes as the MAC has.
    pub method: MacMethod<'a>,
    /// What it is over.
    pub data: &'a [u8],
    /// The MAC that came.
    pub mac: &'a [u8],
}

impl Request for CheckMac<'_> {
    type Response = ();

    fn code(&self) -> [u8; 2] {
        *b"M8"
    }

    fn room(&self) -> usize {
        self.data.len() + 1024
    }

    fn write(&self, out: &mut Writer) {
        self.method.write(self.data, out);
        out.hex(self.mac);
    }

    fn read(&self, _: &mut Reader<'_>) -> Result<(), Malformed> {
        Ok(())
    }
}

/// GW: algorithm 3 under the request key of a transaction. Refused with 01 when a MAC to check is another.
pub struct DukptMac<'a> {
    /// Base derivation key.
    pub base: &'a Wrapped,
    /// Serial number of the transaction.
    pub ksn: &'a Ksn,
    /// What it is over, padded to whole blocks.
    pub data: &'a [u8],
    /// The MAC to check, 8 bytes or the 4 leftmost; without it one of 8 bytes is made.
    pub check: Option<&'a [u8]>,
}

impl Request for DukptMac<'_> {
    type Response = Vec<u8>;

    fn code(&self) -> [u8; 2] {
        *b"GW"
    }

    fn room(&self) -> usize {
        self.data.len() + 1024
    }

    fn write(&self, out: &mut Writer) {
        let mode = match self.check {
            None => b'4',
            Some(mac) if mac.len() == 8 => b'1',
            Some(_) => b'2',
        };
        out.bytes(&[mode, b'1']);
        self.base.write(out);
        write_ksn(self.ksn, out);
        out.hex(self.check.unwrap_or_default());
        out.counted(self.data);
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        let bytes = if self.check.is_some() { 0 } else { 8 };
        Ok(fields.hex(bytes)?.to_vec())
    }
}
