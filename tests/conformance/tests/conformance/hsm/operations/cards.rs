//! Card verification values. The dynamic ones are only verified: the value of the case must be right, and its
//! neighbour wrong.

use crypto::cvv::Cvv;
use hsm::{Contactless, Derivation, KeyRole, Track};

use super::super::case::{Trouble, Values, digits};
use super::{Bench, Stop, one};

fn track(bench: &Bench<'_>) -> Result<Track, Stop> {
    let (expiry, service_code) = (bench.case.text("expiry")?, bench.case.text("service_code")?);
    Ok(Track::new(&bench.pan()?, expiry.as_bytes(), service_code.as_bytes())?)
}

pub(super) async fn cvv(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let (cvk, track) = (bench.key(KeyRole::Cvk, 'T', "cvk").await?, track(bench)?);
    let made = bench.hsm.generate_cvv(&cvk, &track).await?;
    if !bench.hsm.verify_cvv(&cvk, &track, &made).await? {
        return Err(Trouble::Refused("does not verify what it made".to_owned()).into());
    }
    Ok(one("value", digits(made.reveal())))
}

pub(super) async fn cvv_verify(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let shown = Cvv::new(bench.case.text("cvv")?.as_bytes())?;
    let (cvk, track) = (bench.key(KeyRole::Cvk, 'T', "cvk").await?, track(bench)?);
    Ok(one("valid", bench.hsm.verify_cvv(&cvk, &track, &shown).await?.into()))
}

async fn contactless(bench: &mut Bench<'_>) -> Result<Contactless, Stop> {
    let derivation = match bench.case.text("mk_option")? {
        "A" => Derivation::A,
        "B" => Derivation::B,
        other => return Err(Trouble::Unreadable(format!("option {other} is unknown")).into()),
    };
    let sequence = bench.case.text("psn")?.as_bytes().try_into().map_err(|_| crypto::CryptoError::PanSequence)?;
    Ok(Contactless { imk: bench.key(KeyRole::ImkDn, 'T', "imk").await?, derivation, sequence })
}

/// What the case expects, where it is right and its neighbour is not.
fn proved(bench: &Bench<'_>, right: bool, neighbour: bool) -> Result<Values, Stop> {
    if neighbour {
        return Err(Trouble::Refused("takes another value, too".to_owned()).into());
    }
    let wanted = bench.case.fixed("value").unwrap_or_default();
    Ok(one("value", if right { wanted.into() } else { "not right".into() }))
}

pub(super) async fn dcvv(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let (key, track) = (contactless(bench).await?, track(bench)?);
    let name = if bench.case.find("atc_decimal").is_some() { "atc_decimal" } else { "atc" };
    let counter = bench.case.text(name)?.as_bytes().try_into().map_err(|_| crypto::CryptoError::Counter)?;
    let wanted = bench.case.fixed("value").unwrap_or_default().as_bytes().to_vec();
    let mut other = wanted.clone();
    if let Some(last) = other.last_mut() {
        *last ^= 1;
    }
    let right = bench.hsm.verify_dcvv(&key, &track, counter, &Cvv::new(&wanted)?).await?;
    let neighbour = bench.hsm.verify_dcvv(&key, &track, counter, &Cvv::new(&other)?).await?;
    proved(bench, right, neighbour)
}

pub(super) async fn cvc3(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let (key, pan, case) = (contactless(bench).await?, bench.pan()?, bench.case);
    let (template, un, atc) = (case.bytes("track_template")?, case.array("un")?, case.array("atc")?);
    let wanted: u32 = case.fixed("value").unwrap_or_default().parse().unwrap_or(u32::MAX);
    let right = bench.hsm.verify_cvc3(&key, &pan, &template, un, atc, (wanted, 5)).await?;
    let last_three = bench.hsm.verify_cvc3(&key, &pan, &template, un, atc, (wanted % 1_000, 3)).await?;
    let neighbour = bench.hsm.verify_cvc3(&key, &pan, &template, un, atc, (wanted ^ 1, 5)).await?;
    proved(bench, right && last_three, neighbour)
}
