//! NC and B2: whether anybody is there.

use super::super::codec::{Malformed, Reader, Request, Writer};

/// NC: the HSM tests itself.
pub struct Diagnostics;

/// What an HSM says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Check value of the local master keys, which two HSMs of one estate share.
    pub master_key_check: [u8; 8],
    /// Firmware reference.
    pub firmware: String,
}

/// Longest firmware reference that is kept.
const FIRMWARE: usize = 32;

impl Request for Diagnostics {
    type Response = Health;

    fn code(&self) -> [u8; 2] {
        *b"NC"
    }

    fn write(&self, _: &mut Writer) {}

    fn read(&self, fields: &mut Reader<'_>) -> Result<Health, Malformed> {
        let check = fields.hex(8)?;
        let master_key_check = <[u8; 8]>::try_from(&check[..]).map_err(|_| Malformed)?;
        // Nine characters in the public pages; firmware of other generations may tell more.
        let text = fields.bytes(fields.rest().len())?;
        if text.len() > FIRMWARE || !text.iter().all(u8::is_ascii_graphic) {
            return Err(Malformed);
        }
        Ok(Health { master_key_check, firmware: String::from_utf8_lossy(text).into_owned() })
    }
}

/// B2: the HSM sends back what it got.
pub struct Echo<'a> {
    /// Up to the bound of one command.
    pub data: &'a [u8],
}

impl Request for Echo<'_> {
    type Response = ();

    fn code(&self) -> [u8; 2] {
        *b"B2"
    }

    fn room(&self) -> usize {
        self.data.len() + 16
    }

    fn write(&self, out: &mut Writer) {
        out.counted(self.data);
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<(), Malformed> {
        if fields.bytes(self.data.len())? == self.data { Ok(()) } else { Err(Malformed) }
    }
}
