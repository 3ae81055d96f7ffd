//! Keys themselves: check values, parity, components, variants, transport; and FF1.

use crypto::{TdesKey, ff1, kcv, transport};
use serde_json::Value;

use super::super::case::{Case, Trouble, Values, of_key, shown, values};

pub(super) fn aes_block(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("ciphertext", shown(case.aes("key")?.encrypt_block(case.array("plaintext")?)))])
}

pub(super) fn kcv_aes(case: &Case<'_>) -> Result<Values, Trouble> {
    let key = case.aes("key")?;
    values([("kcv_ecb_zero", shown(kcv::aes_zeros(&key))), ("kcv_cmac", shown(kcv::aes_cmac(&key)))])
}

pub(super) fn kcv_tdes(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("kcv", shown(kcv::tdes(&case.tdes("key")?)))])
}

pub(super) fn check(case: &Case<'_>) -> Result<Values, Trouble> {
    TdesKey::from_bytes(&case.bytes("key")?).map_err(of_key("key"))?;
    values([("valid", true.into())])
}

pub(super) fn export(case: &Case<'_>) -> Result<Values, Trouble> {
    let key = case.tdes("key")?;
    let sealed = transport::export(&case.tdes("zmk")?, &key)?;
    values([("key_under_zmk", shown(&*sealed)), ("kcv", shown(kcv::tdes(&key)))])
}

pub(super) fn import(case: &Case<'_>) -> Result<Values, Trouble> {
    let key = transport::import(&case.tdes("zmk")?, &case.bytes("key_under_zmk")?, &case.bytes("kcv")?)?;
    values([("key", shown(key.reveal())), ("kcv", shown(kcv::tdes(&key)))])
}

pub(super) fn components(case: &Case<'_>) -> Result<Values, Trouble> {
    let given = case.find("components").and_then(Value::as_array).into_iter().flatten();
    let components: Vec<TdesKey> = given
        .map(|text| {
            let raw = text.as_str().and_then(|text| hex::decode(text).ok());
            let raw = raw.ok_or_else(|| Trouble::Unreadable("a component is not hexadecimal".to_owned()))?;
            Ok(TdesKey::unchecked(&raw)?)
        })
        .collect::<Result<_, Trouble>>()?;
    let key = transport::tdes_of_components(&components)?;
    let check_values = components.iter().map(|component| shown(kcv::tdes(component))).collect();
    values([("key", shown(key.reveal())), ("kcv", shown(kcv::tdes(&key))), ("component_kcvs", Value::Array(check_values))])
}

pub(super) fn parity(case: &Case<'_>) -> Result<Values, Trouble> {
    let key = case.tdes("key")?;
    values([("key", shown(key.with_odd_parity().reveal())), ("was_odd", key.has_odd_parity().into())])
}

pub(super) fn atalla(case: &Case<'_>) -> Result<Values, Trouble> {
    let variant = u8::try_from(case.number("variant")?).unwrap_or(u8::MAX);
    values([("key", shown(transport::atalla_variant(&case.tdes("key")?, variant)?.reveal()))])
}

pub(super) fn under_lmk(case: &Case<'_>) -> Result<Values, Trouble> {
    let clear = case.bytes("clear_key")?;
    match (case.text("key_scheme")?, clear.len()) {
        ("Z", 8) | ("U", 16) | ("T", 24) => {}
        (scheme, len) => return Err(Trouble::Unreadable(format!("scheme {scheme} of {len} bytes is unknown"))),
    }
    let variant = u8::try_from(case.number("variant")?).unwrap_or(u8::MAX);
    values([("key_under_lmk", shown(&*transport::under_variant_lmk(&case.tdes("lmk_clear")?, variant, &clear)?))])
}

/// Decrypted again, too.
pub(super) fn ff1(case: &Case<'_>) -> Result<Values, Trouble> {
    let radix = ff1::Radix::new(u32::try_from(case.number("radix")?).unwrap_or(u32::MAX))?;
    let (key, tweak, text) = (case.aes("key")?, case.bytes("tweak")?, case.text("plaintext")?);
    let sealed = ff1::encrypt(&key, radix, &tweak, text)?;
    if *ff1::decrypt(&key, radix, &tweak, &sealed)? != text {
        return Err(Trouble::Refused("does not decrypt to what was encrypted".to_owned()));
    }
    values([("ciphertext", sealed.as_str().into())])
}
