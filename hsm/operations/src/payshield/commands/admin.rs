//! Keys: A0 makes one, A4 forms one of components, A6 brings one in, A8 sends one out, BU tells its check
//! value, BW takes it to new local master keys.

use super::super::codec::{ErrorCode, Malformed, Reader, Request, Writer};
use super::super::keys::{Role, Shape, Wrapped, ZoneCryptogram};
use crate::{HsmError, Kcv};

fn read_check_value(fields: &mut Reader<'_>) -> Result<Kcv, Malformed> {
    let value = fields.hex(3)?;
    value.first_chunk().map(|value| Kcv(*value)).ok_or(Malformed)
}

/// A0. TDES keys only: of two or three parts.
pub struct GenerateKey<'a> {
    /// What it will be for.
    pub role: Role,
    /// Its length.
    pub shape: Shape,
    /// The zone master key under which it goes out, too.
    pub zone: Option<&'a Wrapped>,
}

/// A key that an HSM made.
pub struct Generated {
    /// For the table.
    pub wrapped: Wrapped,
    /// For the other party, where it was asked for.
    pub sent: Option<ZoneCryptogram>,
    /// Its check value.
    pub check_value: Kcv,
}

impl GenerateKey<'_> {
    /// Whether there is such a request: an AES key has another form.
    pub(crate) fn check(&self) -> Result<(), HsmError> {
        self.shape.zone_scheme().map(|_| ()).map_err(|_| HsmError::Unsupported("make AES keys yet"))
    }
}

impl Request for GenerateKey<'_> {
    type Response = Generated;

    fn code(&self) -> [u8; 2] {
        *b"A0"
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(if self.zone.is_some() { b"1" } else { b"0" });
        out.bytes(self.role.key_type());
        out.bytes(&[self.shape.local_scheme()]);
        if let Some(zone) = self.zone {
            out.bytes(b";0");
            zone.write(out);
            out.bytes(&[self.shape.zone_scheme().unwrap_or_default()]);
        }
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Generated, Malformed> {
        let wrapped = Wrapped::read(fields, self.shape)?;
        let sent = self.zone.map(|_| ZoneCryptogram::read(fields, self.shape)).transpose()?;
        Ok(Generated { wrapped, sent, check_value: read_check_value(fields)? })
    }
}

/// A4.
pub struct FormKey<'a> {
    /// What it will be for.
    pub role: Role,
    /// Two to nine, each under the local master key, all of one shape.
    pub components: &'a [Wrapped],
    /// That shape.
    pub shape: Shape,
}

impl Request for FormKey<'_> {
    type Response = (Wrapped, Kcv);

    fn code(&self) -> [u8; 2] {
        *b"A4"
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(&[b'0' + u8::try_from(self.components.len()).unwrap_or_default() % 10]);
        out.bytes(self.role.key_type());
        out.bytes(&[self.shape.local_scheme()]);
        self.components.iter().for_each(|component| component.write(out));
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        Ok((Wrapped::read(fields, self.shape)?, read_check_value(fields)?))
    }
}

/// A6. 01 is an advice of the HSM: the key had wrong parity. The client refuses it all the same.
pub struct ImportKey<'a> {
    /// What it will be for.
    pub role: Role,
    /// The zone master key that it comes under.
    pub zone: &'a Wrapped,
    /// The key as it came.
    pub sent: &'a ZoneCryptogram,
}

impl Request for ImportKey<'_> {
    type Response = (Wrapped, Kcv);

    fn code(&self) -> [u8; 2] {
        *b"A6"
    }

    fn advice(&self) -> &'static [ErrorCode] {
        &[ErrorCode::FAILED]
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(self.role.key_type());
        self.zone.write(out);
        self.sent.write(out);
        out.bytes(&[self.sent.shape().local_scheme()]);
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        Ok((Wrapped::read(fields, self.sent.shape())?, read_check_value(fields)?))
    }
}

/// A8.
pub struct ExportKey<'a> {
    /// What the key is for.
    pub role: Role,
    /// The zone master key that it goes under.
    pub zone: &'a Wrapped,
    /// The key.
    pub key: &'a Wrapped,
    /// Its scheme under the zone master key.
    pub scheme: u8,
}

impl Request for ExportKey<'_> {
    type Response = (ZoneCryptogram, Kcv);

    fn code(&self) -> [u8; 2] {
        *b"A8"
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(self.key.key_type(self.role));
        self.zone.write(out);
        self.key.write(out);
        out.bytes(&[self.scheme]);
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Self::Response, Malformed> {
        Ok((ZoneCryptogram::read(fields, self.key.shape())?, read_check_value(fields)?))
    }
}

/// What stands in for a key type code of two characters: three follow the key.
const CODE_FOLLOWS: &[u8; 2] = b"FF";

/// BU: the check value of six digits.
pub struct CheckValue<'a> {
    /// What the key is for.
    pub role: Role,
    /// The key.
    pub key: &'a Wrapped,
}

impl Request for CheckValue<'_> {
    type Response = Kcv;

    fn code(&self) -> [u8; 2] {
        *b"BU"
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(CODE_FOLLOWS);
        out.bytes(&[self.key.shape().length_flag()]);
        self.key.write(out);
        out.bytes(b";");
        out.bytes(self.key.key_type(self.role));
        out.bytes(b";001");
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Kcv, Malformed> {
        read_check_value(fields)
    }
}

/// BW: a key under the old local master keys, which the HSM still holds for the change.
pub struct Rewrap<'a> {
    /// What the key is for.
    pub role: Role,
    /// The key under the old ones.
    pub key: &'a Wrapped,
}

impl Request for Rewrap<'_> {
    type Response = Wrapped;

    fn code(&self) -> [u8; 2] {
        *b"BW"
    }

    fn write(&self, out: &mut Writer) {
        out.bytes(CODE_FOLLOWS);
        out.bytes(&[self.key.shape().length_flag()]);
        self.key.write(out);
        out.bytes(b";");
        out.bytes(self.role.key_type());
    }

    fn read(&self, fields: &mut Reader<'_>) -> Result<Wrapped, Malformed> {
        Wrapped::read(fields, self.key.shape())
    }
}
