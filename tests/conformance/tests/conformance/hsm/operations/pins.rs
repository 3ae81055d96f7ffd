//! PINs. What comes out of a translation is read by the pure functions with the target's key, which the case
//! tells and the HSM does not.

use crypto::ibm3624::{DecimalizationTable, Offset, ValidationData};
use crypto::pin::{self, ClearPinBlock, Fill, Pin, format4};
use crypto::pvv::Pvv;
use crypto::{AesKey, CryptoError, TdesKey};
use hsm::{AesKsn, Algorithm, Format, KeyName, KeyRole, Ksn, PinReference, PinSource, PinTarget};
use payments::{Pan, PinBlock};

use super::super::case::{Case, Trouble, Values, digits, shown};
use super::{Bench, Stop, one};

fn format(case: &Case<'_>, name: &str) -> Result<Format, Trouble> {
    Ok(match case.number(name)? {
        0 => Format::Iso0,
        1 => Format::Iso1,
        2 => Format::Iso2,
        3 => Format::Iso3,
        4 => Format::Iso4,
        other => return Err(Trouble::Unreadable(format!("PIN block format {other} is unknown"))),
    })
}

fn letter(format: Format) -> char {
    if format == Format::Iso4 { 'A' } else { 'T' }
}

fn working(case: &Case<'_>) -> Result<Algorithm, Trouble> {
    Ok(match case.text("working_key_alg")? {
        "TDES2" => Algorithm::TdesDouble,
        "TDES3" => Algorithm::TdesTriple,
        "AES128" => Algorithm::Aes128,
        "AES192" => Algorithm::Aes192,
        "AES256" => Algorithm::Aes256,
        other => return Err(Trouble::Unreadable(format!("algorithm {other} is unknown"))),
    })
}

pub(super) async fn translate(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let case = bench.case;
    let (from, to) = (format(case, "src_format")?, format(case, "dst_format")?);
    let source = match case.op() {
        "pin_translate" => PinSource::Static { key: bench.key(KeyRole::Tpk, letter(from), "src_key").await?, format: from },
        "dukpt_tdes_pin_translate" => {
            let ksn = Ksn::new(&case.bytes("ksn")?)?;
            PinSource::Dukpt { bdk: bench.key(KeyRole::Bdk, 'T', "bdk").await?, ksn, format: from }
        }
        _ => {
            let ksn = AesKsn::new(&case.bytes("ksn")?)?;
            let bdk = bench.key(KeyRole::Bdk, 'A', "bdk").await?;
            PinSource::DukptAes { bdk, ksn, working: working(case)?, format: from }
        }
    };
    let target = PinTarget { key: bench.key(KeyRole::Zpk, letter(to), "dst_key").await?, format: to };
    let (pan, block) = (bench.pan()?, block(case, "src_block")?);
    let made = bench.hsm.translate_pin(&source, &target, &pan, &block).await?;
    let key = case.bytes("dst_key")?;
    let pin = read(to, &key, made.reveal(), &pan)?;
    let mut values = one("pin", digits(pin.reveal()));
    let mut out = shown(made.reveal());
    if matches!(to, Format::Iso3 | Format::Iso4) {
        // Filled at random: the block that is wanted must hold the same PIN.
        let wanted = case.fixed("pin_block_under_dst").unwrap_or_default();
        let raw = hex::decode(wanted).map_err(|_| Trouble::Unreadable("its block is not hexadecimal".to_owned()))?;
        if raw != made.reveal() && read(to, &key, &raw, &pan)? == pin {
            out = wanted.into();
        }
    }
    values.insert("pin_block_under_dst".to_owned(), out);
    Ok(values)
}

fn block(case: &Case<'_>, name: &str) -> Result<PinBlock, Stop> {
    Ok(PinBlock::new(&case.bytes(name)?).map_err(|_| CryptoError::PinBlock)?)
}

fn read(format: Format, key: &[u8], block: &[u8], pan: &Pan) -> Result<Pin, Stop> {
    let eight = match format {
        Format::Iso0 => pin::Format::Iso0,
        Format::Iso1 => pin::Format::Iso1,
        Format::Iso3 => pin::Format::Iso3,
        _ => return Ok(format4::decipher(&AesKey::from_bytes(key)?, block, pan.reveal())?),
    };
    Ok(pin::decode(eight, &ClearPinBlock::decrypt(&TdesKey::unchecked(key)?, block)?, pan.reveal())?)
}

/// The PIN of the case as it comes to an HSM: in a block under a terminal's key. Format 1, since some of the
/// PANs are too short for others.
async fn sealed(bench: &mut Bench<'_>) -> Result<(PinSource, PinBlock), Stop> {
    let (tpk, clear) = bench.terminal().await?;
    let made = pin::encode(pin::Format::Iso1, &bench.case.pin()?, b"", &Fill::default())?.encrypt(&clear);
    let block = PinBlock::new(&made).map_err(|_| CryptoError::PinBlock)?;
    Ok((PinSource::Static { key: tpk, format: Format::Iso1 }, block))
}

fn index(case: &Case<'_>) -> Result<u8, Stop> {
    match case.text("pvki")?.as_bytes() {
        [index] => Ok(*index),
        _ => Err(CryptoError::Pvki.into()),
    }
}

pub(super) async fn pvv(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let (pvk, index) = (bench.key(KeyRole::PvkVisa, 'T', "pvk").await?, index(bench.case)?);
    let ((source, block), pan) = (sealed(bench).await?, bench.pan()?);
    let made = bench.hsm.generate_pvv(&source, &pvk, index, &pan, &block).await?;
    let reference = PinReference::Visa { pvk, index, pvv: made.clone() };
    if !bench.hsm.verify_pin(&source, &reference, &pan, &block).await?.0 {
        return Err(Trouble::Refused("does not verify what it made".to_owned()).into());
    }
    Ok(one("value", digits(made.reveal())))
}

pub(super) async fn pvv_verify(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let kept = bench.case.text("pvv")?.as_bytes().try_into();
    let pvv = Pvv::new(kept.map_err(|_| Trouble::Unreadable("its pvv is not four digits".to_owned()))?)?;
    let (pvk, index) = (bench.key(KeyRole::PvkVisa, 'T', "pvk").await?, index(bench.case)?);
    verified(bench, &PinReference::Visa { pvk, index, pvv }).await
}

async fn verified(bench: &mut Bench<'_>, reference: &PinReference) -> Result<Values, Stop> {
    let ((source, block), pan) = (sealed(bench).await?, bench.pan()?);
    let verified = bench.hsm.verify_pin(&source, reference, &pan, &block).await?;
    Ok(one("valid", verified.0.into()))
}

/// Key, table and data of an account.
async fn account(bench: &mut Bench<'_>) -> Result<(KeyName, DecimalizationTable, ValidationData), Stop> {
    let case = bench.case;
    let table = DecimalizationTable::new(case.text("decimalization_table")?.as_bytes())?;
    let place = |name| Ok::<_, Trouble>(usize::try_from(case.number(name)?).unwrap_or(usize::MAX));
    let pad = case.text("pan_pad")?.bytes().next().unwrap_or_default();
    let data = ValidationData::new(case.pan()?, place("pan_verify_offset")?, place("pan_verify_length")?, pad)?;
    Ok((bench.key(KeyRole::PvkIbm, 'T', "pvk").await?, table, data))
}

pub(super) async fn offset(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let (pvk, table, data) = account(bench).await?;
    let ((source, block), pan) = (sealed(bench).await?, bench.pan()?);
    let hsm = bench.hsm.clone().allowing(&[table]);
    let made = hsm.generate_offset(&source, &pvk, &table, &data, &pan, &block).await?;
    Ok(one("offset", digits(made.reveal())))
}

pub(super) async fn offset_verify(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let (pvk, table, data) = account(bench).await?;
    let offset = Offset::new(bench.case.text("offset")?.as_bytes())?;
    let hsm = bench.hsm.clone().allowing(&[table]);
    let ((source, block), pan) = (sealed(bench).await?, bench.pan()?);
    let reference = PinReference::Ibm3624 { pvk, table, data, offset };
    let verified = hsm.verify_pin(&source, &reference, &pan, &block).await?;
    Ok(one("valid", verified.0.into()))
}
