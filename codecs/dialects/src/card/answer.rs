//! Answers to terminals: the request's own head echoed, what was decided added.

use iso8583::{Message, response_mti};
use payments::outgoing::{CardResponse, NetworkResponse, Response};

use super::{Dialect, Error, de, read};

impl Dialect {
    /// Makes the answer. Card data, tracks and PIN blocks have no place in one.
    ///
    /// # Errors
    /// [`Error::Unanswerable`] for a head whose MTI is an answer, [`Error::OtherFamily`] for pacs.
    pub fn write_response(&self, response: &Response) -> Result<Message, Error> {
        match response {
            Response::Card(response) => card(response),
            Response::Network(response) => Ok(network(response)),
            Response::Transfer(_) => Err(Error::OtherFamily),
        }
    }
}

fn card(response: &CardResponse) -> Result<Message, Error> {
    let CardResponse { head, processing_code, amount, rrn, answer } = response;
    let mti = response_mti(head.mti.as_str()).ok_or(Error::Unanswerable)?;
    let mut message = Message::new(&mti);
    message
        .set(de::PROCESSING_CODE, processing_code.as_str())
        .set(de::AMOUNT, format!("{:012}", amount.minor()))
        .set_some(de::TRANSMISSION, head.transmission.as_ref().map(|at| at.as_str()))
        .set(de::STAN, head.stan.to_string())
        .set(de::LOCAL_TIME, head.local.time())
        .set(de::LOCAL_DATE, head.local.date())
        .set_some(de::SETTLEMENT_DATE, some(answer.settlement_date.as_str()))
        .set_some(de::ACQUIRING_INSTITUTION, some(head.institution.as_str()))
        .set_some(de::RRN, rrn.as_ref().map(|rrn| rrn.as_str()))
        .set_some(de::APPROVAL, answer.approval.as_ref().map(|code| code.as_str()))
        .set(de::RESPONSE_CODE, answer.code.as_str())
        .set(de::TERMINAL, head.terminal.as_str())
        .set(de::MERCHANT, head.merchant.as_str())
        .set_some(de::RESPONSE_DATA, results(&answer.avs_result, &answer.cvv_result, &answer.authentication_result))
        .set(de::CURRENCY, format!("{:03}", amount.currency().numeric()))
        .set_some(de::BALANCES, some(answer.balances.as_str()))
        .set_some(de::ICC, (!answer.icc.is_empty()).then_some(&answer.icc))
        .set_some(de::NETWORK_ID, answer.network_id.as_ref().map(|id| id.as_str()));
    Ok(message)
}

/// DE44: one position each, a blank where there is none; nothing where there is none at all.
fn results(avs: &payments::Text<1>, cvv: &payments::Text<1>, authentication: &payments::Text<1>) -> Option<String> {
    let positions = [avs, cvv, authentication].map(|result| if result.is_empty() { " " } else { result.as_str() }).concat();
    let used = positions.trim_end_matches(' ');
    some(used).map(str::to_owned)
}

pub(super) fn network(response: &NetworkResponse) -> Message {
    let mut message = Message::new("0810");
    message
        .set_some(de::TRANSMISSION, response.transmission.as_ref().map(|at| at.as_str()))
        .set(de::STAN, response.stan.to_string())
        .set(de::RESPONSE_CODE, response.code.as_str())
        .set(de::NETWORK_FUNCTION, read::network_function_code(response.function));
    message
}

/// Text that is not empty.
pub(crate) fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
