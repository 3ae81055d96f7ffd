//! Which item of a batch cannot be. Asked only after the database refused the batch: what is stored
//! is read, then the items are gone through in order, each on top of those before it.

use std::collections::{HashMap, HashSet};

use ledger::command::{Command, HoldWrite, LaneWrite, PaymentWrite};
use ledger::{AccountCode, Batch, ClaimKey, Refusal};
use payments::{Currency, PaymentId, Text};
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use crate::sql::bytes;

type HoldOn = (AccountCode, u16, i64);

/// What is stored of everything that a batch touches, then also what its items add.
#[derive(Debug, Default)]
struct Rows {
    claims: HashSet<ClaimKey>,
    versions: HashMap<PaymentId, i32>,
    captures: HashSet<(PaymentId, i16)>,
    /// Whether the message is still owed.
    lanes: HashMap<(PaymentId, i16), bool>,
    /// The hold, and whether it was released.
    holds: HashMap<PaymentId, (HoldOn, bool)>,
}

/// The first item that cannot be, and why.
pub(super) async fn first_refusal(client: &Client, shard: i16, batch: &Batch) -> Result<Option<(usize, Refusal)>, Error> {
    let mut rows = read(client, shard, batch).await?;
    Ok(batch.items.iter().enumerate().find_map(|(index, item)| Some((index, rows.add(&item.command).err()?))))
}

async fn read(client: &Client, shard: i16, batch: &Batch) -> Result<Rows, Error> {
    let commands = || batch.items.iter().map(|item| &item.command);
    let claims: Vec<&[u8]> = commands()
        .flat_map(|command| {
            let taken = command.claim.iter().chain(&command.tombstone).map(|claim| &claim.key);
            taken.chain(command.answers.iter().map(|(key, _)| key))
        })
        .map(|key| &key.0[..])
        .collect();
    let payments: Vec<Uuid> = commands().flat_map(payments_of).map(|id| id.0).collect();
    let mut rows = Rows::default();
    let text = "select key from ledger.claim where shard = $1 and key = any($2)";
    for row in client.query(text, &[&shard, &claims]).await? {
        rows.claims.extend(bytes(row.get(0)).map(ClaimKey));
    }
    let text = "select id, version from ledger.payment where shard = $1 and id = any($2)";
    for row in client.query(text, &[&shard, &payments]).await? {
        rows.versions.insert(PaymentId(row.get(0)), row.get(1));
    }
    let text = "select payment, number from ledger.capture where shard = $1 and payment = any($2)";
    for row in client.query(text, &[&shard, &payments]).await? {
        rows.captures.insert((PaymentId(row.get(0)), row.get(1)));
    }
    let text = "select payment, number, ended is null from ledger.lane where shard = $1 and payment = any($2)";
    for row in client.query(text, &[&shard, &payments]).await? {
        rows.lanes.insert((PaymentId(row.get(0)), row.get(1)), row.get(2));
    }
    let text = "select h.payment, a.code, h.currency, h.amount, h.released from ledger.hold h
      join ledger.account a on a.shard = h.shard and a.id = h.account where h.shard = $1 and h.payment = any($2)";
    for row in client.query(text, &[&shard, &payments]).await? {
        let code = Text::new(row.get(1)).unwrap_or_default();
        let currency = u16::try_from(row.get::<_, i16>(2)).unwrap_or_default();
        rows.holds.insert(PaymentId(row.get(0)), ((code, currency, row.get(3)), row.get(4)));
    }
    Ok(rows)
}

/// Every payment that a command names.
fn payments_of(command: &Command) -> Vec<PaymentId> {
    let mut ids = Vec::new();
    match &command.payment {
        Some(PaymentWrite::Open { facts, .. }) => ids.push(facts.id),
        Some(PaymentWrite::Change { id, .. }) => ids.push(*id),
        None => {}
    }
    ids.extend(command.capture.map(|item| item.payment));
    ids.extend(command.lanes.iter().map(|write| match write {
        LaneWrite::Owe(item) => item.payment,
        LaneWrite::End { payment, .. } => *payment,
    }));
    match command.hold {
        Some(HoldWrite::Place { payment, .. } | HoldWrite::Release { payment, .. }) => ids.push(payment),
        None => {}
    }
    ids
}

impl Rows {
    fn add(&mut self, command: &Command) -> Result<(), Refusal> {
        for claim in command.claim.iter().chain(&command.tombstone) {
            if !self.claims.insert(claim.key) {
                return Err(Refusal::ClaimTaken(claim.key));
            }
        }
        match &command.payment {
            Some(PaymentWrite::Open { facts, standing, .. }) => self.step(facts.id, 0, standing.version)?,
            Some(PaymentWrite::Change { id, standing, .. }) => {
                self.step(*id, standing.version.saturating_sub(1), standing.version)?;
            }
            None => {}
        }
        if command.answers.iter().any(|(key, _)| !self.claims.contains(key)) {
            return Err(Refusal::Duplicate);
        }
        if let Some(item) = &command.capture
            && !self.captures.insert((item.payment, item.number))
        {
            return Err(Refusal::Duplicate);
        }
        command.lanes.iter().try_for_each(|write| self.lane(write))?;
        command.hold.as_ref().map_or(Ok(()), |hold| self.hold(hold))
    }

    fn step(&mut self, id: PaymentId, before: i32, after: i32) -> Result<(), Refusal> {
        if self.versions.get(&id).copied().unwrap_or(0) != before {
            return Err(Refusal::Version(id));
        }
        self.versions.insert(id, after);
        Ok(())
    }

    fn lane(&mut self, write: &LaneWrite) -> Result<(), Refusal> {
        let (key, owes) = match write {
            LaneWrite::Owe(item) => ((item.payment, item.number), true),
            LaneWrite::End { payment, number, .. } => ((*payment, *number), false),
        };
        let wanted = if owes { None } else { Some(true) };
        if self.lanes.get(&key).copied() != wanted || !self.versions.contains_key(&key.0) {
            return Err(Refusal::Duplicate);
        }
        self.lanes.insert(key, owes);
        Ok(())
    }

    fn hold(&mut self, write: &HoldWrite) -> Result<(), Refusal> {
        let (HoldWrite::Place { payment, account, amount } | HoldWrite::Release { payment, account, amount }) = write;
        let currency: Currency = amount.currency();
        let on = (*account, currency.numeric(), amount.minor());
        let released = matches!(write, HoldWrite::Release { .. });
        let wanted = released.then_some((on, false));
        if self.holds.get(payment).copied() != wanted {
            return Err(Refusal::Duplicate);
        }
        self.holds.insert(*payment, (on, released));
        Ok(())
    }
}
