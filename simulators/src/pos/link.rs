//! Connections of terminals: reconnects as long as the run lasts, and hands every answer to the
//! exchange that waits for its terminal and STAN.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use iso8583::Message;
use payments::Text;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::frames::{self, Tpdu};
use crate::wire::{Wire, de};

/// First and longest pause between tries to connect.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Messages that may wait to be written on one connection.
const MAX_QUEUED: usize = 4096;

/// Answers that may wait for one exchange.
const MAX_ANSWERS: usize = 16;

/// DE41, empty for messages that name no terminal, and DE11.
type Waiter = (Text<8>, Text<6>);

/// One connection, shared by one or more terminals.
pub struct Link {
    tpdu: Option<Tpdu>,
    queue: mpsc::Sender<Vec<u8>>,
    connected: watch::Receiver<bool>,
    waiting: Arc<Mutex<HashMap<Waiter, mpsc::Sender<Message>>>>,
    counts: Arc<LinkCounts>,
    stan: AtomicU32,
}

/// What happened on all links of a run.
#[derive(Debug, Default)]
pub struct LinkCounts {
    /// Connections made.
    pub connects: AtomicU64,
    /// Answers that do not decode.
    pub garbled: AtomicU64,
    /// Answers whose TPDU is not that of the line turned round.
    pub misaddressed: AtomicU64,
    /// Answers that nobody waited for: second ones, late ones, wrong STANs.
    pub unexpected: AtomicU64,
}

/// Answers for one exchange, until it is dropped.
pub struct Mailbox {
    link: Arc<Link>,
    keys: Vec<Waiter>,
    sender: mpsc::Sender<Message>,
    answers: mpsc::Receiver<Message>,
}

impl Link {
    /// Connects to `address` and stays connected until `stop`. Answers that nobody waits for go to
    /// `strays`. With a TPDU every message goes out behind it, and every answer needs it turned round.
    pub fn open(
        address: String,
        wire: Wire,
        tpdu: Option<Tpdu>,
        counts: Arc<LinkCounts>,
        strays: mpsc::Sender<Message>,
        stop: CancellationToken,
    ) -> Arc<Self> {
        let (queue, queued) = mpsc::channel(MAX_QUEUED);
        let (tell, connected) = watch::channel(false);
        let link = Arc::new(Self { tpdu, queue, connected, waiting: Arc::default(), counts, stan: AtomicU32::new(0) });
        let runner = Runner { address, wire, tpdu, waiting: link.waiting.clone(), counts: link.counts.clone(), strays };
        tokio::spawn(async move {
            tokio::select! {
                () = runner.keep_connected(queued, tell) => {}
                () = stop.cancelled() => {}
            }
        });
        link
    }

    /// Waits for a connection, at most so long; tells whether there is one.
    pub async fn ready(&self, at_most: Duration) -> bool {
        let mut connected = self.connected.clone();
        matches!(tokio::time::timeout(at_most, connected.wait_for(|up| *up)).await, Ok(Ok(_)))
    }

    /// Hands a message over. Without a connection it is lost, as on a dead line.
    pub async fn send(&self, message: &[u8]) {
        let mut frame = Vec::with_capacity(message.len() + 7);
        let fits = match self.tpdu {
            Some(tpdu) => frames::put(&mut frame, &tpdu.before(message)),
            None => frames::put(&mut frame, message),
        };
        if fits {
            // Closed only at the end of the run.
            let _ = self.queue.send(frame).await;
        }
    }

    /// The next STAN of messages that name no terminal.
    pub fn next_stan(&self) -> String {
        format!("{:06}", self.stan.fetch_add(1, Ordering::Relaxed) % 999_999 + 1)
    }

    /// A mailbox without an address yet.
    pub fn mailbox(self: &Arc<Self>) -> Mailbox {
        let (sender, answers) = mpsc::channel(MAX_ANSWERS);
        Mailbox { link: self.clone(), keys: Vec::with_capacity(2), sender, answers }
    }
}

impl Mailbox {
    /// Also takes answers for this terminal and STAN.
    pub fn expect(&mut self, terminal: Text<8>, stan: Text<6>) {
        let key = (terminal, stan);
        if !self.keys.contains(&key) {
            self.keys.push(key);
            lock(&self.link.waiting).insert(key, self.sender.clone());
        }
    }

    /// The next answer.
    pub async fn next(&mut self) -> Option<Message> {
        self.answers.recv().await
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let mut waiting = lock(&self.link.waiting);
        for key in &self.keys {
            // A repeat of the same STAN may have taken the place meanwhile.
            if waiting.get(key).is_some_and(|other| other.same_channel(&self.sender)) {
                waiting.remove(key);
            }
        }
    }
}

struct Runner {
    address: String,
    wire: Wire,
    tpdu: Option<Tpdu>,
    waiting: Arc<Mutex<HashMap<Waiter, mpsc::Sender<Message>>>>,
    counts: Arc<LinkCounts>,
    strays: mpsc::Sender<Message>,
}

impl Runner {
    async fn keep_connected(self, mut queued: mpsc::Receiver<Vec<u8>>, tell: watch::Sender<bool>) {
        let mut pause = BACK_OFF.0;
        loop {
            if let Ok(socket) = TcpStream::connect(&self.address).await {
                self.counts.connects.fetch_add(1, Ordering::Relaxed);
                // Messages are small and someone waits for each.
                let _ = socket.set_nodelay(true);
                let (input, output) = socket.into_split();
                // What was queued for the connection before this one went down with it.
                while queued.try_recv().is_ok() {}
                tell.send_replace(true);
                pause = BACK_OFF.0;
                tokio::select! {
                    () = self.read(input) => {}
                    () = write(output, &mut queued) => {}
                }
                tell.send_replace(false);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    async fn read(&self, mut input: OwnedReadHalf) {
        let mut received = BytesMut::with_capacity(16 * 1024);
        while input.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
            loop {
                match frames::take(&mut received) {
                    Ok(Some(raw)) => self.deliver(raw),
                    Ok(None) => break,
                    Err(_) => return,
                }
            }
        }
    }

    fn deliver(&self, raw: bytes::Bytes) {
        let addressed = match self.tpdu {
            Some(tpdu) => tpdu.behind(raw),
            None => Some(raw),
        };
        let Some(raw) = addressed else {
            self.counts.misaddressed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let Ok(answer) = self.wire.decode(raw) else {
            self.counts.garbled.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let field = |number: u8| answer.get(number).unwrap_or_default();
        let key = Text::from_bytes(field(de::TERMINAL)).and_then(|terminal| Ok((terminal, Text::from_bytes(field(de::STAN))?)));
        let found = key.ok().and_then(|key| lock(&self.waiting).get(&key).cloned());
        // A full mailbox is an exchange that is answered many times over.
        let stray = match found {
            Some(mailbox) => mailbox.try_send(answer).err().map(|refused| match refused {
                mpsc::error::TrySendError::Full(answer) | mpsc::error::TrySendError::Closed(answer) => answer,
            }),
            None => Some(answer),
        };
        if let Some(answer) = stray {
            self.counts.unexpected.fetch_add(1, Ordering::Relaxed);
            // When too many come at once, the count has to do.
            let _ = self.strays.try_send(answer);
        }
    }
}

async fn write(mut output: OwnedWriteHalf, queued: &mut mpsc::Receiver<Vec<u8>>) {
    let mut buffer = Vec::with_capacity(16 * 1024);
    while let Some(frame) = queued.recv().await {
        buffer.clear();
        buffer.extend_from_slice(&frame);
        while let Ok(next) = queued.try_recv() {
            buffer.extend_from_slice(&next);
        }
        if output.write_all(&buffer).await.is_err() {
            return;
        }
    }
    // The run has ended: the reader decides when.
    std::future::pending::<()>().await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
