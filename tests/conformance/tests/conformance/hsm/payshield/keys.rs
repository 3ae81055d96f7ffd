//! Keys in and out. What came out under the master keys is opened here, since these are public.

use hsm::Kcv;
use hsm::payshield::{Role, Wrapped, ZoneCryptogram};
use serde_json::Value;
use simulators::hsm::lmk::Lmk;

use super::super::case::{Case, Trouble, Values, shown, values};
use super::lab::{self, Bench};
use super::refused;

/// The clear key in a cryptogram under the test master keys.
fn opened(role: Role, wrapped: &Wrapped) -> Value {
    shown(Lmk::Test.clear(lab::key_type(role), wrapped.as_str()).unwrap_or_default())
}

pub(super) fn check_value(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let key = bench.put(Role::Zpk, &case.bytes("key")?)?;
    let told = bench.wait(bench.client().key_check_value(&key)).map_err(refused)?;
    values([("kcv", told.to_string().into())])
}

pub(super) fn export(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let (zmk, key) = (bench.put(Role::Zmk, &case.bytes("zmk")?)?, bench.put(Role::Zpk, &case.bytes("key")?)?);
    let (sent, told) = bench.wait(bench.client().export_key(&key, &zmk)).map_err(refused)?;
    values([("key_under_zmk", shown(sent.as_bytes())), ("kcv", told.to_string().into())])
}

pub(super) fn import(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let zmk = bench.put(Role::Zmk, &case.bytes("zmk")?)?;
    let sent = ZoneCryptogram::new(&case.bytes("key_under_zmk")?).map_err(refused)?;
    let name = bench.name();
    let imported = bench.wait(bench.client().import_key(&name, Role::Bdk, &zmk, &sent, Kcv(case.array("kcv")?)));
    let entry = imported.map_err(|error| {
        bench.forget(name);
        refused(error)
    })?;
    values([("key", opened(Role::Bdk, &entry.wrapped)), ("kcv", entry.check_value.to_string().into())])
}

pub(super) fn components(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let given = case.find("components").and_then(Value::as_array).into_iter().flatten();
    let mut components = Vec::new();
    let mut check_values = Vec::new();
    for text in given {
        let raw = text.as_str().and_then(|text| hex::decode(text).ok());
        let raw = raw.ok_or_else(|| Trouble::Unreadable("a component is not hexadecimal".to_owned()))?;
        let (wrapped, _) = lab::wrapped(Role::Zmk, &raw)?;
        let told = bench.wait(bench.client().check_value_of(Role::Zmk, &wrapped)).map_err(refused)?;
        check_values.push(told.to_string().into());
        components.push(wrapped);
    }
    let name = bench.name();
    let formed = bench.wait(bench.client().form_key(&name, Role::Zmk, &components));
    let entry = formed.map_err(|error| {
        bench.forget(name);
        refused(error)
    })?;
    values([
        ("key", opened(Role::Zmk, &entry.wrapped)),
        ("kcv", entry.check_value.to_string().into()),
        ("component_kcvs", Value::Array(check_values)),
    ])
}
