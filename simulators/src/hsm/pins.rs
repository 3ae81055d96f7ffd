//! PIN blocks from key to key and from format to format. Also what the verifications need of them.

use crypto::dukpt::{self, Ksn, Purpose};
use crypto::pin::{self, ClearPinBlock, Fill, Format, format4};
use crypto::{Pin, TdesKey};

use super::codes::Code;
use super::device::{Answer, Random};
use super::fields::Fields;
use super::keys::{self, Role, Secret};
use super::lmk::Lmk;

/// The longest PIN that commands are told, always.
const LONGEST: &[u8] = b"12";
/// Digits of a PAN, at most.
const PAN: usize = 19;

/// A PIN block format by its code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Eight(Format),
    Sixteen,
}

impl Layout {
    pub(super) fn take(fields: &mut Fields<'_>) -> Result<Self, Code> {
        Ok(match fields.digits(2)? {
            b"01" => Self::Eight(Format::Iso0),
            b"05" => Self::Eight(Format::Iso1),
            b"47" => Self::Eight(Format::Iso3),
            b"48" => Self::Sixteen,
            _ => return Err(Code::PIN_FORMAT),
        })
    }

    fn code(self) -> &'static [u8; 2] {
        match self {
            Self::Eight(Format::Iso1) => b"05",
            Self::Eight(Format::Iso3) => b"47",
            Self::Eight(_) => b"01",
            Self::Sixteen => b"48",
        }
    }
}

/// The account as functions of PANs want it: 12 digits get a check digit that nobody looks at.
pub(super) fn account(fields: &mut Fields<'_>, whole: bool) -> Result<Vec<u8>, Code> {
    if whole {
        let pan = fields.until(b';', PAN).map_err(|_| Code::ACCOUNT)?;
        return if pan.iter().all(u8::is_ascii_digit) { Ok(pan.to_vec()) } else { Err(Code::ACCOUNT) };
    }
    let digits = fields.digits(12).map_err(|_| Code::ACCOUNT)?;
    Ok([digits, b"0"].concat())
}

/// A key serial number behind its descriptor.
pub(super) fn serial_number(fields: &mut Fields<'_>) -> Result<Ksn, Code> {
    let descriptor = [fields.hex_number(1)?, fields.hex_number(1)?, fields.hex_number(1)?];
    if descriptor.iter().sum::<usize>() != 15 {
        return Err(Code::INPUT);
    }
    Ksn::new(&fields.hex(20)?).map_err(|_| Code::INPUT)
}

/// A block of the size of its key, in hexadecimal characters.
fn block(fields: &mut Fields<'_>, key: &Secret) -> Result<Vec<u8>, Code> {
    let characters = if matches!(key, Secret::Aes(_)) { 32 } else { 16 };
    Ok(fields.hex(characters)?.to_vec())
}

/// The PIN in a block.
pub(super) fn open(key: &Secret, layout: Layout, block: &[u8], pan: &[u8]) -> Result<Pin, Code> {
    match (layout, key) {
        (Layout::Eight(format), Secret::Tdes(key) | Secret::Single(key, _)) => {
            Ok(pin::decode(format, &ClearPinBlock::decrypt(key, block)?, pan)?)
        }
        (Layout::Sixteen, Secret::Aes(key)) => Ok(format4::decipher(key, block, pan)?),
        _ => Err(Code::KEY_LENGTH),
    }
}

fn close(key: &Secret, layout: Layout, pin: &Pin, pan: &[u8], random: Random<'_>) -> Result<Vec<u8>, Code> {
    match (layout, key) {
        (Layout::Eight(format), Secret::Tdes(key) | Secret::Single(key, _)) => {
            let mut fill = Fill::default();
            if format.is_random() {
                random(&mut fill);
            }
            Ok(pin::encode(format, pin, pan, &fill)?.encrypt(key).to_vec())
        }
        (Layout::Sixteen, Secret::Aes(key)) => {
            let mut fill = [0; 8];
            random(&mut fill);
            Ok(format4::encipher(key, pin, pan, fill)?.to_vec())
        }
        _ => Err(Code::KEY_LENGTH),
    }
}

/// CA.
pub(super) fn from_terminal(fields: &mut Fields<'_>, random: Random<'_>) -> Answer {
    from_static(fields, &keys::TPK, random)
}

/// CC.
pub(super) fn from_zone(fields: &mut Fields<'_>, random: Random<'_>) -> Answer {
    from_static(fields, &keys::ZPK, random)
}

fn from_static(fields: &mut Fields<'_>, role: &Role, random: Random<'_>) -> Answer {
    let source = keys::take(fields, Lmk::Test, role, Code::FIRST_PARITY)?;
    let target = keys::take(fields, Lmk::Test, &keys::ZPK, Code::SECOND_PARITY)?;
    if fields.bytes(2)? != LONGEST {
        return Err(Code::INPUT);
    }
    let block = block(fields, &source)?;
    translate(fields, &source, &target, &block, random)
}

/// G0.
pub(super) fn from_dukpt(fields: &mut Fields<'_>, random: Random<'_>) -> Answer {
    let base = keys::take(fields, Lmk::Test, &keys::BDK, Code::FIRST_PARITY)?;
    let target = keys::take(fields, Lmk::Test, &keys::ZPK, Code::SECOND_PARITY)?;
    let serial = serial_number(fields)?;
    let source = Secret::Tdes(transaction(&base, &serial, Purpose::Pin)?);
    let block = block(fields, &source)?;
    translate(fields, &source, &target, &block, random)
}

/// The key of a transaction for one purpose.
pub(super) fn transaction(base: &Secret, serial: &Ksn, purpose: Purpose) -> Result<TdesKey, Code> {
    let initial = dukpt::initial_key(base.double()?, serial)?;
    Ok(dukpt::variant(&dukpt::transaction_key(&initial, serial), purpose))
}

fn translate(fields: &mut Fields<'_>, source: &Secret, target: &Secret, block: &[u8], random: Random<'_>) -> Answer {
    let (from, to) = (Layout::take(fields)?, Layout::take(fields)?);
    let pan = account(fields, from == Layout::Sixteen || to == Layout::Sixteen)?;
    let pin = open(source, from, block, &pan)?;
    let moved = close(target, to, &pin, &pan, random)?;
    let mut out = format!("{:02}{}", pin.reveal().len(), hex::encode_upper(moved)).into_bytes();
    out.extend_from_slice(to.code());
    Ok((Code::DONE, out))
}
