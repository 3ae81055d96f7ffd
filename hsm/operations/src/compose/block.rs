//! Keys in and out as X9.143 (TR-31) key blocks. The protection key stays in the token, which makes the CMACs
//! that a block's two keys are derived with; those and the key in the block are in memory for the length of
//! one call.

use crypto::CryptoError;
use crypto::keyblock::{self, BlockKeys, Header, Version};
use zeroize::Zeroizing;

use super::mac;
use crate::keys::Use;
use crate::token::{Fault, Token, require};
use crate::{Algorithm, ClearKey, Exportability, HsmError, Kcv, KeyInfo, KeyName, KeyRole, ModeOfUse};

pub(crate) fn import(
    token: &mut dyn Token,
    kbpk: &KeyName,
    name: &KeyName,
    role: KeyRole,
    block: &str,
    told: Option<Kcv>,
) -> Result<KeyInfo, Fault> {
    let (_, keys) = block_keys(token, kbpk, Use::Backward, Version::of(block)?)?;
    let (header, clear) = keyblock::unwrap_with(&keys, block)?;
    if header.usage() != role.usage() {
        return Err(HsmError::BlockUsage(role).into());
    }
    let algorithm = Algorithm::of_block(header.algorithm(), clear.reveal().len()).ok_or(HsmError::WrongAlgorithm(role))?;
    let mode = ModeOfUse::of_letter(header.mode()).ok_or(HsmError::WrongMode(role))?;
    let exportability = Exportability::of_letter(header.exportability()).ok_or(CryptoError::BlockFormat)?;
    let key = ClearKey::of(role, algorithm, clear.reveal())?.with_mode(mode)?.with_exportability(exportability);
    if told.is_some_and(|told| told != key.kcv()) || !carried_value_is_right(&header, &key)? {
        return Err(HsmError::KcvMismatch.into());
    }
    token.import(name, &key)
}

/// The check value that a block may carry (optional block KC): its rule in two characters, then its digits.
fn carried_value_is_right(header: &Header, key: &ClearKey) -> Result<bool, CryptoError> {
    let Some(carried) = header.blocks().iter().find(|block| block.id() == "KC") else { return Ok(true) };
    let (rule, digits) = carried.data().split_at_checked(2).ok_or(CryptoError::BlockFormat)?;
    let right = match (rule, key.cmac_kcv()) {
        ("00", _) => hex::encode_upper(key.kcv().0),
        ("01", Some(value)) => hex::encode_upper(value),
        _ => return Err(CryptoError::BlockFormat),
    };
    Ok(digits.len() >= 4 && right.starts_with(&digits.to_ascii_uppercase()))
}

pub(crate) fn export(token: &mut dyn Token, kbpk: &KeyName, name: &KeyName, version: Version) -> Result<(String, Kcv), Fault> {
    let (protection, keys) = block_keys(token, kbpk, Use::Forward, version)?;
    let info = token.info(name)?;
    if !info.exportability.may_leave() {
        return Err(HsmError::NotExportable(*name).into());
    }
    // A key under a weaker one is as weak as that.
    let aes = !info.algorithm.is_tdes();
    if aes && (protection.is_tdes() || info.algorithm.key_bytes() > protection.key_bytes()) {
        return Err(HsmError::KeyAlgorithm { key: *kbpk, algorithm: protection }.into());
    }
    let header =
        Header::new(version, info.role.usage(), info.algorithm.letter(), info.mode.letter(), "00", info.exportability.letter())?;
    let mut padding = Zeroizing::new([0; 48]);
    token.random(&mut *padding)?;
    let clear = token.take_out(name)?;
    // What the token gave out is what it was asked for.
    if ClearKey::of(info.role, info.algorithm, &clear)?.kcv() != info.kcv {
        return Err(HsmError::KcvMismatch.into());
    }
    let block = keyblock::wrap_with(&keys, &header, &keyblock::ClearKey::new(&clear)?, &padding)?;
    Ok((block, info.kcv))
}

/// The two keys of a version's blocks.
fn block_keys(token: &mut dyn Token, kbpk: &KeyName, wanted: Use, version: Version) -> Result<(Algorithm, BlockKeys), Fault> {
    let info = require(token, kbpk, &[KeyRole::Kbpk], wanted)?;
    let wants_tdes = match version {
        Version::A | Version::C => return Err(HsmError::Unsupported("read or make key blocks of versions A and C").into()),
        Version::B => true,
        Version::D | Version::E => false,
    };
    if info.algorithm.is_tdes() != wants_tdes {
        return Err(HsmError::KeyAlgorithm { key: *kbpk, algorithm: info.algorithm }.into());
    }
    let keys = BlockKeys::derive(version, info.algorithm.key_bytes(), |data| mac::of_key(token, &info, data))?;
    Ok((info.algorithm, keys))
}
