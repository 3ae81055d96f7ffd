//! Outgoing links: the switch is the client. Each configured socket connects, reads answers, and
//! connects anew with jitter when it is lost.

use std::sync::Arc;
use std::time::Duration;

use engine::{Event, LinkEvent, StanBlock};
use futures_util::StreamExt;
use payments::outgoing::Incoming;
use payments::{LinkId, Stan};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::codec::FramedRead;

use crate::config::{LinkConfig, Protocol};
use crate::framed::{self, Frames, Unread};
use crate::peers::{LinkState, Shared};
use crate::socket::{self, OutKind, Outbound};
use crate::{bank, cards};

/// Messages that may wait for one socket.
const QUEUE: usize = 1024;

/// A network that takes no byte for so long does not read: another socket is better than this one.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// A frame that has begun must be whole within this (SEMANTICS, deadlines).
const FRAME_WITHIN: Duration = Duration::from_secs(5);

/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Keeps one socket of a link connected for ever.
pub(crate) async fn keep_connected(shared: Arc<Shared>, state: Arc<LinkState>, config: Arc<LinkConfig>, id: u64) {
    let mut wait = Duration::from_millis(100);
    loop {
        match tokio::time::timeout(config.connect_within, TcpStream::connect(&config.connect)).await {
            Ok(Ok(socket)) => {
                wait = Duration::from_millis(100);
                tracing::info!(link = state.name.as_str(), "connected");
                metrics::gauge!("switchyard_link_up", "link" => state.name.to_string()).set(1.0);
                serve(&shared, &state, &config, id, socket).await;
                metrics::gauge!("switchyard_link_up", "link" => state.name.to_string()).set(0.0);
                tracing::warn!(link = state.name.as_str(), "disconnected");
            }
            Ok(Err(error)) => tracing::debug!(link = state.name.as_str(), %error, "cannot connect"),
            Err(_) => tracing::debug!(link = state.name.as_str(), "connecting took too long"),
        }
        // Jitter, so that a hundred links do not come back in the same instant.
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tokio::time::sleep(Duration::from_millis(millis * fastrand::u64(75..=125) / 100)).await;
        wait = (wait * 2).min(Duration::from_secs(5));
    }
}

async fn serve(shared: &Arc<Shared>, state: &Arc<LinkState>, config: &LinkConfig, id: u64, stream: TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let (reading, writing) = stream.into_split();
    let (queue, ready) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(socket::write_all(writing, ready, shared.clock, WRITE_WITHIN));
    let gone = queue.clone();
    if state.add(id, queue) {
        announce(shared, state.name, true).await;
    }
    let mut frames = FramedRead::new(reading, Frames(config.framing));
    // When it was first seen that a frame has begun and is not whole.
    let mut begun: Option<Instant> = None;
    let mut look = tokio::time::interval(LOOK);
    loop {
        let frame = tokio::select! {
            frame = frames.next() => frame,
            _ = look.tick() => {
                begun = if frames.read_buffer().is_empty() { None } else { begun.or_else(|| Some(Instant::now())) };
                if begun.is_some_and(|begun| begun.elapsed() >= FRAME_WITHIN) {
                    // What comes now would be taken for the rest of it, an approval too.
                    tracing::warn!(link = state.name.as_str(), "a frame that began is not whole in time");
                    break;
                }
                continue;
            }
            () = state.reconnect.notified() => break,
            // Nothing can be written any more: messages must not be given to this socket.
            () = gone.closed() => break,
        };
        begun = None;
        match frame {
            Some(Ok(frame)) if frame.message.is_empty() => {
                // The framing delivers these, so that the peer hears that we are alive.
                let alive = Outbound::unwatched(framed::keep_alive(&config.framing), OutKind::Other);
                if gone.send(alive).await.is_err() {
                    break;
                }
            }
            Some(Ok(frame)) => match config.protocol {
                Protocol::Card(_) => cards::receive_answer(shared, state, config, frame.message).await,
                Protocol::Iso20022 => bank::receive_answer(shared, state, config, &frame.message).await,
            },
            Some(Err(Unread::Frame(error))) => {
                tracing::warn!(link = state.name.as_str(), %error, "the stream cannot be read on");
                break;
            }
            Some(Err(Unread::Socket(_))) | None => break,
        }
    }
    if state.remove(id) {
        announce(shared, state.name, false).await;
    }
    drop(gone);
    // The queue's last sender went with `remove`; what is left is said to be not sent.
    if let Err(error) = writer.await {
        tracing::error!(%error, "a writer task failed");
    }
}

/// Tells every shard that a link is up or down.
async fn announce(shared: &Arc<Shared>, link: LinkId, up: bool) {
    let size = Shared::block_size(shared.shards.len());
    for (index, shard) in shared.shards.iter().enumerate() {
        let start = u32::try_from(index).unwrap_or(0) * size;
        let is = match (up, Stan::new(start + 1), Stan::new(start + size)) {
            (true, Ok(first), Ok(last)) => LinkEvent::Up { stans: StanBlock { first, last }, owner: index == 0 },
            _ => LinkEvent::Down,
        };
        if shard.events.send(Event::Link { link, is }).await.is_err() {
            tracing::error!("an engine is gone");
        }
    }
}

/// Hands an answer to the shard that waits for it.
pub(crate) async fn deliver(shared: &Shared, link: LinkId, answer: Incoming) {
    match &answer {
        Incoming::Card(card) => {
            let shard = shared.shard_of_stan(card.stan);
            hand(shard, Event::Answer { link, answer }).await;
        }
        Incoming::Network(network) => {
            let shard = shared.shard_of_stan(network.stan);
            hand(shard, Event::Answer { link, answer }).await;
        }
        // Its STAN is the network's own.
        Incoming::Manage(_) => hand(shared.shards.first(), Event::Answer { link, answer }).await,
        // A transfer's references do not name the shard; the one that waits takes it.
        Incoming::Transfer(_) => {
            for shard in &shared.shards {
                hand(Some(shard), Event::Answer { link, answer: answer.clone() }).await;
            }
        }
    }
}

/// Something came that cannot be an answer.
pub(crate) async fn unusable(shared: &Shared, link: LinkId, why: &'static str) {
    metrics::counter!("switchyard_answers_unusable_total", "link" => link.to_string()).increment(1);
    hand(shared.shards.first(), Event::Unusable { link, why }).await;
}

async fn hand(shard: Option<&crate::peers::ShardHandle>, event: Event) {
    if let Some(shard) = shard
        && shard.events.send(event).await.is_err()
    {
        tracing::error!("an engine is gone");
    }
}
