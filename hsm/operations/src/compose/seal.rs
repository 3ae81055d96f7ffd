//! Data keys of our own stored data, under a key encryption key.

use zeroize::Zeroizing;

use crate::keys::Use;
use crate::purpose::{DataKey, WrappedDataKey};
use crate::token::{Fault, Token, require};
use crate::{HsmError, KeyName, KeyRole};

/// First byte of a wrapped data key: version 1, AES-256-GCM, 12-byte nonce, 16-byte tag.
const WRAPPED_VERSION: u8 = 1;

pub(crate) fn generate_data_key(token: &mut dyn Token, kek: &KeyName, purpose: &str) -> Result<(DataKey, WrappedDataKey), Fault> {
    require(token, kek, &[KeyRole::Kek], Use::Forward)?;
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
    require(token, kek, &[KeyRole::Kek], Use::Backward)?;
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
