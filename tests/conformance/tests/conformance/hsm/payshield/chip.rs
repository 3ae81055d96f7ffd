//! Chip cards. A cryptogram is never made by these commands: it is checked, and a changed one is refused.

use crypto::emv::Scheme;
use crypto::emv::cryptogram::DATA;
use crypto::emv::scheme::IssuerData;
use hsm::payshield::{ChipAnswer, ChipScheme, Incoming, Role};
use payments::Pan;

use super::super::case::{Case, Trouble, Values, shown, values};
use super::lab::{self, Bench};
use super::{Outcome, refused};

/// How a card scheme maps to commands: session keys, and whether data gets an 80 byte behind it.
struct Mapped {
    scheme: ChipScheme,
    marked: bool,
    issuer_data: IssuerData,
    /// Whether the command's answer is the scheme's, too.
    answers: bool,
}

fn mapped(case: &Case<'_>) -> Result<Mapped, Trouble> {
    let (ours, scheme, marked) = match case.text("scheme")? {
        "visa_cvn10" => (Scheme::VISA_10, ChipScheme::Static, false),
        "visa_cvn18" => (Scheme::VISA_18, ChipScheme::CommonB, true),
        "visa_cvn22" => (Scheme::VISA_22, ChipScheme::CommonB, true),
        "mc_cvn16" => (Scheme::MASTERCARD_16, ChipScheme::MChip, true),
        "mc_cvn17" => (Scheme::MASTERCARD_17, ChipScheme::MChip, true),
        "mc_cvn20" => (Scheme::MASTERCARD_20, ChipScheme::CommonA, true),
        "mc_cvn21" => (Scheme::MASTERCARD_21, ChipScheme::CommonA, true),
        "interac_cvn133" => (Scheme::INTERAC_133, ChipScheme::MChip, true),
        other => return Err(Trouble::Unreadable(format!("scheme {other} is unknown"))),
    };
    Ok(Mapped { scheme, marked, issuer_data: ours.issuer_data(), answers: ours != Scheme::INTERAC_133 })
}

/// The data of a cryptogram in the order of its scheme, padded by its rule.
fn data(case: &Case<'_>, mapped: &Mapped) -> Result<Vec<u8>, Trouble> {
    let mut data = Vec::new();
    for tag in DATA {
        data.extend(case.bytes(&format!("tag_{tag:02x}"))?);
    }
    let names: &[&str] = match mapped.issuer_data {
        IssuerData::Results => &["cvr"],
        IssuerData::ResultsAndCounters => &["cvr", "counters"],
        IssuerData::Whole => &["tag_9f10"],
    };
    for name in names {
        data.extend(case.bytes(name)?);
    }
    if mapped.marked {
        data.push(0x80);
    }
    Ok(data)
}

/// The first input that is there, or zeros: commands want a value where none is used.
fn either<const N: usize>(case: &Case<'_>, names: [&str; 2]) -> Result<[u8; N], Trouble> {
    for name in names {
        if let Some(value) = case.array_if(name)? {
            return Ok(value);
        }
    }
    Ok([0; N])
}

fn incoming<'a>(
    bench: &Bench<'_>,
    case: &Case<'_>,
    scheme: ChipScheme,
    pan: &'a Pan,
    cryptogram: [u8; 8],
) -> Result<Incoming<'a>, Trouble> {
    Ok(Incoming {
        key: bench.put(Role::MkAc, &case.bytes("imk_ac")?)?,
        scheme,
        pan,
        sequence: case.text("psn")?.as_bytes().try_into().map_err(|_| crypto::CryptoError::PanSequence)?,
        counter: either(case, ["tag_9f36", "atc"])?,
        unpredictable: either(case, ["tag_9f37", "un"])?,
        cryptogram,
    })
}

/// What session keys a case that names its steps wants; `None` where no command makes them.
fn of_steps(case: &Case<'_>) -> Result<Option<ChipScheme>, Trouble> {
    let method = case.text("session_key")?.split(" (").next().unwrap_or_default();
    Ok(match (case.text("mk_option")?, method) {
        ("A", "none" | "VSDC") => Some(ChipScheme::Static),
        ("A", "MCHIP") => Some(ChipScheme::MChip),
        ("A", "EMV CSK") => Some(ChipScheme::CommonA),
        ("B", "EMV CSK") => Some(ChipScheme::CommonB),
        _ => None,
    })
}

/// The cryptogram that a case expects, once the HSM took it and refused another.
fn confirmed(bench: &Bench<'_>, case: &Case<'_>, scheme: ChipScheme, name: &'static str, data: &[u8]) -> Result<Values, Trouble> {
    let wanted = case.fixed(name).and_then(|text| hex::decode(text).ok()).and_then(|raw| raw.try_into().ok());
    let wanted: [u8; 8] = wanted.ok_or_else(|| Trouble::Unreadable("it expects no cryptogram".to_owned()))?;
    let pan = lab::pan(case)?;
    let right = incoming(bench, case, scheme, &pan, wanted)?;
    let wrong = Incoming { cryptogram: wanted.map(|byte| byte ^ 0x10), ..right };
    let answer = ChipAnswer::Code(*b"00");
    let client = bench.client();
    if !bench.wait(client.verify_arqc(&right, data)).map_err(refused)? {
        return Err(Trouble::Refused("refuses the cryptogram".to_owned()));
    }
    // Checked and answered at once must be what both make alone.
    let at_once = bench.wait(client.verify_arqc_and_answer(&right, data, answer)).map_err(refused)?;
    let alone = bench.wait(client.answer_arqc(&right, answer)).map_err(refused)?;
    let taken = bench.wait(client.verify_arqc_and_answer(&wrong, data, answer)).map_err(refused)?.is_some();
    if taken || at_once != Some(alone) {
        return Err(Trouble::Refused("takes another cryptogram, or answers it otherwise".to_owned()));
    }
    values([(name, shown(wanted))])
}

pub(super) fn arqc(bench: &Bench<'_>, case: &Case<'_>) -> Outcome {
    if case.find("scheme").is_some() {
        let confirmed = mapped(case).and_then(|mapped| {
            let data = data(case, &mapped)?;
            confirmed(bench, case, mapped.scheme, "arqc", &data)
        });
        return Some(confirmed);
    }
    let scheme = match of_steps(case) {
        Ok(scheme) => scheme?,
        Err(trouble) => return Some(Err(trouble)),
    };
    Some(case.data().and_then(|mut data| {
        if case.number("padding")? == 2 {
            data.push(0x80);
        }
        confirmed(bench, case, scheme, "value", &data)
    }))
}

pub(super) fn arqc_verify(bench: &Bench<'_>, case: &Case<'_>) -> Result<Values, Trouble> {
    let (mapped, pan) = (mapped(case)?, lab::pan(case)?);
    let incoming = incoming(bench, case, mapped.scheme, &pan, either(case, ["tag_9f26", "arqc"])?)?;
    let data = data(case, &mapped)?;
    values([("valid", bench.wait(bench.client().verify_arqc(&incoming, &data)).map_err(refused)?.into())])
}

pub(super) fn arpc(bench: &Bench<'_>, case: &Case<'_>) -> Outcome {
    let mapped = match mapped(case) {
        Ok(mapped) => mapped,
        Err(trouble) => return Some(Err(trouble)),
    };
    mapped.answers.then(|| {
        let proprietary = case.find("proprietary_auth_data").map_or(Ok(Vec::new()), |_| case.bytes("proprietary_auth_data"))?;
        let answer = match case.array_if("csu")? {
            Some(status) => ChipAnswer::Status(status, &proprietary),
            None => ChipAnswer::Code(case.array("arpc_rc")?),
        };
        answered(bench, case, mapped.scheme, "arpc", answer)
    })
}

pub(super) fn arpc_of_steps(bench: &Bench<'_>, case: &Case<'_>) -> Outcome {
    let scheme = match of_steps(case) {
        // KQ answers under the card's key there, these cases want the session's.
        Ok(scheme) => scheme.filter(|scheme| *scheme != ChipScheme::MChip)?,
        Err(trouble) => return Some(Err(trouble)),
    };
    let answer = if case.op() == "emv_arpc_1" {
        case.array("arc").map(ChipAnswer::Code)
    } else {
        case.array("csu").map(|status| ChipAnswer::Status(status, &[]))
    };
    Some(answer.and_then(|answer| answered(bench, case, scheme, "value", answer)))
}

fn answered(
    bench: &Bench<'_>,
    case: &Case<'_>,
    scheme: ChipScheme,
    name: &'static str,
    answer: ChipAnswer<'_>,
) -> Result<Values, Trouble> {
    let pan = lab::pan(case)?;
    let incoming = incoming(bench, case, scheme, &pan, either(case, ["tag_9f26", "arqc"])?)?;
    let made = bench.wait(bench.client().answer_arqc(&incoming, answer)).map_err(refused)?;
    values([(name, shown(made))])
}
