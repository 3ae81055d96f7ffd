//! MACs and data, under static and DUKPT keys.

use hsm::{AesKsn, Algorithm, DataSource, KeyRole, Ksn, MacDirection, MacMethod, MacSource, Padding};

use super::super::case::{Case, Trouble, Values, shown};
use super::{Bench, Stop, one};

fn padding(case: &Case<'_>) -> Result<Padding, Trouble> {
    Ok(match case.number("padding")? {
        1 => Padding::Zeros,
        2 => Padding::OneThenZeros,
        3 => Padding::LengthFirst,
        other => return Err(Trouble::Unreadable(format!("padding method {other} is unknown"))),
    })
}

/// Role, cipher and method of a case's static key.
fn method(case: &Case<'_>, algorithm: &str) -> Result<(KeyRole, char, MacMethod), Trouble> {
    let aes = case.find("cipher").is_some_and(|cipher| cipher == "AES");
    Ok(match algorithm {
        "iso9797_alg1" => (KeyRole::TakCbc, if aes { 'A' } else { 'T' }, MacMethod::Cbc(padding(case)?)),
        "iso9797_alg3" => (KeyRole::Tak, 'T', MacMethod::Retail(padding(case)?)),
        "cmac_aes" => (KeyRole::TakCmac, 'A', MacMethod::Cmac),
        "cmac_tdes" => (KeyRole::TakCmac, 'T', MacMethod::Cmac),
        other => return Err(Trouble::Unreadable(format!("algorithm {other} is unknown"))),
    })
}

/// Makes the MAC whole, and has it verified, and a changed one not.
async fn made(bench: &Bench<'_>, source: MacSource, whole: usize, data: &[u8]) -> Result<Values, Stop> {
    let mut mac = bench.hsm.generate_mac_of(source, data, whole).await?;
    let values = one("mac", shown(&mac));
    let good = bench.hsm.verify_mac(source, data, &mac).await?;
    mac[0] ^= 1;
    if !good || bench.hsm.verify_mac(source, data, &mac).await? {
        return Err(Trouble::Refused("verifies otherwise than it makes".to_owned()).into());
    }
    Ok(values)
}

fn bytes(letter: char) -> usize {
    if letter == 'A' { 16 } else { 8 }
}

pub(super) async fn generate(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let algorithm = bench.case.op().trim_start_matches("mac_");
    let (role, letter, method) = method(bench.case, algorithm)?;
    if bench.case.bytes("key")?.len() == 8 {
        // Single DES, in the standard's own examples.
        return Err(Stop::NotTaken);
    }
    let key = bench.key(role, letter, "key").await?;
    made(bench, MacSource::Static { key, method }, bytes(letter), &bench.case.data()?).await
}

pub(super) async fn verify(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let (role, letter, method) = method(bench.case, bench.case.text("algorithm")?)?;
    let key = bench.key(role, letter, "key").await?;
    let (data, mac) = (bench.case.data()?, bench.case.bytes("mac")?);
    Ok(one("valid", bench.hsm.verify_mac(MacSource::Static { key, method }, &data, &mac).await?.into()))
}

/// The direction of a variant, which must be one of a kind.
fn direction(case: &Case<'_>, kind: &str) -> Result<MacDirection, Trouble> {
    match case.text("variant")?.strip_prefix(kind) {
        Some("_request") => Ok(MacDirection::Request),
        Some("_response") => Ok(MacDirection::Response),
        _ => Err(Trouble::Unreadable("its variant is unknown".to_owned())),
    }
}

pub(super) async fn dukpt_tdes(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let case = bench.case;
    let method = match case.op() {
        "dukpt_tdes_cmac" => MacMethod::Cmac,
        _ => method(case, case.text("algorithm")?)?.2,
    };
    let ksn = Ksn::new(&case.bytes("ksn")?)?;
    let bdk = bench.key(KeyRole::Bdk, 'T', "bdk").await?;
    let source = MacSource::Dukpt { bdk, ksn, direction: direction(case, "mac")?, method };
    made(bench, source, 8, &case.data()?).await
}

pub(super) async fn dukpt_aes(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let case = bench.case;
    let (working, whole) = match case.text("working_key_alg")? {
        "AES128" => (Algorithm::Aes128, 16),
        "TDES2" => (Algorithm::TdesDouble, 8),
        other => return Err(Trouble::Unreadable(format!("algorithm {other} is unknown")).into()),
    };
    let direction = match case.text("usage")? {
        "mac_generation" => MacDirection::Request,
        "mac_verification" => MacDirection::Response,
        "mac_both_ways" => MacDirection::Both,
        other => return Err(Trouble::Unreadable(format!("usage {other} is unknown")).into()),
    };
    let ksn = AesKsn::new(&case.bytes("ksn")?)?;
    let bdk = bench.key(KeyRole::Bdk, 'A', "bdk").await?;
    let source = MacSource::DukptAes { bdk, ksn, working, direction, method: MacMethod::Cmac };
    made(bench, source, whole, &case.data()?).await
}

async fn data_source(bench: &mut Bench<'_>) -> Result<DataSource, Stop> {
    let ksn = Ksn::new(&bench.case.bytes("ksn")?)?;
    let bdk = bench.key(KeyRole::Bdk, 'T', "bdk").await?;
    Ok(DataSource::Dukpt { bdk, ksn, direction: direction(bench.case, "data")? })
}

pub(super) async fn data_encrypt(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let source = data_source(bench).await?;
    let mut data = bench.case.data()?;
    if bench.case.find("padding").is_some() {
        data.resize(data.len().next_multiple_of(8), 0);
    }
    Ok(one("ciphertext", shown(bench.hsm.encrypt_data(&source, &[0; 8], &data).await?)))
}

pub(super) async fn data_decrypt(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let source = data_source(bench).await?;
    let clear = bench.hsm.decrypt_data(&source, &[0; 8], &bench.case.bytes("ciphertext")?).await?;
    Ok(one("plaintext", shown(&*clear)))
}
