//! The business application header, head.001.001.02.

use crate::datetime::DateTime;
use crate::error::{Content, Error};
use crate::identifiers::Bic;
use crate::parties::{Agent, ORGANISATION_ID, PARTY, PARTY_ID};
use crate::sequence::{Child, Element, many, one, opt};
use crate::text::Text;
use crate::writer::Writer;

pub(crate) const HEADER_MODEL: &[Child] = &[
    opt("CharSet").unread(),
    one("Fr"),
    one("To"),
    one("BizMsgIdr"),
    one("MsgDefIdr"),
    opt("BizSvc"),
    opt("MktPrctc").unread(),
    one("CreDt"),
    opt("BizPrcgDt").unread(),
    opt("CpyDplct"),
    opt("PssblDplct"),
    opt("Prty").unread(),
    opt("Sgntr").unread(),
    many("Rltd").unread(),
];
pub(crate) const ENDPOINT: &[Child] = &[opt("OrgId"), opt("FIId")];
/// `PartyIdentification135` again, but here its `Id` is read and its name is not.
pub(crate) const ORGANISATION: &[Child] =
    &[opt("Nm").unread(), opt("PstlAdr").unread(), opt("Id"), opt("CtryOfRes").unread(), opt("CtctDtls").unread()];
const _: () = assert!(ORGANISATION.len() == PARTY.len());

/// `AppHdr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessHeader {
    /// `Fr`: who sends.
    pub from: Endpoint,
    /// `To`: who shall receive.
    pub to: Endpoint,
    /// `BizMsgIdr`.
    pub business_message_id: Text<35>,
    /// `MsgDefIdr`: the message that follows; must be the one that does.
    pub message_definition: Text<35>,
    /// `BizSvc`: the rule book.
    pub business_service: Option<Text<35>>,
    /// `CreDt`.
    pub created: DateTime,
    /// `CpyDplct`.
    pub copy_duplicate: Option<CopyDuplicate>,
    /// `PssblDplct`: the sender does not know whether it was sent before.
    pub possible_duplicate: Option<bool>,
}

/// `Fr` or `To`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `FIId`.
    Institution(Agent),
    /// `OrgId`, with its `Id/OrgId/AnyBIC` where it has one.
    Organisation(Option<Bic>),
}

/// `CpyDplct`. A copy is for information and must not move money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyDuplicate {
    /// `CODU`: a copy of a duplicate.
    CopyDuplicate,
    /// `COPY`.
    Copy,
    /// `DUPL`: sent again.
    Duplicate,
}

impl CopyDuplicate {
    fn parse(text: &str) -> Result<Self, Content> {
        match text {
            "CODU" => Ok(Self::CopyDuplicate),
            "COPY" => Ok(Self::Copy),
            "DUPL" => Ok(Self::Duplicate),
            _ => Err(Content::Pattern("CODU, COPY or DUPL")),
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::CopyDuplicate => "CODU",
            Self::Copy => "COPY",
            Self::Duplicate => "DUPL",
        }
    }
}

impl Endpoint {
    /// The BIC, where there is one.
    pub fn bic(&self) -> Option<Bic> {
        match self {
            Self::Institution(agent) => agent.bic,
            Self::Organisation(bic) => *bic,
        }
    }

    fn read(element: Element<'_>) -> Result<Self, Error> {
        match element.choice(ENDPOINT, "OrgId or FIId")? {
            ("FIId", institution) => Agent::read(institution).map(Self::Institution),
            (_, organisation) => {
                let Some(id) = organisation.sequence(ORGANISATION)?.get("Id") else { return Ok(Self::Organisation(None)) };
                match id.choice(PARTY_ID, "OrgId or PrvtId")? {
                    ("OrgId", id) => {
                        id.sequence(ORGANISATION_ID)?.optional("AnyBIC", |it| it.value(Bic::new)).map(Self::Organisation)
                    }
                    _ => Ok(Self::Organisation(None)),
                }
            }
        }
    }

    fn write(&self, name: &'static str, xml: &mut Writer) {
        xml.within(name, |xml| match self {
            Self::Institution(agent) => agent.write("FIId", xml),
            Self::Organisation(bic) => xml.within("OrgId", |xml| {
                if let Some(bic) = bic {
                    xml.within("Id", |xml| xml.within("OrgId", |xml| xml.leaf("AnyBIC", bic.as_str())));
                }
            }),
        });
    }
}

impl BusinessHeader {
    pub(crate) fn read(element: Element<'_>) -> Result<Self, Error> {
        let fields = element.sequence(HEADER_MODEL)?;
        Ok(Self {
            from: Endpoint::read(fields.need("Fr")?)?,
            to: Endpoint::read(fields.need("To")?)?,
            business_message_id: fields.need("BizMsgIdr")?.text()?,
            message_definition: fields.need("MsgDefIdr")?.text()?,
            business_service: fields.optional("BizSvc", |it| it.text())?,
            created: fields.need("CreDt")?.collapsed(DateTime::parse)?,
            copy_duplicate: fields.optional("CpyDplct", |it| it.value(CopyDuplicate::parse))?,
            possible_duplicate: fields.optional("PssblDplct", |it| it.collapsed(boolean))?,
        })
    }

    pub(crate) fn write(&self, xml: &mut Writer) {
        xml.root("AppHdr", crate::HEADER, |xml| {
            self.from.write("Fr", xml);
            self.to.write("To", xml);
            xml.leaf("BizMsgIdr", self.business_message_id.as_str());
            xml.leaf("MsgDefIdr", self.message_definition.as_str());
            xml.optional("BizSvc", self.business_service.as_ref().map(Text::as_str));
            xml.leaf("CreDt", self.created.as_str());
            xml.optional("CpyDplct", self.copy_duplicate.map(CopyDuplicate::code));
            xml.optional("PssblDplct", self.possible_duplicate.map(|it| if it { "true" } else { "false" }));
        });
    }
}

fn boolean(text: &str) -> Result<bool, Content> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Content::Pattern("true or false")),
    }
}
