//! Card verification values: CW makes them, CY checks them.

use zeroize::Zeroizing;

use super::super::codec::{Malformed, Reader, Request, Writer};
use super::super::keys::Wrapped;

/// What a value is over: ASCII digits.
pub struct CardFields<'a> {
    /// 12 to 19 digits.
    pub pan: &'a [u8],
    /// As the stripe or panel has it.
    pub expiry: &'a [u8; 4],
    /// `000` for the panel, `999` for the chip.
    pub service_code: &'a [u8; 3],
}

impl CardFields<'_> {
    fn write(&self, out: &mut Writer) {
        out.bytes(self.pan);
        out.bytes(b";");
        out.bytes(self.expiry);
        out.bytes(self.service_code);
    }
}

/// CW.
pub struct MakeCvv<'a> {
    /// The card verification key.
    pub key: &'a Wrapped,
    /// The card.
    pub card: CardFields<'a>,
}

impl Request for MakeCvv<'_> {
    type Response = Zeroizing<[u8; 3]>;

    fn code(&self) -> [u8; 2] {
        *b"CW"
    }

    fn write(&self, out: &mut Writer) {
        self.key.write(out);
        self.card.write(out);
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        Ok(Zeroizing::new(fields.digits()?))
    }
}

/// CY. Refused with 01 when the value is another.
pub struct CheckCvv<'a> {
    /// The card verification key.
    pub key: &'a Wrapped,
    /// The card.
    pub card: CardFields<'a>,
    /// The value that it shows.
    pub shown: &'a [u8; 3],
}

impl Request for CheckCvv<'_> {
    type Response = ();

    fn code(&self) -> [u8; 2] {
        *b"CY"
    }

    fn write(&self, out: &mut Writer) {
        self.key.write(out);
        out.bytes(self.shown);
        self.card.write(out);
    }

    fn read(&self, _: &mut Reader<'_>) -> Result<(), Malformed> {
        Ok(())
    }
}
