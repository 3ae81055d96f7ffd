//! Sockets around the bank: accepts, reads frames, writes answers when the book is durable.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::counts::Counts;
use super::frames;
use super::host::{Action, Bank};
use super::line::Line;
use super::options::BankOptions;
use crate::clock::Clock;
use crate::journal::{self, Journal, Sync, Ticket};
use crate::{Error, stop};

/// How long connections may take to finish when the bank ends.
const GRACE: Duration = Duration::from_secs(5);

/// What a bank tells at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Always `bank`.
    pub simulator: &'static str,
    /// Transfers in the book.
    pub transfers_in_book: usize,
    /// Of these, credited.
    pub executed_in_book: usize,
    /// Their amounts, minor units of all currencies together.
    pub executed_minor: i64,
    /// What was counted in this run.
    #[serde(flatten)]
    pub counts: Counts,
}

/// The bank and the last line of its book: an answer about an earlier transfer waits for that one too.
struct Desk {
    bank: Bank,
    last: Option<Ticket>,
}

struct Shared {
    desk: Mutex<Desk>,
    journal: Journal,
    clock: Clock,
    options: BankOptions,
    fatal: mpsc::Sender<Error>,
    stopping: CancellationToken,
    tasks: TaskTracker,
    connections: Mutex<usize>,
}

struct Outgoing {
    after: Option<Ticket>,
    /// `None` closes the connection.
    envelope: Option<Vec<u8>>,
}

/// Runs until SIGTERM or SIGINT; where asked for, the end of standard input cuts it off. Prints
/// `listening ADDRESS` first.
pub async fn run(options: BankOptions) -> Result<Summary, Error> {
    let stdin_close = options.stop_on_stdin_close;
    stop::unless_abandoned(stdin_close, serve(options, |address| println!("listening {address}"), stop::requested())).await
}

/// Runs until `stop` resolves.
pub async fn serve(
    options: BankOptions,
    told: impl FnOnce(SocketAddr),
    stop: impl Future<Output = Result<(), Error>>,
) -> Result<Summary, Error> {
    let clock = Clock::start();
    let mut bank = Bank::new(options.clone(), u64::try_from(clock.now().wall.0).unwrap_or(0))?;
    if let Some(path) = &options.book {
        journal::read_back(path, |line| serde_json::from_slice::<Line>(line).is_ok_and(|line| bank.replay(line)))?;
    }
    let sync = if options.sync { Sync::Durable } else { Sync::Unsynced };
    let journal = Journal::open(options.book.as_deref(), sync)?;
    let listener = TcpListener::bind(&options.listen).await.map_err(Error::io(format!("listening on {}", options.listen)))?;
    let address = listener.local_addr().map_err(Error::io("listening"))?;
    let (fatal, mut failed) = mpsc::channel(1);
    let shared = Arc::new(Shared {
        desk: Mutex::new(Desk { bank, last: None }),
        journal,
        clock,
        options,
        fatal,
        stopping: CancellationToken::new(),
        tasks: TaskTracker::new(),
        connections: Mutex::new(0),
    });
    told(address);
    let mut stop = std::pin::pin!(stop);
    let ended = loop {
        tokio::select! {
            stopped = &mut stop => break stopped,
            Some(fault) = failed.recv() => break Err(fault),
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => shared.attach(socket),
                // Out of descriptors or a connection gone again: others are served meanwhile.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    };
    shared.stopping.cancel();
    shared.tasks.close();
    // Whoever does not finish in time is cut off; the book is whole either way.
    let _ = tokio::time::timeout(GRACE, shared.tasks.wait()).await;
    ended?;
    let summary = shared.summary();
    match Arc::into_inner(shared) {
        Some(shared) => shared.journal.close()?,
        None => return Err(Error::Journal("a connection did not end".to_owned())),
    }
    Ok(summary)
}

impl Shared {
    fn attach(self: &Arc<Self>, socket: TcpStream) {
        {
            let mut connections = lock(&self.connections);
            if *connections >= self.options.max_connections {
                return;
            }
            *connections += 1;
        }
        // Answers are small and someone waits for each.
        let _ = socket.set_nodelay(true);
        let (input, output) = socket.into_split();
        let (queue, waiting) = mpsc::channel(self.options.max_waiting.max(1));
        let open = self.stopping.child_token();
        let shared = self.clone();
        self.tasks.spawn(async move {
            let writing = shared.tasks.spawn(write(shared.clone(), output, waiting, open.clone()));
            let read = tokio::select! {
                read = shared.read(input, queue) => read,
                () = open.cancelled() => Ok(()),
            };
            open.cancel();
            let written = writing.await.unwrap_or(Ok(()));
            *lock(&shared.connections) -= 1;
            if let Err(fault) = read.and(written) {
                // The first fault ends the bank; later ones say the same.
                let _ = shared.fatal.try_send(fault);
            }
        });
    }

    /// Reads until the peer closes or sends what cannot be followed. An error is one of the book.
    async fn read(self: &Arc<Self>, mut input: OwnedReadHalf, queue: mpsc::Sender<Outgoing>) -> Result<(), Error> {
        let mut received = BytesMut::with_capacity(16 * 1024);
        let mut begun: Option<Instant> = None;
        loop {
            loop {
                match frames::take(&mut received) {
                    Ok(Some(raw)) => {
                        begun = None;
                        self.journal.room().await?;
                        self.handle(&raw, &queue).await?;
                    }
                    Ok(None) => break,
                    Err(_) => return Ok(()),
                }
            }
            if !received.is_empty() && begun.is_none() {
                begun = Some(Instant::now() + Duration::from_millis(self.options.frame_deadline_ms));
            }
            let read = match begun {
                Some(deadline) => timeout_at(deadline, input.read_buf(&mut received)).await.unwrap_or(Ok(0)),
                None => input.read_buf(&mut received).await,
            };
            if !read.is_ok_and(|count| count > 0) {
                return Ok(());
            }
        }
    }

    async fn handle(&self, raw: &[u8], queue: &mpsc::Sender<Outgoing>) -> Result<(), Error> {
        let (after, actions) = {
            let mut desk = lock(&self.desk);
            let handled = desk.bank.receive(self.clock.now().wall, raw);
            if let Some(line) = &handled.line {
                let text = serde_json::to_vec(line).map_err(|fault| Error::Journal(fault.to_string()))?;
                desk.last = Some(self.journal.append(&text));
            }
            (desk.last, handled.actions)
        };
        for action in actions {
            let (envelope, after_ms) = match action {
                Action::Answer { envelope, after_ms } => (Some(envelope), after_ms),
                Action::Close => (None, 0),
            };
            let outgoing = Outgoing { after, envelope };
            if after_ms == 0 {
                // A closed queue is a connection that has gone: the answer is lost, as in the field.
                let _ = queue.send(outgoing).await;
            } else if self.tasks.len() < self.options.max_waiting {
                let (queue, stopping) = (queue.clone(), self.stopping.clone());
                self.tasks.spawn(async move {
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_millis(after_ms)) => {
                            let _ = queue.send(outgoing).await;
                        }
                        () = stopping.cancelled() => {}
                    }
                });
            }
        }
        Ok(())
    }

    fn summary(&self) -> Summary {
        let desk = lock(&self.desk);
        let bank = &desk.bank;
        let executed = || bank.transfers().filter(|line| line.executed());
        Summary {
            simulator: "bank",
            transfers_in_book: bank.transfers().count(),
            executed_in_book: executed().count(),
            executed_minor: executed().fold(0, |sum: i64, line| sum.saturating_add(line.amount_minor)),
            counts: bank.counts().clone(),
        }
    }
}

/// Writes answers in order, each when its line is durable.
async fn write(
    shared: Arc<Shared>,
    mut output: OwnedWriteHalf,
    mut waiting: mpsc::Receiver<Outgoing>,
    open: CancellationToken,
) -> Result<(), Error> {
    let mut buffer = Vec::with_capacity(4 * 1024);
    loop {
        let next = tokio::select! {
            next = waiting.recv() => next,
            () = open.cancelled() => None,
        };
        let Some(outgoing) = next else { return Ok(()) };
        if let Some(ticket) = outgoing.after {
            shared.journal.wait(ticket).await?;
        }
        buffer.clear();
        let closing = match outgoing.envelope {
            Some(envelope) => !frames::put(&mut buffer, &envelope),
            None => true,
        };
        if output.write_all(&buffer).await.is_err() || closing {
            open.cancel();
            return Ok(());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
