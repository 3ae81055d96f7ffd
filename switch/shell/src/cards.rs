//! The pipelines of card links: bytes to canonical and back, MAC over the raw bytes, PAN into the
//! vault. In order: identity, MAC, and only then anything that has an effect.

use std::sync::Arc;

use bytes::Bytes;
use dialects::card::{Binding, Body, CardSecrets, CompletionReceived, Dialect, Inbound, ReceivedMac};
use engine::{Event, Secrets, Sent, UnsealReason};
use hsm::KeyName;
use iso8583::Message;
use payments::outgoing::{Incoming, Outgoing, Response};
use payments::request::NetworkFunction;
use payments::{CardRef, InstitutionId, MerchantId, Mono, Request, ResponseCode, TerminalId, Text};
use vault::{Reason, Sealer};

use crate::config::{LinkConfig, Mac};
use crate::faults::{self, Point};
use crate::framed;
use crate::link;
use crate::listener::Then;
use crate::peers::{Conn, LinkState, Shared};
use crate::socket::{OutKind, Outbound, Report};

/// A request from a terminal or acquirer.
pub(crate) async fn receive_request(shared: &Arc<Shared>, conn: &Conn, frame: Bytes) -> Then {
    let config = shared.config();
    let acquirer = conn.listener.acquirer;
    let institution = config.tables.registry.acquirers.get(&acquirer).map(|acquirer| acquirer.institution).unwrap_or_default();
    let Some(dialect) = shared.dialect(conn.listener.protocol) else { return Then::Close("no dialect") };
    let inbound = match dialect.read_request(frame, &Binding { acquirer, institution }) {
        Ok(inbound) => inbound,
        Err(reject) => {
            metrics::counter!("switchyard_requests_rejected_total", "why" => "format").increment(1);
            tracing::info!(error = %reject.error, "a request was refused");
            return match reject.answer() {
                Some(answer) => {
                    refuse(shared, conn, &answer).await;
                    Then::Continue
                }
                None => Then::Close("a message that cannot be answered"),
            };
        }
    };
    if !inbound.dropped.elements.is_empty() || inbound.dropped.tags > 0 {
        metrics::counter!("switchyard_elements_dropped_total").increment(1);
    }
    let Some((terminal, merchant)) = parties(&inbound) else {
        // 0800: nothing to verify, nothing to move.
        let Body::Network(network) = inbound.body else { return Then::Continue };
        match network.function {
            NetworkFunction::SignOn => conn.signs(true),
            NetworkFunction::SignOff => conn.signs(false),
            NetworkFunction::Echo => {}
        }
        return hand_over(shared, conn, &MerchantId::default(), Request::Network(network), None).await;
    };
    if head_institution(&inbound).is_some_and(|theirs| theirs != institution) {
        // DE32 belongs to the identity of the link, or the message has no effect.
        metrics::counter!("switchyard_requests_rejected_total", "why" => "identity").increment(1);
        refuse(shared, conn, &inbound.echo.answer(ResponseCode::SECURITY_VIOLATION)).await;
        return Then::Continue;
    }
    if conn.listener.mac == Mac::Required {
        let key = config.tables.registry.terminals.get(&(acquirer, terminal)).map(|terminal| terminal.mac_key);
        let verified = match key {
            Some(key) => verify(shared, key.as_str(), inbound.mac.as_ref()).await,
            None => Some(false),
        };
        match verified {
            Some(true) => {}
            Some(false) => {
                metrics::counter!("switchyard_requests_rejected_total", "why" => "mac").increment(1);
                refuse(shared, conn, &inbound.echo.answer(ResponseCode::SECURITY_VIOLATION)).await;
                return Then::Continue;
            }
            None => {
                refuse(shared, conn, &inbound.echo.answer(ResponseCode::UNAVAILABLE)).await;
                return Then::Continue;
            }
        }
    }
    let (request, secrets) = match inbound.body {
        Body::Network(network) => (Request::Network(network), None),
        Body::Reversal(reversal) => (Request::Reversal(reversal), None),
        Body::Completion(received) => {
            let CompletionReceived { mut completion, secrets } = *received;
            match secrets.as_ref().map(|secrets| seal(shared, secrets)).transpose() {
                Ok(card) => completion.card = card,
                Err(code) => {
                    refuse_known(shared, conn, terminal, &inbound.echo.answer(code)).await;
                    return Then::Continue;
                }
            }
            (Request::Completion(Box::new(completion)), None)
        }
        Body::Card(card) => match seal(shared, &card.secrets) {
            Ok(card_ref) => {
                let (request, secrets) = card.with_card(card_ref);
                (Request::Card(Box::new(request)), Some(secrets))
            }
            Err(code) => {
                refuse_known(shared, conn, terminal, &inbound.echo.answer(code)).await;
                return Then::Continue;
            }
        },
    };
    hand_over(shared, conn, &merchant, request, secrets).await
}

/// What the engine and the record may know of a card; the code to refuse with where it cannot be made.
fn seal(shared: &Shared, card: &CardSecrets) -> Result<CardRef, ResponseCode> {
    shared.vault.card_ref(&card.pan, card.expiry, card.sequence).map_err(|error| {
        tracing::error!(%error, "a card cannot be sealed");
        ResponseCode::MALFUNCTION
    })
}

/// DE41 and DE42 of what is not network management.
fn parties(inbound: &Inbound) -> Option<(TerminalId, MerchantId)> {
    let head = match &inbound.body {
        Body::Network(_) => return None,
        Body::Card(card) => &card.head,
        Body::Completion(received) => &received.completion.head,
        Body::Reversal(reversal) => &reversal.head,
    };
    Some((head.terminal, head.merchant))
}

fn head_institution(inbound: &Inbound) -> Option<InstitutionId> {
    match &inbound.body {
        Body::Network(_) => None,
        Body::Card(card) => Some(card.head.institution),
        Body::Completion(received) => Some(received.completion.head.institution),
        Body::Reversal(reversal) => Some(reversal.head.institution),
    }
}

async fn hand_over(
    shared: &Arc<Shared>,
    conn: &Conn,
    merchant: &MerchantId,
    request: Request,
    secrets: Option<CardSecrets>,
) -> Then {
    let Some(shard) = shared.shard_of(&conn.listener.acquirer, merchant) else { return Then::Close("no shard") };
    let carried = secrets.map(|secrets| shared.keep.put(secrets));
    metrics::counter!("switchyard_requests_total", "listener" => conn.listener.name.to_string()).increment(1);
    let signed_off = conn.is_signed_off();
    let event = Event::Request { from: conn.id, link: conn.listener.name, request, carried, signed_off };
    match shard.events.send(event).await {
        Ok(()) => Then::Continue,
        Err(_) => Then::Close("the engine is gone"),
    }
}

/// Whether a MAC is right; `None` when the HSM cannot say.
async fn verify(shared: &Shared, key: &str, mac: Option<&ReceivedMac>) -> Option<bool> {
    let Some(mac) = mac else { return Some(false) };
    let Ok(key) = key.parse::<KeyName>() else { return Some(false) };
    match shared.hsm.verify_mac(key, &mac.covered, &mac.mac).await {
        Ok(right) => Some(right),
        Err(error) => {
            tracing::warn!(class = error.class(), "a MAC cannot be verified");
            None
        }
    }
}

/// A refusal before the engine sees the request. It carries no MAC: the peer has not shown who it is.
async fn refuse(shared: &Shared, conn: &Conn, answer: &Message) {
    let Some(dialect) = shared.dialect(conn.listener.protocol) else { return };
    match dialect.encode(answer, shared.clock.now().wall) {
        Ok(bytes) => conn.put(&bytes).await,
        Err(error) => tracing::error!(%error, "a refusal cannot be written"),
    }
    conn.answered(&shared.conns);
}

/// A refusal of a terminal that has shown who it is, which the engine never sees either.
async fn refuse_known(shared: &Shared, conn: &Conn, terminal: TerminalId, answer: &Message) {
    let Some(dialect) = shared.dialect(conn.listener.protocol) else { return };
    let key = mac_key(shared, conn, terminal);
    match write(shared, dialect, answer, key.as_ref().map(|key| key.as_str())).await {
        Some(bytes) => conn.put(&bytes).await,
        None => tracing::error!("a refusal was not sent: its MAC cannot be made"),
    }
    conn.answered(&shared.conns);
}

/// The key under which a terminal's MACs are made, where its listener wants MACs.
fn mac_key(shared: &Shared, conn: &Conn, terminal: TerminalId) -> Option<Text<48>> {
    let config = shared.config();
    let known = config.tables.registry.terminals.get(&(conn.listener.acquirer, terminal));
    known.filter(|_| conn.listener.mac == Mac::Required).map(|terminal| terminal.mac_key)
}

/// An answer of the engine to a terminal.
pub(crate) async fn reply(shared: &Shared, conn: &Conn, response: &Response) {
    let Some(dialect) = shared.dialect(conn.listener.protocol) else { return };
    let message = match dialect.write_response(response) {
        Ok(message) => message,
        Err(error) => return tracing::error!(%error, "an answer cannot be built"),
    };
    let key = match response {
        Response::Card(card) => mac_key(shared, conn, card.head.terminal),
        _ => None,
    };
    match write(shared, dialect, &message, key.as_ref().map(|key| key.as_str())).await {
        Some(bytes) => conn.put(&bytes).await,
        None => tracing::error!("an answer was not sent: its MAC cannot be made"),
    }
}

/// Encodes, with a MAC where there is a key.
async fn write(shared: &Shared, dialect: &Dialect, message: &Message, key: Option<&str>) -> Option<Vec<u8>> {
    let at = shared.clock.now().wall;
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        return dialect.encode(message, at).map_err(|error| tracing::error!(%error, "a message cannot be encoded")).ok();
    };
    let unsigned =
        dialect.encode_for_mac(message, at).map_err(|error| tracing::error!(%error, "a message cannot be encoded")).ok()?;
    let key = key.parse::<KeyName>().ok()?;
    match shared.hsm.generate_mac(key, unsigned.bytes()).await {
        Ok(mac) => Some(unsigned.finish(mac)),
        Err(error) => {
            tracing::warn!(class = error.class(), "a MAC cannot be made");
            None
        }
    }
}

/// A message of the engine towards a network.
pub(crate) async fn send(
    shared: &Arc<Shared>,
    state: &LinkState,
    message: &Outgoing,
    secrets: Secrets,
    by: Mono,
    report: Report,
) {
    let config = shared.config();
    let Some(link) = config.links.get(&state.name).map(Arc::clone) else { return report.say(Sent::NotSent).await };
    let Some(frame) = frame(shared, &link, message, secrets).await else { return report.say(Sent::NotSent).await };
    let kind = match message {
        Outgoing::Card(_) => OutKind::Request,
        Outgoing::Reversal(_) => OutKind::Reversal,
        _ => OutKind::Other,
    };
    hand_to_socket(state, Outbound { frame, by: Some(by), report: Some(report), kind }).await;
}

/// Gives a message to a socket of its link, or says that nothing was sent.
pub(crate) async fn hand_to_socket(state: &LinkState, message: Outbound) {
    let Some(socket) = state.socket() else {
        if let Some(report) = message.report {
            report.say(Sent::NotSent).await;
        }
        return;
    };
    if let Err(refused) = socket.try_send(message)
        && let Some(report) = refused.into_inner().report
    {
        report.say(Sent::NotSent).await;
    }
}

async fn frame(shared: &Shared, link: &LinkConfig, message: &Outgoing, secrets: Secrets) -> Option<Vec<u8>> {
    let (card, pin) = match secrets {
        Secrets::None => (None, None),
        Secrets::Carried(handle) => {
            let kept = shared.keep.get(handle)?;
            (Some(kept.card), kept.translated)
        }
        Secrets::Sealed(card, reason) => {
            let reason = match reason {
                UnsealReason::Reversal => Reason::Reversal,
                UnsealReason::Advice => Reason::Advice,
            };
            let card = shared.vault.unseal(&card.sealed, reason);
            let card = card.map_err(|error| tracing::error!(%error, "a sealed card cannot be opened")).ok()?;
            let secrets =
                CardSecrets { pan: card.pan, expiry: card.expiry, sequence: card.sequence, track2: None, pin_block: None };
            (Some(secrets), None)
        }
    };
    let dialect = shared.dialect(link.protocol)?;
    let built = dialect.write_outgoing(message, card.as_ref(), pin.as_ref());
    let built = built.map_err(|error| tracing::error!(%error, "a message cannot be built")).ok()?;
    // Network management carries no MAC.
    let key = (!matches!(message, Outgoing::Network(_) | Outgoing::Managed(_)) && link.mac == Mac::Required)
        .then_some(link.mac_key.as_str());
    let bytes = write(shared, dialect, &built, key).await?;
    framed::frame(&link.framing, link.framing.header().bytes(), &bytes)
}

/// A message from a network.
pub(crate) async fn receive_answer(shared: &Shared, state: &LinkState, config: &LinkConfig, frame: Bytes) {
    let Some(dialect) = shared.dialect(config.protocol) else { return };
    let answer = match dialect.read_answer(frame) {
        Ok(answer) => answer,
        Err(unreadable) => {
            tracing::warn!(link = state.name.as_str(), error = %unreadable, "not an answer that can be read");
            return link::unusable(shared, state.name, "it cannot be read").await;
        }
    };
    if let Incoming::Card(card) = &answer.incoming {
        if config.mac == Mac::Required && verify(shared, config.mac_key.as_str(), answer.mac.as_ref()).await != Some(true) {
            tracing::warn!(link = state.name.as_str(), stan = %card.stan, "an answer with a wrong MAC is ignored");
            return link::unusable(shared, state.name, "its MAC is wrong").await;
        }
        faults::reach(if card.mti.as_str() == "0430" { Point::Acknowledged } else { Point::AnswerRead });
    }
    link::deliver(shared, state.name, answer.incoming).await;
}
