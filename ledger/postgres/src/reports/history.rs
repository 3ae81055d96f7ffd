//! Everything that is known of a payment.

use ledger::command::Command;
use ledger::{Payment, PaymentRecord};
use payments::{Cause, Currency, PaymentId, Rrn, State};
use serde::Serialize;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use super::attention::matched_to;
use super::books::{currency_of, shard_of};
use crate::Error;
use crate::sql::{At, Day};
use crate::store::record::{Damaged, PAYMENT, PAYMENT_COLUMNS, PAYMENT_FROM, command, payment};

impl From<Damaged> for Error {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged.0)
    }
}

/// How many payments a trace shows at most: a DE37 is reused after some years, not within a page.
const MOST: i64 = 100;

/// A payment with all that happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct History {
    /// Its shard.
    pub shard: u16,
    /// Its id.
    pub payment: PaymentId,
    /// What it is about, as the tables call it.
    pub kind: String,
    /// Where it stands, as the tables call it.
    pub state: String,
    /// DE37.
    pub rrn: Rrn,
    /// Party that the ingress link is bound to.
    pub acquirer: String,
    /// DE41; nothing for a transfer.
    pub terminal: Option<String>,
    /// DE42; nothing for a transfer.
    pub merchant: Option<String>,
    /// Ingress link.
    pub link: String,
    /// Egress link, where anything was sent.
    pub egress_link: Option<String>,
    /// DE11 as sent.
    pub egress_stan: Option<String>,
    /// First six and last four digits, `541333******0011`.
    pub card: Option<String>,
    /// DE3, of a card payment.
    pub processing_code: Option<String>,
    /// Of a completion that an operator matched: the payment that it was captured on.
    pub matched_to: Option<String>,
    /// End-to-end id of a transfer.
    pub end_to_end_id: Option<String>,
    /// What was asked for, minor units.
    pub amount: i64,
    /// Its currency.
    pub currency: Currency,
    /// What is approved.
    pub approved: i64,
    /// What is captured and not taken back.
    pub captured: i64,
    /// DE38.
    pub approval: Option<String>,
    /// DE39 that the outside was told.
    pub code: Option<String>,
    /// What risk decided.
    pub risk: String,
    /// Version of the configuration that it was decided by.
    pub configuration: String,
    /// Keys that its PIN went under, as `id.generation`; an id alone is generation 1.
    pub keys: Vec<String>,
    /// When it was accepted, RFC 3339.
    pub accepted: String,
    /// Each change.
    pub events: Vec<EventLine>,
    /// Answers stored for repeats of its claim, the last one stands.
    pub answers: Vec<AnswerLine>,
    /// Owed messages.
    pub lanes: Vec<LaneLine>,
    /// Items for the scheme's money.
    pub captures: Vec<CaptureLine>,
    /// Its hold.
    pub hold: Option<HoldLine>,
    /// Journals.
    pub journals: Vec<JournalLine>,
}

/// One change of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventLine {
    /// The version that it made.
    pub version: i32,
    /// The state after it.
    pub state: String,
    /// Why.
    pub cause: String,
    /// When, RFC 3339.
    pub at: String,
    /// Block of the audit chain.
    pub block: i64,
    /// Item of that block.
    pub item: i32,
}

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AnswerLine {
    /// DE39.
    pub code: String,
    /// The network's transaction id.
    pub network_id: Option<String>,
    /// DE15.
    pub settlement_date: Option<String>,
    /// Status and reason of a transfer.
    pub transfer: Option<String>,
    /// Block that stored it.
    pub block: i64,
}

/// An owed message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneLine {
    /// 1 for the first.
    pub number: i16,
    /// The link.
    pub link: String,
    /// What is owed.
    pub kind: String,
    /// Not to be sent before, RFC 3339.
    pub not_before: String,
    /// How it ended; nothing while it is owed.
    pub ended: Option<String>,
    /// The DE39 that ended it.
    pub ended_code: Option<String>,
}

/// An item for the scheme's money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaptureLine {
    /// Its number in the shard.
    pub seq: i64,
    /// 1 for the payment's first.
    pub number: i16,
    /// Business day.
    pub date: String,
    /// What it does.
    pub kind: String,
    /// Who moves the money.
    pub clearing: String,
    /// The network.
    pub network: String,
    /// Minor units.
    pub amount: i64,
}

/// A hold on an account that we keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldLine {
    /// The account's code.
    pub account: String,
    /// Minor units.
    pub amount: i64,
    /// Whether it ended.
    pub released: bool,
}

/// A journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JournalLine {
    /// Its number in the shard.
    pub number: i64,
    /// Why it was written, the stored number.
    pub kind: i16,
    /// Business date.
    pub date: String,
    /// Its lines.
    pub entries: Vec<EntryLine>,
}

/// One line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryLine {
    /// The account's code.
    pub account: String,
    /// `D` or `C`.
    pub side: String,
    /// Minor units.
    pub amount: i64,
    /// Its currency.
    pub currency: Currency,
    /// The account's credits less debits after it.
    pub balance_after: i64,
}

/// A payment by its id, in whatever shard.
pub async fn history(client: &impl GenericClient, id: PaymentId) -> Result<Option<History>, Error> {
    // By shard, so that the primary key is used.
    let text = format!(
        "select {PAYMENT}, p.shard from ledger.payment p {PAYMENT_FROM}
         where p.shard in (select shard from ledger.writer_epoch) and p.id = $1"
    );
    match client.query_opt(&text, &[&id.0]).await? {
        Some(row) => Ok(Some(of(client, &row).await?)),
        None => Ok(None),
    }
}

/// Every payment with this DE37, oldest first.
pub async fn trace(client: &impl GenericClient, rrn: &Rrn) -> Result<Vec<History>, Error> {
    let text = format!(
        "select {PAYMENT}, p.shard from ledger.payment p {PAYMENT_FROM} where p.rrn = $1 order by p.id, p.shard limit $2"
    );
    let mut found = Vec::new();
    for row in client.query(&text, &[&rrn.as_str(), &MOST]).await? {
        found.push(of(client, &row).await?);
    }
    Ok(found)
}

async fn of(client: &impl GenericClient, row: &Row) -> Result<History, Error> {
    let record = payment(row, 0)?;
    let shard: i16 = row.try_get(PAYMENT_COLUMNS)?;
    let id = record.facts.id.0;
    let (events, commands) = events(client, shard, id).await?;
    let mut history = summary(shard_of(shard)?, &record);
    history.events = events;
    if matches!(record.standing.state, State::Unmatched | State::Matched) {
        let to = matched_to(client, history.shard, record.facts.id).await?;
        history.matched_to = to.map(|payment| payment.to_string());
    }
    history.answers = answers(client, shard, &record.facts).await?;
    history.lanes = lanes(client, shard, id).await?;
    history.captures = captures(client, shard, id).await?;
    history.hold = hold(client, shard, id).await?;
    let numbers: Vec<i64> = commands.iter().flat_map(|command| command.journals.iter().map(|journal| journal.number)).collect();
    history.journals = journals(client, shard, &numbers).await?;
    Ok(history)
}

fn summary(shard: u16, record: &PaymentRecord) -> History {
    let PaymentRecord { facts, standing, .. } = record;
    History {
        shard,
        payment: facts.id,
        kind: word(&facts.kind),
        state: standing.state.to_string(),
        rrn: facts.rrn,
        acquirer: facts.acquirer.to_string(),
        terminal: facts.head.as_ref().map(|head| head.terminal.to_string()),
        merchant: facts.head.as_ref().map(|head| head.merchant.to_string()),
        link: facts.link.to_string(),
        egress_link: facts.egress.as_ref().map(|egress| egress.link.to_string()).or(facts.bank.map(|bank| bank.to_string())),
        egress_stan: facts.egress.as_ref().map(|egress| egress.stan.to_string()),
        card: facts.card.as_ref().map(|card| format!("{}******{}", card.first_six, card.last_four)),
        processing_code: facts.processing_code.map(|code| code.as_str().to_owned()),
        matched_to: None,
        end_to_end_id: facts.transfer.as_ref().map(|transfer| transfer.end_to_end_id.to_string()),
        amount: facts.amount.minor(),
        currency: facts.amount.currency(),
        approved: standing.approved,
        captured: standing.captured,
        approval: standing.approval.map(|approval| approval.to_string()),
        code: standing.code.map(|code| code.to_string()),
        risk: facts.risk.to_string(),
        configuration: format!("{:012x}", facts.tables),
        keys: facts.keys.iter().map(ToString::to_string).collect(),
        accepted: facts.accepted.to_string(),
        events: Vec::new(),
        answers: Vec::new(),
        lanes: Vec::new(),
        captures: Vec::new(),
        hold: None,
        journals: Vec::new(),
    }
}

/// The word that an enumeration is stored as.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The events of a payment, and the commands that they came with: its journals stand there.
async fn events(client: &impl GenericClient, shard: i16, id: Uuid) -> Result<(Vec<EventLine>, Vec<Command>), Error> {
    let text = "select e.version, e.state_code, e.cause_code, e.cause, e.at, e.block, e.idx, i.body from ledger.event_v1 e
      join ledger.item i on i.shard = e.shard and i.block = e.block and i.idx = e.idx
      where e.shard = $1 and e.payment = $2 order by e.version";
    let (mut events, mut commands) = (Vec::new(), Vec::new());
    for row in client.query(text, &[&shard, &id]).await? {
        let damaged = |what: &str| Error::Damaged(format!("event of payment {id}: {what}"));
        let (state, cause): (i16, i16) = (row.try_get(1)?, row.try_get(2)?);
        Cause::from_code(cause).ok_or_else(|| damaged("cause"))?;
        events.push(EventLine {
            version: row.try_get(0)?,
            state: State::from_code(state).ok_or_else(|| damaged("state"))?.to_string(),
            cause: row.try_get(3)?,
            at: row.try_get::<_, At>(4)?.0.to_string(),
            block: row.try_get(5)?,
            item: row.try_get(6)?,
        });
        commands.push(command(row.try_get(7)?).ok_or_else(|| damaged("item"))?);
    }
    Ok((events, commands))
}

async fn answers(client: &impl GenericClient, shard: i16, facts: &Payment) -> Result<Vec<AnswerLine>, Error> {
    let text = "select answer, block from ledger.answer where shard = $1 and key = $2 order by block, idx";
    let mut found = Vec::new();
    for row in client.query(text, &[&shard, &&facts.claim.0[..]]).await? {
        let answer: payments::Answer =
            serde_json::from_str(row.try_get(0)?).map_err(|_| Error::Damaged(format!("answer of payment {}", facts.id)))?;
        found.push(AnswerLine {
            code: answer.code.to_string(),
            network_id: answer.network_id.map(|id| id.to_string()),
            settlement_date: (!answer.settlement_date.is_empty()).then(|| answer.settlement_date.to_string()),
            transfer: answer.transfer.map(|status| format!("{} {}", status.status, status.reason).trim().to_owned()),
            block: row.try_get(1)?,
        });
    }
    Ok(found)
}

async fn lanes(client: &impl GenericClient, shard: i16, id: Uuid) -> Result<Vec<LaneLine>, Error> {
    let text = "select number, link, kind, not_before, ended, ended_code from ledger.lane_v1
      where shard = $1 and payment = $2 order by number";
    client.query(text, &[&shard, &id]).await?.iter().map(lane).collect()
}

/// What a payment owes and owed, each with the number of its shard; nothing for one that is not there.
///
/// # Errors
/// [`Error`].
pub async fn lanes_of(client: &impl GenericClient, payment: Uuid) -> Result<Vec<(i16, LaneLine)>, Error> {
    let text = "select number, link, kind, not_before, ended, ended_code, shard from ledger.lane_v1
      where payment = $1 order by number";
    client.query(text, &[&payment]).await?.iter().map(|row| Ok((row.try_get(6)?, lane(row)?))).collect()
}

pub(super) fn lane(row: &Row) -> Result<LaneLine, Error> {
    Ok(LaneLine {
        number: row.try_get(0)?,
        link: row.try_get(1)?,
        kind: row.try_get(2)?,
        not_before: row.try_get::<_, At>(3)?.0.to_string(),
        ended: row.try_get(4)?,
        ended_code: row.try_get(5)?,
    })
}

async fn captures(client: &impl GenericClient, shard: i16, id: Uuid) -> Result<Vec<CaptureLine>, Error> {
    let text = "select seq, number, date, kind, clearing, network, amount from ledger.capture
      where shard = $1 and payment = $2 order by number";
    let line = |row: &Row| {
        Ok(CaptureLine {
            seq: row.try_get(0)?,
            number: row.try_get(1)?,
            date: row.try_get::<_, Day>(2)?.0.to_string(),
            kind: row.try_get(3)?,
            clearing: row.try_get(4)?,
            network: row.try_get(5)?,
            amount: row.try_get(6)?,
        })
    };
    client.query(text, &[&shard, &id]).await?.iter().map(line).collect()
}

async fn hold(client: &impl GenericClient, shard: i16, id: Uuid) -> Result<Option<HoldLine>, Error> {
    let text = "select a.code, h.amount, h.released from ledger.hold h
      join ledger.account a on a.shard = h.shard and a.id = h.account where h.shard = $1 and h.payment = $2";
    let row = client.query_opt(text, &[&shard, &id]).await?;
    let line = |row: Row| Ok(HoldLine { account: row.try_get(0)?, amount: row.try_get(1)?, released: row.try_get(2)? });
    row.map(line).transpose()
}

async fn journals(client: &impl GenericClient, shard: i16, numbers: &[i64]) -> Result<Vec<JournalLine>, Error> {
    let text = "select j.number, j.kind, j.date, a.code, e.side, e.amount, e.currency, e.balance_after from ledger.journal j
      join ledger.entry e on e.shard = j.shard and e.journal = j.number
      join ledger.account a on a.shard = e.shard and a.id = e.account
      where j.shard = $1 and j.number = any($2) order by j.number, e.line";
    let mut found: Vec<JournalLine> = Vec::new();
    for row in client.query(text, &[&shard, &numbers]).await? {
        let number: i64 = row.try_get(0)?;
        let entry = EntryLine {
            account: row.try_get(3)?,
            side: row.try_get(4)?,
            amount: row.try_get(5)?,
            currency: currency_of(row.try_get(6)?)?,
            balance_after: row.try_get(7)?,
        };
        match found.last_mut().filter(|journal| journal.number == number) {
            Some(journal) => journal.entries.push(entry),
            None => found.push(JournalLine {
                number,
                kind: row.try_get(1)?,
                date: row.try_get::<_, Day>(2)?.0.to_string(),
                entries: vec![entry],
            }),
        }
    }
    Ok(found)
}
