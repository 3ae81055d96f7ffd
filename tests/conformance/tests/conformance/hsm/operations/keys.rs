//! Keys: taken in, by components and in key blocks. A key that may leave shows what it is by leaving; one that
//! may not, by its check value.

use crypto::keyblock::{ProtectionKey, Version, unwrap as open};
use crypto::{CryptoError, TdesKey};
use hsm::{Algorithm, ClearKey, HsmError, KeyInfo, KeyName, KeyRole, MacMethod, MacSource};
use serde_json::Value;

use super::super::case::{Trouble, Values, shown};
use super::{Bench, Stop, one};

pub(super) async fn kcv_tdes(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let key = bench.key(KeyRole::Dek, 'T', "key").await?;
    Ok(one("kcv", shown(bench.hsm.key(&key).await?.kcv.0)))
}

pub(super) async fn kcv_aes(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let key = bench.key(KeyRole::TakCmac, 'A', "key").await?;
    let mut values = one("kcv_ecb_zero", shown(bench.hsm.key(&key).await?.kcv.0));
    // The newer rule, by the operation that it is.
    let source = MacSource::Static { key, method: MacMethod::Cmac };
    values.insert("kcv_cmac".to_owned(), shown(bench.hsm.generate_mac_of(source, &[0; 16], 5).await?));
    Ok(values)
}

pub(super) async fn check(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let key = ClearKey::new(KeyRole::Zpk, &bench.case.bytes("key")?)?;
    bench.take(&key).await?;
    Ok(one("valid", true.into()))
}

pub(super) async fn components(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let given = bench.case.find("components").and_then(Value::as_array).into_iter().flatten();
    let raw = given.map(|text| text.as_str().and_then(|text| hex::decode(text).ok())).collect::<Option<Vec<_>>>();
    let raw = raw.ok_or_else(|| Trouble::Unreadable("a component is not hexadecimal".to_owned()))?;
    let mut values = Values::new();
    let mut told = Vec::new();
    for component in &raw {
        // A component has any parity, which its check value does not depend on.
        let key = ClearKey::odd(KeyRole::Zpk, Algorithm::TdesDouble, component)?;
        let name = bench.take(&key).await?;
        told.push(shown(bench.hsm.key(&name).await?.kcv.0));
    }
    values.insert("component_kcvs".to_owned(), Value::Array(told));
    let parts: Vec<&[u8]> = raw.iter().map(Vec::as_slice).collect();
    let name = bench.take(&ClearKey::from_components(KeyRole::Zpk, &parts)?).await?;
    let kcv = bench.hsm.key(&name).await?.kcv;
    values.insert("kcv".to_owned(), shown(kcv.0));
    values.insert("key".to_owned(), by_check_value(bench, kcv.0)?);
    Ok(values)
}

/// The case's TDES or AES key, if this is its check value.
fn by_check_value(bench: &Bench<'_>, kcv: [u8; 3]) -> Result<Value, Stop> {
    let wanted = bench.case.fixed("key").unwrap_or_default();
    let raw = hex::decode(wanted).unwrap_or_default();
    let aes = bench.case.fixed("algorithm") == Some("A");
    let right = if aes {
        crypto::kcv::aes_zeros(&crypto::AesKey::from_bytes(&raw)?)
    } else {
        crypto::kcv::tdes(&TdesKey::unchecked(&raw)?)
    };
    Ok(if right == kcv { wanted.into() } else { shown(kcv) })
}

/// The role of ours that a block's key would have.
fn role(usage: &str) -> Option<KeyRole> {
    [
        KeyRole::Zpk,
        KeyRole::Tak,
        KeyRole::TakCbc,
        KeyRole::TakCmac,
        KeyRole::Kek,
        KeyRole::Kbpk,
        KeyRole::Bdk,
        KeyRole::Cvk,
        KeyRole::ImkAc,
        KeyRole::PvkVisa,
        KeyRole::PvkIbm,
        KeyRole::Dek,
    ]
    .into_iter()
    .find(|role| role.usage() == usage)
}

pub(super) async fn unwrap(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let block = bench.case.text("key_block")?;
    let version = Version::of(block)?;
    let letter = match version {
        // Of variants of the protection key, which the handle says that it does not have.
        Version::A | Version::C => return Err(Stop::NotTaken),
        Version::B => 'T',
        Version::D | Version::E => 'A',
    };
    let kbpk = bench.key(KeyRole::Kbpk, letter, "kbpk").await?;
    let role = role(block.get(5..7).unwrap_or_default()).unwrap_or(KeyRole::Zpk);
    let name = bench.name();
    let info = match bench.hsm.import_block(&kbpk, &name, role, block, None).await {
        Ok(info) => info,
        // Authentic, and still not one of ours: parity, equal halves, single DES, a mode that its use has not.
        Err(
            HsmError::KeyRefused(CryptoError::Parity | CryptoError::WeakKey | CryptoError::RepeatedParts)
            | HsmError::WrongAlgorithm(_)
            | HsmError::WrongMode(_)
            | HsmError::BlockUsage(_),
        ) if bench.case.fixed("key").is_some() => return Err(Stop::NotTaken),
        Err(error) => return Err(error.into()),
    };
    Ok([
        ("key", value(bench, &info, (&kbpk, &name), version).await?),
        ("key_usage", info.role.usage().into()),
        ("algorithm", info.algorithm.letter().to_string().into()),
        ("mode_of_use", info.mode.letter().to_string().into()),
        ("exportability", info.exportability.letter().to_string().into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect())
}

/// What the key is.
async fn value(bench: &Bench<'_>, info: &KeyInfo, keys: (&KeyName, &KeyName), version: Version) -> Result<Value, Stop> {
    match bench.hsm.export_block(keys.0, keys.1, version).await {
        Ok((block, kcv)) if kcv == info.kcv => {
            let protection = ProtectionKey::new(version, &bench.case.bytes("kbpk")?)?;
            Ok(shown(open(&protection, &block)?.1.reveal()))
        }
        Ok(_) => Err(Trouble::Refused("exports another key".to_owned()).into()),
        // Not under a weaker key.
        Err(HsmError::NotExportable(_) | HsmError::KeyAlgorithm { .. }) => by_check_value(bench, info.kcv.0),
        Err(error) => Err(error.into()),
    }
}
