//! Keys of one transaction. TDES DUKPT is host work: the token makes the two halves of the initial key. AES
//! DUKPT is derived in the token, where the token derives.

use crypto::dukpt::aes::{self, Step};
use crypto::dukpt::{Purpose, initial_key_of_halves, transaction_key, variant};
use crypto::{TdesKey, dukpt};

use super::cipher::{block, derive};
use crate::keys::Use;
use crate::token::{Fault, Key, Token, Way, require};
use crate::{Algorithm, HsmError, KeyName, KeyRole};

/// The key of one TDES DUKPT transaction for one purpose.
pub(super) fn tdes(token: &mut dyn Token, bdk: &KeyName, ksn: &dukpt::Ksn, purpose: Purpose) -> Result<TdesKey, Fault> {
    let info = require(token, bdk, &[KeyRole::Bdk], Use::Derive)?;
    if !info.algorithm.is_tdes() {
        return Err(HsmError::KeyAlgorithm { key: *bdk, algorithm: info.algorithm }.into());
    }
    let left = block(token, &info.whole(), Way::Encrypt, &ksn.serial())?;
    let right = block(token, &info.companion(), Way::Encrypt, &ksn.serial())?;
    let initial = initial_key_of_halves(&left, &right);
    Ok(variant(&transaction_key(&initial, ksn), purpose))
}

/// The working key of one AES DUKPT transaction for one purpose. A working key longer than the base key would
/// look stronger than it is, and is refused.
pub(super) fn aes(
    token: &mut dyn Token,
    bdk: &KeyName,
    ksn: &aes::Ksn,
    purpose: aes::Purpose,
    working: Algorithm,
) -> Result<Key, Fault> {
    let info = require(token, bdk, &[KeyRole::Bdk], Use::Derive)?;
    let base = info.algorithm;
    if base.is_tdes() || !working.is_tdes() && working.key_bytes() > base.key_bytes() {
        return Err(HsmError::KeyAlgorithm { key: *bdk, algorithm: base }.into());
    }
    let derived = base.derived();
    let mut key = derive(token, &info.whole(), Step::initial(derived, ksn.initial_key_id()).data(), base)?;
    for step in Step::transaction(derived, ksn) {
        key = derive(token, &key, step.data(), base)?;
    }
    derive(token, &key, Step::working(ksn, purpose, working.derived()).data(), working)
}
