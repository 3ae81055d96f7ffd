//! What the shell keeps for the engine: the secrets of requests in flight, behind handles. Wiped when
//! the engine gives the handle back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use dialects::card::CardSecrets;
use engine::Carried;
use payments::PinBlock;

/// The secrets of one request.
#[derive(Clone)]
pub(crate) struct Secrets {
    pub(crate) card: CardSecrets,
    /// The PIN block under the egress link's key, once it is translated.
    pub(crate) translated: Option<PinBlock>,
}

/// All secrets in flight.
#[derive(Default)]
pub(crate) struct Keep {
    next: AtomicU64,
    kept: Mutex<HashMap<u64, Secrets>>,
}

impl Keep {
    pub(crate) fn put(&self, card: CardSecrets) -> Carried {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(handle, Secrets { card, translated: None });
        Carried(handle)
    }

    pub(crate) fn get(&self, handle: Carried) -> Option<Secrets> {
        self.lock().get(&handle.0).cloned()
    }

    pub(crate) fn translated(&self, handle: Carried, pin: PinBlock) {
        if let Some(secrets) = self.lock().get_mut(&handle.0) {
            secrets.translated = Some(pin);
        }
    }

    pub(crate) fn drop(&self, handle: Carried) {
        self.lock().remove(&handle.0);
    }

    /// How many are kept: a gauge, since one that only grows is a leak.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Secrets>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
