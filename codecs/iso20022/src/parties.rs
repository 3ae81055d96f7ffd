//! Parties, agents and accounts, shared by header and messages (`PartyIdentification135`,
//! `BranchAndFinancialInstitutionIdentification6`, `CashAccount38`).

use std::fmt;

use crate::error::{Content, Error};
use crate::identifiers::{Bic, Iban};
use crate::sequence::{Child, Element, one, opt};
use crate::text::Text;
use crate::writer::Writer;

pub(crate) const AGENT: &[Child] = &[one("FinInstnId"), opt("BrnchId").unread()];
pub(crate) const INSTITUTION: &[Child] =
    &[opt("BICFI"), opt("ClrSysMmbId"), opt("LEI").unread(), opt("Nm").unread(), opt("PstlAdr").unread(), opt("Othr").unread()];
pub(crate) const MEMBER: &[Child] = &[opt("ClrSysId"), one("MmbId")];
pub(crate) const CLEARING_SYSTEM: &[Child] = &[opt("Cd"), opt("Prtry").unread()];
pub(crate) const PARTY: &[Child] =
    &[opt("Nm"), opt("PstlAdr").unread(), opt("Id").unread(), opt("CtryOfRes").unread(), opt("CtctDtls").unread()];
pub(crate) const PARTY_ID: &[Child] = &[opt("OrgId"), opt("PrvtId").unread()];
pub(crate) const ORGANISATION_ID: &[Child] = &[opt("AnyBIC"), opt("LEI").unread(), crate::sequence::many("Othr").unread()];
pub(crate) const ACCOUNT: &[Child] =
    &[one("Id"), opt("Tp").unread(), opt("Ccy").unread(), opt("Nm").unread(), opt("Prxy").unread()];
pub(crate) const ACCOUNT_ID: &[Child] = &[opt("IBAN"), opt("Othr")];
pub(crate) const OTHER_ACCOUNT: &[Child] = &[one("Id"), opt("SchmeNm").unread(), opt("Issr").unread()];

/// A bank, by BIC, by membership of a clearing system, or both. The schema allows neither.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agent {
    /// `FinInstnId/BICFI`.
    pub bic: Option<Bic>,
    /// `FinInstnId/ClrSysMmbId`.
    pub member: Option<ClearingMember>,
}

impl From<Bic> for Agent {
    fn from(bic: Bic) -> Self {
        Self { bic: Some(bic), member: None }
    }
}

/// Membership of a clearing system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClearingMember {
    /// `ClrSysId/Cd` (for example `USABA`).
    pub system: Option<Text<5>>,
    /// `MmbId`.
    pub id: Text<35>,
}

/// A debtor or creditor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// `Nm`, in whatever script it is written.
    pub name: Option<Text<140>>,
}

/// An account.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Account {
    /// `Id/IBAN`.
    Iban(Iban),
    /// `Id/Othr/Id`.
    Other(Text<34>),
}

impl Account {
    /// The identification, whichever it is.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Iban(iban) => iban.as_str(),
            Self::Other(id) => id.as_str(),
        }
    }
}

/// The kind only: the number says whose account it is.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iban(iban) => write!(f, "Iban({iban:?})"),
            Self::Other(_) => f.write_str("Other(…)"),
        }
    }
}

impl Agent {
    pub(crate) fn read(element: Element<'_>) -> Result<Self, Error> {
        let institution = element.sequence(AGENT)?.need("FinInstnId")?.sequence(INSTITUTION)?;
        Ok(Self {
            bic: institution.optional("BICFI", |it| it.value(Bic::new))?,
            member: institution.optional("ClrSysMmbId", ClearingMember::read)?,
        })
    }

    pub(crate) fn write(&self, name: &'static str, xml: &mut Writer) {
        xml.within(name, |xml| {
            xml.within("FinInstnId", |xml| {
                xml.optional("BICFI", self.bic.as_ref().map(Bic::as_str));
                if let Some(member) = &self.member {
                    xml.within("ClrSysMmbId", |xml| {
                        if let Some(system) = &member.system {
                            xml.within("ClrSysId", |xml| xml.leaf("Cd", system.as_str()));
                        }
                        xml.leaf("MmbId", member.id.as_str());
                    });
                }
            });
        });
    }
}

impl ClearingMember {
    fn read(element: Element<'_>) -> Result<Self, Error> {
        let fields = element.sequence(MEMBER)?;
        let system = match fields.get("ClrSysId").map(|it| it.choice(CLEARING_SYSTEM, "Cd or Prtry")).transpose()? {
            Some(("Cd", code)) => Some(code.text()?),
            _ => None,
        };
        Ok(Self { system, id: fields.need("MmbId")?.text()? })
    }
}

impl Party {
    pub(crate) fn read(element: Element<'_>) -> Result<Self, Error> {
        Ok(Self { name: element.sequence(PARTY)?.optional("Nm", |it| it.text())? })
    }

    pub(crate) fn write(&self, name: &'static str, xml: &mut Writer) {
        xml.within(name, |xml| xml.optional("Nm", self.name.as_ref().map(Text::as_str)));
    }
}

impl Account {
    pub(crate) fn read(element: Element<'_>) -> Result<Self, Error> {
        let id = element.sequence(ACCOUNT)?.need("Id")?;
        match id.choice(ACCOUNT_ID, "IBAN or Othr")? {
            ("IBAN", iban) => iban.value(Iban::new).map(Self::Iban),
            (_, other) => other.sequence(OTHER_ACCOUNT)?.need("Id")?.text().map(Self::Other),
        }
    }

    pub(crate) fn write(&self, name: &'static str, xml: &mut Writer) {
        xml.within(name, |xml| {
            xml.within("Id", |xml| match self {
                Self::Iban(iban) => xml.leaf("IBAN", iban.as_str()),
                Self::Other(id) => xml.within("Othr", |xml| xml.leaf("Id", id.as_str())),
            });
        });
    }

    /// By its form: what has the pattern of an IBAN and fitting check digits is one.
    pub fn parse(text: &str) -> Result<Self, Content> {
        Iban::new(text).map(Self::Iban).or_else(|_| Text::new(text).map(Self::Other))
    }
}
