//! PIN blocks from key to key.

use hsm::payshield::{PinFormat, PinFrom, PinTo, Role};
use hsm::{KeyName, Ksn};
use payments::PinBlock;

use super::super::case::{Case, Trouble, Values, shown, values};
use super::lab::{self, Bench, alternately};
use super::{Outcome, refused};

/// A format, as cases number them; `None` for format 2, which no command here takes.
fn format(case: &Case<'_>, name: &str) -> Result<Option<PinFormat>, Trouble> {
    Ok(match case.number(name)? {
        0 => Some(PinFormat::Iso0),
        1 => Some(PinFormat::Iso1),
        3 => Some(PinFormat::Iso3),
        4 => Some(PinFormat::Iso4),
        _ => None,
    })
}

/// The formats of source and target.
fn formats(case: &Case<'_>) -> Result<Option<(PinFormat, PinFormat)>, Trouble> {
    Ok(format(case, "src_format")?.zip(format(case, "dst_format")?))
}

/// A key of the format's cipher.
fn key(bench: &Bench<'_>, case: &Case<'_>, name: &str, role: Role, format: PinFormat) -> Result<KeyName, Trouble> {
    let clear = case.bytes(name)?;
    if format == PinFormat::Iso4 { bench.put_aes(role, "P0", &clear) } else { bench.put(role, &clear) }
}

/// The random bytes that make the fill which the case fixes.
fn script(bench: &Bench<'_>, case: &Case<'_>, target: PinFormat) {
    if let Some(nibbles) = case.fixed("dst_fill") {
        let least = if target == PinFormat::Iso3 { 0xA } else { 0 };
        let values = nibbles.chars().filter_map(|digit| digit.to_digit(16)).filter_map(|value| u8::try_from(value).ok());
        // The device draws for the shortest PIN; what a longer one does not use is not looked at.
        let fill: Vec<u8> = values.map(|value| value.saturating_sub(least)).chain(std::iter::repeat(0)).take(10).collect();
        bench.script(&fill);
    }
    if let Some(field) = case.fixed("dst_pin_field").and_then(|text| hex::decode(text).ok()) {
        bench.script(field.last_chunk::<8>().map_or(&[], |random| random));
    }
}

pub(super) fn translate(bench: &Bench<'_>, case: &Case<'_>) -> Outcome {
    let formats = formats(case).transpose()?;
    Some(formats.and_then(|(from, to)| {
        let role = alternately(case, Role::Tpk, Role::Zpk);
        let source = PinFrom::Static { key: key(bench, case, "src_key", role, from)?, format: from };
        moved(bench, case, &source, to)
    }))
}

pub(super) fn translate_dukpt(bench: &Bench<'_>, case: &Case<'_>) -> Outcome {
    let formats = formats(case).transpose()?;
    Some(formats.and_then(|(from, to)| {
        let (bdk, ksn) = (bench.put(Role::Bdk, &case.bytes("bdk")?)?, Ksn::new(&case.bytes("ksn")?)?);
        moved(bench, case, &PinFrom::Dukpt { bdk, ksn, format: from }, to)
    }))
}

fn moved(bench: &Bench<'_>, case: &Case<'_>, from: &PinFrom, to: PinFormat) -> Result<Values, Trouble> {
    let target = PinTo { key: key(bench, case, "dst_key", Role::Zpk, to)?, format: to };
    let pan = lab::pan(case)?;
    let block = PinBlock::new(&case.bytes("src_block")?).map_err(|_| crypto::CryptoError::PinBlock)?;
    script(bench, case, to);
    let moved = bench.wait(bench.client().translate_pin(from, &target, &pan, &block)).map_err(refused)?;
    values([("pin_block_under_dst", shown(moved.reveal()))])
}
