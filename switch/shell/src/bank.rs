//! The pipelines of bank links: ISO 20022 envelopes to canonical transfers and back.

use std::sync::Arc;

use dialects::pacs;
use engine::{Event, Sent};
use payments::outgoing::{Incoming, Outgoing, TransferResponse};
use payments::{Mono, Request, Text};

use crate::config::LinkConfig;
use crate::framed;
use crate::link;
use crate::listener::Then;
use crate::peers::{Conn, LinkState, Shared};
use crate::socket::{OutKind, Outbound, Report};

/// A request from an instructing party.
pub(crate) async fn receive_request(shared: &Arc<Shared>, conn: &Conn, frame: &[u8]) -> Then {
    let Some(dialect) = conn.listener.pacs.as_ref() else { return Then::Close("not a bank link") };
    let decoded = match dialect.decode_request(frame, conn.listener.acquirer) {
        Ok(decoded) => decoded,
        Err(refusal) => return reject(shared, conn, dialect, &refusal).await,
    };
    let shard = match &decoded.request {
        Request::CreditTransfer(transfer) => shared.shard_of_account(&transfer.facts.debtor_account),
        // An enquiry names no account: the first shard looks it up.
        _ => shared.shards.first(),
    };
    let Some(shard) = shard else { return Then::Close("no shard") };
    metrics::counter!("switchyard_requests_total", "listener" => conn.listener.name.to_string()).increment(1);
    let event =
        Event::Request { from: conn.id, link: conn.listener.name, request: decoded.request, carried: None, signed_off: false };
    match shard.events.send(event).await {
        Ok(()) => Then::Continue,
        Err(_) => Then::Close("the engine is gone"),
    }
}

async fn reject(shared: &Shared, conn: &Conn, dialect: &pacs::Link, refusal: &pacs::Refusal) -> Then {
    metrics::counter!("switchyard_requests_rejected_total", "why" => "format").increment(1);
    tracing::info!(error = %refusal.fault, "a bank message was refused");
    let Some(transfer) = refusal.answer.as_deref() else { return Then::Close("a message that cannot be answered") };
    let id = Text::new(&uuid::Uuid::now_v7().simple().to_string()).unwrap_or_default();
    match dialect.encode_rejection(transfer, &id, shared.clock.now().wall) {
        Ok(bytes) => conn.put(&bytes).await,
        Err(error) => tracing::error!(%error, "a rejection cannot be built"),
    }
    conn.answered(&shared.conns);
    Then::Continue
}

/// The engine's answer to an instructing party.
pub(crate) async fn reply(conn: &Conn, response: &TransferResponse) {
    let Some(dialect) = conn.listener.pacs.as_ref() else { return };
    match dialect.encode_response(response) {
        Ok(bytes) => conn.put(&bytes).await,
        Err(error) => tracing::error!(%error, "a status report cannot be built"),
    }
}

/// A message of the engine towards a bank.
pub(crate) async fn send(shared: &Arc<Shared>, state: &LinkState, message: &Outgoing, by: Mono, report: Report) {
    let config = shared.config();
    let frame = config.links.get(&state.name).and_then(|link| frame(link, message));
    match frame {
        Some(frame) => {
            let kind = if matches!(message, Outgoing::CreditTransfer(_)) { OutKind::Request } else { OutKind::Other };
            crate::cards::hand_to_socket(state, Outbound { frame, by: Some(by), report: Some(report), kind }).await;
        }
        None => report.say(Sent::NotSent).await,
    }
}

fn frame(link: &LinkConfig, message: &Outgoing) -> Option<Vec<u8>> {
    let dialect = link.pacs.as_ref()?;
    let bytes = match message {
        Outgoing::CreditTransfer(out) => dialect.encode_transfer(out),
        Outgoing::StatusRequest(out) => dialect.encode_status_request(out),
        _ => return None,
    };
    let bytes = bytes.map_err(|error| tracing::error!(%error, "a bank message cannot be built")).ok()?;
    framed::frame(&link.framing, link.framing.header().bytes(), &bytes)
}

/// A message from a bank.
pub(crate) async fn receive_answer(shared: &Shared, state: &LinkState, config: &LinkConfig, frame: &[u8]) {
    let Some(dialect) = config.pacs.as_ref() else { return };
    match dialect.decode_answer(frame) {
        Ok(answer) => link::deliver(shared, state.name, Incoming::Transfer(Box::new(answer))).await,
        Err(error) => {
            tracing::warn!(link = state.name.as_str(), %error, "not a status report that can be read");
            link::unusable(shared, state.name, "it cannot be read").await;
        }
    }
}
