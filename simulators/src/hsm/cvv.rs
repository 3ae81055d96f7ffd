//! Card verification values.

use crypto::cvv::{self, CardData, Cvv};

use super::codes::Code;
use super::device::{Answer, DONE};
use super::fields::Fields;
use super::keys::{self, Secret};
use super::lmk::Lmk;

/// CW.
pub(super) fn make(fields: &mut Fields<'_>) -> Answer {
    let key = keys::take(fields, Lmk::Test, &keys::CVK, Code::FIRST_PARITY)?;
    Ok((Code::DONE, computed(fields, &key)?.reveal().to_vec()))
}

/// CY.
pub(super) fn check(fields: &mut Fields<'_>) -> Answer {
    let key = keys::take(fields, Lmk::Test, &keys::CVK, Code::FIRST_PARITY)?;
    let shown = Cvv::new(fields.bytes(3)?).map_err(|_| Code::INPUT)?;
    if computed(fields, &key)? == shown { DONE } else { Err(Code::FAILED) }
}

fn computed(fields: &mut Fields<'_>, key: &Secret) -> Result<Cvv, Code> {
    let key = key.double()?;
    let pan = fields.until(b';', 19)?;
    let (expiry, service_code) = (fields.digits(4)?, fields.digits(3)?);
    let card = CardData::new(pan, expiry, service_code).map_err(|_| Code::INPUT)?;
    Ok(cvv::cvv(key, &card)?)
}
