//! Card verification values and PIN verification.

use crypto::TdesKey;
use crypto::cvv::{self, CardData, Cvv};
use crypto::emv::{Card, Derivation, master_key};
use crypto::ibm3624::{self, DecimalizationTable, Offset, ValidationData};
use crypto::pvv::{self, Pvv};

use super::super::case::{Case, Trouble, Values, digits, of_key, values};

fn card<'a>(case: &Case<'a>) -> Result<CardData<'a>, Trouble> {
    let (expiry, service_code) = (case.text("expiry")?, case.text("service_code")?);
    Ok(CardData::new(case.pan()?, expiry.as_bytes(), service_code.as_bytes())?)
}

pub(super) fn cvv(case: &Case<'_>) -> Result<Values, Trouble> {
    let made = cvv::cvv(&case.tdes("cvk")?, &card(case)?).map_err(of_key("cvk"))?;
    values([("value", digits(made.reveal()))])
}

pub(super) fn cvv_verify(case: &Case<'_>) -> Result<Values, Trouble> {
    let shown = Cvv::new(case.text("cvv")?.as_bytes())?;
    let valid = cvv::verify(&case.tdes("cvk")?, &card(case)?, &shown).map_err(of_key("cvk"))?;
    values([("valid", valid.into())])
}

/// The card's own key.
fn card_key(case: &Case<'_>) -> Result<TdesKey, Trouble> {
    let derivation = match case.text("mk_option")? {
        "A" => Derivation::A,
        "B" => Derivation::B,
        other => return Err(Trouble::Unreadable(format!("option {other} is unknown"))),
    };
    let card = Card::new(case.pan()?, case.text("psn")?.as_bytes())?;
    master_key(&case.tdes("imk")?, derivation, &card).map_err(of_key("imk"))
}

pub(super) fn dcvv(case: &Case<'_>) -> Result<Values, Trouble> {
    let counter = case.text(if case.find("atc_decimal").is_some() { "atc_decimal" } else { "atc" })?;
    let made = cvv::dcvv(&card_key(case)?, &card(case)?, counter.as_bytes())?;
    values([("value", digits(made.reveal()))])
}

pub(super) fn cvc3(case: &Case<'_>) -> Result<Values, Trouble> {
    let made = cvv::cvc3(&card_key(case)?, &case.bytes("track_template")?, case.array("un")?, case.array("atc")?)?;
    values([("value", made.to_string().into())])
}

/// The key index, one character.
fn index(case: &Case<'_>) -> Result<u8, Trouble> {
    match case.text("pvki")?.as_bytes() {
        [index] => Ok(*index),
        _ => Err(crypto::CryptoError::Pvki.into()),
    }
}

pub(super) fn pvv(case: &Case<'_>) -> Result<Values, Trouble> {
    let made = pvv::pvv(&case.tdes("pvk")?, index(case)?, &case.pin()?, case.pan()?)?;
    values([("value", digits(made.reveal()))])
}

pub(super) fn pvv_verify(case: &Case<'_>) -> Result<Values, Trouble> {
    let kept = case.text("pvv")?.as_bytes().try_into();
    let kept = Pvv::new(kept.map_err(|_| Trouble::Unreadable("its pvv is not four digits".to_owned()))?)?;
    let valid = pvv::verify(&case.tdes("pvk")?, index(case)?, &case.pin()?, case.pan()?, &kept)?;
    values([("valid", valid.into())])
}

fn account(case: &Case<'_>) -> Result<(DecimalizationTable, ValidationData), Trouble> {
    let table = DecimalizationTable::new(case.text("decimalization_table")?.as_bytes())?;
    let place = |name| Ok::<_, Trouble>(usize::try_from(case.number(name)?).unwrap_or(usize::MAX));
    let pad = case.text("pan_pad")?.bytes().next().unwrap_or_default();
    Ok((table, ValidationData::new(case.pan()?, place("pan_verify_offset")?, place("pan_verify_length")?, pad)?))
}

pub(super) fn offset(case: &Case<'_>) -> Result<Values, Trouble> {
    let ((table, data), key, pin) = (account(case)?, case.tdes("pvk")?, case.pin()?);
    let natural = ibm3624::natural_pin(&key, &table, &data, pin.reveal().len())?;
    let made = ibm3624::offset(&key, &table, &data, &pin)?;
    values([("offset", digits(made.reveal())), ("natural_pin", digits(natural.reveal()))])
}

pub(super) fn offset_verify(case: &Case<'_>) -> Result<Values, Trouble> {
    let ((table, data), key, pin) = (account(case)?, case.tdes("pvk")?, case.pin()?);
    let kept = Offset::new(case.text("offset")?.as_bytes())?;
    values([("valid", ibm3624::verify(&key, &table, &data, &pin, &kept)?.into())])
}
