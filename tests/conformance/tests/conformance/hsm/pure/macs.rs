//! Message authentication codes.

use crypto::TdesKey;
use crypto::mac::{self, Padding};

use super::super::case::{Case, Trouble, Values, of_key, shown, values};

pub(super) fn cmac_aes(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("mac", shown(mac::cmac_aes(&case.aes("key")?, &case.data()?)))])
}

pub(super) fn cmac_tdes(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("mac", shown(mac::cmac_tdes(&case.tdes("key")?, &case.data()?)))])
}

/// The data as its padding method wants it, and how the rest is filled.
fn padded<const N: usize>(case: &Case<'_>, data: Vec<u8>) -> Result<(Vec<u8>, Padding), Trouble> {
    match case.number("padding")? {
        1 => Ok((data, Padding::Zeros)),
        2 => Ok((data, Padding::OneThenZeros)),
        3 => Ok((mac::with_length::<N>(&data).to_vec(), Padding::Zeros)),
        other => Err(Trouble::Unreadable(format!("padding method {other} is unknown"))),
    }
}

/// The standard's own examples are of single DES.
fn tdes_or_single(case: &Case<'_>) -> Result<TdesKey, Trouble> {
    let raw = case.bytes("key")?;
    let key = if raw.len() == 8 { TdesKey::single(&raw) } else { TdesKey::unchecked(&raw) };
    key.map_err(of_key("key"))
}

pub(super) fn algorithm_1(case: &Case<'_>) -> Result<Values, Trouble> {
    if case.find("cipher").is_some_and(|cipher| cipher == "AES") {
        let (data, padding) = padded::<16>(case, case.data()?)?;
        return values([("mac", shown(mac::cbc_mac_aes(&case.aes("key")?, &data, padding)))]);
    }
    let (data, padding) = padded::<8>(case, case.data()?)?;
    values([("mac", shown(mac::cbc_mac(&tdes_or_single(case)?, &data, padding)))])
}

pub(super) fn algorithm_3(case: &Case<'_>) -> Result<Values, Trouble> {
    let (data, padding) = padded::<8>(case, case.data()?)?;
    values([("mac", shown(mac::retail_mac(&case.tdes("key")?, &data, padding)))])
}

pub(super) fn verify(case: &Case<'_>) -> Result<Values, Trouble> {
    let right = match case.text("algorithm")? {
        "iso9797_alg1" => algorithm_1(case)?,
        "iso9797_alg3" => algorithm_3(case)?,
        "cmac_aes" => cmac_aes(case)?,
        "cmac_tdes" => cmac_tdes(case)?,
        other => return Err(Trouble::Unreadable(format!("algorithm {other} is unknown"))),
    };
    let right = right["mac"].as_str().and_then(|text| hex::decode(text).ok()).unwrap_or_default();
    values([("valid", mac::matches(&right, &case.bytes("mac")?).into())])
}
