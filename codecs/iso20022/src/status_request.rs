//! pacs.028.001.03, FIToFIPaymentStatusRequest: what became of my transfer?

use crate::datetime::DateTime;
use crate::error::Error;
use crate::identifiers::Uetr;
use crate::parties::Agent;
use crate::sequence::{Child, Element, many, one, opt};
use crate::status_report::{GROUP_HEADER, ORIGINAL_GROUP, OriginalMessage, write_group_header};
use crate::text::Text;
use crate::writer::Writer;

pub(crate) const DOCUMENT: &[Child] = &[one("FIToFIPmtStsReq")];
pub(crate) const MESSAGE: &[Child] = &[one("GrpHdr"), many("OrgnlGrpInf"), many("TxInf"), many("SplmtryData").unread()];
/// `OriginalGroupInformation27`.
pub(crate) const GROUP: &[Child] = &[
    one("OrgnlMsgId"),
    one("OrgnlMsgNmId"),
    opt("OrgnlCreDtTm").unread(),
    opt("OrgnlNbOfTxs").unread(),
    opt("OrgnlCtrlSum").unread(),
];
pub(crate) const TRANSACTION: &[Child] = &[
    opt("StsReqId"),
    opt("OrgnlGrpInf"),
    opt("OrgnlInstrId"),
    opt("OrgnlEndToEndId"),
    opt("OrgnlTxId"),
    opt("OrgnlUETR"),
    opt("AccptncDtTm").unread(),
    opt("ClrSysRef").unread(),
    opt("InstgAgt").unread(),
    opt("InstdAgt").unread(),
    opt("OrgnlTxRef").unread(),
    many("SplmtryData").unread(),
];

/// A pacs.028.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRequest {
    /// `GrpHdr/MsgId`.
    pub message_id: Text<35>,
    /// `GrpHdr/CreDtTm`.
    pub created: DateTime,
    /// `GrpHdr/InstgAgt`.
    pub instructing_agent: Option<Agent>,
    /// `GrpHdr/InstdAgt`.
    pub instructed_agent: Option<Agent>,
    /// `OrgnlGrpInf`: whole messages asked about.
    pub groups: Vec<OriginalMessage>,
    /// `TxInf`: transfers asked about.
    pub transactions: Vec<TransactionEnquiry>,
}

/// One transfer that is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransactionEnquiry {
    /// `StsReqId`.
    pub request_id: Option<Text<35>>,
    /// `OrgnlGrpInf`.
    pub original: Option<OriginalMessage>,
    /// `OrgnlInstrId`.
    pub instruction_id: Option<Text<35>>,
    /// `OrgnlEndToEndId`.
    pub end_to_end_id: Option<Text<35>>,
    /// `OrgnlTxId`.
    pub transaction_id: Option<Text<35>>,
    /// `OrgnlUETR`.
    pub uetr: Option<Uetr>,
}

impl StatusRequest {
    pub(crate) fn read(document: Element<'_>) -> Result<Self, Error> {
        let parts = document.sequence(DOCUMENT)?.need("FIToFIPmtStsReq")?.sequence(MESSAGE)?;
        let group = parts.need("GrpHdr")?.sequence(GROUP_HEADER)?;
        Ok(Self {
            message_id: group.need("MsgId")?.text()?,
            created: group.need("CreDtTm")?.collapsed(DateTime::parse)?,
            instructing_agent: group.optional("InstgAgt", Agent::read)?,
            instructed_agent: group.optional("InstdAgt", Agent::read)?,
            groups: parts.all("OrgnlGrpInf").map(|it| OriginalMessage::read(&it.sequence(GROUP)?)).collect::<Result<_, _>>()?,
            transactions: parts.all("TxInf").map(TransactionEnquiry::read).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn write(&self, xml: &mut Writer) {
        xml.within("FIToFIPmtStsReq", |xml| {
            write_group_header(
                &self.message_id,
                &self.created,
                [self.instructing_agent.as_ref(), self.instructed_agent.as_ref()],
                xml,
            );
            self.groups.iter().for_each(|original| xml.within("OrgnlGrpInf", |xml| original.write(xml)));
            self.transactions.iter().for_each(|transaction| transaction.write(xml));
        });
    }
}

impl TransactionEnquiry {
    fn read(element: Element<'_>) -> Result<Self, Error> {
        let fields = element.sequence(TRANSACTION)?;
        Ok(Self {
            request_id: fields.optional("StsReqId", |it| it.text())?,
            original: fields.optional("OrgnlGrpInf", |it| OriginalMessage::read(&it.sequence(ORIGINAL_GROUP)?))?,
            instruction_id: fields.optional("OrgnlInstrId", |it| it.text())?,
            end_to_end_id: fields.optional("OrgnlEndToEndId", |it| it.text())?,
            transaction_id: fields.optional("OrgnlTxId", |it| it.text())?,
            uetr: fields.optional("OrgnlUETR", |it| it.value(Uetr::new))?,
        })
    }

    fn write(&self, xml: &mut Writer) {
        xml.within("TxInf", |xml| {
            xml.optional("StsReqId", self.request_id.as_ref().map(Text::as_str));
            if let Some(original) = &self.original {
                xml.within("OrgnlGrpInf", |xml| original.write(xml));
            }
            xml.optional("OrgnlInstrId", self.instruction_id.as_ref().map(Text::as_str));
            xml.optional("OrgnlEndToEndId", self.end_to_end_id.as_ref().map(Text::as_str));
            xml.optional("OrgnlTxId", self.transaction_id.as_ref().map(Text::as_str));
            xml.optional("OrgnlUETR", self.uetr.as_ref().map(Uetr::as_str));
        });
    }
}
