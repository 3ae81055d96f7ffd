//! What somebody has to look at: messages that were refused for good, and completions without their
//! authorization.

use ledger::ClaimKey;
use payments::{Currency, PaymentId};
use serde::Serialize;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use super::books::shard_of;
use super::history::{LaneLine, lane};
use crate::Error;
use crate::store::record::{PAYMENT, PAYMENT_COLUMNS, PAYMENT_FROM, payment};

/// A message that the other side refused for good, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The payment's id.
    pub payment: String,
    /// DE37, by which `trace` finds it.
    pub rrn: String,
    /// The message.
    #[serde(flatten)]
    pub lane: LaneLine,
}

/// Messages that ended dead and were not tried again since, the latest payments first.
///
/// # Errors
/// [`Error`].
pub async fn dead_letters(client: &impl GenericClient, most: i64) -> Result<Vec<DeadLetter>, Error> {
    let text = "select lane.number, lane.link, lane.kind, lane.not_before, lane.ended, lane.ended_code, lane.payment, payment.rrn
      from ledger.lane_v1 lane join ledger.payment_v1 payment on payment.shard = lane.shard and payment.id = lane.payment
      where lane.ended = 'dead' and not exists (select 1 from ledger.lane_v1 later
        where later.shard = lane.shard and later.payment = lane.payment and later.number > lane.number and later.kind = lane.kind)
      order by lane.payment desc, lane.number limit $1";
    let line =
        |row: &Row| Ok(DeadLetter { payment: row.try_get::<_, Uuid>(6)?.to_string(), rrn: row.try_get(7)?, lane: lane(row)? });
    client.query(text, &[&most]).await?.iter().map(line).collect()
}

/// A completion (0220) that came without its authorization and is neither matched nor withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnmatchedCompletion {
    /// Its shard.
    pub shard: u16,
    /// The id of the payment that keeps it.
    pub payment: String,
    /// DE37, by which `trace` finds it.
    pub rrn: String,
    /// The acquirer.
    pub acquirer: String,
    /// DE41.
    pub terminal: Option<String>,
    /// DE42.
    pub merchant: Option<String>,
    /// First six and last four digits.
    pub card: Option<String>,
    /// Minor units.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
    /// DE3, whose first two digits are the transaction type: that of its authorization must be the same.
    pub processing_code: Option<String>,
    /// The payment that it was captured on, where a match was broken off before the completion was closed: the
    /// same match again closes it.
    pub matched_to: Option<String>,
    /// DE38, which names the authorization where the terminal knew it.
    pub approval: Option<String>,
    /// When it came.
    pub accepted: String,
}

/// Completions that somebody has to find the authorization of, the latest first.
///
/// # Errors
/// When the database does not answer, or a row is damaged.
pub async fn unmatched_completions(client: &impl GenericClient, most: i64) -> Result<Vec<UnmatchedCompletion>, Error> {
    // The events that opened them have an index of their own; what is still unmatched stands at the payment.
    let text = format!(
        "select {PAYMENT}, p.shard from ledger.event e join ledger.payment p on p.shard = e.shard and p.id = e.payment
         {PAYMENT_FROM} where e.state = 10 and e.version = 1 and p.state = 10 order by p.id desc, p.shard limit $1"
    );
    let mut found = client.query(&text, &[&most]).await?.iter().map(unmatched).collect::<Result<Vec<_>, _>>()?;
    for (id, line) in &mut found {
        line.matched_to = matched_to(client, line.shard, *id).await?.map(|payment| payment.to_string());
    }
    Ok(found.into_iter().map(|(_, line)| line).collect())
}

/// The payment that a completion was captured on, if it was matched.
pub(super) async fn matched_to(client: &impl GenericClient, shard: u16, completion: PaymentId) -> Result<Option<Uuid>, Error> {
    let text = "select payment from ledger.claim where shard = $1 and key = $2";
    let key = ClaimKey::settlement_of(completion);
    let shard = i16::try_from(shard).map_err(|_| Error::Damaged("a shard's number".to_owned()))?;
    match client.query_opt(text, &[&shard, &key.0.as_slice()]).await? {
        Some(row) => Ok(row.try_get(0)?),
        None => Ok(None),
    }
}

/// How many there are.
///
/// # Errors
/// When the database does not answer.
pub async fn count_unmatched_completions(client: &impl GenericClient) -> Result<i64, Error> {
    let text = "select count(*) from ledger.event e join ledger.payment p on p.shard = e.shard and p.id = e.payment
      where e.state = 10 and e.version = 1 and p.state = 10";
    Ok(client.query_one(text, &[]).await?.try_get(0)?)
}

fn unmatched(row: &Row) -> Result<(PaymentId, UnmatchedCompletion), Error> {
    let record = payment(row, 0)?;
    let facts = &record.facts;
    let line = UnmatchedCompletion {
        shard: shard_of(row.try_get(PAYMENT_COLUMNS)?)?,
        payment: facts.id.to_string(),
        rrn: facts.rrn.to_string(),
        acquirer: facts.acquirer.to_string(),
        terminal: facts.head.as_ref().map(|head| head.terminal.to_string()),
        merchant: facts.head.as_ref().map(|head| head.merchant.to_string()),
        card: facts.card.as_ref().map(|card| format!("{}******{}", card.first_six, card.last_four)),
        amount: facts.amount.minor(),
        currency: facts.amount.currency(),
        processing_code: facts.processing_code.map(|code| code.as_str().to_owned()),
        matched_to: None,
        approval: record.standing.approval.map(|approval| approval.to_string()),
        accepted: facts.accepted.to_string(),
    };
    Ok((facts.id, line))
}
