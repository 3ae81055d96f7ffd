//! One batch, one transaction, one round trip.

use ledger::block::merkle_root;
use ledger::store::Epoch;
use ledger::{Batch, CommitError, Fence};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity};

use super::flight::Flight;
use super::link::Link;
use super::refusal::first_refusal;
use super::rows::{Unfit, lay_out};
use super::statements::Step;
use crate::error::describe;
use crate::sql::{Param, shard_number};

/// Codes of our own, raised by the functions of the schema.
const UNEXPECTED_ROW: &str = "SW001";
const FENCED: &str = "SW002";
const NOT_NEXT: &str = "SW003";
/// A statement that came after the one that failed.
const ABORTED: &str = "25P02";

/// Writes the batch. After `Unknown` the connection must not be used again.
pub(super) async fn commit(link: &mut Link, fence: &Fence, batch: &Batch) -> Result<(), CommitError> {
    whole(fence, batch).map_err(CommitError::Broken)?;
    let shard = shard_number(fence.shard).ok_or_else(|| CommitError::Broken(format!("shard {}", fence.shard.0)))?;
    let steps = lay_out(shard, batch).map_err(|unfit| match unfit {
        Unfit::Item(item, why) => CommitError::Refused { item, why },
        Unfit::Batch(why) => CommitError::Broken(why),
    })?;
    link.take_warning();
    match transact(link, shard, fence, batch, steps).await? {
        None => match link.take_warning() {
            None => Ok(()),
            // A cancelled wait for a synchronous standby ends in success and a warning.
            Some(warning) => Err(CommitError::Unknown(warning)),
        },
        Some(error) => Err(refused(link, shard, batch, &error).await),
    }
}

/// Whether the batch is what its header says. One that is not would never verify again.
fn whole(fence: &Fence, batch: &Batch) -> Result<(), String> {
    let header = &batch.header;
    let count = i32::try_from(batch.items.len()).ok();
    let root = merkle_root(batch.items.iter().map(|item| item.body.as_bytes()));
    if header.shard != fence.shard || batch.items.is_empty() || count != Some(header.items) || root != header.root {
        return Err(format!("block {} is not what its header says", header.number.0));
    }
    if header.hash() != batch.hash {
        return Err(format!("block {} has a wrong hash", header.number.0));
    }
    Ok(())
}

/// Sends everything from BEGIN to COMMIT and waits once. `Ok(Some)` is an error of the server that
/// made the transaction fail: nothing was written.
async fn transact(
    link: &Link,
    shard: i16,
    fence: &Fence,
    batch: &Batch,
    steps: Vec<(Step, Vec<Param<'_>>)>,
) -> Result<Option<Error>, CommitError> {
    let client = link.client();
    let header = &batch.header;
    let gate: Vec<Param<'_>> =
        vec![Box::new(shard), Box::new(fence.epoch.0), Box::new(header.number.0), Box::new(&header.previous.0[..])];
    let mut flight = Flight::default();
    let mut sent = flight.send(client.batch_execute("begin")).await;
    for (step, params) in std::iter::once((Step::Gate, gate)).chain(steps) {
        let statement = link.statement(step).ok_or_else(|| CommitError::Broken(format!("no statement for {step:?}")))?;
        // Never a COMMIT behind a statement that did not go out: half a batch would become durable.
        sent = sent && flight.send(run(client, statement, params)).await;
    }
    let end = if sent { "commit" } else { "rollback" };
    flight.send(client.batch_execute(end)).await;
    let mut answers = flight.land().await;
    let ended = answers.pop();
    let failed = answers.into_iter().filter_map(Result::err).find(|error| code_of(error) != Some(ABORTED));
    match (sent, failed, ended) {
        (true, None, Some(Ok(()))) => Ok(None),
        (true, Some(error), Some(Ok(()))) if is_plain(&error) => Ok(Some(error)),
        // Not the server's doing, and it rolled back what it had got: we could not write it down.
        (false, Some(error), Some(Ok(()))) => Err(CommitError::Broken(describe(&error))),
        (_, Some(error), _) | (_, None, Some(Err(error))) => Err(CommitError::Unknown(describe(&error))),
        (_, None, _) => Err(CommitError::Unknown("no answer".into())),
    }
}

/// Runs a prepared statement with boxed parameters, which live as long as it runs.
async fn run(
    client: &tokio_postgres::Client,
    statement: &tokio_postgres::Statement,
    params: Vec<Param<'_>>,
) -> Result<(), Error> {
    client
        .execute_raw(statement, params.iter().map(|param| &**param as &(dyn tokio_postgres::types::ToSql + Sync)))
        .await
        .map(drop)
}

fn code_of(error: &Error) -> Option<&str> {
    error.code().map(|code| code.code())
}

/// An error that the server survived; anything above ends the session, and who knows when.
fn is_plain(error: &Error) -> bool {
    error.as_db_error().and_then(DbError::parsed_severity) == Some(Severity::Error)
}

/// What an error of a statement means. The transaction was rolled back.
async fn refused(link: &Link, shard: i16, batch: &Batch, error: &Error) -> CommitError {
    let said = describe(error);
    match code_of(error).unwrap_or_default() {
        FENCED => {
            let held = error.as_db_error().and_then(DbError::detail).and_then(|detail| detail.parse().ok());
            CommitError::Fenced { by: Epoch(held.unwrap_or_default()) }
        }
        NOT_NEXT => CommitError::Broken(said),
        // A row was there already, was not there, or stood otherwise: which item's?
        code if code == UNEXPECTED_ROW || code.starts_with("23") => match first_refusal(link.client(), shard, batch).await {
            Ok(Some((item, why))) => CommitError::Refused { item, why },
            Ok(None) => CommitError::Broken(said),
            Err(error) => CommitError::Unknown(describe(&error)),
        },
        // Disk full, memory, a lock not had in time, shutdown, a damaged page: nothing was written,
        // and the same batch may be sent again.
        code if ["40", "53", "55", "57", "58", "XX"].iter().any(|class| code.starts_with(class)) => CommitError::Unknown(said),
        _ => CommitError::Broken(said),
    }
}
