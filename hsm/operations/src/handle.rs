//! The handle that the rest of the house holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use payments::{Pan, PinBlock};
use zeroize::Zeroizing;

use crate::pool::Pool;
use crate::token::{Fault, Token};
use crate::{
    Capabilities, ClearKey, DataKey, HsmError, KeyInfo, KeyName, KeyRole, MacSource, PinSource, PinTarget, WrappedDataKey,
    compose,
};

/// Bytes that [`Hsm::random`] gives at most.
const RANDOM: usize = 1_024;

/// An HSM: clones share it. Every operation ends within its deadline, in a result or in a typed error;
/// dropping the future abandons the result, not the work.
#[derive(Clone)]
pub struct Hsm {
    backend: Arc<Backend>,
    capabilities: Capabilities,
}

// A backend with operations of its own (host commands) becomes another variant.
enum Backend {
    Composed(Pool),
}

impl Hsm {
    pub(crate) fn composed(pool: Pool, capabilities: Capabilities) -> Self {
        Self { backend: Arc::new(Backend::Composed(pool)), capabilities }
    }

    /// What the backend can and cannot.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Takes a PIN block from its source to a route's zone key. The PAN binds formats that have it in
    /// the block.
    ///
    /// Fails with [`HsmError::PinBlock`] when what is inside is not a PIN block: the key, the PAN or the
    /// block is wrong, and nobody can tell which.
    pub async fn translate_pin(
        &self,
        source: &PinSource,
        target: &PinTarget,
        pan: &Pan,
        block: &PinBlock,
    ) -> Result<PinBlock, HsmError> {
        let (source, target, pan, block) = (*source, *target, pan.clone(), block.clone());
        self.payment("translate_pin", move |token| compose::translate_pin(token, &source, &target, &pan, &block)).await
    }

    /// The MAC of `data`, 8 bytes; links that truncate take the leftmost.
    pub async fn generate_mac(&self, source: impl Into<MacSource>, data: &[u8]) -> Result<[u8; 8], HsmError> {
        // Messages hold PANs.
        let (source, data) = (source.into(), Zeroizing::new(data.to_vec()));
        self.payment("generate_mac", move |token| compose::generate_mac(token, &source, &data)).await
    }

    /// Whether `mac` is that of `data`: all 8 bytes, or the 4 to 7 leftmost where the link truncates.
    /// The caller checks that the length is the link's.
    pub async fn verify_mac(&self, source: impl Into<MacSource>, data: &[u8], mac: &[u8]) -> Result<bool, HsmError> {
        let (source, data, mac) = (source.into(), Zeroizing::new(data.to_vec()), mac.to_vec());
        self.payment("verify_mac", move |token| {
            let right = compose::generate_mac(token, &source, &data)?;
            let same = right.get(..mac.len()).is_some_and(|right| mac.len() >= 4 && crypto::same(right, &mac));
            if !same {
                metrics::counter!("hsm_mac_mismatches_total").increment(1);
            }
            Ok(same)
        })
        .await
    }

    /// A new data key of 32 bytes, clear and wrapped. `purpose` is bound to it: unwrapping under
    /// another one fails.
    pub async fn generate_data_key(&self, kek: &KeyName, purpose: &str) -> Result<(DataKey, WrappedDataKey), HsmError> {
        let (kek, purpose) = (*kek, purpose.to_owned());
        self.admin("generate_data_key", move |token| compose::generate_data_key(token, &kek, &purpose)).await
    }

    /// A data key out of its wrapping, [`HsmError::NotAuthentic`] if anything about it is not as it was.
    pub async fn unwrap_data_key(&self, kek: &KeyName, purpose: &str, wrapped: &WrappedDataKey) -> Result<DataKey, HsmError> {
        let (kek, purpose, wrapped) = (*kek, purpose.to_owned(), wrapped.clone());
        self.admin("unwrap_data_key", move |token| compose::unwrap_data_key(token, &kek, &purpose, &wrapped)).await
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

    /// Makes a key. PIN keys and key encryption keys are made in the token; roles that need a companion
    /// object (MAC keys, base derivation keys) are made of the token's random bytes and taken in.
    pub async fn generate_key(&self, name: &KeyName, role: KeyRole) -> Result<KeyInfo, HsmError> {
        let name = *name;
        self.admin("generate_key", move |token| token.generate(&name, role)).await
    }

    /// Takes a key in from clear material: laboratories and ceremonies.
    pub async fn import_key(&self, name: &KeyName, key: &ClearKey) -> Result<KeyInfo, HsmError> {
        let (name, key) = (*name, key.clone());
        self.admin("import_key", move |token| token.import(&name, &key)).await
    }

    /// Removes a key for good.
    pub async fn destroy_key(&self, name: &KeyName) -> Result<(), HsmError> {
        let name = *name;
        self.admin("destroy_key", move |token| token.destroy(&name)).await
    }

    /// Every key of ours in the HSM, in order of name.
    pub async fn list_keys(&self) -> Result<Vec<KeyInfo>, HsmError> {
        self.admin("list_keys", |token| token.list()).await
    }

    /// What is known of one key, its check value for one.
    pub async fn key(&self, name: &KeyName) -> Result<KeyInfo, HsmError> {
        let keys = self.list_keys().await?;
        keys.into_iter().find(|key| key.name == *name).ok_or(HsmError::UnknownKey(*name))
    }

    /// Reads anew which keys there are, after another process changed them.
    pub async fn refresh(&self) -> Result<(), HsmError> {
        self.admin("refresh", |token| token.refresh()).await
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
