//! Message authentication codes.

use crypto::mac::{self, with_length};
use zeroize::Zeroizing;

use super::cipher::{Pair, chain, cmac};
use super::dukpt;
use crate::keys::Use;
use crate::purpose::{MacMethod, MacSource, Padding};
use crate::token::{Fault, Key, Token, require};
use crate::{HsmError, KeyInfo, KeyRole};

/// Bytes that one operation takes; the largest frame is far below.
pub(super) const MOST_DATA: usize = 65_536;

/// A whole MAC: 8 bytes of TDES, 16 of AES.
pub(crate) type Mac = Zeroizing<Vec<u8>>;

pub(crate) fn generate(token: &mut dyn Token, source: &MacSource, data: &[u8]) -> Result<Mac, Fault> {
    compute(token, source, Use::Forward, data)
}

/// Whether `received`, of four bytes at least, is the leftmost part of the right one.
pub(crate) fn verify(token: &mut dyn Token, source: &MacSource, data: &[u8], received: &[u8]) -> Result<bool, Fault> {
    let right = compute(token, source, Use::Backward, data)?;
    let same = mac::matches(&right, received);
    if !same {
        metrics::counter!("hsm_mac_mismatches_total").increment(1);
    }
    Ok(same)
}

fn compute(token: &mut dyn Token, source: &MacSource, wanted: Use, data: &[u8]) -> Result<Mac, Fault> {
    if data.len() > MOST_DATA {
        return Err(HsmError::TooLong.into());
    }
    match source {
        MacSource::Static { key, method } => {
            let info = require(token, key, roles(*method), wanted)?;
            match method {
                MacMethod::Retail(padding) => retail(token, &Pair::held(&info), data, *padding),
                MacMethod::Cbc(padding) => chained(token, &info.whole(), data, *padding),
                MacMethod::Cmac => cmac(token, &info.whole(), data),
            }
        }
        MacSource::Dukpt { bdk, ksn, direction, method } => {
            let key = Key::Tdes(dukpt::tdes(token, bdk, ksn, direction.mac())?);
            match method {
                MacMethod::Retail(padding) => retail(token, &Pair::clear(key)?, data, *padding),
                MacMethod::Cbc(padding) => chained(token, &key, data, *padding),
                MacMethod::Cmac => cmac(token, &key, data),
            }
        }
        MacSource::DukptAes { bdk, ksn, working, direction, method } => {
            let key = dukpt::aes(token, bdk, ksn, direction.mac_aes(), *working)?;
            match method {
                MacMethod::Retail(_) => Err(HsmError::Unsupported("make MACs of algorithm 3 with AES DUKPT").into()),
                MacMethod::Cbc(padding) => chained(token, &key, data, *padding),
                MacMethod::Cmac => cmac(token, &key, data),
            }
        }
    }
}

fn roles(method: MacMethod) -> &'static [KeyRole] {
    match method {
        MacMethod::Retail(_) => &[KeyRole::Tak, KeyRole::Zak],
        MacMethod::Cbc(_) => &[KeyRole::TakCbc, KeyRole::ZakCbc],
        MacMethod::Cmac => &[KeyRole::TakCmac, KeyRole::ZakCmac],
    }
}

/// Algorithm 3.
fn retail(token: &mut dyn Token, key: &Pair, data: &[u8], padding: Padding) -> Result<Mac, Fault> {
    let made = match padding {
        Padding::Zeros => key.retail_mac(token, data, mac::Padding::Zeros)?,
        Padding::OneThenZeros => key.retail_mac(token, data, mac::Padding::OneThenZeros)?,
        Padding::LengthFirst => key.retail_mac(token, &with_length::<8>(data), mac::Padding::Zeros)?,
    };
    Ok(Zeroizing::new(made.to_vec()))
}

/// Algorithm 1.
fn chained(token: &mut dyn Token, key: &Key, data: &[u8], padding: Padding) -> Result<Mac, Fault> {
    if key.is_tdes() {
        Ok(Zeroizing::new(chain::<8>(token, key, &padded::<8>(data, padding))?.to_vec()))
    } else {
        Ok(Zeroizing::new(chain::<16>(token, key, &padded::<16>(data, padding))?.to_vec()))
    }
}

/// Whole blocks, one at least.
fn padded<const N: usize>(data: &[u8], padding: Padding) -> Zeroizing<Vec<u8>> {
    let mut whole = Zeroizing::new(Vec::with_capacity(data.len() + 2 * N));
    match padding {
        Padding::Zeros => whole.extend_from_slice(data),
        Padding::OneThenZeros => {
            whole.extend_from_slice(data);
            whole.push(0x80);
        }
        Padding::LengthFirst => whole.extend_from_slice(&with_length::<N>(data)),
    }
    let len = whole.len().max(1).next_multiple_of(N);
    whole.resize(len, 0);
    whole
}

/// For other operations that take a key's CMAC as it is.
pub(super) fn of_key(token: &mut dyn Token, info: &KeyInfo, data: &[u8]) -> Result<Mac, Fault> {
    cmac(token, &info.whole(), data)
}
