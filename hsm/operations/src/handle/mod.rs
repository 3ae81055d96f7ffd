//! The handle that the rest of the house holds.

mod cards;
mod keys;
mod macs;
mod pins;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crypto::ibm3624::DecimalizationTable;

use crate::pool::Pool;
use crate::token::{Fault, Token};
use crate::{Capabilities, HsmError};

/// Bytes that [`Hsm::random`] gives at most.
const RANDOM: usize = 1_024;

/// An HSM: clones share it. Every operation ends within its deadline, in a result or in a typed error;
/// dropping the future abandons the result, not the work.
#[derive(Clone)]
pub struct Hsm {
    backend: Arc<Backend>,
    capabilities: Capabilities,
    tables: Arc<[DecimalizationTable]>,
}

// A backend with operations of its own (host commands) becomes another variant.
enum Backend {
    Composed(Pool),
}

impl Hsm {
    pub(crate) fn composed(pool: Pool, capabilities: Capabilities) -> Self {
        Self { backend: Arc::new(Backend::Composed(pool)), capabilities, tables: Arc::new([DecimalizationTable::STANDARD]) }
    }

    /// The same HSM, with the decimalization tables that the operator allows in place of the standard one
    /// alone: a caller who may choose the table can find out PINs.
    pub fn allowing(self, tables: &[DecimalizationTable]) -> Self {
        Self { tables: tables.into(), ..self }
    }

    /// What the backend can and cannot.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Whether the HSM does anything at all, in the time that a payment has: for readiness.
    pub async fn ping(&self) -> Result<(), HsmError> {
        self.payment("ping", |token| token.random(&mut [0; 8])).await
    }

    /// Random bytes of the HSM, 1,024 at most.
    pub async fn random(&self, bytes: usize) -> Result<Vec<u8>, HsmError> {
        if bytes > RANDOM {
            return Err(HsmError::TooLong);
        }
        self.admin("random", move |token| {
            let mut room = vec![0; bytes];
            token.random(&mut room)?;
            Ok(room)
        })
        .await
    }

    /// Operations that wait in the queue.
    pub fn queued(&self) -> usize {
        match &*self.backend {
            Backend::Composed(pool) => pool.depth(),
        }
    }

    /// Ends all work in order: what waits is finished, later calls get [`HsmError::Closed`].
    pub async fn close(&self) {
        let backend = self.backend.clone();
        let closed = tokio::task::spawn_blocking(move || match &*backend {
            Backend::Composed(pool) => pool.close(),
        });
        // The task is cancelled only when the runtime itself ends.
        let _ = closed.await;
    }

    async fn payment<R, C>(&self, operation: &'static str, call: C) -> Result<R, HsmError>
    where
        R: Send + 'static,
        C: Fn(&mut dyn Token) -> Result<R, Fault> + Send + 'static,
    {
        let Backend::Composed(pool) = &*self.backend;
        run(pool, operation, pool.settings().deadline(), call).await
    }

    async fn admin<R, C>(&self, operation: &'static str, call: C) -> Result<R, HsmError>
    where
        R: Send + 'static,
        C: Fn(&mut dyn Token) -> Result<R, Fault> + Send + 'static,
    {
        let Backend::Composed(pool) = &*self.backend;
        run(pool, operation, pool.settings().admin_deadline(), call).await
    }
}

impl std::fmt::Debug for Hsm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hsm({})", self.capabilities.backend)
    }
}

/// Runs and counts: how often, how it ended, how long from asking to answer.
async fn run<R, C>(pool: &Pool, operation: &'static str, patience: Duration, call: C) -> Result<R, HsmError>
where
    R: Send + 'static,
    C: Fn(&mut dyn Token) -> Result<R, Fault> + Send + 'static,
{
    let started = Instant::now();
    let result = pool.run(patience, call).await;
    let class = result.as_ref().map_or_else(HsmError::class, |_| "ok");
    metrics::counter!("hsm_operations_total", "operation" => operation, "result" => class).increment(1);
    metrics::histogram!("hsm_operation_seconds", "operation" => operation).record(started.elapsed());
    if let Err(error) = &result {
        tracing::debug!(target: "hsm", operation, class, %error, "HSM operation failed");
    }
    result
}
