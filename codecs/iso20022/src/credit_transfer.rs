//! pacs.008.001.08, FIToFICustomerCreditTransfer: one credit transfer from a debtor's bank to a
//! creditor's.

use crate::amount::{Amount, Decimal};
use crate::datetime::{Date, DateTime};
use crate::error::{Content, Error, Fault};
use crate::identifiers::Uetr;
use crate::parties::{Account, Agent, Party};
use crate::sequence::{Child, Element, Fields, many, one, opt};
use crate::text::Text;
use crate::writer::Writer;

pub(crate) const DOCUMENT: &[Child] = &[one("FIToFICstmrCdtTrf")];
pub(crate) const MESSAGE: &[Child] = &[one("GrpHdr"), many("CdtTrfTxInf").required(), many("SplmtryData").unread()];
pub(crate) const GROUP_HEADER: &[Child] = &[
    one("MsgId"),
    one("CreDtTm"),
    opt("BtchBookg").unread(),
    one("NbOfTxs"),
    opt("CtrlSum"),
    opt("TtlIntrBkSttlmAmt"),
    opt("IntrBkSttlmDt"),
    one("SttlmInf"),
    opt("PmtTpInf").unread(),
    opt("InstgAgt"),
    opt("InstdAgt"),
];
pub(crate) const SETTLEMENT: &[Child] = &[
    one("SttlmMtd"),
    opt("SttlmAcct").unread(),
    opt("ClrSys").unread(),
    opt("InstgRmbrsmntAgt").unread(),
    opt("InstgRmbrsmntAgtAcct").unread(),
    opt("InstdRmbrsmntAgt").unread(),
    opt("InstdRmbrsmntAgtAcct").unread(),
    opt("ThrdRmbrsmntAgt").unread(),
    opt("ThrdRmbrsmntAgtAcct").unread(),
];
pub(crate) const TRANSACTION: &[Child] = &[
    one("PmtId"),
    opt("PmtTpInf").unread(),
    one("IntrBkSttlmAmt"),
    opt("IntrBkSttlmDt"),
    opt("SttlmPrty").unread(),
    opt("SttlmTmIndctn").unread(),
    opt("SttlmTmReq").unread(),
    opt("AccptncDtTm").unread(),
    opt("PoolgAdjstmntDt").unread(),
    opt("InstdAmt"),
    opt("XchgRate").unread(),
    one("ChrgBr"),
    many("ChrgsInf").unread(),
    opt("PrvsInstgAgt1").unread(),
    opt("PrvsInstgAgt1Acct").unread(),
    opt("PrvsInstgAgt2").unread(),
    opt("PrvsInstgAgt2Acct").unread(),
    opt("PrvsInstgAgt3").unread(),
    opt("PrvsInstgAgt3Acct").unread(),
    opt("InstgAgt"),
    opt("InstdAgt"),
    opt("IntrmyAgt1").unread(),
    opt("IntrmyAgt1Acct").unread(),
    opt("IntrmyAgt2").unread(),
    opt("IntrmyAgt2Acct").unread(),
    opt("IntrmyAgt3").unread(),
    opt("IntrmyAgt3Acct").unread(),
    opt("UltmtDbtr").unread(),
    opt("InitgPty").unread(),
    one("Dbtr"),
    opt("DbtrAcct"),
    one("DbtrAgt"),
    opt("DbtrAgtAcct").unread(),
    one("CdtrAgt"),
    opt("CdtrAgtAcct").unread(),
    one("Cdtr"),
    opt("CdtrAcct"),
    opt("UltmtCdtr").unread(),
    many("InstrForCdtrAgt").unread(),
    many("InstrForNxtAgt").unread(),
    opt("Purp").unread(),
    many("RgltryRptg").unread(),
    opt("Tax").unread(),
    many("RltdRmtInf").unread(),
    opt("RmtInf"),
    many("SplmtryData").unread(),
];
pub(crate) const PAYMENT_ID: &[Child] = &[opt("InstrId"), one("EndToEndId"), opt("TxId"), opt("UETR"), opt("ClrSysRef").unread()];
pub(crate) const REMITTANCE: &[Child] = &[many("Ustrd"), many("Strd").unread()];

/// A pacs.008 with its one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditTransfer {
    /// `GrpHdr/MsgId`.
    pub message_id: Text<35>,
    /// `GrpHdr/CreDtTm`.
    pub created: DateTime,
    /// `GrpHdr/SttlmInf/SttlmMtd`.
    pub settlement_method: SettlementMethod,
    /// `InstgAgt`, of the group header or of the transaction.
    pub instructing_agent: Option<Agent>,
    /// `InstdAgt`, of the group header or of the transaction.
    pub instructed_agent: Option<Agent>,
    /// `PmtId/InstrId`.
    pub instruction_id: Option<Text<35>>,
    /// `PmtId/EndToEndId`.
    pub end_to_end_id: Text<35>,
    /// `PmtId/TxId`.
    pub transaction_id: Option<Text<35>>,
    /// `PmtId/UETR`.
    pub uetr: Option<Uetr>,
    /// `IntrBkSttlmAmt`.
    pub amount: Amount,
    /// `IntrBkSttlmDt`, of the group header or of the transaction.
    pub settlement_date: Option<Date>,
    /// `InstdAmt`: what the debtor asked for, where it was said.
    pub instructed_amount: Option<Amount>,
    /// `ChrgBr`.
    pub charge_bearer: ChargeBearer,
    /// `Dbtr`.
    pub debtor: Party,
    /// `DbtrAcct`.
    pub debtor_account: Option<Account>,
    /// `DbtrAgt`.
    pub debtor_agent: Agent,
    /// `CdtrAgt`.
    pub creditor_agent: Agent,
    /// `Cdtr`.
    pub creditor: Party,
    /// `CdtrAcct`.
    pub creditor_account: Option<Account>,
    /// `RmtInf/Ustrd`, in order.
    pub remittance: Vec<Text<140>>,
}

/// `SettlementMethod1Code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettlementMethod {
    /// `INDA`: by the agent that is instructed.
    InstructedAgent,
    /// `INGA`: by the agent that instructs.
    InstructingAgent,
    /// `COVE`: by a cover payment.
    Cover,
    /// `CLRG`: through a clearing system.
    Clearing,
}

/// `ChargeBearerType1Code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeBearer {
    /// `DEBT`.
    Debtor,
    /// `CRED`.
    Creditor,
    /// `SHAR`.
    Shared,
    /// `SLEV`: as the service level or scheme says.
    ServiceLevel,
}

impl SettlementMethod {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::InstructedAgent => "INDA",
            Self::InstructingAgent => "INGA",
            Self::Cover => "COVE",
            Self::Clearing => "CLRG",
        }
    }

    /// From its code.
    pub fn parse(text: &str) -> Result<Self, Content> {
        let all = [Self::InstructedAgent, Self::InstructingAgent, Self::Cover, Self::Clearing];
        all.into_iter().find(|it| it.code() == text).ok_or(Content::Pattern("INDA, INGA, COVE or CLRG"))
    }
}

impl ChargeBearer {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Debtor => "DEBT",
            Self::Creditor => "CRED",
            Self::Shared => "SHAR",
            Self::ServiceLevel => "SLEV",
        }
    }

    /// From its code.
    pub fn parse(text: &str) -> Result<Self, Content> {
        let all = [Self::Debtor, Self::Creditor, Self::Shared, Self::ServiceLevel];
        all.into_iter().find(|it| it.code() == text).ok_or(Content::Pattern("DEBT, CRED, SHAR or SLEV"))
    }
}

impl CreditTransfer {
    pub(crate) fn read(document: Element<'_>) -> Result<Self, Error> {
        let message = document.sequence(DOCUMENT)?.need("FIToFICstmrCdtTrf")?;
        let parts = message.sequence(MESSAGE)?;
        let got = parts.all("CdtTrfTxInf").count();
        if got > 1 {
            return Err(message.error(Fault::SeveralTransactions { got }));
        }
        let group = parts.need("GrpHdr")?.sequence(GROUP_HEADER)?;
        let count = group.need("NbOfTxs")?;
        if count.value(number_of_transactions)? != 1 {
            return Err(count.error(Fault::Count));
        }
        let transaction = parts.need("CdtTrfTxInf")?.sequence(TRANSACTION)?;
        let amount = transaction.need("IntrBkSttlmAmt")?.amount()?;
        check_totals(&group, amount)?;
        let id = transaction.need("PmtId")?.sequence(PAYMENT_ID)?;
        let remittance = transaction.optional("RmtInf", |it| it.sequence(REMITTANCE))?;
        Ok(Self {
            message_id: group.need("MsgId")?.text()?,
            created: group.need("CreDtTm")?.collapsed(DateTime::parse)?,
            settlement_method: group.need("SttlmInf")?.sequence(SETTLEMENT)?.need("SttlmMtd")?.value(SettlementMethod::parse)?,
            instructing_agent: either(&group, &transaction, "InstgAgt", Agent::read)?,
            instructed_agent: either(&group, &transaction, "InstdAgt", Agent::read)?,
            instruction_id: id.optional("InstrId", |it| it.text())?,
            end_to_end_id: id.need("EndToEndId")?.text()?,
            transaction_id: id.optional("TxId", |it| it.text())?,
            uetr: id.optional("UETR", |it| it.value(Uetr::new))?,
            amount,
            settlement_date: either(&group, &transaction, "IntrBkSttlmDt", |it| it.collapsed(Date::parse))?,
            instructed_amount: transaction.optional("InstdAmt", |it| it.amount())?,
            charge_bearer: transaction.need("ChrgBr")?.value(ChargeBearer::parse)?,
            debtor: Party::read(transaction.need("Dbtr")?)?,
            debtor_account: transaction.optional("DbtrAcct", Account::read)?,
            debtor_agent: Agent::read(transaction.need("DbtrAgt")?)?,
            creditor_agent: Agent::read(transaction.need("CdtrAgt")?)?,
            creditor: Party::read(transaction.need("Cdtr")?)?,
            creditor_account: transaction.optional("CdtrAcct", Account::read)?,
            remittance: match remittance {
                Some(fields) => fields.all("Ustrd").map(|it| it.text()).collect::<Result<_, _>>()?,
                None => Vec::new(),
            },
        })
    }

    pub(crate) fn write(&self, xml: &mut Writer) {
        xml.within("FIToFICstmrCdtTrf", |xml| {
            xml.within("GrpHdr", |xml| {
                xml.leaf("MsgId", self.message_id.as_str());
                xml.leaf("CreDtTm", self.created.as_str());
                xml.leaf("NbOfTxs", "1");
                xml.within("SttlmInf", |xml| xml.leaf("SttlmMtd", self.settlement_method.code()));
            });
            xml.within("CdtTrfTxInf", |xml| self.write_transaction(xml));
        });
    }

    fn write_transaction(&self, xml: &mut Writer) {
        xml.within("PmtId", |xml| {
            xml.optional("InstrId", self.instruction_id.as_ref().map(Text::as_str));
            xml.leaf("EndToEndId", self.end_to_end_id.as_str());
            xml.optional("TxId", self.transaction_id.as_ref().map(Text::as_str));
            xml.optional("UETR", self.uetr.as_ref().map(Uetr::as_str));
        });
        xml.amount("IntrBkSttlmAmt", self.amount);
        xml.optional("IntrBkSttlmDt", self.settlement_date.map(|it| it.to_string()).as_deref());
        if let Some(instructed) = self.instructed_amount {
            xml.amount("InstdAmt", instructed);
        }
        xml.leaf("ChrgBr", self.charge_bearer.code());
        write_agent("InstgAgt", self.instructing_agent.as_ref(), xml);
        write_agent("InstdAgt", self.instructed_agent.as_ref(), xml);
        self.debtor.write("Dbtr", xml);
        if let Some(account) = &self.debtor_account {
            account.write("DbtrAcct", xml);
        }
        self.debtor_agent.write("DbtrAgt", xml);
        self.creditor_agent.write("CdtrAgt", xml);
        self.creditor.write("Cdtr", xml);
        if let Some(account) = &self.creditor_account {
            account.write("CdtrAcct", xml);
        }
        if !self.remittance.is_empty() {
            xml.within("RmtInf", |xml| self.remittance.iter().for_each(|line| xml.leaf("Ustrd", line.as_str())));
        }
    }
}

pub(crate) fn write_agent(name: &'static str, agent: Option<&Agent>, xml: &mut Writer) {
    if let Some(agent) = agent {
        agent.write(name, xml);
    }
}

/// What may stand in the group header or in the transaction, but not in both.
fn either<'t, T>(
    group: &Fields<'t>,
    transaction: &Fields<'t>,
    name: &'static str,
    read: impl FnOnce(Element<'t>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    match (group.get(name), transaction.get(name)) {
        (Some(_), Some(again)) => Err(again.error(Fault::Twice(name))),
        (one, other) => one.or(other).map(read).transpose(),
    }
}

/// `Max15NumericText`.
fn number_of_transactions(text: &str) -> Result<u64, Content> {
    const WANT: Content = Content::Pattern("1 to 15 digits");
    if (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_err(|_| WANT)
    } else {
        Err(WANT)
    }
}

/// Control sum and total are those of the one transaction.
fn check_totals(group: &Fields<'_>, amount: Amount) -> Result<(), Error> {
    if let Some(sum) = group.get("CtrlSum")
        && !amount.equals(&sum.collapsed(|text| Decimal::parse(text, 18, 17))?)
    {
        return Err(sum.error(Fault::Total));
    }
    match group.get("TtlIntrBkSttlmAmt") {
        Some(total) if total.amount()? != amount => Err(total.error(Fault::Total)),
        _ => Ok(()),
    }
}
