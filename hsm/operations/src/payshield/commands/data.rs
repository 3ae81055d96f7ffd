//! Data: M0 encrypts, M2 decrypts, M4 takes it from key to key.

use crypto::dukpt::Ksn;
use zeroize::Zeroizing;

use super::super::codec::{Malformed, Reader, Request, Writer};
use super::super::keys::{Role, Wrapped};
use super::{MAX_DATA, write_ksn};

/// Chaining mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chaining<'a> {
    /// Each block alone.
    Ecb,
    /// Cipher block chaining, from a first block of the cipher's size.
    Cbc(&'a [u8]),
}

impl Chaining<'_> {
    fn code(self) -> &'static [u8; 2] {
        match self {
            Self::Ecb => b"00",
            Self::Cbc(_) => b"01",
        }
    }

    fn write_start(self, out: &mut Writer) {
        if let Self::Cbc(start) = self {
            out.hex(start);
        }
    }
}

/// A key for data; of a base derivation key, the data key of a transaction.
pub struct DataKeyField<'a> {
    /// Zone or data encryption key, or base derivation key.
    pub role: Role,
    /// The key.
    pub key: &'a Wrapped,
    /// The transaction, for a base derivation key.
    pub ksn: Option<&'a Ksn>,
}

impl DataKeyField<'_> {
    fn write(&self, out: &mut Writer) {
        out.bytes(self.key.key_type(self.role));
        self.key.write(out);
        if let Some(ksn) = self.ksn {
            write_ksn(ksn, out);
        }
    }
}

/// Input and output in bytes.
const IN_BYTES: &[u8; 2] = b"00";

fn read_data(fields: &mut Reader<'_>, chaining: Chaining<'_>, block: usize) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    if let Chaining::Cbc(_) = chaining {
        fields.hex(block)?;
    }
    let data = fields.counted()?;
    if data.len() > MAX_DATA { Err(Malformed) } else { Ok(Zeroizing::new(data.to_vec())) }
}

/// M0 or M2.
pub struct Crypt<'a> {
    /// Whether it encrypts.
    pub encrypt: bool,
    /// How blocks are chained.
    pub chaining: Chaining<'a>,
    /// The key.
    pub key: DataKeyField<'a>,
    /// Whole blocks.
    pub data: &'a [u8],
}

impl Request for Crypt<'_> {
    type Response = Zeroizing<Vec<u8>>;

    fn code(&self) -> [u8; 2] {
        if self.encrypt { *b"M0" } else { *b"M2" }
    }

    fn room(&self) -> usize {
        self.data.len() + 1024
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(self.chaining.code());
        out.bytes(IN_BYTES);
        self.key.write(out);
        self.chaining.write_start(out);
        out.counted(self.data);
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        let data = read_data(fields, self.chaining, self.key.key.shape().block())?;
        if data.len() == self.data.len() { Ok(data) } else { Err(Malformed) }
    }
}

/// M4.
pub struct TranslateData<'a> {
    /// How the source is chained.
    pub from: Chaining<'a>,
    /// How the target is.
    pub to: Chaining<'a>,
    /// The key that it comes under.
    pub source: DataKeyField<'a>,
    /// The key that it goes under.
    pub target: DataKeyField<'a>,
    /// Whole blocks of both ciphers.
    pub data: &'a [u8],
}

impl Request for TranslateData<'_> {
    type Response = Zeroizing<Vec<u8>>;

    fn code(&self) -> [u8; 2] {
        *b"M4"
    }

    fn room(&self) -> usize {
        self.data.len() + 2048
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(self.from.code());
        out.bytes(self.to.code());
        out.bytes(IN_BYTES);
        self.source.write(out);
        self.target.write(out);
        self.from.write_start(out);
        self.to.write_start(out);
        out.counted(self.data);
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        let data = read_data(fields, self.to, self.target.key.shape().block())?;
        if data.len() == self.data.len() { Ok(data) } else { Err(Malformed) }
    }
}
