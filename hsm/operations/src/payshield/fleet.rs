//! All connections to all HSMs: where a command goes, what waits, what is tried again elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};
use zeroize::Zeroizing;

use super::codec::ErrorCode;
use super::link::{Connector, Flight, Link, NotSent};
use super::settings::HostSettings;
use crate::HsmError;

/// Random numbers for the pauses between attempts.
pub type Chance = Arc<dyn Fn() -> u64 + Send + Sync>;

pub(super) struct Fleet {
    links: Vec<Arc<Link>>,
    settings: Arc<HostSettings>,
    /// Rung when a connection came, went or has room.
    changed: Arc<Notify>,
    waiting: AtomicUsize,
    turn: AtomicUsize,
    closed: watch::Sender<bool>,
}

/// Counts one waiter, also when its future is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Fleet {
    /// Begins to connect. Must be called within a runtime.
    pub(super) fn start(settings: HostSettings, connector: Arc<dyn Connector>, chance: Chance) -> Self {
        let settings = Arc::new(settings);
        let changed = Arc::new(Notify::new());
        let (closed, _) = watch::channel(false);
        let mut links = Vec::new();
        // One connection of each HSM after the other, so that neighbours in turn are different boxes.
        for _ in 0..settings.connections.max(1) {
            for (hsm, address) in settings.hsms.iter().enumerate() {
                let link = Arc::new(Link::new(hsm, address.clone(), settings.clone()));
                let (task_link, connector, changed) = (link.clone(), connector.clone(), changed.clone());
                let (settings, chance, mut end) = (settings.clone(), chance.clone(), closed.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        () = keep_up(&task_link, &*connector, &changed, &settings, &chance) => {}
                        // An error is a fleet that was dropped.
                        _ = end.wait_for(|closed| *closed) => {}
                    }
                    task_link.down();
                    changed.notify_waiters();
                });
                links.push(link);
            }
        }
        Self { links, settings, changed, waiting: AtomicUsize::new(0), turn: AtomicUsize::new(0), closed }
    }

    pub(super) fn settings(&self) -> &HostSettings {
        &self.settings
    }

    /// Connections that stand.
    pub(super) fn standing(&self) -> usize {
        self.links.iter().filter(|link| link.load().is_some()).count()
    }

    /// Operations that wait for room.
    pub(super) fn queued(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits until some connection stands.
    pub(super) async fn ready(&self, patience: Duration) -> Result<(), HsmError> {
        let deadline = Instant::now() + patience;
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Registered before looking, so that nothing is missed in between.
            changed.as_mut().enable();
            if self.standing() > 0 {
                return Ok(());
            }
            timeout_at(deadline, changed).await.map_err(|_| NOT_CONNECTED)?;
        }
    }

    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Sends code and fields, and waits for the answer, at most until the deadline. What was lost with its
    /// connection, or met an HSM that is not well, is tried on another.
    pub(super) async fn call(&self, body: &[u8], patience: Duration) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let deadline = Instant::now() + patience;
        let mut avoid = None;
        let mut left = self.settings.retries;
        loop {
            let mut flight = self.place(body, deadline, avoid).await?;
            let hsm = flight.hsm();
            let answer = timeout_at(deadline, flight.answer()).await.map_err(|_| HsmError::Timeout)?;
            match answer {
                Ok(answer) if !is_unwell(&answer) => return Ok(answer),
                Ok(answer) if left == 0 => return Ok(answer),
                Err(_) if left == 0 => return Err(HsmError::Unavailable("the connection was lost before the answer")),
                _ => {
                    metrics::counter!("hsm_failovers_total").increment(1);
                    left -= 1;
                    avoid = Some(hsm);
                }
            }
        }
    }

    /// Puts a command on the connection with the least on its way, of another HSM than the one to avoid
    /// where there is one; waits for room while all are full.
    async fn place(&self, body: &[u8], deadline: Instant, avoid: Option<usize>) -> Result<Flight, HsmError> {
        let mut counted: Option<Waiting<'_>> = None;
        loop {
            if *self.closed.borrow() {
                return Err(HsmError::Closed);
            }
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            match self.try_place(body, avoid) {
                Ok(flight) => return Ok(flight),
                Err(NotSent::Down) => return Err(NOT_CONNECTED),
                Err(NotSent::Full) => {}
            }
            if counted.is_none() {
                if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.settings.queue {
                    self.waiting.fetch_sub(1, Ordering::Relaxed);
                    return Err(HsmError::Busy);
                }
                counted = Some(Waiting(&self.waiting));
            }
            timeout_at(deadline, changed).await.map_err(|_| HsmError::Timeout)?;
        }
    }

    fn try_place(&self, body: &[u8], avoid: Option<usize>) -> Result<Flight, NotSent> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.links.len().max(1);
        let mut standing: Vec<(bool, usize, &Arc<Link>)> = (0..self.links.len())
            .filter_map(|step| self.links.get((turn.wrapping_add(step)) % count))
            .filter_map(|link| Some((Some(link.hsm) == avoid, link.load()?, link)))
            .collect();
        // Stable, so that equals keep their turn.
        standing.sort_by_key(|(avoided, load, _)| (*avoided, *load));
        let mut outcome = Err(NotSent::Down);
        for (_, _, link) in standing {
            match link.send(body) {
                Ok(flight) => return Ok(flight),
                Err(NotSent::Full) => outcome = Err(NotSent::Full),
                Err(NotSent::Down) => {}
            }
        }
        outcome
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.close();
    }
}

const NOT_CONNECTED: HsmError = HsmError::Unavailable("no HSM is connected");

/// Whether the HSM says in its answer that something is wrong with itself.
fn is_unwell(answer: &[u8]) -> bool {
    answer.get(2..4).and_then(|code| code.try_into().ok()).is_some_and(|code| ErrorCode(code).is_unwell())
}

/// Connects again and again, with growing pauses while it does not succeed.
async fn keep_up(link: &Arc<Link>, connector: &dyn Connector, changed: &Notify, settings: &HostSettings, chance: &Chance) {
    let mut attempt = 0;
    loop {
        attempt = if link.live(connector, changed).await { 0 } else { attempt + 1 };
        sleep(settings.pause(attempt, chance())).await;
    }
}
