//! Data encrypted, decrypted and taken from key to key.

use crypto::dukpt::Purpose;
use crypto::modes;
use zeroize::Zeroizing;

use super::codes::Code;
use super::device::Answer;
use super::fields::Fields;
use super::keys::{self, Secret};
use super::lmk::{KeyType, Lmk};
use super::pins;

/// Bytes of data that one command takes.
const MOST: usize = 16_000;

/// Chaining mode.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Ecb,
    Cbc,
}

impl Mode {
    fn take(fields: &mut Fields<'_>, wrong: Code) -> Result<Self, Code> {
        match fields.bytes(2)? {
            b"00" => Ok(Self::Ecb),
            b"01" => Ok(Self::Cbc),
            _ => Err(wrong),
        }
    }

    /// What chaining starts from, of the key's block size.
    fn start(self, fields: &mut Fields<'_>, key: &Secret) -> Result<Vec<u8>, Code> {
        match self {
            Self::Ecb => Ok(Vec::new()),
            Self::Cbc => Ok(fields.hex(if matches!(key, Secret::Aes(_)) { 32 } else { 16 })?.to_vec()),
        }
    }
}

fn hexadecimal(fields: &mut Fields<'_>, wrong: Code) -> Result<bool, Code> {
    match fields.one()? {
        b'0' => Ok(false),
        b'1' => Ok(true),
        _ => Err(wrong),
    }
}

/// A key by its type; of a BDK, the data key of the transaction whose serial number follows.
fn key(fields: &mut Fields<'_>, wrong_type: Code, parity: Code) -> Result<Secret, Code> {
    let kind = keys::key_type(fields).map_err(|_| wrong_type)?;
    let roles = [&keys::ZEK, &keys::DEK, &keys::BDK];
    let key = keys::take_typed(fields, Lmk::Test, kind, &roles, wrong_type, parity)?;
    if kind == Some(KeyType::BDK) {
        let serial = pins::serial_number(fields)?;
        return Ok(Secret::Tdes(pins::transaction(&key, &serial, Purpose::DataRequest)?));
    }
    Ok(key)
}

fn take_message(fields: &mut Fields<'_>, hexadecimal: bool) -> Result<Zeroizing<Vec<u8>>, Code> {
    let length = fields.hex_number(4).map_err(|_| Code::MESSAGE_LENGTH)?;
    let most = if hexadecimal { MOST * 2 } else { MOST };
    if length == 0 || length > most {
        return Err(Code::MESSAGE_LENGTH);
    }
    if hexadecimal {
        return fields.hex(length);
    }
    fields.bytes(length).map(|message| Zeroizing::new(message.to_vec())).map_err(|_| Code::MESSAGE_LENGTH)
}

fn crypt(key: &Secret, mode: Mode, start: &[u8], encrypt: bool, data: &mut [u8]) -> Result<(), Code> {
    match (key, mode) {
        (Secret::Aes(key), Mode::Ecb) if encrypt => modes::ecb_encrypt(key, data)?,
        (Secret::Aes(key), Mode::Ecb) => modes::ecb_decrypt(key, data)?,
        (Secret::Aes(key), Mode::Cbc) => {
            let start = start.try_into().map_err(|_| Code::INPUT)?;
            if encrypt { modes::cbc_encrypt(key, start, data)? } else { modes::cbc_decrypt(key, start, data)? }
        }
        (key, Mode::Ecb) if encrypt => modes::ecb_encrypt(key.any_des()?, data)?,
        (key, Mode::Ecb) => modes::ecb_decrypt(key.any_des()?, data)?,
        (key, Mode::Cbc) => {
            let start = start.try_into().map_err(|_| Code::INPUT)?;
            let key = key.any_des()?;
            if encrypt { modes::cbc_encrypt(key, start, data)? } else { modes::cbc_decrypt(key, start, data)? }
        }
    }
    Ok(())
}

/// The last block of the encrypted side, where chaining goes on from; then length and data.
fn told(mode: Mode, sealed: &[u8], block: usize, data: &[u8], hexadecimal: bool) -> Answer {
    let mut out = Vec::new();
    if mode == Mode::Cbc {
        let last = sealed.get(sealed.len().saturating_sub(block)..).unwrap_or_default();
        out.extend(hex::encode_upper(last).into_bytes());
    }
    let length = if hexadecimal { data.len() * 2 } else { data.len() };
    out.extend(format!("{length:04X}").into_bytes());
    if hexadecimal {
        out.extend(hex::encode_upper(data).into_bytes());
    } else {
        out.extend_from_slice(data);
    }
    Ok((Code::DONE, out))
}

fn block_size(key: &Secret) -> usize {
    if matches!(key, Secret::Aes(_)) { 16 } else { 8 }
}

/// M0.
pub(super) fn encrypt(fields: &mut Fields<'_>) -> Answer {
    one_way(fields, true)
}

/// M2.
pub(super) fn decrypt(fields: &mut Fields<'_>) -> Answer {
    one_way(fields, false)
}

fn one_way(fields: &mut Fields<'_>, encrypting: bool) -> Answer {
    let mode = Mode::take(fields, Code::MODE)?;
    let (input, output) = (hexadecimal(fields, Code::INPUT_FORMAT)?, hexadecimal(fields, Code::OUTPUT_FORMAT)?);
    let key = key(fields, Code::KEY_TYPE_FIELD, Code::FIRST_PARITY)?;
    let start = mode.start(fields, &key)?;
    let message = take_message(fields, input)?;
    let mut data = message.clone();
    crypt(&key, mode, &start, encrypting, &mut data)?;
    let sealed = if encrypting { &data } else { &message };
    told(mode, sealed, block_size(&key), &data, output)
}

/// M4.
pub(super) fn translate(fields: &mut Fields<'_>) -> Answer {
    let (from, to) = (Mode::take(fields, Code::MODE)?, Mode::take(fields, Code::TARGET_MODE)?);
    let (input, output) = (hexadecimal(fields, Code::INPUT_FORMAT)?, hexadecimal(fields, Code::OUTPUT_FORMAT)?);
    let source = key(fields, Code::KEY_TYPE_FIELD, Code::FIRST_PARITY)?;
    let target = key(fields, Code::TARGET_KEY_TYPE, Code::SECOND_PARITY)?;
    let (source_start, target_start) = (from.start(fields, &source)?, to.start(fields, &target)?);
    let mut data = take_message(fields, input)?;
    crypt(&source, from, &source_start, false, &mut data)?;
    crypt(&target, to, &target_start, true, &mut data)?;
    told(to, &data, block_size(&target), &data, output)
}
