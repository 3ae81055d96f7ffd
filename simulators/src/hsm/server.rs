//! Sockets around the device, and trouble on purpose.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::device::Device;
use super::options::HsmOptions;
use crate::{Error, frames, stop};

/// Longest host command that is taken, in bytes.
const MAX_COMMAND: usize = 32_768;

/// Commands that are taken out of what arrived before any of them is answered.
const TOGETHER: usize = 64;

/// What happened in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// Commands received.
    pub commands: u64,
    /// Errors on purpose.
    pub errors: u64,
    /// Connections lost on purpose.
    pub drops: u64,
    /// Messages too short for an answer, and frames too long: the connection was closed.
    pub unreadable: u64,
}

/// What a simulated HSM tells at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Always `hsm`.
    pub simulator: &'static str,
    /// What was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Source of random bytes that outlives a request.
type Source = Box<dyn FnMut(&mut [u8]) + Send>;

struct Shared {
    device: Device,
    options: HsmOptions,
    code: [u8; 2],
    counts: Mutex<Counts>,
    chances: Mutex<fastrand::Rng>,
    random: Mutex<Source>,
    open: Mutex<usize>,
    stopping: CancellationToken,
}

/// Runs until SIGTERM or SIGINT; where asked for, the end of standard input cuts it off. Prints
/// `listening ADDRESS` first.
pub async fn run(options: HsmOptions) -> Result<Summary, Error> {
    let stdin_close = options.stop_on_stdin_close;
    stop::unless_abandoned(stdin_close, serve(options, |address| println!("listening {address}"), stop::requested())).await
}

/// Runs until `stop` resolves; every connection is cut then, as when a box loses its power.
pub async fn serve(
    options: HsmOptions,
    told: impl FnOnce(SocketAddr),
    stop: impl Future<Output = Result<(), Error>>,
) -> Result<Summary, Error> {
    let mut rng = fastrand::Rng::with_seed(options.seed);
    serve_device(options, move |room| rng.fill(room), told, stop).await
}

/// As [`serve`], with random bytes of the caller's choice: tests fix the fill of PIN blocks.
pub async fn serve_device(
    options: HsmOptions,
    random: impl FnMut(&mut [u8]) + Send + 'static,
    told: impl FnOnce(SocketAddr),
    stop: impl Future<Output = Result<(), Error>>,
) -> Result<Summary, Error> {
    options.check()?;
    let code = options.code()?;
    let listener = TcpListener::bind(&options.listen).await.map_err(Error::io(format!("listening on {}", options.listen)))?;
    told(listener.local_addr().map_err(Error::io("listening"))?);
    let shared = Arc::new(Shared {
        device: Device::new(options.check_tables),
        code,
        counts: Mutex::default(),
        chances: Mutex::new(fastrand::Rng::with_seed(options.seed)),
        random: Mutex::new(Box::new(random)),
        open: Mutex::new(0),
        stopping: CancellationToken::new(),
        options,
    });
    let tasks = TaskTracker::new();
    let mut stop = std::pin::pin!(stop);
    let ended = loop {
        tokio::select! {
            stopped = &mut stop => break stopped,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => shared.attach(&tasks, socket),
                // Out of descriptors or a connection gone again: others are served meanwhile.
                Err(_) => tokio::task::yield_now().await,
            },
        }
    };
    shared.stopping.cancel();
    tasks.close();
    tasks.wait().await;
    ended?;
    let counts = *lock(&shared.counts);
    Ok(Summary { simulator: "hsm", counts })
}

impl Shared {
    fn attach(self: &Arc<Self>, tasks: &TaskTracker, socket: TcpStream) {
        {
            let mut open = lock(&self.open);
            if *open >= self.options.max_connections {
                return;
            }
            *open += 1;
        }
        self.count(|counts| counts.connections += 1);
        // Answers are small and someone waits for each.
        let _ = socket.set_nodelay(true);
        let shared = self.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = shared.talk(socket) => {}
                () = shared.stopping.cancelled() => {}
            }
            *lock(&shared.open) -= 1;
        });
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut lock(&self.counts));
    }

    /// Reads and answers until either end has enough.
    async fn talk(&self, mut socket: TcpStream) {
        let mut received = BytesMut::with_capacity(16 * 1024);
        let mut out = Vec::with_capacity(4 * 1024);
        let mut begun: Option<Instant> = None;
        loop {
            let mut together = Vec::new();
            let more = loop {
                match frames::take_up_to(&mut received, MAX_COMMAND) {
                    Ok(Some(message)) if together.len() < TOGETHER => together.push(message),
                    // The one too many is not lost: it is answered with the rest.
                    Ok(Some(message)) => {
                        together.push(message);
                        break true;
                    }
                    Ok(None) => break false,
                    Err(_) => {
                        self.count(|counts| counts.unreadable += 1);
                        return;
                    }
                }
            };
            if !together.is_empty() {
                begun = None;
                out.clear();
                let going_on = self.answer_all(&mut together, &mut out).await;
                if socket.write_all(&out).await.is_err() || !going_on {
                    return;
                }
            }
            if more {
                continue;
            }
            if !received.is_empty() && begun.is_none() {
                begun = Some(Instant::now() + Duration::from_millis(self.options.frame_deadline_ms));
            }
            let idle = (self.options.idle_ms > 0).then(|| Instant::now() + Duration::from_millis(self.options.idle_ms));
            let read = match begun.or(idle) {
                Some(deadline) => timeout_at(deadline, socket.read_buf(&mut received)).await.unwrap_or(Ok(0)),
                None => socket.read_buf(&mut received).await,
            };
            if !read.is_ok_and(|count| count > 0) {
                return;
            }
        }
    }

    /// Answers what came together; `false` when the connection is to be lost after what is in `out`.
    async fn answer_all(&self, together: &mut [Bytes], out: &mut Vec<u8>) -> bool {
        if self.options.reorder {
            lock(&self.chances).shuffle(together);
        }
        for message in together {
            self.count(|counts| counts.commands += 1);
            let (lost, refused) = {
                let mut chances = lock(&self.chances);
                (chances.u16(0..1000) < self.options.drop_per_mille, chances.u16(0..1000) < self.options.error_per_mille)
            };
            if lost {
                self.count(|counts| counts.drops += 1);
                return false;
            }
            if self.options.latency_ms > 0 {
                tokio::time::sleep(Duration::from_millis(self.options.latency_ms)).await;
            }
            let answer = if refused {
                self.count(|counts| counts.errors += 1);
                self.device.refusal(message, self.code)
            } else {
                self.device.answer(message, &mut **lock(&self.random))
            };
            if !answer.is_some_and(|answer| frames::put_up_to(out, &answer, MAX_COMMAND)) {
                self.count(|counts| counts.unreadable += 1);
                return false;
            }
        }
        true
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
