//! Keys made, formed of components, brought in, sent out, checked and taken to new master keys.

use crypto::{AesKey, CryptoError, TdesKey, modes};
use zeroize::Zeroizing;

use super::block;
use super::codes::Code;
use super::device::{Answer, Random};
use super::fields::Fields;
use super::keys::{self, Secret};
use super::lmk::{KeyType, Lmk};

/// How often a weak key is drawn again.
const DRAWS: usize = 64;

fn shown(check_value: [u8; 3]) -> String {
    hex::encode_upper(check_value)
}

fn done(fields: &[&str]) -> Answer {
    Ok((Code::DONE, fields.concat().into_bytes()))
}

/// Takes a key of any type that there is.
fn take_any(fields: &mut Fields<'_>, lmk: Lmk, kind: Option<KeyType>, parity: Code) -> Result<Secret, Code> {
    keys::take_typed(fields, lmk, kind, &keys::ALL, Code::KEY_TYPE, parity)
}

/// A new TDES key: odd parity, no weak and no equal parts. A single part may be any but a weak one.
fn draw(bytes: usize, random: Random<'_>) -> Result<Secret, Code> {
    for _ in 0..DRAWS {
        let mut raw = Zeroizing::new(vec![0; bytes]);
        random(&mut raw);
        raw.iter_mut().for_each(|byte| *byte = (*byte & 0xFE) | u8::from((*byte >> 1).count_ones().is_multiple_of(2)));
        match Secret::des(&raw, Code::FIRST_PARITY)? {
            Secret::Tdes(key) if key.check().is_err() => {}
            drawn => return Ok(drawn),
        }
    }
    Err(Code::INPUT)
}

/// A key under a zone master key, each part alone.
fn under_zone(zone: &TdesKey, scheme: u8, key: &Secret) -> Result<String, Code> {
    let clear = key.reveal();
    match (scheme, clear.len()) {
        (b'0' | b'Z', 8) | (b'X', 16) | (b'Y', 24) => {}
        (b'0' | b'Z' | b'X' | b'Y', _) => return Err(Code::KEY_LENGTH),
        _ => return Err(Code::KEY_SCHEME),
    }
    let mut sealed = Zeroizing::new(clear.to_vec());
    modes::ecb_encrypt(zone, &mut sealed)?;
    let text = hex::encode_upper(&*sealed);
    Ok(if clear.len() == 8 { text } else { format!("{}{text}", char::from(scheme)) })
}

/// A0.
pub(super) fn generate(fields: &mut Fields<'_>, random: Random<'_>) -> Answer {
    let for_zone = match fields.one()? {
        b'0' => false,
        b'1' => true,
        _ => return Err(Code::INPUT),
    };
    let kind = keys::key_type(fields)?;
    let scheme = fields.one()?;
    let zone = if for_zone {
        fields.mark(b';')?;
        fields.mark(b'0')?;
        let zone = keys::take(fields, Lmk::Test, &keys::ZMK, Code::FIRST_PARITY)?;
        Some((zone, fields.one()?))
    } else {
        None
    };
    let (key, kept) = match (kind, scheme) {
        (None, b'S') => generate_block(fields, random)?,
        (None, _) | (_, b'S') => return Err(Code::KEY_SCHEME),
        (Some(kind), scheme) => {
            let bytes = match scheme {
                b'0' | b'Z' => 8,
                b'U' => 16,
                b'T' => 24,
                _ => return Err(Code::KEY_SCHEME),
            };
            let key = draw(bytes, random)?;
            let kept = keys::under_lmk(kind, scheme, key.reveal())?;
            (key, kept)
        }
    };
    let sent = zone.map(|(zone, scheme)| under_zone(zone.tdes()?, scheme, &key)).transpose()?;
    done(&[&kept, &sent.unwrap_or_default(), &shown(key.check_value())])
}

/// A key in a key block, by what follows `#`.
fn generate_block(fields: &mut Fields<'_>, random: Random<'_>) -> Result<(Secret, String), Code> {
    fields.mark(b'#')?;
    let usage: [u8; 2] = fields.array()?;
    let algorithm: [u8; 2] = fields.array()?;
    let mode = fields.one()?;
    // Version, exportability, optional blocks.
    fields.bytes(3)?;
    if fields.bytes(2)? != b"00" {
        return Err(Code::BLOCK_OPTIONAL);
    }
    let key = match &algorithm {
        b"T2" => draw(16, random)?,
        b"T3" => draw(24, random)?,
        b"A1" | b"A2" | b"A3" => {
            let bytes = match algorithm {
                [_, b'1'] => 16,
                [_, b'2'] => 24,
                _ => 32,
            };
            let mut raw = Zeroizing::new(vec![0; bytes]);
            random(&mut raw);
            Secret::Aes(AesKey::from_bytes(&raw)?)
        }
        _ => return Err(Code::BLOCK_ALGORITHM),
    };
    let mut fill = [0; 16];
    random(&mut fill);
    let [letter, _] = algorithm;
    let kept = block::seal(&usage, letter, mode, key.reveal(), &fill)?;
    Ok((key, kept))
}

/// A4.
pub(super) fn components(fields: &mut Fields<'_>) -> Answer {
    let count = match fields.one()? {
        digit @ b'2'..=b'9' => digit - b'0',
        _ => return Err(Code::COMPONENT_COUNT),
    };
    let kind = keys::key_type(fields)?;
    let scheme = fields.one()?;
    let Some(kind) = kind else { return Err(Code::KEY_SCHEME) };
    let mut whole = Zeroizing::new(Vec::new());
    for _ in 0..count {
        let component = take_any(fields, Lmk::Test, Some(kind), Code::FIRST_PARITY)?;
        if whole.is_empty() {
            whole.extend_from_slice(component.reveal());
        } else if whole.len() == component.reveal().len() {
            whole.iter_mut().zip(component.reveal()).for_each(|(whole, part)| *whole ^= part);
        } else {
            return Err(Code::KEY_LENGTH);
        }
    }
    whole.iter_mut().for_each(|byte| *byte = (*byte & 0xFE) | u8::from((*byte >> 1).count_ones().is_multiple_of(2)));
    let key = Secret::des(&whole, Code::FIRST_PARITY)?;
    refuse_equal_parts(&key)?;
    done(&[&keys::under_lmk(kind, scheme, key.reveal())?, &shown(key.check_value())])
}

fn refuse_equal_parts(key: &Secret) -> Result<(), Code> {
    match key {
        Secret::Tdes(key) if key.check() == Err(CryptoError::RepeatedParts) => Err(Code::EQUAL_PARTS),
        _ => Ok(()),
    }
}

/// A6. A key of wrong parity is taken with odd parity forced, and an advice says so.
pub(super) fn import(fields: &mut Fields<'_>) -> Answer {
    let kind = keys::key_type(fields)?;
    let zone = keys::take(fields, Lmk::Test, &keys::ZMK, Code::FIRST_PARITY)?;
    let characters = match fields.peek() {
        Some(b'X') => 32,
        Some(b'Y') => 48,
        Some(b'0'..=b'9' | b'A'..=b'F') => 16,
        _ => return Err(Code::KEY_SCHEME),
    };
    if characters > 16 {
        fields.one()?;
    }
    let mut clear = fields.hex(characters)?;
    let scheme = fields.one()?;
    let Some(kind) = kind else { return Err(Code::KEY_SCHEME) };
    modes::ecb_decrypt(zone.tdes()?, &mut clear)?;
    let advice = match Secret::des(&clear, Code::FAILED) {
        Ok(_) => Code::DONE,
        Err(code) => code,
    };
    clear.iter_mut().for_each(|byte| *byte = (*byte & 0xFE) | u8::from((*byte >> 1).count_ones().is_multiple_of(2)));
    let key = Secret::des(&clear, Code::FAILED)?;
    refuse_equal_parts(&key)?;
    let kept = keys::under_lmk(kind, scheme, key.reveal())?;
    Ok((advice, [kept, shown(key.check_value())].concat().into_bytes()))
}

/// A8.
pub(super) fn export(fields: &mut Fields<'_>) -> Answer {
    let kind = keys::key_type(fields)?;
    let zone = keys::take(fields, Lmk::Test, &keys::ZMK, Code::FIRST_PARITY)?;
    let key = take_any(fields, Lmk::Test, kind, Code::SECOND_PARITY)?;
    let scheme = fields.one()?;
    done(&[&under_zone(zone.tdes()?, scheme, &key)?, &shown(key.check_value())])
}

/// The key after a two-character code, a length flag and, for code `FF`, a type behind the key: what BU and
/// BW have in common. The type stands behind the key, so the key is looked for first.
fn take_coded(fields: &mut Fields<'_>, lmk: Lmk) -> Result<(Option<KeyType>, Secret), Code> {
    let code: [u8; 2] = fields.array()?;
    let flag = fields.one()?;
    if !matches!(flag, b'0'..=b'2' | b'F') {
        return Err(Code::KEY_TYPE_FIELD);
    }
    let mut ahead = *fields;
    let kind = if code == *b"FF" {
        match ahead.peek() {
            Some(b'U') => ahead.bytes(33)?,
            Some(b'T') => ahead.bytes(49)?,
            Some(b'S') => {
                ahead.one()?;
                block::take(&mut ahead)?;
                &[]
            }
            _ => ahead.bytes(16)?,
        };
        ahead.mark(b';')?;
        keys::key_type(&mut ahead)?
    } else {
        let [variant, pair] = code;
        Some(KeyType::parse([variant, b'0', pair])?)
    };
    let key = take_any(fields, lmk, kind, Code::FIRST_PARITY)?;
    if code == *b"FF" {
        fields.mark(b';')?;
        fields.bytes(3)?;
    }
    let matches = match (flag, &key) {
        (b'0', Secret::Single(..)) | (b'F', Secret::Aes(_)) => true,
        (b'1', Secret::Tdes(key)) => key.len() == 16,
        (b'2', Secret::Tdes(key)) => key.len() == 24,
        _ => false,
    };
    if matches { Ok((kind, key)) } else { Err(Code::KEY_TYPE_FIELD) }
}

/// BU.
pub(super) fn check_value(fields: &mut Fields<'_>) -> Answer {
    let (_, key) = take_coded(fields, Lmk::Test)?;
    let mut rule = b'0';
    if fields.peek() == Some(b';') {
        fields.bytes(3)?;
        rule = fields.one()?;
    }
    match (rule, &key) {
        (b'1', _) => done(&[&shown(key.check_value())]),
        (b'0', Secret::Aes(_)) => Err(Code::KEY_SCHEME),
        (b'0', key) => done(&[&hex::encode_upper(key.any_des()?.encrypt_block([0; 8]))]),
        _ => Err(Code::INPUT),
    }
}

/// BW.
pub(super) fn to_new_master_keys(fields: &mut Fields<'_>) -> Answer {
    let (kind, key) = take_coded(fields, Lmk::Old)?;
    let Some(kind) = kind else { return Err(Code::KEY_SCHEME) };
    let scheme = match key.reveal().len() {
        8 => b'0',
        16 => b'U',
        _ => b'T',
    };
    done(&[&keys::under_lmk(kind, scheme, key.reveal())?])
}
