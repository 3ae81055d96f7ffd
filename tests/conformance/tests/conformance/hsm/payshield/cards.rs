//! Card verification values, and PINs against what an issuer keeps of them.

use crypto::ibm3624;
use crypto::pin;
use crypto::{CryptoError, TdesKey};
use hsm::HsmError;
use hsm::payshield::{CardSecurity, Offset, PinCheck, PinFormat, PinFrom, Pvv, Role};
use payments::{Pan, PinBlock};

use super::super::case::{Case, Trouble, Values, digits, values};
use super::lab::{self, Bench};
use super::{Outcome, refused, refused_of};

/// What the key of PIN blocks is in these cases: they name none.
const PIN_KEY: [u8; 16] = [0x13, 0x34, 0x57, 0x79, 0x9B, 0xBC, 0xDF, 0xF1, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10];

fn card<'a>(bench: &Bench<'_>, case: &Case<'_>, pan: &'a Pan) -> Result<CardSecurity<'a>, Trouble> {
    let expiry = case.text("expiry")?.as_bytes().try_into().map_err(|_| CryptoError::Expiry)?;
    let service_code = case.text("service_code")?.as_bytes().try_into().map_err(|_| CryptoError::ServiceCode)?;
    Ok(CardSecurity { key: bench.put(Role::Cvk, &case.bytes("cvk")?)?, pan, expiry, service_code })
}

pub(super) fn cvv(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let pan = lab::pan(case)?;
    let card = card(bench, case, &pan)?;
    let made = bench.wait(bench.client().cvv(&card)).map_err(refused_of("cvk"))?;
    values([("value", digits(&*made))])
}

pub(super) fn cvv_verify(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let pan = lab::pan(case)?;
    let card = card(bench, case, &pan)?;
    let shown = case.text("cvv")?.as_bytes().try_into().map_err(|_| CryptoError::Alphabet)?;
    // That the right value is taken is part of saying that another is not.
    let right = bench.wait(bench.client().cvv(&card)).map_err(refused_of("cvk"))?;
    if !bench.wait(bench.client().verify_cvv(&card, &right)).map_err(refused)? {
        return Err(Trouble::Refused("does not take its own value".to_owned()));
    }
    let valid = bench.wait(bench.client().verify_cvv(&card, shown)).map_err(refused_of("cvk"))?;
    values([("valid", valid.into())])
}

/// The case's PIN in a block, as it comes from a terminal and from a zone; both must be judged alike.
fn both_ways(bench: &Bench<'_>, case: &Case<'_>, check: &PinCheck) -> Result<Result<bool, HsmError>, Trouble> {
    let pan = lab::pan(case)?;
    let block = pin::format0_encode(&case.pin()?, case.pan()?)?.encrypt(&TdesKey::unchecked(&PIN_KEY)?);
    let block = PinBlock::new(&block).map_err(|_| CryptoError::PinBlock)?;
    let mut judged = Vec::new();
    for role in [Role::Tpk, Role::Zpk] {
        let from = PinFrom::Static { key: bench.put(role, &PIN_KEY)?, format: PinFormat::Iso0 };
        judged.push(bench.wait(bench.client().verify_pin(&from, &pan, &block, check)));
    }
    match judged.as_slice() {
        [terminal, zone] if terminal == zone => Ok(terminal.clone()),
        other => Err(Trouble::Refused(format!("terminal and zone differ: {other:?}"))),
    }
}

pub(super) fn pvv_verify(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let value = case.text("pvv")?.as_bytes().try_into();
    let value = crypto::pvv::Pvv::new(value.map_err(|_| Trouble::Unreadable("its pvv is not four digits".to_owned()))?)?;
    let index = match case.text("pvki")?.as_bytes() {
        [index] => *index,
        _ => return Err(CryptoError::Pvki.into()),
    };
    let check = PinCheck::Visa(Pvv { key: bench.put(Role::Pvk, &case.bytes("pvk")?)?, index, value });
    values([("valid", both_ways(bench, case, &check)?.map_err(refused)?.into())])
}

pub(super) fn offset_verify(bench: &Bench<'_>, case: &Case<'_>) -> Outcome {
    let judged = judge_offset(bench, case);
    match judged {
        // The digits do not hold the account's: this HSM has no field for them.
        Ok(Err(HsmError::Unsupported(_))) => None,
        Ok(judged) => Some(judged.map_err(refused).and_then(|valid| values([("valid", valid.into())]))),
        Err(trouble) => Some(Err(trouble)),
    }
}

fn judge_offset(bench: &Bench<'_>, case: &Case<'_>) -> Result<Result<bool, HsmError>, Trouble> {
    let place = |name| Ok::<_, Trouble>(usize::try_from(case.number(name)?).unwrap_or(usize::MAX));
    let table = case.text("decimalization_table")?.as_bytes().try_into().map_err(|_| CryptoError::DecimalizationTable)?;
    let check = PinCheck::Ibm3624(Offset {
        key: bench.put(Role::Pvk, &case.bytes("pvk")?)?,
        table,
        start: place("pan_verify_offset")?,
        length: place("pan_verify_length")?,
        pad: case.text("pan_pad")?.bytes().next().unwrap_or_default(),
        shortest: 4,
        offset: ibm3624::Offset::new(case.text("offset")?.as_bytes())?,
    });
    both_ways(bench, case, &check)
}
