//! pacs.002, both ways: the bank's answer into canonical form, ours towards the instructing party.

use iso20022::{Document, StatusReport, TransactionStatus};
use payments::answer::TransferStatus;
use payments::outgoing::{TransferAnswer, TransferResponse};
use payments::{Answer, ResponseCode, Text, Wall};

use super::fault::Fault;
use super::outgoing::{original as original_of, uetr};
use super::request::{RejectedTransfer, name_of, original};
use super::{Link, canonical, iso, moment, need, optional};

impl Link {
    /// Reads the bank's pacs.002. It names our pacs.008 by OrgnlMsgId and the transfer by at least one of
    /// OrgnlEndToEndId, OrgnlTxId and OrgnlUETR; what it does not name is empty. Whether the names are
    /// ours is for the engine to compare.
    ///
    /// The status as the bank sent it stands in `transfer`; the code is 00 for a settled transfer (ACSC,
    /// ACCC), 05 for RJCT, 09 for what is still on its way (RCVD, ACTC, ACCP, ACFC, ACWC, ACWP,
    /// ACSP, PDNG).
    ///
    /// # Errors
    /// Anything else. Such an answer is to be recorded and ignored: it says nothing about the transfer.
    pub fn decode_answer(&self, bytes: &[u8]) -> Result<TransferAnswer, Fault> {
        let envelope = iso20022::read(bytes, &self.limits)?.value;
        self.addressed(&envelope.header)?;
        let report = match envelope.document {
            Document::StatusReport(report) => report,
            other => return Err(Fault::Message(name_of(&other))),
        };
        let [transaction] = report.transactions.as_slice() else { return Err(Fault::Transfers(report.transactions.len())) };
        let original = original(transaction.original.as_ref(), report.groups.iter().map(|group| &group.original))?;
        let answer = TransferAnswer {
            original_message_id: canonical(original.id.as_str(), "OrgnlMsgId")?,
            end_to_end_id: optional(transaction.end_to_end_id.as_ref(), "OrgnlEndToEndId")?,
            transaction_id: optional(transaction.transaction_id.as_ref(), "OrgnlTxId")?,
            uetr: transaction.uetr.map_or(Ok(Text::EMPTY), |it| canonical(it.as_str(), "OrgnlUETR"))?,
            answer: answer(transaction)?,
        };
        if answer.end_to_end_id.is_empty() && answer.transaction_id.is_empty() && answer.uetr.is_empty() {
            return Err(Fault::Missing("OrgnlEndToEndId, OrgnlTxId or OrgnlUETR"));
        }
        Ok(answer)
    }

    /// Writes a pacs.002 about a transfer, as the party sent it.
    ///
    /// # Errors
    /// When the response holds a value that the schema does not allow. Facts that were decoded from a
    /// pacs.008 do not.
    pub fn encode_response(&self, response: &TransferResponse) -> Result<Vec<u8>, Fault> {
        let facts = &response.facts;
        let transaction = TransactionStatus {
            status_id: None,
            original: Some(original_of(&facts.message_id)?),
            instruction_id: iso(&facts.instruction_id, "OrgnlInstrId")?,
            end_to_end_id: iso(&facts.end_to_end_id, "OrgnlEndToEndId")?,
            transaction_id: iso(&facts.transaction_id, "OrgnlTxId")?,
            uetr: uetr(&facts.uetr, "OrgnlUETR")?,
            status: Some(need(&response.status.status, "TxSts")?),
            reasons: iso(&response.status.reason, "StsRsnInf")?.into_iter().collect(),
        };
        self.report(&response.message_id, response.created, transaction)
    }

    /// Writes a pacs.002 with RJCT about a transfer that this link does not take.
    ///
    /// # Errors
    /// When the message id or the time is not one.
    pub fn encode_rejection(&self, transfer: &RejectedTransfer, message_id: &Text<35>, created: Wall) -> Result<Vec<u8>, Fault> {
        let name = iso20022::Text::new(iso20022::PACS_008).map_err(Fault::unfit("OrgnlMsgNmId"))?;
        let transaction = TransactionStatus {
            status_id: None,
            original: Some(iso20022::OriginalMessage { id: transfer.message_id.clone(), name }),
            instruction_id: transfer.instruction_id.clone(),
            end_to_end_id: Some(transfer.end_to_end_id.clone()),
            transaction_id: transfer.transaction_id.clone(),
            uetr: transfer.uetr,
            status: Some(iso20022::Text::new("RJCT").map_err(Fault::unfit("TxSts"))?),
            reasons: vec![iso20022::Text::new(transfer.reason).map_err(Fault::unfit("StsRsnInf"))?],
        };
        self.report(message_id, created, transaction)
    }

    fn report(&self, message_id: &Text<35>, created: Wall, transaction: TransactionStatus) -> Result<Vec<u8>, Fault> {
        let message_id = need(message_id, "MsgId")?;
        let created = moment(created)?;
        let [instructing_agent, instructed_agent] = self.agents();
        let report = StatusReport {
            message_id: message_id.clone(),
            created: created.clone(),
            instructing_agent,
            instructed_agent,
            groups: Vec::new(),
            transactions: vec![transaction],
        };
        self.envelope(&message_id, &created, Document::StatusReport(report))
    }
}

/// In progress: no DE39 of the 1987 list fits better than 09.
const IN_PROGRESS: &[u8] = b"09";

fn answer(transaction: &TransactionStatus) -> Result<Answer, Fault> {
    let status = transaction.status.as_ref().ok_or(Fault::Missing("TxSts"))?;
    let code = match status.as_str() {
        "ACSC" | "ACCC" => ResponseCode::APPROVED,
        "RJCT" => ResponseCode::DO_NOT_HONOUR,
        "RCVD" | "ACTC" | "ACCP" | "ACFC" | "ACWC" | "ACWP" | "ACSP" | "PDNG" => {
            ResponseCode::new(IN_PROGRESS).map_err(|_| Fault::Status)?
        }
        _ => return Err(Fault::Status),
    };
    // A reason that cannot be kept is left out: it must not stand between a rejection and its effect.
    let reason = optional(transaction.reasons.first(), "StsRsnInf").unwrap_or_default();
    let transfer = Some(TransferStatus { status: canonical(status.as_str(), "TxSts")?, reason });
    Ok(Answer { transfer, ..Answer::code(code) })
}
