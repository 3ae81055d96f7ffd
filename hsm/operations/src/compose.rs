//! The operations, composed of what a token can: the steps that plain PKCS#11 leaves to the host.
//! Clear PIN blocks and DUKPT keys exist here, wiped, for the length of one call.

use crypto::TdesKey;
use crypto::dukpt::{self, Ksn, Purpose};
use crypto::mac;
use crypto::pin::{self, ClearPinBlock};
use crypto::tdes::Block;
use payments::{Pan, PinBlock};
use zeroize::Zeroizing;

use crate::purpose::{DataKey, MacMethod, MacSource, PinSource, PinTarget, WrappedDataKey};
use crate::token::{Fault, Part, Token, require};
use crate::{HsmError, KeyName, KeyRole};

/// Bytes that one MAC may cover; the largest frame is far below.
const MAC_DATA: usize = 65_536;
/// First byte of a wrapped data key: version 1, AES-256-GCM, 12-byte nonce, 16-byte tag.
const WRAPPED_VERSION: u8 = 1;

pub(crate) fn translate_pin(
    token: &mut dyn Token,
    source: &PinSource,
    target: &PinTarget,
    pan: &Pan,
    block: &PinBlock,
) -> Result<PinBlock, Fault> {
    require(token, &target.key, &[KeyRole::Zpk])?;
    let sealed: Block = block.reveal().try_into().map_err(|_| HsmError::PinBlock)?;
    let clear = match source {
        PinSource::Static { key, .. } => {
            require(token, key, &[KeyRole::Tpk, KeyRole::Zpk])?;
            ClearPinBlock::new(*token.decrypt_block(key, &sealed)?)
        }
        PinSource::Dukpt { bdk, ksn, .. } => ClearPinBlock::decrypt(&transaction(token, bdk, ksn, Purpose::Pin)?, &sealed)?,
    };
    let moved = pin::reformat(&clear, source.format(), target.format, pan.reveal())?;
    let out = token.encrypt_block(&target.key, Part::Whole, moved.reveal())?;
    Ok(PinBlock::new(&*out).map_err(|_| HsmError::PinBlock)?)
}

pub(crate) fn generate_mac(token: &mut dyn Token, source: &MacSource, data: &[u8]) -> Result<Block, Fault> {
    if data.len() > MAC_DATA {
        return Err(HsmError::TooLong.into());
    }
    match source {
        MacSource::Static { key, method: MacMethod::Retail(padding) } => {
            require(token, key, &[KeyRole::Tak, KeyRole::Zak])?;
            let (before, last) = mac::split_last(data, *padding);
            let state = if before.is_empty() { [0; 8] } else { token.chain(key, before)? };
            let last: Block = std::array::from_fn(|at| state.get(at).unwrap_or(&0) ^ last.get(at).unwrap_or(&0));
            Ok(*token.encrypt_block(key, Part::Whole, &last)?)
        }
        MacSource::Dukpt { bdk, ksn, direction, method: MacMethod::Retail(padding) } => {
            let key = transaction(token, bdk, ksn, direction.purpose())?;
            Ok(mac::retail_mac(&key, data, *padding))
        }
    }
}

/// The key of one DUKPT transaction. The token makes the two halves of the initial key; from there on
/// TDES DUKPT is host work.
fn transaction(token: &mut dyn Token, bdk: &KeyName, ksn: &Ksn, purpose: Purpose) -> Result<TdesKey, Fault> {
    require(token, bdk, &[KeyRole::Bdk])?;
    let left = token.encrypt_block(bdk, Part::Whole, &ksn.serial())?;
    let right = token.encrypt_block(bdk, Part::Companion, &ksn.serial())?;
    let initial = dukpt::initial_key_of_halves(&left, &right);
    Ok(dukpt::variant(&dukpt::transaction_key(&initial, ksn), purpose))
}

pub(crate) fn generate_data_key(token: &mut dyn Token, kek: &KeyName, purpose: &str) -> Result<(DataKey, WrappedDataKey), Fault> {
    require(token, kek, &[KeyRole::Kek])?;
    let mut raw = Zeroizing::new([0; 32]);
    token.random(&mut *raw)?;
    let mut wrapped = vec![WRAPPED_VERSION];
    wrapped.extend(token.seal(kek, &about(purpose), &*raw)?);
    Ok((DataKey::new(*raw), WrappedDataKey(wrapped)))
}

pub(crate) fn unwrap_data_key(
    token: &mut dyn Token,
    kek: &KeyName,
    purpose: &str,
    wrapped: &WrappedDataKey,
) -> Result<DataKey, Fault> {
    require(token, kek, &[KeyRole::Kek])?;
    let Some((&WRAPPED_VERSION, sealed)) = wrapped.0.split_first() else { return Err(HsmError::NotAuthentic.into()) };
    let clear = token.open(kek, &about(purpose), sealed)?;
    let raw = Zeroizing::new(<[u8; 32]>::try_from(&clear[..]).map_err(|_| HsmError::NotAuthentic)?);
    Ok(DataKey::new(*raw))
}

/// What is authenticated with a data key, so that one cannot be passed off as another. Never empty:
/// SoftHSM 2.6.1 crashes on GCM without associated data.
fn about(purpose: &str) -> Vec<u8> {
    format!("switchyard data key v{WRAPPED_VERSION} {purpose}").into_bytes()
}
