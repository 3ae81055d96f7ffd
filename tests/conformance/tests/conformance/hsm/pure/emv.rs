//! Chip cards.

use crypto::TdesKey;
use crypto::emv::cryptogram::{self, DATA, response_1, response_2};
use crypto::emv::scheme::{Answer, CryptogramKey, IssuerData, IssuerKeys, Transaction, cryptogram_session};
use crypto::emv::session::{self, Tree};
use crypto::emv::{Card, Derivation, Scheme, master_key};
use crypto::mac::Padding;

use super::super::case::{Case, Trouble, Values, shown, values};

fn card<'a>(case: &Case<'a>) -> Result<Card<'a>, Trouble> {
    Ok(Card::new(case.pan()?, case.text("psn")?.as_bytes())?)
}

pub(super) fn option_a(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("key", shown(master_key(&case.tdes("imk")?, Derivation::A, &card(case)?)?.reveal()))])
}

pub(super) fn option_b(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("key", shown(master_key(&case.tdes("imk")?, Derivation::B, &card(case)?)?.reveal()))])
}

pub(super) fn common(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("key", shown(session::common(&case.tdes("icc_mk")?, case.array("r")?)?.reveal()))])
}

pub(super) fn visa_messaging(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("key", shown(session::visa_messaging(&case.tdes("icc_mk")?, case.array("atc")?)?.reveal()))])
}

pub(super) fn tree(case: &Case<'_>) -> Result<Values, Trouble> {
    let shape = Tree::new(case.number("height")?, case.number("branch_factor")?)?;
    let key = session::tree(&case.tdes("icc_mk")?, case.array("atc")?, shape, case.array("iv")?)?;
    values([("key", shown(key.reveal()))])
}

pub(in super::super) fn scheme(case: &Case<'_>) -> Result<Scheme, Trouble> {
    Ok(match case.text("scheme")? {
        "visa_cvn10" => Scheme::VISA_10,
        "visa_cvn18" => Scheme::VISA_18,
        "visa_cvn22" => Scheme::VISA_22,
        "mc_cvn16" => Scheme::MASTERCARD_16,
        "mc_cvn17" => Scheme::MASTERCARD_17,
        "mc_cvn20" => Scheme::MASTERCARD_20,
        "mc_cvn21" => Scheme::MASTERCARD_21,
        "interac_cvn133" => Scheme::INTERAC_133,
        other => return Err(Trouble::Unreadable(format!("scheme {other} is unknown"))),
    })
}

/// What the case tells of the transaction, by tag or by name.
pub(in super::super) fn transaction(case: &Case<'_>) -> Result<Transaction, Trouble> {
    let either = |tag, name| if case.find(tag).is_some() { tag } else { name };
    Ok(Transaction {
        counter: case.array_if(either("tag_9f36", "atc"))?,
        unpredictable: case.array_if(either("tag_9f37", "un"))?,
        cryptogram: case.array_if(either("tag_9f26", "arqc"))?,
    })
}

/// The data of a cryptogram in the order of its scheme.
pub(in super::super) fn data(case: &Case<'_>, scheme: &Scheme) -> Result<Vec<u8>, Trouble> {
    let mut data = Vec::new();
    for tag in DATA {
        data.extend(case.bytes(&format!("tag_{tag:02x}"))?);
    }
    let names: &[&str] = match scheme.issuer_data() {
        IssuerData::Results => &["cvr"],
        IssuerData::ResultsAndCounters => &["cvr", "counters"],
        IssuerData::Whole => &["tag_9f10"],
    };
    for name in names {
        data.extend(case.bytes(name)?);
    }
    Ok(data)
}

pub(super) fn arqc(case: &Case<'_>) -> Result<Values, Trouble> {
    if case.find("scheme").is_none() {
        let padding = match case.number("padding")? {
            1 => Padding::Zeros,
            2 => Padding::OneThenZeros,
            other => return Err(Trouble::Unreadable(format!("padding method {other} is unknown"))),
        };
        return values([("value", shown(cryptogram::generate(&session_key(case)?, &case.data()?, padding)))]);
    }
    let (scheme, issuer, card) = (scheme(case)?, case.tdes("imk_ac")?, card(case)?);
    let made = scheme.cryptogram(&issuer, &card, &transaction(case)?, &data(case, &scheme)?)?;
    values([("arqc", shown(made)), ("icc_mk_ac", shown(scheme.card_key(&issuer, &card)?.reveal()))])
}

pub(super) fn arqc_verify(case: &Case<'_>) -> Result<Values, Trouble> {
    let scheme = scheme(case)?;
    let valid = scheme.verify(&case.tdes("imk_ac")?, &card(case)?, &transaction(case)?, &data(case, &scheme)?)?;
    values([("valid", valid.into())])
}

pub(super) fn arpc(case: &Case<'_>) -> Result<Values, Trouble> {
    let proprietary = case.find("proprietary_auth_data").map_or(Ok(Vec::new()), |_| case.bytes("proprietary_auth_data"))?;
    let answer = match case.array_if("csu")? {
        Some(status) => Answer::Status(status, &proprietary),
        None => Answer::Code(case.array("arpc_rc")?),
    };
    let made = scheme(case)?.answer(&case.tdes("imk_ac")?, &card(case)?, &transaction(case)?, answer)?;
    values([("arpc", shown(made))])
}

/// The session key of a case that names its steps and no scheme.
fn session_key(case: &Case<'_>) -> Result<TdesKey, Trouble> {
    let derivation = match case.text("mk_option")? {
        "A" => Derivation::A,
        "B" => Derivation::B,
        other => return Err(Trouble::Unreadable(format!("option {other} is unknown"))),
    };
    // A word of the method, then an explanation.
    let which = match case.text("session_key")?.split(" (").next() {
        Some("none" | "VSDC") => CryptogramKey::Master,
        Some("EMV CSK") => CryptogramKey::Counter,
        Some("MCHIP") => CryptogramKey::CounterAndUnpredictable,
        other => return Err(Trouble::Unreadable(format!("session key {other:?} is unknown"))),
    };
    let master = master_key(&case.tdes("imk_ac")?, derivation, &card(case)?)?;
    Ok(cryptogram_session(&master, which, &transaction(case)?)?)
}

pub(super) fn arpc_1(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("value", shown(response_1(&session_key(case)?, &case.array("arqc")?, case.array("arc")?)))])
}

pub(super) fn arpc_2(case: &Case<'_>) -> Result<Values, Trouble> {
    values([("value", shown(response_2(&session_key(case)?, &case.array("arqc")?, case.array("csu")?, &[])?))])
}

pub(super) fn script_mac(case: &Case<'_>) -> Result<Values, Trouble> {
    let data = case.find("command_data").map_or(Ok(Vec::new()), |_| case.bytes("command_data"))?;
    let header = case.bytes("command_header")?;
    let made = scheme(case)?.script_mac(&case.tdes("imk_smi")?, &card(case)?, &transaction(case)?, &header, &data)?;
    values([("mac", shown(made))])
}

pub(super) fn pin_change(case: &Case<'_>) -> Result<Values, Trouble> {
    let keys = IssuerKeys {
        cryptogram: &case.tdes("imk_ac")?,
        integrity: &case.tdes("imk_smi")?,
        confidentiality: &case.tdes("imk_smc")?,
    };
    let current = case.find("current_pin").map(|pin| crypto::Pin::new(pin.as_str().unwrap_or_default().as_bytes()));
    let current = current.transpose()?;
    let made = scheme(case)?.pin_change(&keys, &card(case)?, &transaction(case)?, &case.pin()?, current.as_ref())?;
    values([("command", shown(&*made))])
}
