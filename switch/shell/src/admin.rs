//! The admin port: health, metrics, and the operator's commands, over HTTP on an address of its own.
//! It must never face a network that terminals can reach.

use std::str::FromStr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use engine::{Event, Operator, Order, OrderOutcome};
use ledger::{AccountCode, Found, Lookup, Refusal, Store};
use metrics_exporter_prometheus::PrometheusHandle;
use payments::{Amount, BusinessDate, Currency, LinkId, PaymentId, Rrn, Text};
use serde::Deserialize;
use serde_json::{Value, json};
use store::PgStore;
use tokio::net::TcpListener;

use crate::orders::words;
use crate::peers::{ShardHandle, Shared};

/// An operator waits so long for an order to be durable.
const WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Admin {
    shared: Arc<Shared>,
    metrics: PrometheusHandle,
    store: Arc<PgStore>,
}

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

/// Serves until the process ends.
pub(crate) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    metrics: PrometheusHandle,
    store: Arc<PgStore>,
) -> std::io::Result<()> {
    let admin = Admin { shared, metrics, store };
    let router = Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .route("/v1/status", get(status))
        .route("/v1/trace/{rrn}", get(trace))
        .route("/v1/cut-over", post(cut_over))
        .route("/v1/deposits", post(deposit))
        .route("/v1/clearing-sent", post(clearing_sent))
        .route("/v1/links/{link}/{order}", post(sign_link))
        .route("/v1/lanes/dead", get(dead))
        .route("/v1/lanes/{payment}/retry", post(retry))
        .route("/v1/completions", get(completions))
        .route("/v1/completions/{payment}/match", post(match_completion))
        .route("/v1/completions/{payment}/withdraw", post(withdraw_completion))
        .with_state(admin);
    axum::serve(listener, router).await
}

fn refused(status: StatusCode, what: impl ToString) -> (StatusCode, Json<Value>) {
    (status, Json(json!({ "error": what.to_string() })))
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, Json<Value>) {
    let config = admin.shared.config();
    let shards: Vec<_> =
        admin.shared.shards.iter().map(|shard| shard.status.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect();
    let down: Vec<String> = config
        .links
        .keys()
        .filter(|link| !shards.iter().all(|shard| shard.links_ready.contains(link)))
        .map(ToString::to_string)
        .collect();
    let ready = shards.iter().all(|shard| shard.ready && !shard.stalled);
    // A link that is down makes some payments impossible, not the node: it is told, not counted.
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "links_down": down })))
}

async fn render(State(admin): State<Admin>) -> String {
    let count = crate::writer::metric;
    metrics::gauge!("switchyard_carried").set(count(admin.shared.keep.len()));
    metrics::gauge!("switchyard_connections_open").set(count(admin.shared.conns.len()));
    let waiting = admin.shared.shards.iter().map(|shard| shard.queue.len()).sum();
    metrics::gauge!("switchyard_writer_queue").set(count(waiting));
    let owed = admin.shared.shards.iter().map(|shard| shard.status.lock().unwrap_or_else(PoisonError::into_inner).owed).sum();
    metrics::gauge!("switchyard_saf_depth").set(count(owed));
    admin.metrics.render()
}

async fn status(State(admin): State<Admin>) -> Json<Value> {
    let shards: Vec<Value> = admin
        .shared
        .shards
        .iter()
        .map(|shard| {
            let status = shard.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
            json!({
                "business_date": status.business_date,
                "closed": status.closed,
                "in_flight": status.in_flight,
                "owed": status.owed,
                "stalled": status.stalled,
                "links_ready": status.links_ready,
                "writer_queue": shard.queue.len(),
            })
        })
        .collect();
    let links: Vec<Value> = admin
        .shared
        .links
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .values()
        .map(|link| json!({ "name": link.name, "connected": link.is_up() }))
        .collect();
    Json(json!({
        "shards": shards,
        "links": links,
        "connections": admin.shared.conns.len(),
        "carried": admin.shared.keep.len(),
        "hsm_queue": admin.shared.hsm.queued(),
    }))
}

async fn trace(State(admin): State<Admin>, Path(rrn): Path<String>) -> Answer {
    let rrn = Rrn::new(rrn.as_bytes()).map_err(|_| refused(StatusCode::BAD_REQUEST, "a DE37 has 12 letters and digits"))?;
    let unavailable = |error: &dyn std::fmt::Display| refused(StatusCode::SERVICE_UNAVAILABLE, error);
    let client = admin.store.readers().get().await.map_err(|error| unavailable(&error))?;
    let found = store::reports::trace(&**client, &rrn).await.map_err(|error| unavailable(&error))?;
    if found.is_empty() {
        return Err(refused(StatusCode::NOT_FOUND, format!("no payment has the reference {rrn}")));
    }
    Ok(Json(json!(found)))
}

/// How far a cut-over may go: over the longest row of holidays.
const DAYS_AHEAD: i32 = 14;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CutOver {
    date: BusinessDate,
}

/// Opens a business day in every shard, and answers once it is durable in all of them.
async fn cut_over(State(admin): State<Admin>, Json(command): Json<CutOver>) -> Answer {
    let date = command.date;
    let shards = &admin.shared.shards;
    // All are looked at before one is told: a day that one refuses must not open in another.
    if let Some(open) = shards.iter().filter_map(open_day).find(|open| *open > date) {
        return Err(refused(StatusCode::CONFLICT, format!("business day {open} is open; a cut-over goes to a later day")));
    }
    // A day that was opened is never closed before its time: a slip of the pen must not reach the next century.
    if let Some(open) = shards.iter().filter_map(open_day).find(|open| date.days() - open.days() > DAYS_AHEAD) {
        let what = format!("business day {open} is open; a cut-over goes at most {DAYS_AHEAD} days further");
        return Err(refused(StatusCode::CONFLICT, what));
    }
    let due: Vec<&ShardHandle> = shards.iter().filter(|shard| open_day(shard) != Some(date)).collect();
    for shard in &due {
        let order = Operator::CutOver { date };
        match give(shard, Order::CutOver(date), order).await? {
            OrderOutcome::Durable | OrderOutcome::Already | OrderOutcome::TriedNow => {}
            // Somebody else opened it in between.
            OrderOutcome::Refused(Refusal::Day(_)) if open_day(shard) == Some(date) => {}
            OrderOutcome::Refused(why) => return Err(refused(StatusCode::CONFLICT, words(&why))),
            OrderOutcome::Unfit(why) => return Err(refused(StatusCode::CONFLICT, why)),
        }
    }
    Ok(Json(json!({ "outcome": if due.is_empty() { "already done" } else { "done" }, "business_date": date })))
}

fn open_day(shard: &ShardHandle) -> Option<BusinessDate> {
    shard.status.lock().unwrap_or_else(PoisonError::into_inner).business_date
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DepositOrder {
    reference: Text<32>,
    account: Text<34>,
    amount_minor: i64,
    currency: Currency,
}

/// Puts money on an account that we keep; idempotent by its reference.
async fn deposit(State(admin): State<Admin>, Json(order): Json<DepositOrder>) -> Answer {
    let amount = Amount::new(order.amount_minor, order.currency).map_err(|e| refused(StatusCode::BAD_REQUEST, e))?;
    let account: AccountCode = ledger::postings::customer(&order.account);
    let shard = admin.shared.shard_of_account(&order.account).ok_or_else(|| refused(StatusCode::NOT_FOUND, "no shard"))?;
    post_once(&admin, shard, order.reference, Operator::Deposit { reference: order.reference, account, amount }).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClearingSent {
    file: Text<32>,
    network: LinkId,
    currency: Currency,
    sales_minor: i64,
    refunds_minor: i64,
}

/// A clearing file was published: posts what it presented; idempotent by its id.
async fn clearing_sent(State(admin): State<Admin>, Json(order): Json<ClearingSent>) -> Answer {
    let amount = |minor| Amount::new(minor, order.currency).map_err(|e| refused(StatusCode::BAD_REQUEST, e));
    let (sales, refunds) = (amount(order.sales_minor)?, amount(order.refunds_minor)?);
    let shard = admin.shared.shards.first().ok_or_else(|| refused(StatusCode::NOT_FOUND, "no shard"))?;
    let sent = Operator::ClearingSent { file: order.file, network: order.network, sales, refunds };
    post_once(&admin, shard, order.file, sent).await
}

/// Has something posted under its reference, and says what came of it. The same again is no second posting
/// and no fault; something else under the same reference is refused.
async fn post_once(admin: &Admin, shard: &ShardHandle, reference: Text<32>, command: Operator) -> Answer {
    let Some((key, body)) = command.claim() else { return Err(refused(StatusCode::BAD_REQUEST, "it posts nothing")) };
    let known = async || {
        let unavailable = |error: ledger::ReadError| refused(StatusCode::SERVICE_UNAVAILABLE, error);
        match admin.store.lookup(shard.number, &Lookup::Claim(key)).await.map_err(unavailable)? {
            Found::Claim(Some(claim)) if claim.body == body => Ok(true),
            Found::Claim(Some(_)) => {
                Err(refused(StatusCode::CONFLICT, format!("{reference} was used before for something else; nothing was posted")))
            }
            _ => Ok(false),
        }
    };
    let answer = |outcome: &str| Ok(Json(json!({ "outcome": outcome, "reference": reference })));
    if known().await? {
        return answer("already done");
    }
    match give(shard, Order::Post(key), command).await? {
        OrderOutcome::Durable | OrderOutcome::TriedNow => answer("done"),
        OrderOutcome::Already => answer("already done"),
        // Somebody else gave the same order in between.
        OrderOutcome::Refused(Refusal::ClaimTaken(_)) if known().await? => answer("already done"),
        OrderOutcome::Refused(why) => Err(refused(StatusCode::CONFLICT, words(&why))),
        OrderOutcome::Unfit(why) => Err(refused(StatusCode::CONFLICT, why)),
    }
}

/// Gives an order and waits until it is durable or refused.
async fn give(shard: &ShardHandle, order: Order, command: Operator) -> Result<OrderOutcome, (StatusCode, Json<Value>)> {
    let told = shard.orders.wait(order);
    tell(shard, command).await?;
    match tokio::time::timeout(WITHIN, told).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) | Err(_) => {
            let what =
                "ordered, and not durable within 10 seconds: it may still come; the same command again says what came of it";
            Err(refused(StatusCode::SERVICE_UNAVAILABLE, what))
        }
    }
}

/// Signs a link off or on. Its network answers in its own time: `status` shows what came of it.
async fn sign_link(State(admin): State<Admin>, Path((link, order)): Path<(String, String)>) -> Answer {
    let on = match order.as_str() {
        "sign-on" => true,
        "sign-off" => false,
        _ => return Err(refused(StatusCode::NOT_FOUND, format!("a link can be told to sign-on or sign-off, not to {order}"))),
    };
    let config = admin.shared.config();
    let known = LinkId::new(&link).ok().and_then(|name| Some((name, config.links.get(&name)?, config.tables.links.get(&name)?)));
    let Some((name, sockets, rules)) = known else {
        let names: Vec<&str> = config.links.keys().map(LinkId::as_str).collect();
        return Err(refused(StatusCode::NOT_FOUND, format!("there is no link {link}; there are {}", names.join(", "))));
    };
    if !rules.sign_on || !sockets.protocol.is_card() {
        let what = format!("link {name} knows no sign-on: it is a bank's, or its rules say sign_on = false");
        return Err(refused(StatusCode::CONFLICT, what));
    }
    // The first shard owns every link.
    let owner = admin.shared.shards.first().ok_or_else(|| refused(StatusCode::NOT_FOUND, "no shard"))?;
    tell(owner, Operator::SignLink { link: name, on }).await?;
    Ok(Json(json!({ "ordered": order, "link": name })))
}

/// Has what a payment owes tried at once; a message that the other side had refused is owed anew. What owes
/// nothing is refused: an operator must not believe that something was done.
async fn retry(State(admin): State<Admin>, Path(payment): Path<String>) -> Answer {
    let id = uuid::Uuid::from_str(&payment).map_err(|e| refused(StatusCode::BAD_REQUEST, e))?;
    let unavailable = |error: &dyn std::fmt::Display| refused(StatusCode::SERVICE_UNAVAILABLE, error);
    let client = admin.store.readers().get().await.map_err(|error| unavailable(&error))?;
    let lanes = store::reports::lanes_of(&**client, id).await.map_err(|error| unavailable(&error))?;
    let nothing = |what: String| Err(refused(StatusCode::CONFLICT, format!("payment {id} owes nothing{what}")));
    let Some((number, last)) = lanes.last() else { return nothing(" and never did".to_owned()) };
    let dead = last.ended.as_deref() == Some("dead");
    if let (Some(ended), false) = (&last.ended, dead || lanes.iter().any(|(_, lane)| lane.ended.is_none())) {
        let code = last.ended_code.as_deref().map(|code| format!(" by code {code}")).unwrap_or_default();
        return nothing(format!(": its last message ended {ended}{code}"));
    }
    let Some(shard) = admin.shared.shards.iter().find(|shard| i32::from(shard.number.0) == i32::from(*number)) else {
        return Err(refused(StatusCode::NOT_FOUND, format!("payment {id} belongs to shard {number}, which is not here")));
    };
    let payment = PaymentId(id);
    match give(shard, Order::Retry(payment), Operator::RetryLane { payment }).await? {
        outcome @ (OrderOutcome::Durable | OrderOutcome::Already | OrderOutcome::TriedNow) => {
            Ok(Json(json!({ "ordered": id, "owed_anew": outcome == OrderOutcome::Durable })))
        }
        OrderOutcome::Refused(_) | OrderOutcome::Unfit(_) => {
            Err(refused(StatusCode::CONFLICT, format!("payment {id} was changed meanwhile; look with `switchyard saf` again")))
        }
    }
}

/// Completions without their authorization: somebody has to look at each.
async fn completions(State(admin): State<Admin>) -> Answer {
    let unavailable = |error: &dyn std::fmt::Display| refused(StatusCode::SERVICE_UNAVAILABLE, error);
    let client = admin.store.readers().get().await.map_err(|error| unavailable(&error))?;
    let some = store::reports::unmatched_completions(&**client, MOST).await.map_err(|error| unavailable(&error))?;
    Ok(Json(json!(some)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    authorization: uuid::Uuid,
}

/// Has a completion captured on the authorization that an operator found. The same again is no second capture.
async fn match_completion(State(admin): State<Admin>, Path(id): Path<String>, Json(to): Json<Match>) -> Answer {
    let (completion, shard) = completion_of(&admin, &id).await?;
    let authorization = PaymentId(to.authorization);
    let order = Operator::MatchCompletion { completion, authorization };
    settled(give(shard, Order::Match(completion, authorization), order).await?, completion, "matched")
}

/// Has a completion set aside that belongs to nothing.
async fn withdraw_completion(State(admin): State<Admin>, Path(id): Path<String>) -> Answer {
    let (completion, shard) = completion_of(&admin, &id).await?;
    let outcome = give(shard, Order::Withdraw(completion), Operator::WithdrawCompletion { completion }).await?;
    settled(outcome, completion, "withdrawn")
}

fn settled(outcome: OrderOutcome, completion: PaymentId, done: &str) -> Answer {
    let conflict = |why: String| Err(refused(StatusCode::CONFLICT, format!("completion {completion}: {why}")));
    match outcome {
        OrderOutcome::Durable | OrderOutcome::TriedNow => Ok(Json(json!({ "completion": completion, "outcome": done }))),
        OrderOutcome::Already => Ok(Json(json!({ "completion": completion, "outcome": "already done" }))),
        OrderOutcome::Unfit(why) => conflict(why.to_owned()),
        OrderOutcome::Refused(why) => conflict(words(&why)),
    }
}

/// The payment that keeps a completion, and the shard that owns it.
async fn completion_of<'a>(admin: &'a Admin, id: &str) -> Result<(PaymentId, &'a ShardHandle), (StatusCode, Json<Value>)> {
    let id = PaymentId(uuid::Uuid::from_str(id).map_err(|e| refused(StatusCode::BAD_REQUEST, e))?);
    let unavailable = |error: &dyn std::fmt::Display| refused(StatusCode::SERVICE_UNAVAILABLE, error);
    let client = admin.store.readers().get().await.map_err(|error| unavailable(&error))?;
    let found = store::reports::history(&**client, id).await.map_err(|error| unavailable(&error))?;
    let Some(found) = found else { return Err(refused(StatusCode::NOT_FOUND, format!("there is no payment {id}"))) };
    let here = admin.shared.shards.iter().find(|shard| shard.number.0 == found.shard);
    match here {
        Some(shard) => Ok((id, shard)),
        None => Err(refused(StatusCode::NOT_FOUND, format!("payment {id} belongs to shard {}, which is not here", found.shard))),
    }
}

/// Owed messages that the other side refused for good: somebody has to look at each.
async fn dead(State(admin): State<Admin>) -> Answer {
    let unavailable = |error: &dyn std::fmt::Display| refused(StatusCode::SERVICE_UNAVAILABLE, error);
    let client = admin.store.readers().get().await.map_err(|error| unavailable(&error))?;
    let dead = store::reports::dead_letters(&**client, MOST).await.map_err(|error| unavailable(&error))?;
    Ok(Json(json!(dead)))
}

/// Dead letters, or unmatched completions, of one answer.
const MOST: i64 = 1000;

async fn tell(shard: &ShardHandle, command: Operator) -> Result<(), (StatusCode, Json<Value>)> {
    shard.events.send(Event::Operator(command)).await.map_err(|_| refused(StatusCode::SERVICE_UNAVAILABLE, "the engine is gone"))
}
