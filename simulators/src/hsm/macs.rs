//! Message authentication codes, under static keys and by DUKPT.

use crypto::dukpt::Purpose;
use crypto::mac::{self, Padding};

use super::codes::Code;
use super::device::{Answer, DONE};
use super::fields::Fields;
use super::keys::{self, Secret};
use super::lmk::Lmk;
use super::pins;

/// The algorithm that pads by itself.
const CMAC: u8 = b'6';
/// Fewest bytes of a MAC.
const SHORTEST: usize = 4;

/// How a message is authenticated: what M6 and M8 say before the key.
struct Method {
    hexadecimal: bool,
    size: usize,
    algorithm: u8,
    padding: u8,
}

impl Method {
    fn take(fields: &mut Fields<'_>) -> Result<Self, Code> {
        if fields.one()? != b'0' {
            return Err(Code::MODE);
        }
        let hexadecimal = match fields.one()? {
            b'0' => false,
            b'1' => true,
            _ => return Err(Code::INPUT_FORMAT),
        };
        let size = match fields.one()? {
            b'0' => SHORTEST,
            b'1' => 8,
            b'2' => 16,
            _ => return Err(Code::INPUT),
        };
        let algorithm = fields.one()?;
        if !matches!(algorithm, b'1' | b'3' | CMAC) {
            return Err(Code::ALGORITHM);
        }
        let padding = fields.one()?;
        if !matches!(padding, b'0'..=b'3') {
            return Err(Code::PADDING);
        }
        Ok(Self { hexadecimal, size, algorithm, padding })
    }

    fn compute(&self, key: &Secret, message: &[u8]) -> Result<Vec<u8>, Code> {
        let block = if matches!(key, Secret::Aes(_)) { 16 } else { 8 };
        let (data, padding) = match self.padding {
            // Without padding the message must be whole blocks already.
            b'0' if self.algorithm != CMAC && !message.len().is_multiple_of(block) => return Err(Code::DATA_LENGTH),
            b'2' => (message.to_vec(), Padding::OneThenZeros),
            b'3' if block == 16 => (mac::with_length::<16>(message).to_vec(), Padding::Zeros),
            b'3' => (mac::with_length::<8>(message).to_vec(), Padding::Zeros),
            _ => (message.to_vec(), Padding::Zeros),
        };
        let whole = match (self.algorithm, key) {
            (b'1', Secret::Aes(key)) => mac::cbc_mac_aes(key, &data, padding).to_vec(),
            (b'1', key) => mac::cbc_mac(key.any_des()?, &data, padding).to_vec(),
            (b'3', key) => mac::retail_mac(key.tdes()?, &data, padding).to_vec(),
            // CMAC pads by itself.
            (_, Secret::Aes(key)) => mac::cmac_aes(key, message).to_vec(),
            (_, key) => mac::cmac_tdes(key.tdes()?, message).to_vec(),
        };
        Ok(whole.get(..self.size).ok_or(Code::INPUT)?.to_vec())
    }
}

/// The method, its key and the right MAC of the message.
fn computed(fields: &mut Fields<'_>) -> Result<Vec<u8>, Code> {
    let method = Method::take(fields)?;
    let kind = keys::key_type(fields).map_err(|_| Code::KEY_TYPE_FIELD)?;
    let roles = [&keys::TAK, &keys::ZAK];
    let key = keys::take_typed(fields, Lmk::Test, kind, &roles, Code::KEY_TYPE_FIELD, Code::FIRST_PARITY)?;
    let length = fields.hex_number(4).map_err(|_| Code::MESSAGE_LENGTH)?;
    let message = message(fields, length, method.hexadecimal)?;
    method.compute(&key, &message)
}

/// A message as bytes; in hexadecimal its length counts characters.
fn message(fields: &mut Fields<'_>, length: usize, hexadecimal: bool) -> Result<Vec<u8>, Code> {
    if hexadecimal {
        return fields.hex(length).map(|message| message.to_vec());
    }
    fields.bytes(length).map(<[u8]>::to_vec).map_err(|_| Code::MESSAGE_LENGTH)
}

/// M6.
pub(super) fn make(fields: &mut Fields<'_>) -> Answer {
    Ok((Code::DONE, hex::encode_upper(computed(fields)?).into_bytes()))
}

/// M8.
pub(super) fn check(fields: &mut Fields<'_>) -> Answer {
    let right = computed(fields)?;
    let received = fields.hex(right.len() * 2)?;
    if crypto::same(&right, &received) { DONE } else { Err(Code::FAILED) }
}

/// GW: algorithm 3 under the request key of a DUKPT transaction.
pub(super) fn dukpt(fields: &mut Fields<'_>) -> Answer {
    let mode = fields.one()?;
    if !matches!(mode, b'1'..=b'6') {
        return Err(Code::CHIP_MODE);
    }
    if fields.one()? != b'1' {
        return Err(Code::CHIP_SCHEME);
    }
    let base = keys::take(fields, Lmk::Test, &keys::BDK, Code::FIRST_PARITY)?;
    let serial = pins::serial_number(fields)?;
    let received = match mode {
        b'1' => Some(fields.hex(16)?),
        b'2' | b'3' => Some(fields.hex(8)?),
        _ => None,
    };
    let length = fields.hex_number(4)?;
    if length == 0 || !length.is_multiple_of(8) {
        return Err(Code::DATA_LENGTH);
    }
    let message = fields.bytes(length)?;
    let key = pins::transaction(&base, &serial, Purpose::MacRequest)?;
    let whole = mac::retail_mac(&key, message, Padding::Zeros);
    let (left, right) = whole.split_at(SHORTEST);
    let part = match mode {
        b'1' | b'4' => &whole[..],
        b'2' | b'5' => left,
        _ => right,
    };
    match received {
        None => Ok((Code::DONE, hex::encode_upper(part).into_bytes())),
        Some(received) if crypto::same(part, &received) => DONE,
        Some(_) => Err(Code::FAILED),
    }
}
