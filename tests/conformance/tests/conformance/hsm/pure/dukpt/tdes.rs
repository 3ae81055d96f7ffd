//! TDES DUKPT.

use crypto::dukpt::{self, Ksn, Purpose};
use crypto::modes::{cbc_decrypt, cbc_encrypt};
use crypto::{TdesKey, mac};

use super::super::super::case::{Case, Trouble, Values, of_key, shown, values};
use super::super::pins::{PinKey, encrypt, translate_from};

pub(in super::super) fn initial_key(case: &Case<'_>) -> Result<Values, Trouble> {
    let serial = Ksn::serial_of(&case.bytes("ksn")?)?;
    let key = dukpt::initial_key_of_serial(&case.tdes("bdk")?, &serial).map_err(of_key("bdk"))?;
    values([("key", shown(key.reveal()))])
}

/// The device's initial key, and the transaction's.
fn derived(case: &Case<'_>) -> Result<(TdesKey, TdesKey), Trouble> {
    let ksn = Ksn::new(&case.bytes("ksn")?)?;
    let initial = dukpt::initial_key(&case.tdes("bdk")?, &ksn).map_err(of_key("bdk"))?;
    let transaction = dukpt::transaction_key(&initial, &ksn);
    Ok((initial, transaction))
}

fn purpose(name: &str) -> Result<Purpose, Trouble> {
    Ok(match name {
        "pin" => Purpose::Pin,
        "mac_request" => Purpose::MacRequest,
        "mac_response" => Purpose::MacResponse,
        "data_request" => Purpose::DataRequest,
        "data_response" => Purpose::DataResponse,
        other => return Err(Trouble::Unreadable(format!("variant {other} is unknown"))),
    })
}

/// The key for the use that the case names.
fn working(case: &Case<'_>) -> Result<TdesKey, Trouble> {
    Ok(dukpt::variant(&derived(case)?.1, purpose(case.text("variant")?)?))
}

pub(in super::super) fn transaction_key(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("key", shown(derived(case)?.1.reveal()))])
}

pub(in super::super) fn keys(case: &Case<'_>) -> Result<Values, Trouble> {
    let (initial, transaction) = derived(case)?;
    let mut all = values([("initial_key", shown(initial.reveal())), ("transaction_key", shown(transaction.reveal()))])?;
    for name in ["pin", "mac_request", "mac_response", "data_request", "data_response"] {
        all.insert(format!("{name}_key"), shown(dukpt::variant(&transaction, purpose(name)?).reveal()));
    }
    Ok(all)
}

pub(in super::super) fn data_key(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("key", shown(working(case)?.reveal()))])
}

pub(in super::super) fn data_encrypt(case: &Case<'_>) -> Result<Values, Trouble> {
    let mut data = case.data()?;
    // Filled with zeros, where the case says so; else it must be whole blocks.
    if case.find("padding").is_some() {
        data.resize(data.len().next_multiple_of(8), 0);
    }
    cbc_encrypt(&working(case)?, &[0; 8], &mut data)?;
    values([("ciphertext", shown(data))])
}

pub(in super::super) fn data_decrypt(case: &Case<'_>) -> Result<Values, Trouble> {
    let mut data = case.bytes("ciphertext")?;
    cbc_decrypt(&working(case)?, &[0; 8], &mut data)?;
    values([("plaintext", shown(data))])
}

pub(in super::super) fn mac(case: &Case<'_>) -> Result<Values, Trouble> {
    let padding = match case.number("padding")? {
        1 => mac::Padding::Zeros,
        2 => mac::Padding::OneThenZeros,
        other => return Err(Trouble::Unreadable(format!("padding method {other} is unknown"))),
    };
    let (key, data) = (working(case)?, case.data()?);
    let made = match case.text("algorithm")? {
        "iso9797_alg1" => mac::cbc_mac(&key, &data, padding),
        "iso9797_alg3" => mac::retail_mac(&key, &data, padding),
        other => return Err(Trouble::Unreadable(format!("algorithm {other} is unknown"))),
    };
    values([("mac_key", shown(key.reveal())), ("mac", shown(made))])
}

pub(in super::super) fn cmac(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("mac", shown(mac::cmac_tdes(&working(case)?, &case.data()?)))])
}

pub(in super::super) fn pin_encrypt(case: &Case<'_>) -> Result<Values, Trouble> {
    let key = dukpt::variant(&derived(case)?.1, Purpose::Pin);
    values([("pin_key", shown(key.reveal())), ("encrypted_pin_block", encrypt(case, "pin_block_format", &key)?)])
}

pub(in super::super) fn pin_translate(case: &Case<'_>) -> Result<Values, Trouble> {
    translate_from(case, &PinKey::Tdes(dukpt::variant(&derived(case)?.1, Purpose::Pin)))
}
