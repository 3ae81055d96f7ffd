//! PINs: from one block to another, and against what the issuer keeps. A clear PIN block is in memory here.

use crypto::ibm3624::{self, DecimalizationTable, Offset, ValidationData};
use crypto::pin::{self, ClearPinBlock, Fill, Pin, format4};
use crypto::pvv::{self, Pvv};
use crypto::tdes::Block;
use payments::{Pan, PinBlock};

use super::cipher::block;
use super::dukpt;
use crate::keys::Use;
use crate::purpose::{Format, PinReference, PinSource, PinTarget, Verified};
use crate::token::{Fault, Key, Token, Way, require};
use crate::{Algorithm, HsmError, KeyInfo, KeyName, KeyRole};

/// What a PIN block that is none is compared as, so that the answer takes its usual time.
const STAND_IN: &[u8] = b"0000";

pub(crate) fn translate(
    token: &mut dyn Token,
    source: &PinSource,
    target: &PinTarget,
    pan: &Pan,
    sealed: &PinBlock,
) -> Result<PinBlock, Fault> {
    let to = require(token, &target.key, &[KeyRole::Zpk], Use::Forward)?;
    if !source.format().may_become(target.format) {
        return Err(HsmError::Unsupported("translate a PIN block between these formats").into());
    }
    let pin = open(token, source, pan, sealed)?;
    close(token, &to, target.format, &pin, pan)
}

pub(crate) fn verify(
    token: &mut dyn Token,
    source: &PinSource,
    reference: &PinReference,
    allowed: &[DecimalizationTable],
    pan: &Pan,
    sealed: &PinBlock,
) -> Result<Verified, Fault> {
    let refused = |reason| metrics::counter!("hsm_pin_mismatches_total", "reason" => reason).increment(1);
    let (pin, readable) = match open(token, source, pan, sealed) {
        Ok(pin) => (pin, true),
        Err(Fault::Error(HsmError::PinBlock)) => (Pin::new(STAND_IN)?, false),
        Err(fault) => return Err(fault),
    };
    let same = match reference {
        PinReference::Visa { pvk, index, pvv } => visa(token, pvk, Use::Backward, *index, &pin, pan)? == *pvv,
        PinReference::Ibm3624 { pvk, table, data, offset } => {
            let natural = natural(token, pvk, Use::Backward, (table, allowed), data, offset.reveal().len())?;
            ibm3624::pin_of_natural(&natural, offset)? == pin
        }
    };
    match (readable, same) {
        (true, true) => {}
        (true, false) => refused("pin"),
        (false, _) => refused("block"),
    }
    Ok(Verified(readable & same))
}

pub(crate) fn generate_pvv(
    token: &mut dyn Token,
    source: &PinSource,
    pvk: &KeyName,
    index: u8,
    pan: &Pan,
    sealed: &PinBlock,
) -> Result<Pvv, Fault> {
    let pin = open(token, source, pan, sealed)?;
    visa(token, pvk, Use::Forward, index, &pin, pan)
}

pub(crate) fn generate_offset(
    token: &mut dyn Token,
    source: &PinSource,
    pvk: &KeyName,
    table: (&DecimalizationTable, &[DecimalizationTable]),
    data: &ValidationData,
    pan: &Pan,
    sealed: &PinBlock,
) -> Result<Offset, Fault> {
    let pin = open(token, source, pan, sealed)?;
    let natural = natural(token, pvk, Use::Forward, table, data, pin.reveal().len())?;
    Ok(ibm3624::offset_of_natural(&natural, &pin)?)
}

fn visa(token: &mut dyn Token, pvk: &KeyName, wanted: Use, index: u8, pin: &Pin, pan: &Pan) -> Result<Pvv, Fault> {
    let key = require(token, pvk, &[KeyRole::PvkVisa], wanted)?.whole();
    let sealed = block(token, &key, Way::Encrypt, &*pvv::field(index, pin, pan.reveal())?)?;
    Ok(pvv::of_sealed(&sealed))
}

/// The natural PIN. Tables that the operator has not allowed are refused before the key is asked.
fn natural(
    token: &mut dyn Token,
    pvk: &KeyName,
    wanted: Use,
    (table, allowed): (&DecimalizationTable, &[DecimalizationTable]),
    data: &ValidationData,
    length: usize,
) -> Result<Pin, Fault> {
    let key = require(token, pvk, &[KeyRole::PvkIbm], wanted)?.whole();
    if !allowed.contains(table) {
        return Err(HsmError::TableNotAllowed.into());
    }
    let sealed = block(token, &key, Way::Encrypt, data.reveal())?;
    Ok(ibm3624::natural_pin_of_sealed(&sealed, table, length)?)
}

/// The key of a source, with the name and algorithm that an error tells.
fn key_of(token: &mut dyn Token, source: &PinSource) -> Result<(Key, KeyName, Algorithm), Fault> {
    match source {
        PinSource::Static { key, .. } => {
            let info = require(token, key, &[KeyRole::Tpk, KeyRole::Zpk], Use::Backward)?;
            Ok((info.whole(), *key, info.algorithm))
        }
        PinSource::Dukpt { bdk, ksn, .. } => {
            let key = dukpt::tdes(token, bdk, ksn, crypto::dukpt::Purpose::Pin)?;
            Ok((Key::Tdes(key), *bdk, Algorithm::TdesDouble))
        }
        PinSource::DukptAes { bdk, ksn, working, .. } => {
            Ok((dukpt::aes(token, bdk, ksn, crypto::dukpt::aes::Purpose::Pin, *working)?, *bdk, *working))
        }
    }
}

/// The PIN of a block. What is wrong with a block is one error.
fn open(token: &mut dyn Token, source: &PinSource, pan: &Pan, sealed: &PinBlock) -> Result<Pin, Fault> {
    let (key, name, algorithm) = key_of(token, source)?;
    let format = source.format();
    fits(&name, algorithm, format)?;
    let pin = match format.eight() {
        Some(format) => {
            let sealed: Block = sealed.reveal().try_into().map_err(|_| HsmError::PinBlock)?;
            let clear = block(token, &key, Way::Decrypt, &sealed)?;
            pin::decode(format, &ClearPinBlock::new(*clear), pan.reveal())
        }
        None => {
            let sealed: [u8; 16] = sealed.reveal().try_into().map_err(|_| HsmError::PinBlock)?;
            let between = block(token, &key, Way::Decrypt, &sealed)?;
            let bound = zeroize::Zeroizing::new(format4::bind(*between, pan.reveal())?);
            let clear = block(token, &key, Way::Decrypt, &bound)?;
            format4::PinField::of_clear(*clear).pin()
        }
    };
    Ok(pin?)
}

/// A block of the PIN.
fn close(token: &mut dyn Token, key: &KeyInfo, format: Format, pin: &Pin, pan: &Pan) -> Result<PinBlock, Fault> {
    fits(&key.name, key.algorithm, format)?;
    let whole = key.whole();
    let made = match format.eight() {
        Some(format) => {
            let mut fill = zeroize::Zeroizing::new(Fill::default());
            if format.is_random() {
                token.random(&mut *fill)?;
            }
            let clear = pin::encode(format, pin, pan.reveal(), &fill)?;
            PinBlock::new(&*block(token, &whole, Way::Encrypt, clear.reveal())?)
        }
        None => {
            let mut random = zeroize::Zeroizing::new([0; 8]);
            token.random(&mut *random)?;
            let between = block(token, &whole, Way::Encrypt, format4::PinField::new(pin, *random).reveal())?;
            let bound = zeroize::Zeroizing::new(format4::bind(*between, pan.reveal())?);
            PinBlock::new(&*block(token, &whole, Way::Encrypt, &bound)?)
        }
    };
    Ok(made.map_err(|_| HsmError::PinBlock)?)
}

/// Whether a key can be one of a format: AES for format 4, else TDES. Format 2 is for chip cards.
fn fits(key: &KeyName, algorithm: Algorithm, format: Format) -> Result<(), Fault> {
    match format {
        Format::Iso2 => Err(HsmError::Unsupported("read or make PIN blocks of format 2").into()),
        Format::Iso4 if algorithm.is_tdes() => Err(HsmError::KeyAlgorithm { key: *key, algorithm }.into()),
        Format::Iso0 | Format::Iso1 | Format::Iso3 if !algorithm.is_tdes() => {
            Err(HsmError::KeyAlgorithm { key: *key, algorithm }.into())
        }
        Format::Iso0 | Format::Iso1 | Format::Iso3 | Format::Iso4 => Ok(()),
    }
}
