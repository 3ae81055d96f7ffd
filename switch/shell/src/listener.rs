//! Ingress: connections of terminals, acquirers and instructing parties.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::config::{ListenerConfig, Protocol};
use crate::peers::{Conn, Shared};
use crate::socket::{self, OutKind, Outbound};
use crate::{bank, cards, framed};

/// Answers that may wait for one connection.
const QUEUE: usize = 256;

/// What a pipeline says about a connection after a frame.
pub(crate) enum Then {
    Continue,
    /// What came cannot be answered: close.
    Close(&'static str),
}

/// Accepts for ever.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener, config: Arc<ListenerConfig>) {
    let places = Arc::new(Semaphore::new(config.max_connections));
    loop {
        // A place is taken first: past the bound, connections wait in the kernel's queue.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let (shared, config) = (Arc::clone(&shared), Arc::clone(&config));
                tokio::spawn(async move {
                    serve(shared, socket, config).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: let some connections end.
                tracing::warn!(%error, listener = config.name.as_str(), "cannot accept");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream, config: Arc<ListenerConfig>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    metrics::gauge!("switchyard_connections", "listener" => config.name.to_string()).increment(1);
    let (mut reading, writing) = stream.into_split();
    let (out, ready) = mpsc::channel(QUEUE);
    let writer = tokio::spawn(socket::write_all(writing, ready, shared.clock, config.frame_within));
    let room = Arc::new(Semaphore::new(config.max_in_flight));
    let conn = shared.conns.add(|id| Conn {
        id,
        header: Bytes::new(),
        out,
        listener: Arc::clone(&config),
        room,
        signed_off: Arc::default(),
    });
    let framing = config.framing;
    let mut buffer = BytesMut::with_capacity(1024);
    let unread = "does not take its answers";
    // When the frame began that is not whole yet.
    let mut begun: Option<Instant> = None;
    let why = 'reading: loop {
        // A half frame has a deadline, however it drips; between frames a connection may be quiet for as
        // long as idle peers may.
        let until = begun.map_or_else(|| Instant::now() + config.idle, |begun| begun + config.frame_within);
        let read = tokio::select! {
            read = tokio::time::timeout_at(until, reading.read_buf(&mut buffer)) => read,
            () = conn.out.closed() => break unread,
        };
        match read {
            Ok(Ok(0)) if buffer.is_empty() => break "closed by the peer",
            Ok(Ok(0)) => break "closed inside a frame",
            Ok(Ok(_)) => {}
            Ok(Err(_)) => break "lost",
            Err(_) => break "too slow or idle",
        }
        loop {
            let frame = match framing.split(&mut buffer) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    tracing::info!(listener = config.name.as_str(), %error, "the stream cannot be read on");
                    break 'reading error.kind();
                }
            };
            begun = None;
            if frame.message.is_empty() {
                // The framing delivers these, so that the peer hears that we are alive.
                let alive = Outbound::unwatched(framed::keep_alive(&framing), OutKind::Other);
                match conn.out.send(alive).await {
                    Ok(()) => continue,
                    Err(_) => break 'reading unread,
                }
            }
            // Back-pressure: with too much in flight nothing more is read.
            let room = tokio::select! {
                room = conn.room.acquire() => room,
                () = conn.out.closed() => break 'reading unread,
            };
            match room {
                Ok(permit) => permit.forget(),
                Err(_) => break 'reading "closed",
            }
            let header = framing.header().answer(&frame.header);
            let back = (!header.is_empty()).then(|| shared.conns.add(|id| Conn { id, header, ..conn.clone() }));
            let back = back.as_ref().unwrap_or(&conn);
            let then = match config.protocol {
                Protocol::Card(_) => cards::receive_request(&shared, back, frame.message).await,
                Protocol::Iso20022 => bank::receive_request(&shared, back, &frame.message).await,
            };
            if let Then::Close(why) = then {
                shared.conns.remove(back.id);
                break 'reading why;
            }
        }
        begun = if buffer.is_empty() { None } else { begun.or_else(|| Some(Instant::now())) };
        if buffer.is_empty() && buffer.capacity() > 8192 {
            // A terminal that is quiet most of the day must not keep its largest frame's room.
            buffer = BytesMut::with_capacity(1024);
        }
    };
    shared.conns.remove(conn.id);
    drop(conn);
    metrics::counter!("switchyard_connections_closed_total", "why" => why).increment(1);
    metrics::gauge!("switchyard_connections", "listener" => config.name.to_string()).decrement(1);
    tracing::debug!(listener = config.name.as_str(), why, "connection ended");
    // Replies in flight hold the queue's other ends; the writer ends when they are written.
    if let Err(error) = writer.await {
        tracing::error!(%error, "a writer task failed");
    }
}
