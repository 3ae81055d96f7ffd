//! Requests of one connection that are sent together and answered in order: one round trip for a
//! whole transaction.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_postgres::Error;

type Request<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 'a>>;

enum Part<'a> {
    Waiting(Request<'a>),
    Done(Result<(), Error>),
}

/// Requests under way. The driver puts a request on the connection's queue when its future is polled
/// first, so the order of the first polls is the order on the wire.
#[derive(Default)]
pub(crate) struct Flight<'a> {
    parts: Vec<Part<'a>>,
}

impl<'a> Flight<'a> {
    /// Adds a request and sends it at once, without waiting. False where it failed without an answer:
    /// it could not be encoded, or the connection is gone. Nothing that relies on it may follow then.
    pub(crate) async fn send(&mut self, request: impl Future<Output = Result<(), Error>> + Send + 'a) -> bool {
        let mut part = Part::Waiting(Box::pin(request));
        poll_fn(|context| {
            part.poll(context);
            Poll::Ready(())
        })
        .await;
        let sent = !matches!(part, Part::Done(Err(_)));
        self.parts.push(part);
        sent
    }

    /// Waits for every answer, in the order of the requests.
    pub(crate) async fn land(mut self) -> Vec<Result<(), Error>> {
        poll_fn(|context| {
            let mut waiting = false;
            for part in &mut self.parts {
                waiting |= !part.poll(context);
            }
            if waiting { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        let done = |part| match part {
            Part::Done(result) => Some(result),
            Part::Waiting(_) => None,
        };
        self.parts.into_iter().filter_map(done).collect()
    }
}

impl Part<'_> {
    /// Whether it is done.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        if let Part::Waiting(request) = self {
            match request.as_mut().poll(context) {
                Poll::Ready(result) => *self = Part::Done(result),
                Poll::Pending => return false,
            }
        }
        true
    }
}
