//! Requests of an instructing party: pacs.008 and pacs.028 into canonical form.

use iso20022::{Account, CopyDuplicate, Document, OriginalMessage, Uetr, Unread};
use payments::request::{CreditTransfer, StatusEnquiry, TransferFacts};
use payments::{AcquirerId, Amount, BusinessDate, Currency, Request, Text};

use super::fault::{Fault, Refusal};
use super::{Link, canonical, optional};

/// Elements that say where the money goes, what becomes of it on the way, or what the parties must be
/// told. The canonical transfer does not hold them, so a transfer that has one is refused.
pub const MUST_NOT_BE_LOST: &[&str] = &[
    "SttlmAcct",
    "InstgRmbrsmntAgt",
    "InstdRmbrsmntAgt",
    "ThrdRmbrsmntAgt",
    "SttlmTmIndctn",
    "SttlmTmReq",
    "XchgRate",
    "ChrgsInf",
    "PrvsInstgAgt1",
    "IntrmyAgt1",
    "DbtrAgtAcct",
    "CdtrAgtAcct",
    "UltmtDbtr",
    "UltmtCdtr",
    "InstrForCdtrAgt",
    "InstrForNxtAgt",
    "RgltryRptg",
    "Tax",
    "RltdRmtInf",
    "Strd",
    "Prxy",
    "BrnchId",
    "SplmtryData",
];

/// A request and what of it was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The request, bound to the acquirer of the link.
    pub request: Request,
    /// Elements that do not travel on, to be counted.
    pub unread: Unread,
}

/// A readable transfer that this link does not take: what a pacs.002 with RJCT needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedTransfer {
    pub(super) message_id: iso20022::Text<35>,
    pub(super) instruction_id: Option<iso20022::Text<35>>,
    pub(super) end_to_end_id: iso20022::Text<35>,
    pub(super) transaction_id: Option<iso20022::Text<35>>,
    pub(super) uetr: Option<Uetr>,
    pub(super) reason: &'static str,
}

impl RejectedTransfer {
    /// The reason code that the answer will have.
    pub fn reason(&self) -> &'static str {
        self.reason
    }
}

impl Link {
    /// Reads a request of the instructing party that this link is bound to.
    ///
    /// # Errors
    /// Why it is refused, and what to answer where an answer can be addressed. An enquiry that cannot
    /// be understood gets none: a rejection would be taken for the fate of the transfer.
    pub fn decode_request(&self, bytes: &[u8], acquirer: AcquirerId) -> Result<Decoded, Refusal> {
        let received = iso20022::read(bytes, &self.limits).map_err(Fault::from)?;
        let (envelope, unread) = (received.value, received.unread);
        self.addressed(&envelope.header)?;
        if matches!(envelope.header.copy_duplicate, Some(CopyDuplicate::Copy | CopyDuplicate::CopyDuplicate)) {
            return Err(Fault::Copy.into());
        }
        let request = match envelope.document {
            Document::CreditTransfer(transfer) => {
                let facts = self.facts(&transfer, &unread).map_err(|fault| refusal(&transfer, fault))?;
                Request::CreditTransfer(Box::new(CreditTransfer { acquirer, facts }))
            }
            Document::StatusRequest(request) => Request::StatusEnquiry(Box::new(enquiry(&request, acquirer)?)),
            other => return Err(Fault::Message(name_of(&other)).into()),
        };
        Ok(Decoded { request, unread })
    }

    fn facts(&self, transfer: &iso20022::CreditTransfer, unread: &Unread) -> Result<TransferFacts, Fault> {
        if let Some(lost) = MUST_NOT_BE_LOST.iter().find(|name| unread.names().contains(name)) {
            return Err(Fault::NotCarried(lost));
        }
        if transfer.instructed_amount.is_some_and(|instructed| instructed != transfer.amount) {
            return Err(Fault::NotCarried("InstdAmt"));
        }
        if transfer.charge_bearer != self.charge_bearer {
            return Err(Fault::NotAgreed("ChrgBr"));
        }
        if transfer.settlement_method != self.settlement_method {
            return Err(Fault::NotAgreed("SttlmMtd"));
        }
        // The UETR is what a transfer is claimed and asked about by: without one, two transfers of a
        // party could not be told apart.
        let uetr = transfer.uetr.ok_or(Fault::Missing("UETR"))?;
        let agent = |agent: &iso20022::Agent, element| {
            let bic = agent.bic.filter(|_| agent.member.is_none()).ok_or(Fault::Missing(element))?;
            canonical(bic.as_str(), element)
        };
        Ok(TransferFacts {
            message_id: canonical(transfer.message_id.as_str(), "MsgId")?,
            instruction_id: optional(transfer.instruction_id.as_ref(), "InstrId")?,
            end_to_end_id: canonical(transfer.end_to_end_id.as_str(), "EndToEndId")?,
            transaction_id: optional(transfer.transaction_id.as_ref(), "TxId")?,
            uetr: canonical(uetr.as_str(), "UETR")?,
            amount: amount(transfer.amount)?,
            settlement_date: settlement_date(transfer)?,
            debtor_agent: agent(&transfer.debtor_agent, "DbtrAgt")?,
            creditor_agent: agent(&transfer.creditor_agent, "CdtrAgt")?,
            debtor_account: account(transfer.debtor_account.as_ref(), "DbtrAcct")?,
            creditor_account: account(transfer.creditor_account.as_ref(), "CdtrAcct")?,
            debtor_name: transfer.debtor.name.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default(),
            creditor_name: transfer.creditor.name.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default(),
            remittance: remittance(&transfer.remittance)?,
        })
    }
}

fn refusal(transfer: &iso20022::CreditTransfer, fault: Fault) -> Refusal {
    let answer = RejectedTransfer {
        message_id: transfer.message_id.clone(),
        instruction_id: transfer.instruction_id.clone(),
        end_to_end_id: transfer.end_to_end_id.clone(),
        transaction_id: transfer.transaction_id.clone(),
        uetr: transfer.uetr,
        reason: fault.reason(),
    };
    Refusal { fault, answer: Some(Box::new(answer)) }
}

fn amount(amount: iso20022::Amount) -> Result<Amount, Fault> {
    let currency = Currency::from_alpha(amount.currency().as_str()).ok_or(Fault::NotCarried("IntrBkSttlmAmt"))?;
    Amount::new(amount.minor(), currency).map_err(|_| Fault::NotCarried("IntrBkSttlmAmt"))
}

fn settlement_date(transfer: &iso20022::CreditTransfer) -> Result<BusinessDate, Fault> {
    let (year, month, day) = transfer.settlement_date.ok_or(Fault::Missing("IntrBkSttlmDt"))?.parts();
    BusinessDate::new(year, month, day).map_err(|_| Fault::NotCarried("IntrBkSttlmDt"))
}

/// The identification of an account. Its kind is told from its form when it is written again, so an
/// identification that looks like an IBAN and is not given as one is refused.
fn account(account: Option<&Account>, element: &'static str) -> Result<Text<34>, Fault> {
    let account = account.ok_or(Fault::Missing(element))?;
    if Account::parse(account.as_str()).as_ref() != Ok(account) {
        return Err(Fault::NotCarried(element));
    }
    canonical(account.as_str(), element)
}

/// The lines, one per `Ustrd`.
fn remittance(lines: &[iso20022::Text<140>]) -> Result<String, Fault> {
    if lines.iter().any(|line| line.as_str().contains('\n')) {
        return Err(Fault::NotCarried("Ustrd"));
    }
    Ok(lines.iter().map(iso20022::Text::as_str).collect::<Vec<_>>().join("\n"))
}

fn enquiry(request: &iso20022::StatusRequest, acquirer: AcquirerId) -> Result<StatusEnquiry, Fault> {
    let [transaction] = request.transactions.as_slice() else { return Err(Fault::Transfers(request.transactions.len())) };
    let original = original(transaction.original.as_ref(), &request.groups)?;
    Ok(StatusEnquiry {
        acquirer,
        message_id: canonical(request.message_id.as_str(), "MsgId")?,
        original_message_id: canonical(original.id.as_str(), "OrgnlMsgId")?,
        end_to_end_id: optional(transaction.end_to_end_id.as_ref(), "OrgnlEndToEndId")?,
        transaction_id: optional(transaction.transaction_id.as_ref(), "OrgnlTxId")?,
        uetr: canonical(transaction.uetr.ok_or(Fault::Missing("OrgnlUETR"))?.as_str(), "OrgnlUETR")?,
    })
}

/// The original message, named with the transaction or for the whole message; where both, the same.
pub(super) fn original<'m>(
    own: Option<&'m OriginalMessage>,
    groups: impl IntoIterator<Item = &'m OriginalMessage>,
) -> Result<&'m OriginalMessage, Fault> {
    let mut named = own.into_iter().chain(groups);
    let first = named.next().ok_or(Fault::Missing("OrgnlMsgId"))?;
    let known = first.name.as_str().starts_with("pacs.008.") && named.all(|other| other == first);
    if known { Ok(first) } else { Err(Fault::Original) }
}

/// What a message is called, for an error: never longer than a namespace, which the reader bounds.
pub(super) fn name_of(document: &Document) -> String {
    match document {
        Document::Unknown { namespace } => namespace.clone(),
        known => known.definition().unwrap_or_default().to_owned(),
    }
}
