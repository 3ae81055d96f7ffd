//! The bank's own mapping to pacs.002. Independent of the switch's dialect on purpose.

use iso20022::{
    Agent, Bic, BusinessHeader, Code, DateTime, Document, Endpoint, Envelope, OriginalMessage, StatusReport, Text,
    TransactionStatus, Uetr,
};
use payments::Wall;

use crate::Error;

/// What an answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    pub(super) original: OriginalMessage,
    pub(super) instruction_id: Option<Text<35>>,
    pub(super) end_to_end_id: Option<Text<35>>,
    pub(super) transaction_id: Option<Text<35>>,
    pub(super) uetr: Option<Uetr>,
}

/// A pacs.002 to `to`.
pub(super) fn report(
    own: Bic,
    to: Endpoint,
    id: &str,
    at: Wall,
    about: &About,
    status: &str,
    reason: &str,
) -> Result<Vec<u8>, Error> {
    let unfit = |fault: iso20022::Content| Error::Encode { mti: "pacs.002".to_owned(), reason: fault.to_string() };
    let created = DateTime::from_unix_micros(at.0).map_err(unfit)?;
    let message_id = Text::new(id).map_err(unfit)?;
    let reasons = if reason.is_empty() { Vec::new() } else { vec![Code::new(reason).map_err(unfit)?] };
    let transaction = TransactionStatus {
        status_id: Some(message_id.clone()),
        original: Some(about.original.clone()),
        instruction_id: about.instruction_id.clone(),
        end_to_end_id: about.end_to_end_id.clone(),
        transaction_id: about.transaction_id.clone(),
        uetr: about.uetr,
        status: Some(Code::new(status).map_err(unfit)?),
        reasons,
    };
    let header = BusinessHeader {
        from: Endpoint::Institution(Agent::from(own)),
        to,
        business_message_id: message_id.clone(),
        message_definition: Text::new(iso20022::PACS_002).map_err(unfit)?,
        business_service: None,
        created: created.clone(),
        copy_duplicate: None,
        possible_duplicate: None,
    };
    let report = StatusReport {
        message_id,
        created,
        instructing_agent: None,
        instructed_agent: None,
        groups: Vec::new(),
        transactions: vec![transaction],
    };
    Ok(iso20022::write(&Envelope { header, document: Document::StatusReport(report) }))
}
