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
        metrics::gauge!("hsm_queue_depth").set(u32::try_from(waiting.jobs.len()).unwrap_or(u32::MAX));
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
    let outcome = with_recovery(token, call);
    token.end();
    outcome
}

fn with_recovery<R>(token: &mut dyn Token, call: &dyn Fn(&mut dyn Token) -> Result<R, Fault>) -> Result<R, HsmError> {
    match call(token) {
        Ok(result) => Ok(result),
        Err(Fault::Error(error)) => Err(error),
        Err(Fault::Lost(what)) => {
            metrics::counter!("hsm_sessions_lost_total").increment(1);
            token.recover(what)?;
            match call(token) {
                Ok(result) => Ok(result),
                Err(Fault::Error(error)) => Err(error),
                Err(Fault::Lost(what)) => Err(HsmError::Unavailable(what)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use zeroize::Zeroizing;

    use super::*;
    use crate::token::{Held, KeyKind, Way};
    use crate::{ClearKey, KeyInfo, KeyName};

    /// A token of which only losing and recovering matter.
    #[derive(Default)]
    struct Fake {
        lost: bool,
        recovers: bool,
    }

    fn none<R>() -> Result<R, Fault> {
        Err(Fault::Error(HsmError::Unsupported("anything")))
    }

    impl Token for Fake {
        fn info(&mut self, _: &KeyName) -> Result<KeyInfo, Fault> {
            none()
        }
        fn ecb(&mut self, _: &Held, _: Way, _: &mut [u8]) -> Result<(), Fault> {
            none()
        }
        fn cbc(&mut self, _: &Held, _: Way, _: &[u8], _: &mut [u8]) -> Result<(), Fault> {
            none()
        }
        fn cmac(&mut self, _: &Held, _: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
            none()
        }
        fn take_out(&mut self, _: &KeyName) -> Result<Zeroizing<Vec<u8>>, Fault> {
            none()
        }
        fn seal(&mut self, _: &KeyName, _: &[u8], _: &[u8]) -> Result<Vec<u8>, Fault> {
            none()
        }
        fn open(&mut self, _: &KeyName, _: &[u8], _: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
            none()
        }
        fn random(&mut self, _: &mut [u8]) -> Result<(), Fault> {
            if self.lost { Err(Fault::Lost("session closed")) } else { Ok(()) }
        }
        fn generate(&mut self, _: &KeyName, _: KeyKind) -> Result<KeyInfo, Fault> {
            none()
        }
        fn import(&mut self, _: &KeyName, _: &ClearKey) -> Result<KeyInfo, Fault> {
            none()
        }
        fn destroy(&mut self, _: &KeyName) -> Result<(), Fault> {
            none()
        }
        fn list(&mut self) -> Result<Vec<KeyInfo>, Fault> {
            none()
        }
        fn refresh(&mut self) -> Result<(), Fault> {
            self.lost = true;
            Ok(())
        }
        fn recover(&mut self, _: &'static str) -> Result<(), HsmError> {
            if self.recovers {
                self.lost = false;
                Ok(())
            } else {
                Err(HsmError::Unavailable("gone for good"))
            }
        }
        fn close(&mut self) {}
    }

    const LONG: Duration = Duration::from_secs(60);

    async fn pool(queue: usize, recovers: bool) -> Arc<Pool> {
        let settings = PoolSettings { queue, ..PoolSettings::default() };
        Arc::new(Pool::start(settings, move || Ok(Fake { lost: false, recovers })).await.unwrap())
    }

    /// Keeps the worker busy until the returned sender is dropped; it has taken this job from the queue
    /// when this returns.
    async fn occupy(pool: &Arc<Pool>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), HsmError>>) {
        let (hold, held) = mpsc::channel::<()>();
        let (begun, begins) = oneshot::channel();
        let (held, begun) = (Mutex::new(held), Mutex::new(Some(begun)));
        let pool = pool.clone();
        let task = tokio::spawn(async move {
            pool.run(LONG, move |_| {
                begun.lock().unwrap().take().unwrap().send(()).unwrap();
                let _ = held.lock().unwrap().recv();
                Ok(())
            })
            .await
        });
        begins.await.unwrap();
        (hold, task)
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_serves_what_it_took() {
        let pool = pool(2, true).await;
        let (hold, first) = occupy(&pool).await;
        let mut waiting: Vec<_> = (0..2).map(|number| Box::pin(pool.run(LONG, move |_| Ok(number)))).collect();
        for (at, run) in waiting.iter_mut().enumerate() {
            assert!(once(run.as_mut()).await.is_none());
            assert_eq!(pool.depth(), at + 1);
        }
        assert_eq!(pool.run(LONG, |_| Ok(())).await, Err(HsmError::Busy));
        drop(hold);
        assert_eq!(first.await.unwrap(), Ok(()));
        for (number, run) in waiting.into_iter().enumerate() {
            assert_eq!(run.await, Ok(number));
        }
    }

    /// Polls once.
    async fn once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(done) => Some(done),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }

    #[tokio::test]
    async fn what_waited_past_its_deadline_is_answered_and_never_run() {
        let pool = pool(8, true).await;
        let (hold, first) = occupy(&pool).await;
        let (ran, runs) = mpsc::channel();
        let ran = Mutex::new(ran);
        let late = pool.run(Duration::from_millis(5), move |_| {
            let _ = ran.lock().unwrap().send(());
            Ok(())
        });
        assert_eq!(late.await, Err(HsmError::Timeout));
        drop(hold);
        assert_eq!(first.await.unwrap(), Ok(()));
        // The worker is past the late one when it has served the next.
        assert_eq!(pool.run(LONG, |_| Ok(())).await, Ok(()));
        assert!(runs.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_lost_session_is_tried_once_more_after_recovery_and_not_without() {
        for (recovers, expected) in [(true, Ok(())), (false, Err(HsmError::Unavailable("gone for good")))] {
            let pool = pool(8, recovers).await;
            pool.run(LONG, |token| token.refresh()).await.unwrap();
            assert_eq!(pool.run(LONG, |token| token.random(&mut [])).await, expected);
        }
        let pool = pool(8, true).await;
        let always = pool.run::<(), _>(LONG, |_| Err(Fault::Lost("session closed"))).await;
        assert_eq!(always, Err(HsmError::Unavailable("session closed")));
    }

    #[tokio::test]
    async fn when_the_last_worker_is_gone_callers_hear_at_once() {
        let pool = pool(8, true).await;
        let broken = pool.run::<(), _>(LONG, |_| panic!("a worker that breaks, as this test wants")).await;
        assert!(matches!(broken, Err(HsmError::Unavailable(_))), "{broken:?}");
        // The thread needs a moment to end; either way nobody waits for a deadline.
        let next = pool.run(LONG, |_| Ok(())).await;
        assert!(matches!(next, Err(HsmError::Unavailable(_))), "{next:?}");
    }

    #[tokio::test]
    async fn a_worker_that_cannot_open_its_token_fails_the_start() {
        let failed = Pool::start::<Fake, _>(PoolSettings::default(), || Err(HsmError::Unavailable("no token"))).await;
        assert_eq!(failed.err(), Some(HsmError::Unavailable("no token")));
    }

    #[tokio::test]
    async fn closing_finishes_what_waits_and_refuses_what_comes() {
        let pool = pool(8, true).await;
        let (hold, first) = occupy(&pool).await;
        let mut waiting = Box::pin(pool.run(LONG, |_| Ok(7)));
        assert!(once(waiting.as_mut()).await.is_none());
        pool.queue.close(HsmError::Closed);
        assert_eq!(pool.run(LONG, |_| Ok(())).await, Err(HsmError::Closed));
        drop(hold);
        assert_eq!((first.await.unwrap(), waiting.await), (Ok(()), Ok(7)));
        pool.close();
    }
}
