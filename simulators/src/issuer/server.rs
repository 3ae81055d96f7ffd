//! Sockets around the issuer: accepts, reads frames, writes answers when the book is durable.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::counts::Counts;
use super::host::{Action, Issuer};
use super::line::Line;
use super::options::IssuerOptions;
use super::report;
use crate::clock::Clock;
use crate::journal::{self, Journal, Sync, Ticket};
use crate::keys::Secrets;
use crate::{Error, frames, stop};

/// How long connections may take to finish when the issuer ends.
const GRACE: Duration = Duration::from_secs(5);

/// What an issuer tells while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// It accepts connections here.
    Listening(SocketAddr),
    /// A report was written on request (SIGUSR1).
    Report(report::Written),
}

/// What an issuer tells at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Always `issuer`.
    pub simulator: &'static str,
    /// The network.
    pub network: String,
    /// Items in the book, reversed ones included.
    pub items: usize,
    /// Items of which something stands.
    pub open: usize,
    /// What was counted in this run.
    #[serde(flatten)]
    pub counts: Counts,
    /// The report, where one was asked for.
    pub report: Option<report::Written>,
}

struct Shared {
    issuer: Mutex<Issuer>,
    journal: Journal,
    clock: Clock,
    /// Queues of all open connections, for answers on any of them.
    outs: Mutex<Outs>,
    options: IssuerOptions,
    fatal: mpsc::Sender<Error>,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Default)]
struct Outs {
    queues: Vec<(u64, mpsc::Sender<Outgoing>)>,
    turn: usize,
    next: u64,
}

struct Outgoing {
    after: Option<Ticket>,
    /// `None` closes the connection.
    message: Option<Vec<u8>>,
}

/// Runs until SIGTERM or SIGINT; where asked for, the end of standard input cuts it off. Prints
/// `listening ADDRESS` first.
pub async fn run(options: IssuerOptions) -> Result<Summary, Error> {
    let secrets = Secrets::load(&options.secrets)?;
    let stdin_close = options.stop_on_stdin_close;
    let told = |what: Announcement| match what {
        Announcement::Listening(address) => println!("listening {address}"),
        Announcement::Report(written) => println!("{}", serde_json::to_string(&written).unwrap_or_default()),
    };
    stop::unless_abandoned(stdin_close, serve(options, &secrets, told, stop::requested())).await
}

/// Runs until `stop` resolves.
pub async fn serve(
    options: IssuerOptions,
    secrets: &Secrets,
    mut told: impl FnMut(Announcement),
    stop: impl Future<Output = Result<(), Error>>,
) -> Result<Summary, Error> {
    let mut issuer = Issuer::new(options.clone(), secrets)?;
    if let Some(path) = &options.book {
        journal::read_back(path, |line| match serde_json::from_slice::<Line>(line) {
            Ok(line) => {
                issuer.replay(&line);
                true
            }
            Err(_) => false,
        })?;
    }
    let sync = if options.sync { Sync::Durable } else { Sync::Unsynced };
    let journal = Journal::open(options.book.as_deref(), sync)?;
    let listener = TcpListener::bind(&options.listen).await.map_err(Error::io(format!("listening on {}", options.listen)))?;
    let address = listener.local_addr().map_err(Error::io("listening"))?;
    let (fatal, mut failed) = mpsc::channel(1);
    let shared = Arc::new(Shared {
        issuer: Mutex::new(issuer),
        journal,
        clock: Clock::start(),
        outs: Mutex::default(),
        options,
        fatal,
        stopping: CancellationToken::new(),
        tasks: TaskTracker::new(),
    });
    let mut wanted = signal(SignalKind::user_defined1()).map_err(Error::io("listening to SIGUSR1"))?;
    told(Announcement::Listening(address));
    let mut stop = std::pin::pin!(stop);
    let ended = loop {
        tokio::select! {
            stopped = &mut stop => break stopped,
            Some(fault) = failed.recv() => break Err(fault),
            _ = wanted.recv() => match shared.write_report() {
                Ok(Some(written)) => told(Announcement::Report(written)),
                Ok(None) => {}
                Err(fault) => break Err(fault),
            },
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => shared.clone().attach(socket),
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
    let report = shared.write_report()?;
    let summary = shared.summary(report);
    shared.journal.close()?;
    Ok(summary)
}

impl Shared {
    fn attach(self: Arc<Self>, socket: TcpStream) {
        let (queue, waiting) = mpsc::channel(self.options.max_waiting.max(1));
        let id = {
            let mut outs = lock(&self.outs);
            if outs.queues.len() >= self.options.max_connections {
                return;
            }
            outs.next += 1;
            let id = outs.next;
            outs.queues.push((id, queue.clone()));
            id
        };
        // Answers are small and someone waits for each.
        let _ = socket.set_nodelay(true);
        let (input, output) = socket.into_split();
        let open = self.stopping.child_token();
        let shared = self.clone();
        self.tasks.clone().spawn(async move {
            let writing = shared.tasks.spawn({
                let (shared, open) = (shared.clone(), open.clone());
                async move {
                    let written = write(&shared, output, waiting, &open).await;
                    open.cancel();
                    written
                }
            });
            let read = tokio::select! {
                read = shared.read(input, queue) => read,
                () = open.cancelled() => Ok(()),
            };
            lock(&shared.outs).queues.retain(|(other, _)| *other != id);
            open.cancel();
            let written = writing.await.unwrap_or(Ok(()));
            if let Err(fault) = read.and(written) {
                // The first fault ends the issuer; later ones say the same.
                let _ = shared.fatal.try_send(fault);
            }
        });
    }

    /// Reads until the peer closes or sends what cannot be followed. An error is one of the book.
    async fn read(self: &Arc<Self>, mut input: OwnedReadHalf, queue: mpsc::Sender<Outgoing>) -> Result<(), Error> {
        let mut received = BytesMut::with_capacity(16 * 1024);
        let mut begun: Option<Instant> = None;
        loop {
            while let Ok(taken) = frames::take(&mut received) {
                let Some(raw) = taken else { break };
                begun = None;
                self.journal.room().await?;
                let (ticket, actions) = {
                    let mut issuer = lock(&self.issuer);
                    let handled = issuer.receive(self.clock.now().wall, raw);
                    let mut ticket = None;
                    for line in &handled.lines {
                        let text = serde_json::to_vec(line).map_err(|fault| Error::Journal(fault.to_string()))?;
                        ticket = Some(self.journal.append(&text));
                    }
                    (ticket, handled.actions)
                };
                for action in actions {
                    self.carry_out(action, ticket, &queue).await;
                }
            }
            if frames::take(&mut received).is_err() {
                return Ok(());
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

    async fn carry_out(self: &Arc<Self>, action: Action, after: Option<Ticket>, own: &mpsc::Sender<Outgoing>) {
        let (message, after_ms) = match action {
            Action::Answer { message, after_ms } => (Some(message), after_ms),
            Action::Close => (None, 0),
        };
        let queue = if message.is_some() { self.queue(own) } else { own.clone() };
        let outgoing = Outgoing { after, message };
        if after_ms == 0 {
            // A closed queue is a connection that has gone: the answer is lost, as in the field.
            let _ = queue.send(outgoing).await;
        } else if self.tasks.len() < self.options.max_waiting.saturating_add(2 * self.options.max_connections) {
            let stopping = self.stopping.clone();
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

    /// The connection that the next answer goes out on.
    fn queue(&self, own: &mpsc::Sender<Outgoing>) -> mpsc::Sender<Outgoing> {
        if !self.options.answer_anywhere {
            return own.clone();
        }
        let mut outs = lock(&self.outs);
        outs.turn = outs.turn.wrapping_add(1);
        let at = outs.turn % outs.queues.len().max(1);
        outs.queues.get(at).map_or_else(|| own.clone(), |(_, queue)| queue.clone())
    }

    fn write_report(&self) -> Result<Option<report::Written>, Error> {
        let Some(path) = &self.options.report else { return Ok(None) };
        let (rendered, items) = {
            let issuer = lock(&self.issuer);
            (report::render(&self.options.network, issuer.book()), issuer.book().items().len())
        };
        report::write(path, items, &rendered).map(Some)
    }

    fn summary(&self, report: Option<report::Written>) -> Summary {
        let issuer = lock(&self.issuer);
        let items = issuer.book().items();
        Summary {
            simulator: "issuer",
            network: self.options.network.clone(),
            items: items.len(),
            open: items.iter().filter(|item| item.stands > 0).count(),
            counts: issuer.counts().clone(),
            report,
        }
    }
}

/// Writes answers in order, each when its lines are durable; what is ready goes out together.
async fn write(
    shared: &Shared,
    mut output: OwnedWriteHalf,
    mut waiting: mpsc::Receiver<Outgoing>,
    open: &CancellationToken,
) -> Result<(), Error> {
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        let first = tokio::select! {
            first = waiting.recv() => first,
            () = open.cancelled() => None,
        };
        let Some(mut outgoing) = first else { return Ok(()) };
        buffer.clear();
        let closing = loop {
            if let Some(ticket) = outgoing.after.filter(|ticket| !shared.journal.is_durable(*ticket)) {
                if output.write_all(&buffer).await.is_err() {
                    return Ok(());
                }
                buffer.clear();
                shared.journal.wait(ticket).await?;
            }
            match outgoing.message {
                Some(message) => frames::put(&mut buffer, &message),
                None => break true,
            };
            match waiting.try_recv() {
                Ok(next) => outgoing = next,
                Err(_) => break false,
            }
        };
        if output.write_all(&buffer).await.is_err() || closing {
            return Ok(());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
