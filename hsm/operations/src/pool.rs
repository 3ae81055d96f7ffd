//! Threads that own a token each, behind one bounded queue. Foreign functions block, so they never run
//! on the threads of the asynchronous runtime.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::HsmError;
use crate::token::{Fault, Token};

/// Threads, queue and patience. The section `[hsm.pool]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoolSettings {
    /// Threads, each with its own session. SoftHSM is fastest with 1; network HSMs want as many as they
    /// work on at a time.
    pub workers: usize,
    /// Operations that may wait; more are refused as busy.
    pub queue: usize,
    /// How long an operation of a payment may take, waiting included, in milliseconds.
    pub deadline_ms: u64,
    /// As `deadline_ms`, for key management.
    pub admin_deadline_ms: u64,
    /// Operations that a thread takes from the queue at a time.
    pub batch: usize,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { workers: 1, queue: 1024, deadline_ms: 1_000, admin_deadline_ms: 10_000, batch: 32 }
    }
}

impl PoolSettings {
    /// Patience with an operation of a payment.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    /// Patience with key management.
    pub(crate) fn admin_deadline(&self) -> Duration {
        Duration::from_millis(self.admin_deadline_ms)
    }
}

type Run = Box<dyn FnOnce(&mut dyn Token) + Send>;

struct Job {
    deadline: Instant,
    run: Run,
}

struct Queue {
    state: Mutex<Waiting>,
    wake: Condvar,
    capacity: usize,
}

struct Waiting {
    jobs: VecDeque<Job>,
    /// Set by close and by the last worker that went away.
    closed: Option<HsmError>,
    workers: usize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that holds the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<(), HsmError> {
        let mut waiting = self.lock();
        if let Some(reason) = &waiting.closed {
            return Err(reason.clone());
        }
        if waiting.jobs.len() >= self.capacity {
            return Err(HsmError::Busy);
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for work and takes up to `most` of it, leaving a share to the other workers; false when
    /// the queue is closed and empty.
    fn take(&self, batch: &mut Vec<Job>, most: usize) -> bool {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed.is_some() {
                return false;
            }
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let share = waiting.jobs.len().div_ceil(waiting.workers.max(1)).clamp(1, most.max(1));
        batch.extend(waiting.jobs.drain(..share));
        true
    }

    fn close(&self, reason: HsmError) {
        self.lock().closed.get_or_insert(reason);
        self.wake.notify_all();
    }
}

/// Counts a worker out however its thread ends; the last one takes the queue with it, so that callers
/// hear at once instead of waiting for their deadline.
struct Leaving(Arc<Queue>);

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.workers = waiting.workers.saturating_sub(1);
        if waiting.workers == 0 {
            waiting.closed.get_or_insert(HsmError::Unavailable("no worker thread left"));
            waiting.jobs.clear();
        }
    }
}

/// The threads and their queue.
pub(crate) struct Pool {
    queue: Arc<Queue>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    settings: PoolSettings,
}

impl Pool {
    /// Starts the threads; each makes its token on itself with `open`. Fails with the first failure.
    pub(crate) async fn start<T, F>(settings: PoolSettings, open: F) -> Result<Self, HsmError>
    where
        T: Token + 'static,
        F: Fn() -> Result<T, HsmError> + Send + Sync + 'static,
    {
        let workers = settings.workers.max(1);
        let queue = Arc::new(Queue {
            state: Mutex::new(Waiting { jobs: VecDeque::new(), closed: None, workers }),
            wake: Condvar::new(),
            capacity: settings.queue.max(1),
        });
        let open = Arc::new(open);
        let mut threads = Vec::with_capacity(workers);
        let mut ready = Vec::with_capacity(workers);
        for number in 0..workers {
            let (queue, open, batch) = (queue.clone(), open.clone(), settings.batch);
            let (report, hear) = oneshot::channel();
            let thread = std::thread::Builder::new()
                .name(format!("hsm-{number}"))
                .spawn(move || work(&queue, &*open, batch, report))
                .map_err(|_| HsmError::Unavailable("no thread could be started"))?;
            threads.push(thread);
            ready.push(hear);
        }
        let pool = Self { queue, threads: Mutex::new(threads), settings };
        for hear in ready {
            hear.await.unwrap_or(Err(HsmError::Unavailable("worker thread ended at its start")))?;
        }
        Ok(pool)
    }

    pub(crate) fn settings(&self) -> &PoolSettings {
        &self.settings
    }

    /// Operations that wait.
    pub(crate) fn depth(&self) -> usize {
        self.queue.lock().jobs.len()
    }

    /// Runs `call` on a worker and waits for its result, at most until the deadline. A lost session is
    /// recovered and the call made once more. Dropping the future does not stop a call that runs.
    pub(crate) async fn run<R, C>(&self, patience: Duration, call: C) -> Result<R, HsmError>
    where
        R: Send + 'static,
        C: Fn(&mut dyn Token) -> Result<R, Fault> + Send + 'static,
    {
        let deadline = Instant::now() + patience;
        let (reply, answer) = oneshot::channel();
        let run = Box::new(move |token: &mut dyn Token| {
            // The caller may have gone.
            let _ = reply.send(attempt(token, &call));
        });
        self.queue.push(Job { deadline, run })?;
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(Ok(result)) => result,
            // Dropped unanswered: too late when its turn came, or the worker is gone.
            Ok(Err(_)) if Instant::now() >= deadline => Err(HsmError::Timeout),
            Ok(Err(_)) => Err(HsmError::Unavailable("worker thread ended")),
            Err(_) => Err(HsmError::Timeout),
        }
    }

    /// Lets the workers finish what waits, then waits for them. Blocks.
    pub(crate) fn close(&self) {
        self.queue.close(HsmError::Closed);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A worker that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.close(HsmError::Closed);
    }
}

fn work<T: Token, F: Fn() -> Result<T, HsmError>>(
    queue: &Arc<Queue>,
    open: &F,
    most: usize,
    report: oneshot::Sender<Result<(), HsmError>>,
) {
    let _leaving = Leaving(queue.clone());
    let mut token = match open() {
        Ok(token) => token,
        Err(error) => {
            let _ = report.send(Err(error));
            return;
        }
    };
    let _ = report.send(Ok(()));
    let mut batch = Vec::with_capacity(most);
    while queue.take(&mut batch, most) {
        for job in batch.drain(..) {
            // Nobody waits for what is late; dropping it tells the caller.
            if Instant::now() < job.deadline {
                (job.run)(&mut token);
            }
        }
    }
    token.close();
}

fn attempt<R>(token: &mut dyn Token, call: &dyn Fn(&mut dyn Token) -> Result<R, Fault>) -> Result<R, HsmError> {
    match call(token) {
        Ok(result) => Ok(result),
        Err(Fault::Error(error)) => Err(error),
        Err(Fault::Lost(what)) => {
            metrics::counter!("hsm_sessions_lost_total").increment(1);
            tracing::warn!(target: "hsm", what, "HSM session lost, recovering");
            token.recover()?;
            match call(token) {
                Ok(result) => Ok(result),
                Err(Fault::Error(error)) => Err(error),
                Err(Fault::Lost(what)) => Err(HsmError::Unavailable(what)),
            }
        }
    }
}
