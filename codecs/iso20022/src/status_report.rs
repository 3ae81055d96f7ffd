//! pacs.002.001.10, FIToFIPaymentStatusReport: what became of a credit transfer.

use crate::datetime::DateTime;
use crate::error::Error;
use crate::identifiers::Uetr;
use crate::parties::Agent;
use crate::sequence::{Child, Element, Fields, many, one, opt};
use crate::text::{Code, Text};
use crate::writer::Writer;

pub(crate) const DOCUMENT: &[Child] = &[one("FIToFIPmtStsRpt")];
pub(crate) const MESSAGE: &[Child] =
    &[one("GrpHdr"), many("OrgnlGrpInfAndSts"), many("TxInfAndSts"), many("SplmtryData").unread()];
/// `GroupHeader91`, of pacs.028 too.
pub(crate) const GROUP_HEADER: &[Child] = &[one("MsgId"), one("CreDtTm"), opt("InstgAgt"), opt("InstdAgt")];
pub(crate) const GROUP_STATUS: &[Child] = &[
    one("OrgnlMsgId"),
    one("OrgnlMsgNmId"),
    opt("OrgnlCreDtTm").unread(),
    opt("OrgnlNbOfTxs").unread(),
    opt("OrgnlCtrlSum").unread(),
    opt("GrpSts"),
    many("StsRsnInf"),
    many("NbOfTxsPerSts").unread(),
];
pub(crate) const TRANSACTION: &[Child] = &[
    opt("StsId"),
    opt("OrgnlGrpInf"),
    opt("OrgnlInstrId"),
    opt("OrgnlEndToEndId"),
    opt("OrgnlTxId"),
    opt("OrgnlUETR"),
    opt("TxSts"),
    many("StsRsnInf"),
    many("ChrgsInf").unread(),
    opt("AccptncDtTm").unread(),
    opt("FctvIntrBkSttlmDt").unread(),
    opt("AcctSvcrRef").unread(),
    opt("ClrSysRef").unread(),
    opt("InstgAgt").unread(),
    opt("InstdAgt").unread(),
    opt("OrgnlTxRef").unread(),
    many("SplmtryData").unread(),
];
/// `OriginalGroupInformation29`, of pacs.028 too.
pub(crate) const ORIGINAL_GROUP: &[Child] = &[one("OrgnlMsgId"), one("OrgnlMsgNmId"), opt("OrgnlCreDtTm").unread()];
pub(crate) const REASON: &[Child] = &[opt("Orgtr").unread(), opt("Rsn"), many("AddtlInf").unread()];
pub(crate) const REASON_CODE: &[Child] = &[opt("Cd"), opt("Prtry").unread()];

/// A pacs.002.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// `GrpHdr/MsgId`.
    pub message_id: Text<35>,
    /// `GrpHdr/CreDtTm`.
    pub created: DateTime,
    /// `GrpHdr/InstgAgt`.
    pub instructing_agent: Option<Agent>,
    /// `GrpHdr/InstdAgt`.
    pub instructed_agent: Option<Agent>,
    /// `OrgnlGrpInfAndSts`.
    pub groups: Vec<GroupStatus>,
    /// `TxInfAndSts`.
    pub transactions: Vec<TransactionStatus>,
}

/// The message that a report or request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalMessage {
    /// `OrgnlMsgId`.
    pub id: Text<35>,
    /// `OrgnlMsgNmId`, for example `pacs.008.001.08`.
    pub name: Text<35>,
}

/// The status of a whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupStatus {
    /// `OrgnlMsgId` and `OrgnlMsgNmId`.
    pub original: OriginalMessage,
    /// `GrpSts`.
    pub status: Option<Code>,
    /// `StsRsnInf/Rsn/Cd`, each that is a code.
    pub reasons: Vec<Code>,
}

/// The status of one transfer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransactionStatus {
    /// `StsId`.
    pub status_id: Option<Text<35>>,
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
    /// `TxSts`, for example `ACSC`.
    pub status: Option<Code>,
    /// `StsRsnInf/Rsn/Cd`, each that is a code.
    pub reasons: Vec<Code>,
}

impl OriginalMessage {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, Error> {
        Ok(Self { id: fields.need("OrgnlMsgId")?.text()?, name: fields.need("OrgnlMsgNmId")?.text()? })
    }

    pub(crate) fn write(&self, xml: &mut Writer) {
        xml.leaf("OrgnlMsgId", self.id.as_str());
        xml.leaf("OrgnlMsgNmId", self.name.as_str());
    }
}

fn read_reasons(fields: &Fields<'_>) -> Result<Vec<Code>, Error> {
    let mut reasons = Vec::new();
    for reason in fields.all("StsRsnInf") {
        if let Some(("Cd", code)) = reason.sequence(REASON)?.optional("Rsn", |it| it.choice(REASON_CODE, "Cd or Prtry"))? {
            reasons.push(code.text()?);
        }
    }
    Ok(reasons)
}

fn write_reasons(reasons: &[Code], xml: &mut Writer) {
    for reason in reasons {
        xml.within("StsRsnInf", |xml| xml.within("Rsn", |xml| xml.leaf("Cd", reason.as_str())));
    }
}

impl StatusReport {
    pub(crate) fn read(document: Element<'_>) -> Result<Self, Error> {
        let parts = document.sequence(DOCUMENT)?.need("FIToFIPmtStsRpt")?.sequence(MESSAGE)?;
        let group = parts.need("GrpHdr")?.sequence(GROUP_HEADER)?;
        Ok(Self {
            message_id: group.need("MsgId")?.text()?,
            created: group.need("CreDtTm")?.collapsed(DateTime::parse)?,
            instructing_agent: group.optional("InstgAgt", Agent::read)?,
            instructed_agent: group.optional("InstdAgt", Agent::read)?,
            groups: parts.all("OrgnlGrpInfAndSts").map(GroupStatus::read).collect::<Result<_, _>>()?,
            transactions: parts.all("TxInfAndSts").map(TransactionStatus::read).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn write(&self, xml: &mut Writer) {
        xml.within("FIToFIPmtStsRpt", |xml| {
            write_group_header(
                &self.message_id,
                &self.created,
                [self.instructing_agent.as_ref(), self.instructed_agent.as_ref()],
                xml,
            );
            for group in &self.groups {
                xml.within("OrgnlGrpInfAndSts", |xml| {
                    group.original.write(xml);
                    xml.optional("GrpSts", group.status.as_ref().map(Text::as_str));
                    write_reasons(&group.reasons, xml);
                });
            }
            self.transactions.iter().for_each(|transaction| transaction.write(xml));
        });
    }
}

/// `GroupHeader91`, of pacs.028 too.
pub(crate) fn write_group_header(id: &Text<35>, created: &DateTime, [from, to]: [Option<&Agent>; 2], xml: &mut Writer) {
    xml.within("GrpHdr", |xml| {
        xml.leaf("MsgId", id.as_str());
        xml.leaf("CreDtTm", created.as_str());
        crate::credit_transfer::write_agent("InstgAgt", from, xml);
        crate::credit_transfer::write_agent("InstdAgt", to, xml);
    });
}

impl GroupStatus {
    fn read(element: Element<'_>) -> Result<Self, Error> {
        let fields = element.sequence(GROUP_STATUS)?;
        Ok(Self {
            original: OriginalMessage::read(&fields)?,
            status: fields.optional("GrpSts", |it| it.text())?,
            reasons: read_reasons(&fields)?,
        })
    }
}

impl TransactionStatus {
    fn read(element: Element<'_>) -> Result<Self, Error> {
        let fields = element.sequence(TRANSACTION)?;
        Ok(Self {
            status_id: fields.optional("StsId", |it| it.text())?,
            original: fields.optional("OrgnlGrpInf", |it| OriginalMessage::read(&it.sequence(ORIGINAL_GROUP)?))?,
            instruction_id: fields.optional("OrgnlInstrId", |it| it.text())?,
            end_to_end_id: fields.optional("OrgnlEndToEndId", |it| it.text())?,
            transaction_id: fields.optional("OrgnlTxId", |it| it.text())?,
            uetr: fields.optional("OrgnlUETR", |it| it.value(Uetr::new))?,
            status: fields.optional("TxSts", |it| it.text())?,
            reasons: read_reasons(&fields)?,
        })
    }

    fn write(&self, xml: &mut Writer) {
        xml.within("TxInfAndSts", |xml| {
            xml.optional("StsId", self.status_id.as_ref().map(Text::as_str));
            if let Some(original) = &self.original {
                xml.within("OrgnlGrpInf", |xml| original.write(xml));
            }
            xml.optional("OrgnlInstrId", self.instruction_id.as_ref().map(Text::as_str));
            xml.optional("OrgnlEndToEndId", self.end_to_end_id.as_ref().map(Text::as_str));
            xml.optional("OrgnlTxId", self.transaction_id.as_ref().map(Text::as_str));
            xml.optional("OrgnlUETR", self.uetr.as_ref().map(Uetr::as_str));
            xml.optional("TxSts", self.status.as_ref().map(Text::as_str));
            write_reasons(&self.reasons, xml);
        });
    }
}
