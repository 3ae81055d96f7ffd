//! Data of messages under static or DUKPT keys, in CBC mode.

use crypto::CryptoError;
use zeroize::Zeroizing;

use super::cipher::cbc;
use super::dukpt;
use super::mac::MOST_DATA;
use crate::keys::Use;
use crate::purpose::DataSource;
use crate::token::{Fault, Key, Token, Way, require};
use crate::{HsmError, KeyRole};

/// Encrypts or decrypts whole blocks, from a block `start`. The caller pads.
pub(crate) fn crypt(
    token: &mut dyn Token,
    source: &DataSource,
    way: Way,
    start: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    if data.len() > MOST_DATA {
        return Err(HsmError::TooLong.into());
    }
    let wanted = match way {
        Way::Encrypt => Use::Forward,
        Way::Decrypt => Use::Backward,
    };
    let key = match source {
        DataSource::Static { key } => require(token, key, &[KeyRole::Dek], wanted)?.whole(),
        DataSource::Dukpt { bdk, ksn, direction } => Key::Tdes(dukpt::tdes(token, bdk, ksn, direction.data())?),
        DataSource::DukptAes { bdk, ksn, working, direction } => dukpt::aes(token, bdk, ksn, direction.data_aes(), *working)?,
    };
    let width = if key.is_tdes() { 8 } else { 16 };
    if data.is_empty() || !data.len().is_multiple_of(width) || start.len() != width {
        return Err(CryptoError::DataLength.into());
    }
    let mut buffer = Zeroizing::new(data.to_vec());
    cbc(token, &key, way, start, &mut buffer)?;
    Ok(buffer)
}
