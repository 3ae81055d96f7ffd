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
    /// An error of the server is an answer: the request went out, and a connection that another thread
    /// serves may have brought it before this poll ended.
    pub(crate) async fn send(&mut self, request: impl Future<Output = Result<(), Error>> + Send + 'a) -> bool {
        let mut part = Part::Waiting(Box::pin(request));
        poll_fn(|context| {
            part.poll(context);
            Poll::Ready(())
        })
        .await;
        let sent = !matches!(&part, Part::Done(Err(error)) if error.as_db_error().is_none());
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

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::io::AsyncWriteExt;
    use tokio_postgres::{Config, NoTls};

    use super::*;

    /// What a client makes of these bytes of a server.
    async fn error_from(server_says: &[u8]) -> Error {
        let (mut server, client) = tokio::io::duplex(4096);
        server.write_all(server_says).await.unwrap();
        server.shutdown().await.unwrap();
        let connected = Config::new().user("anybody").connect_raw(client, NoTls).await;
        connected.err().expect("a server that says this lets nobody in")
    }

    #[tokio::test]
    async fn a_refusal_that_is_there_at_once_was_sent_and_a_lost_connection_was_not() {
        let refusal = b"SERROR\0VERROR\0CSW002\0Mfenced\0D7\0\0";
        let length = u32::try_from(refusal.len() + 4).unwrap().to_be_bytes();
        let refused = error_from(&[&b"E"[..], &length, refusal].concat()).await;
        assert_eq!(refused.code().map(|code| code.code()), Some("SW002"));
        let lost = error_from(b"").await;

        let mut flight = Flight::default();
        assert!(flight.send(ready(Err(refused))).await);
        assert!(!flight.send(ready(Err(lost))).await);
        assert_eq!(flight.land().await.len(), 2);
    }
}
