//! MACs and data.

use hsm::Ksn;
use hsm::payshield::{Chaining, DataSource, MacAlgorithm, MacFrom, MacPadding, Role};

use super::super::case::{Case, Trouble, Values, shown, values};
use super::lab::{Bench, alternately};
use super::{Outcome, refused, refused_of};

fn padding(case: &Case<'_>) -> Result<MacPadding, Trouble> {
    match case.number("padding")? {
        1 => Ok(MacPadding::Zeros),
        2 => Ok(MacPadding::OneThenZeros),
        3 => Ok(MacPadding::Length),
        other => Err(Trouble::Unreadable(format!("padding method {other} is unknown"))),
    }
}

/// Key and method of a case whose algorithm is called `name`.
fn from(bench: &Bench<'_>, case: &Case<'_>, name: &str) -> Result<MacFrom, Trouble> {
    let algorithm = match name {
        "mac_iso9797_alg1" | "iso9797_alg1" => MacAlgorithm::One(padding(case)?),
        "mac_iso9797_alg3" | "iso9797_alg3" => MacAlgorithm::Three(padding(case)?),
        "cmac_aes" | "cmac_tdes" => MacAlgorithm::Cmac,
        other => return Err(Trouble::Unreadable(format!("algorithm {other} is unknown"))),
    };
    let (role, clear) = (alternately(case, Role::Tak, Role::Zak), case.bytes("key")?);
    let aes = name == "cmac_aes" || case.find("cipher").is_some_and(|cipher| cipher == "AES");
    let key = if aes { bench.put_aes(role, "M6", &clear)? } else { bench.put(role, &clear)? };
    Ok(MacFrom::Static { key, algorithm })
}

/// Made, and taken back whole and by its left half.
pub(super) fn mac(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let from = from(bench, case, case.op())?;
    let made = bench.wait(bench.client().generate_mac(&from, &case.data()?)).map_err(refused_of("key"))?;
    for mac in [&made[..], &made[..4]] {
        if !bench.wait(bench.client().verify_mac(&from, &case.data()?, mac)).map_err(refused)? {
            return Err(Trouble::Refused("does not take its own MAC".to_owned()));
        }
    }
    values([("mac", shown(made))])
}

pub(super) fn mac_verify(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let from = from(bench, case, case.text("algorithm")?)?;
    let valid = bench.wait(bench.client().verify_mac(&from, &case.data()?, &case.bytes("mac")?)).map_err(refused)?;
    values([("valid", valid.into())])
}

pub(super) fn dukpt_mac(bench: &Bench<'_>, case: &Case<'_>) -> Outcome {
    if case.text("variant").is_ok_and(|variant| variant != "mac_request") {
        return None;
    }
    Some(request_mac(bench, case))
}

fn request_mac(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let (bdk, ksn) = (bench.put(Role::Bdk, &case.bytes("bdk")?)?, Ksn::new(&case.bytes("ksn")?)?);
    let from = MacFrom::Dukpt { bdk, ksn, padding: padding(case)? };
    let data = case.data()?;
    let made = bench.wait(bench.client().generate_mac(&from, &data)).map_err(refused)?;
    let mut wrong = made.clone();
    wrong.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    for (mac, right) in [(&made[..], true), (&made[..4], true), (&wrong[..], false), (&wrong[..4], false)] {
        if bench.wait(bench.client().verify_mac(&from, &data, mac)).map_err(refused)? != right {
            return Err(Trouble::Refused(format!("judges {} bytes wrongly", mac.len())));
        }
    }
    values([("mac", shown(made))])
}

fn source(bench: &Bench<'_>, case: &Case<'_>) -> Result<DataSource, Trouble> {
    Ok(DataSource::Dukpt { bdk: bench.put(Role::Bdk, &case.bytes("bdk")?)?, ksn: Ksn::new(&case.bytes("ksn")?)? })
}

const START: Chaining<'static> = Chaining::Cbc(&[0; 8]);

/// Encrypted, then taken to a zone's key and back out of it.
pub(super) fn encrypt(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let mut data = case.data()?;
    if case.find("padding").is_some() {
        data.resize(data.len().next_multiple_of(8), 0);
    }
    let (source, client) = (source(bench, case)?, bench.client());
    let sealed = bench.wait(client.encrypt_data(&source, START, &data)).map_err(refused)?;
    let zone = DataSource::Static { key: bench.put(Role::Zek, &case.bytes("bdk")?)? };
    let there = bench.wait(client.translate_data((&source, START), (&zone, Chaining::Ecb), &sealed)).map_err(refused)?;
    let back = bench.wait(client.decrypt_data(&zone, Chaining::Ecb, &there)).map_err(refused)?;
    if *back != data {
        return Err(Trouble::Refused("does not come back from the zone's key".to_owned()));
    }
    values([("ciphertext", shown(&*sealed))])
}

pub(super) fn decrypt(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let source = source(bench, case)?;
    let data = bench.wait(bench.client().decrypt_data(&source, START, &case.bytes("ciphertext")?)).map_err(refused)?;
    values([("plaintext", shown(&*data))])
}
