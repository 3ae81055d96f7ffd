//! The writing half of a socket: one task that batches what is ready into one write, checks deadlines
//! just before it, and reports what is known about every message.

use std::time::Duration;

use engine::{Event, LegId, Sent};
use payments::Mono;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::faults::{self, Point};

/// Messages joined into one write at the most.
const JOIN: usize = 64;

/// A framed message on its way out.
pub(crate) struct Outbound {
    /// The whole frame.
    pub(crate) frame: Vec<u8>,
    /// Not after; a paused process must not send late.
    pub(crate) by: Option<Mono>,
    /// Who is told what became of it.
    pub(crate) report: Option<Report>,
    /// What it is, for the faults that drills arm.
    pub(crate) kind: OutKind,
}

impl Outbound {
    /// What no deadline and no engine waits for.
    pub(crate) fn unwatched(frame: Vec<u8>, kind: OutKind) -> Self {
        Self { frame, by: None, report: None, kind }
    }
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutKind {
    Request,
    Reversal,
    Reply,
    Other,
}

/// Tells an engine what became of a leg.
pub(crate) struct Report {
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) leg: LegId,
}

impl Report {
    pub(crate) async fn say(self, sent: Sent) {
        if self.events.send(Event::Written { leg: self.leg, sent }).await.is_err() {
            tracing::error!("the engine is gone");
        }
    }
}

/// Writes until the queue is closed, the socket fails, or a peer that does not read lets nothing go out
/// within `patience`. What is left in the queue was provably not sent, and is said to be so. Whoever
/// holds the queue's other end sees it closed then.
pub(crate) async fn write_all(
    mut socket: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Outbound>,
    clock: Clock,
    patience: Duration,
) {
    let mut ready = Vec::with_capacity(JOIN);
    while queue.recv_many(&mut ready, JOIN).await > 0 {
        let mut bytes = Vec::new();
        let mut legs: Vec<(usize, usize, Option<Report>, OutKind)> = Vec::with_capacity(ready.len());
        for message in ready.drain(..) {
            if message.by.is_some_and(|by| clock.mono() >= by) {
                metrics::counter!("switchyard_sends_too_late_total").increment(1);
                if let Some(report) = message.report {
                    report.say(Sent::NotSent).await;
                }
                continue;
            }
            let start = bytes.len();
            bytes.extend_from_slice(&message.frame);
            legs.push((start, bytes.len(), message.report, message.kind));
        }
        let written = write_counted(&mut socket, &bytes, &legs, patience).await;
        let failed = written < bytes.len();
        for (start, end, report, kind) in legs {
            // A byte that the kernel took may arrive; a message of which it took none cannot.
            let sent = if end <= written {
                Sent::Sent
            } else if start >= written {
                Sent::NotSent
            } else {
                Sent::MaybeSent
            };
            if kind == OutKind::Reversal && sent == Sent::Sent {
                faults::reach(Point::ReversalSent);
            }
            if let Some(report) = report {
                report.say(sent).await;
            }
        }
        if failed {
            break;
        }
    }
    queue.close();
    while let Some(message) = queue.recv().await {
        if let Some(report) = message.report {
            report.say(Sent::NotSent).await;
        }
    }
}

/// Writes and counts the bytes that the kernel took before an error.
async fn write_counted(
    socket: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    legs: &[(usize, usize, Option<Report>, OutKind)],
    patience: Duration,
) -> usize {
    let mut done = 0;
    // Under a drill, a fault may sit in the middle of a frame: write up to there first.
    for (start, end, _, kind) in legs {
        let point = match kind {
            OutKind::Request => Point::MidFrame,
            OutKind::Reply => Point::MidReply,
            OutKind::Reversal | OutKind::Other => continue,
        };
        if faults::splits(point) {
            let middle = start + (end - start) / 2;
            done += write_part(socket, bytes.get(done..middle).unwrap_or_default(), patience).await;
            if done < middle || socket.flush().await.is_err() {
                return done;
            }
            faults::reach(point);
        }
    }
    done + write_part(socket, bytes.get(done..).unwrap_or_default(), patience).await
}

async fn write_part(socket: &mut (impl AsyncWrite + Unpin), part: &[u8], patience: Duration) -> usize {
    let mut done = 0;
    while let Some(rest) = part.get(done..).filter(|rest| !rest.is_empty()) {
        match tokio::time::timeout(patience, socket.write(rest)).await {
            Ok(Ok(count)) if count > 0 => done += count,
            Ok(_) => break,
            Err(_) => {
                metrics::counter!("switchyard_writes_stalled_total").increment(1);
                break;
            }
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_peer_that_does_not_read_ends_the_writer() {
        let (events, mut said) = mpsc::channel(8);
        let (queue, ready) = mpsc::channel(8);
        let (ours, _theirs) = tokio::io::duplex(6);
        for leg in 1..=3 {
            queue.send(message(b"four", leg, &events, None)).await.unwrap_or_default();
        }
        write_all(ours, ready, Clock::start(), PATIENCE).await;
        assert!(queue.is_closed());
        assert_eq!(reports(&mut said, 3).await, [(1, Sent::Sent), (2, Sent::MaybeSent), (3, Sent::NotSent)]);
    }

    fn message(frame: &[u8], leg: u64, events: &mpsc::Sender<Event>, by: Option<Mono>) -> Outbound {
        let report = Some(Report { events: events.clone(), leg: LegId(leg) });
        Outbound { frame: frame.to_vec(), by, report, kind: OutKind::Request }
    }

    async fn reports(events: &mut mpsc::Receiver<Event>, count: usize) -> Vec<(u64, Sent)> {
        let mut said = Vec::new();
        while said.len() < count {
            match events.recv().await {
                Some(Event::Written { leg, sent }) => said.push((leg.0, sent)),
                _ => break,
            }
        }
        said
    }

    #[tokio::test]
    async fn what_is_past_its_deadline_is_not_sent_and_said_so() {
        let (events, mut said) = mpsc::channel(8);
        let (queue, ready) = mpsc::channel(8);
        let (ours, mut theirs) = tokio::io::duplex(64);
        queue.send(message(b"late", 1, &events, Some(Mono(0)))).await.unwrap_or_default();
        queue.send(message(b"good", 2, &events, None)).await.unwrap_or_default();
        drop(queue);
        write_all(ours, ready, Clock::start(), PATIENCE).await;
        assert_eq!(reports(&mut said, 2).await, [(1, Sent::NotSent), (2, Sent::Sent)]);
        let mut got = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut theirs, &mut got).await.unwrap();
        assert_eq!(got, b"good");
    }

    #[tokio::test]
    async fn behind_a_broken_socket_nothing_is_said_to_be_sent() {
        let (events, mut said) = mpsc::channel(8);
        let (queue, ready) = mpsc::channel(8);
        let (ours, theirs) = tokio::io::duplex(64);
        drop(theirs);
        queue.send(message(b"one", 1, &events, None)).await.unwrap_or_default();
        queue.send(message(b"two", 2, &events, None)).await.unwrap_or_default();
        drop(queue);
        write_all(ours, ready, Clock::start(), PATIENCE).await;
        assert_eq!(reports(&mut said, 2).await, [(1, Sent::NotSent), (2, Sent::NotSent)]);
    }
}
