//! Chip cards, by scheme. Cryptograms are only verified: the case's must be right, and a changed one wrong.

use crypto::CryptoError;
use hsm::{ArpcAnswer, ChipCard, ChipTransaction, KeyRole};

use super::super::case::{Trouble, Values, shown};
use super::super::pure::{cryptogram_data, scheme, transaction};
use super::{Bench, Stop, one};

/// The card of a case that names a scheme; of those that name their steps, the handle has none.
async fn card(bench: &mut Bench<'_>, role: KeyRole, input: &'static str) -> Result<ChipCard, Stop> {
    if bench.case.find("scheme").is_none() {
        return Err(Stop::NotTaken);
    }
    let imk = bench.key(role, 'T', input).await?;
    let sequence = bench.case.text("psn")?.as_bytes().try_into().map_err(|_| CryptoError::PanSequence)?;
    Ok(ChipCard::new(imk, scheme(bench.case)?, &bench.pan()?, sequence)?)
}

pub(super) async fn arqc(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let card = card(bench, KeyRole::ImkAc, "imk_ac").await?;
    let data = cryptogram_data(bench.case, &card.scheme)?;
    let wanted = bench.case.fixed("arqc").unwrap_or_default();
    let mut cryptogram: [u8; 8] = hex::decode(wanted).unwrap_or_default().try_into().unwrap_or_default();
    let of = ChipTransaction { cryptogram: Some(cryptogram), ..transaction(bench.case)? };
    let right = bench.hsm.verify_arqc(&card, &of, &data).await?;
    cryptogram[7] ^= 1;
    let other = ChipTransaction { cryptogram: Some(cryptogram), ..of };
    if bench.hsm.verify_arqc(&card, &other, &data).await? {
        return Err(Trouble::Refused("takes another cryptogram, too".to_owned()).into());
    }
    Ok(one("arqc", if right { wanted.into() } else { "not right".into() }))
}

pub(super) async fn arqc_verify(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let card = card(bench, KeyRole::ImkAc, "imk_ac").await?;
    let data = cryptogram_data(bench.case, &card.scheme)?;
    Ok(one("valid", bench.hsm.verify_arqc(&card, &transaction(bench.case)?, &data).await?.into()))
}

pub(super) async fn arpc(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let card = card(bench, KeyRole::ImkAc, "imk_ac").await?;
    let case = bench.case;
    let proprietary = case.find("proprietary_auth_data").map_or(Ok(Vec::new()), |_| case.bytes("proprietary_auth_data"))?;
    let answer = match case.array_if("csu")? {
        Some(update) => ArpcAnswer::status(update, &proprietary)?,
        None => ArpcAnswer::Code(case.array("arpc_rc")?),
    };
    Ok(one("arpc", shown(bench.hsm.generate_arpc(&card, &transaction(case)?, &answer).await?)))
}

pub(super) async fn script_mac(bench: &mut Bench<'_>) -> Result<Values, Stop> {
    let card = card(bench, KeyRole::ImkSmi, "imk_smi").await?;
    let case = bench.case;
    let data = case.find("command_data").map_or(Ok(Vec::new()), |_| case.bytes("command_data"))?;
    let made = bench.hsm.generate_script_mac(&card, &transaction(case)?, &case.bytes("command_header")?, &data).await?;
    Ok(one("mac", shown(made)))
}
