//! The party's own mapping to pacs.008 and pacs.028. Independent of the switch's dialect on purpose.

use iso20022::{
    Account, Agent, Amount, Bic, BusinessHeader, ChargeBearer, Content, CreditTransfer, CurrencyCode, Date, DateTime, Document,
    Endpoint, Envelope, OriginalMessage, Party as Named, SettlementMethod, StatusRequest, Text, TransactionEnquiry, Uetr,
};
use payments::Wall;

use super::line::Line;
use super::options::PartyOptions;
use crate::Error;
use crate::bank::accounts;

/// Names that a careless mapping would spoil.
const NAMES: &[&str] = &["Muster & Söhne GmbH", "Łódź Sp. z o.o.", "株式会社テスト", "O'Brien <Ltd>", "Zoë Ñandú"];

/// Who writes to whom.
#[derive(Debug, Clone)]
pub(super) struct Correspondence {
    own: Bic,
    switch: Bic,
    bank: Bic,
    currency: CurrencyCode,
    date: Date,
}

impl Correspondence {
    /// `today` is used where no settlement date is given.
    pub(super) fn new(options: &PartyOptions, today: Wall) -> Result<Self, Error> {
        let refuse = |option| move |fault: Content| Error::BadOption { option, reason: fault.to_string() };
        let date = options.settlement_date.clone().unwrap_or_else(|| today.date().to_string());
        Ok(Self {
            own: Bic::new(&options.bic).map_err(refuse("bic"))?,
            switch: Bic::new(&options.switch_bic).map_err(refuse("switch_bic"))?,
            bank: Bic::new(&options.bank_bic).map_err(refuse("bank_bic"))?,
            currency: CurrencyCode::new(&options.currency).map_err(refuse("currency"))?,
            date: Date::parse(&date).map_err(refuse("settlement_date"))?,
        })
    }

    /// Checks that amounts and accounts can be made.
    pub(super) fn check(&self, options: &PartyOptions) -> Result<(), Error> {
        let refuse = |option, reason: &str| Err(Error::BadOption { option, reason: reason.to_owned() });
        let amount = |minor| Amount::new(minor, self.currency).is_ok();
        match options {
            _ if !amount(options.min_minor) || !amount(options.max_minor) || options.min_minor > options.max_minor => {
                refuse("min_minor", "amounts are 1 to 18 digits of minor units, the smallest first")
            }
            _ if !(1..=accounts::MAX_ACCOUNTS).contains(&options.debtors) => refuse("debtors", "1 to 1000000"),
            _ if !(1..=accounts::MAX_ACCOUNTS).contains(&options.creditors) => refuse("creditors", "1 to 1000000"),
            _ if options.in_flight == 0 => refuse("in_flight", "at least 1"),
            _ => Ok(()),
        }
    }

    /// pacs.008.
    pub(super) fn transfer(&self, at: Wall, line: &Line, number: u64) -> Result<Vec<u8>, Error> {
        let make = || -> Result<Vec<u8>, Content> {
            let name = |shift: u64| {
                let count = u64::try_from(NAMES.len()).unwrap_or(1);
                let at = usize::try_from((number.wrapping_add(shift)) % count).unwrap_or(0);
                Text::new(NAMES.get(at).copied().unwrap_or("Party")).map(|name| Named { name: Some(name) })
            };
            let message_id = Text::new(&*line.message_id)?;
            let created = DateTime::from_unix_micros(at.0)?;
            let transfer = CreditTransfer {
                message_id: message_id.clone(),
                created: created.clone(),
                settlement_method: SettlementMethod::Clearing,
                instructing_agent: Some(Agent::from(self.own)),
                instructed_agent: Some(Agent::from(self.switch)),
                instruction_id: Some(Text::new(format!("I{number}"))?),
                end_to_end_id: Text::new(&*line.end_to_end_id)?,
                transaction_id: Some(Text::new(&*line.transaction_id)?),
                uetr: Some(Uetr::new(&line.uetr)?),
                amount: Amount::new(line.amount_minor, self.currency)?,
                settlement_date: Some(self.date),
                instructed_amount: None,
                charge_bearer: ChargeBearer::ServiceLevel,
                debtor: name(0)?,
                debtor_account: Some(Account::parse(&line.debtor_account)?),
                debtor_agent: Agent::from(self.own),
                creditor_agent: Agent::from(self.bank),
                creditor: name(1)?,
                creditor_account: Some(Account::parse(&line.creditor_account)?),
                remittance: vec![Text::new(format!("Invoice {number}"))?],
            };
            self.envelope(&message_id, created, Document::CreditTransfer(Box::new(transfer)))
        };
        make().map_err(|fault| Error::Encode { mti: "pacs.008".to_owned(), reason: fault.to_string() })
    }

    /// pacs.028.
    pub(super) fn enquiry(&self, at: Wall, line: &Line, id: &str) -> Result<Vec<u8>, Error> {
        let make = || -> Result<Vec<u8>, Content> {
            let message_id = Text::new(id)?;
            let created = DateTime::from_unix_micros(at.0)?;
            let original = OriginalMessage { id: Text::new(&*line.message_id)?, name: Text::new(iso20022::PACS_008)? };
            let request = StatusRequest {
                message_id: message_id.clone(),
                created: created.clone(),
                instructing_agent: Some(Agent::from(self.own)),
                instructed_agent: Some(Agent::from(self.switch)),
                groups: Vec::new(),
                transactions: vec![TransactionEnquiry {
                    request_id: Some(message_id.clone()),
                    original: Some(original),
                    instruction_id: None,
                    end_to_end_id: Some(Text::new(&*line.end_to_end_id)?),
                    transaction_id: Some(Text::new(&*line.transaction_id)?),
                    uetr: Some(Uetr::new(&line.uetr)?),
                }],
            };
            self.envelope(&message_id, created, Document::StatusRequest(request))
        };
        make().map_err(|fault| Error::Encode { mti: "pacs.028".to_owned(), reason: fault.to_string() })
    }

    fn envelope(&self, id: &Text<35>, created: DateTime, document: Document) -> Result<Vec<u8>, Content> {
        let header = BusinessHeader {
            from: Endpoint::Institution(Agent::from(self.own)),
            to: Endpoint::Institution(Agent::from(self.switch)),
            business_message_id: id.clone(),
            message_definition: Text::new(document.definition().unwrap_or_default())?,
            business_service: None,
            created,
            copy_duplicate: None,
            possible_duplicate: None,
        };
        Ok(iso20022::write(&Envelope { header, document }))
    }
}
