//! Requests, advices, reversals and network management towards a network.

use iso8583::Message;
use payments::outgoing::{AdviceOut, CardOut, Egress, NetworkOut, Outgoing, ReversalOut};
use payments::{Amount, InstitutionId, PinBlock};

use super::answer::{self, some};
use super::{CardSecrets, Dialect, Error, de, icc, read};

impl Dialect {
    /// Makes the message. `card` is what the shell carries or has unsealed; `translated_pin` is the
    /// PIN block under this link's own key, never the terminal's.
    ///
    /// # Errors
    /// [`Error::NoCard`], [`Error::NoPin`], [`Error::Currencies`]; [`Error::OtherFamily`] for pacs.
    pub fn write_outgoing(
        &self,
        outgoing: &Outgoing,
        card: Option<&CardSecrets>,
        translated_pin: Option<&PinBlock>,
    ) -> Result<Message, Error> {
        match outgoing {
            Outgoing::Network(out) => Ok(network(out)),
            Outgoing::Managed(response) => Ok(answer::network(response)),
            Outgoing::Card(out) => request(out, card.ok_or(Error::NoCard)?, translated_pin),
            Outgoing::Advice(out) => Ok(advice(out, card.ok_or(Error::NoCard)?)),
            Outgoing::Reversal(out) => reversal(out, card.ok_or(Error::NoCard)?),
            Outgoing::CreditTransfer(_) | Outgoing::StatusRequest(_) => Err(Error::OtherFamily),
        }
    }
}

fn network(out: &NetworkOut) -> Message {
    let mut message = Message::new("0800");
    message
        .set(de::TRANSMISSION, out.transmission.as_str())
        .set(de::STAN, out.stan.to_string())
        .set_some(de::ACQUIRING_INSTITUTION, some(out.institution.as_str()))
        .set(de::NETWORK_FUNCTION, read::network_function_code(out.function));
    message
}

/// What every card message carries: the frozen header and the card.
fn common(mti: &str, egress: &Egress, card: &CardSecrets) -> Message {
    let mut message = Message::new(mti);
    message
        .set(de::PAN, card.pan.reveal())
        .set(de::PROCESSING_CODE, egress.processing_code.as_str())
        .set(de::AMOUNT, format!("{:012}", egress.amount.minor()))
        .set(de::TRANSMISSION, egress.transmission.as_str())
        .set(de::STAN, egress.stan.to_string())
        .set(de::LOCAL_TIME, egress.local.time())
        .set(de::LOCAL_DATE, egress.local.date())
        .set_some(de::EXPIRY, card.expiry.as_ref().map(|expiry| expiry.reveal()))
        .set_some(de::ACQUIRING_INSTITUTION, some(egress.institution.as_str()))
        .set_some(de::FORWARDING_INSTITUTION, egress.forwarding.as_ref().and_then(|id| some(id.as_str())))
        .set(de::RRN, egress.rrn.as_str())
        .set(de::TERMINAL, egress.terminal.as_str())
        .set(de::MERCHANT, egress.merchant.as_str())
        .set(de::CURRENCY, format!("{:03}", egress.amount.currency().numeric()));
    message
}

fn request(out: &CardOut, card: &CardSecrets, translated_pin: Option<&PinBlock>) -> Result<Message, Error> {
    let evidence = &out.evidence;
    let mut message = common(out.egress.mti.as_str(), &out.egress, card);
    message
        .set_some(de::MERCHANT_CATEGORY, some(evidence.merchant_category.as_str()))
        .set_some(de::ENTRY_MODE, some(evidence.entry_mode.as_str()))
        .set_some(de::CARD_SEQUENCE, evidence.card_sequence.map(|sequence| format!("{:03}", sequence.get())))
        .set_some(de::CONDITION, some(evidence.condition.as_str()))
        .set_some(de::ECOMMERCE, some(evidence.eci.as_str()))
        .set_some(de::POS_DATA, some(evidence.pos_data.as_str()));
    for (number, content) in &out.passthrough.0 {
        match *number {
            // Filtered when it came in; here again, because a leak cannot be called back.
            de::ICC => {
                let (icc, _) = icc::without_card_data(content);
                message.set_some(de::ICC, (!icc.is_empty()).then_some(icc));
            }
            listed if de::FORWARDED.contains(&listed) => {
                message.set(listed, content);
            }
            _ => {}
        }
    }
    if out.pin {
        message.set(de::PIN_BLOCK, translated_pin.ok_or(Error::NoPin)?.reveal());
    }
    Ok(message)
}

fn advice(out: &AdviceOut, card: &CardSecrets) -> Message {
    let mut message = common(out.egress.mti.as_str(), &out.egress, card);
    message
        .set(de::TRANSMISSION, out.transmission.as_str())
        .set_some(de::APPROVAL, out.approval.as_ref().map(|code| code.as_str()));
    message
}

/// DE11 and the other key fields are the original's; DE7 is that of this attempt.
fn reversal(out: &ReversalOut, card: &CardSecrets) -> Result<Message, Error> {
    let original = &out.original;
    let replacement = out.final_amount.map(|amount| replacement(amount, original.amount)).transpose()?;
    let mut message = common(out.mti.as_str(), original, card);
    message
        .set(de::TRANSMISSION, out.transmission.as_str())
        .set_some(de::APPROVAL, out.approval.as_ref().map(|code| code.as_str()))
        .set(de::RESPONSE_CODE, out.reason.as_str())
        .set(de::ORIGINAL, original_data(original))
        .set_some(de::REPLACEMENT_AMOUNTS, replacement);
    Ok(message)
}

/// DE90: MTI 4, STAN 6, DE7 10, DE32 11, DE33 11, zero-filled on the left.
fn original_data(original: &Egress) -> String {
    let institution = |id: &InstitutionId| format!("{:0>11}", id.as_str());
    format!(
        "{}{}{}{}{}",
        original.mti,
        original.stan,
        original.transmission.as_str(),
        institution(&original.institution),
        institution(&original.forwarding.unwrap_or_default()),
    )
}

/// DE95: the amount that shall finally stand; no settlement amount, no fees (x+n 8 each).
fn replacement(stands: Amount, original: Amount) -> Result<String, Error> {
    if stands.currency() != original.currency() {
        return Err(Error::Currencies);
    }
    Ok(format!("{:012}{:012}C00000000C00000000", stands.minor(), 0))
}
