//! Requests towards a bank: pacs.008, sent once, and pacs.028, which asks about it.

use iso20022::{
    Account, Agent, Bic, CreditTransfer, CurrencyCode, Date, Document, OriginalMessage, PACS_008, Party, StatusRequest,
    TransactionEnquiry, Uetr,
};
use payments::Text;
use payments::outgoing::{StatusRequestOut, TransferOut};
use payments::request::TransferFacts;

use super::fault::Fault;
use super::{Link, iso, moment, need};

impl Link {
    /// Writes a pacs.008. Message id and business message id are ours; end-to-end id, transaction id and
    /// UETR go on unchanged.
    ///
    /// # Errors
    /// When the facts hold a value that the schema does not allow. Facts that were decoded from a
    /// pacs.008 do not.
    pub fn encode_transfer(&self, out: &TransferOut) -> Result<Vec<u8>, Fault> {
        let facts = &out.facts;
        let message_id = need(&out.message_id, "MsgId")?;
        let created = moment(out.created)?;
        let [instructing_agent, instructed_agent] = self.agents();
        let transfer = CreditTransfer {
            message_id: message_id.clone(),
            created: created.clone(),
            settlement_method: self.settlement_method,
            instructing_agent,
            instructed_agent,
            instruction_id: iso(&facts.instruction_id, "InstrId")?,
            end_to_end_id: need(&facts.end_to_end_id, "EndToEndId")?,
            transaction_id: iso(&facts.transaction_id, "TxId")?,
            uetr: uetr(&facts.uetr, "UETR")?,
            amount: amount(facts)?,
            settlement_date: Some(date(facts)?),
            instructed_amount: None,
            charge_bearer: self.charge_bearer,
            debtor: party(&facts.debtor_name, "Dbtr")?,
            debtor_account: Some(Account::parse(facts.debtor_account.as_str()).map_err(Fault::unfit("DbtrAcct"))?),
            debtor_agent: agent(&facts.debtor_agent, "DbtrAgt")?,
            creditor_agent: agent(&facts.creditor_agent, "CdtrAgt")?,
            creditor: party(&facts.creditor_name, "Cdtr")?,
            creditor_account: Some(Account::parse(facts.creditor_account.as_str()).map_err(Fault::unfit("CdtrAcct"))?),
            remittance: remittance(&facts.remittance)?,
        };
        self.envelope(&message_id, &created, Document::CreditTransfer(Box::new(transfer)))
    }

    /// Writes a pacs.028 about a transfer that went out on this link.
    ///
    /// # Errors
    /// As [`Link::encode_transfer`].
    pub fn encode_status_request(&self, out: &StatusRequestOut) -> Result<Vec<u8>, Fault> {
        let message_id = need(&out.message_id, "MsgId")?;
        let created = moment(out.created)?;
        let [instructing_agent, instructed_agent] = self.agents();
        let enquiry = TransactionEnquiry {
            request_id: Some(message_id.clone()),
            original: Some(original(&out.original_message_id)?),
            instruction_id: iso(&out.facts.instruction_id, "OrgnlInstrId")?,
            end_to_end_id: iso(&out.facts.end_to_end_id, "OrgnlEndToEndId")?,
            transaction_id: iso(&out.facts.transaction_id, "OrgnlTxId")?,
            uetr: uetr(&out.facts.uetr, "OrgnlUETR")?,
        };
        let request = StatusRequest {
            message_id: message_id.clone(),
            created: created.clone(),
            instructing_agent,
            instructed_agent,
            groups: Vec::new(),
            transactions: vec![enquiry],
        };
        self.envelope(&message_id, &created, Document::StatusRequest(request))
    }
}

/// A pacs.008 as the original of something.
pub(super) fn original(id: &Text<35>) -> Result<OriginalMessage, Fault> {
    let name = iso20022::Text::new(PACS_008).map_err(Fault::unfit("OrgnlMsgNmId"))?;
    Ok(OriginalMessage { id: need(id, "OrgnlMsgId")?, name })
}

pub(super) fn uetr(text: &Text<36>, element: &'static str) -> Result<Option<Uetr>, Fault> {
    if text.is_empty() { Ok(None) } else { Uetr::new(text.as_str()).map(Some).map_err(Fault::unfit(element)) }
}

fn amount(facts: &TransferFacts) -> Result<iso20022::Amount, Fault> {
    CurrencyCode::new(facts.amount.currency().alpha())
        .and_then(|currency| iso20022::Amount::new(facts.amount.minor(), currency))
        .map_err(Fault::unfit("IntrBkSttlmAmt"))
}

fn date(facts: &TransferFacts) -> Result<Date, Fault> {
    let (year, month, day) = facts.settlement_date.parts();
    Date::new(year, month, day).map_err(Fault::unfit("IntrBkSttlmDt"))
}

fn agent(bic: &Text<11>, element: &'static str) -> Result<Agent, Fault> {
    Bic::new(bic.as_str()).map(Agent::from).map_err(Fault::unfit(element))
}

fn party(name: &str, element: &'static str) -> Result<Party, Fault> {
    let name = (!name.is_empty()).then(|| iso20022::Text::new(name)).transpose().map_err(Fault::unfit(element))?;
    Ok(Party { name })
}

fn remittance(text: &str) -> Result<Vec<iso20022::Text<140>>, Fault> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split('\n').map(|line| iso20022::Text::new(line).map_err(Fault::unfit("Ustrd"))).collect()
}
