//! The handle: operations by purpose, each one command to some HSM.

mod administration;
mod cards;
mod data;
mod macs;
mod pins;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use super::codec::{ErrorCode, Failure, Request, decode, encode};
use super::commands::MAX_DATA;
use super::commands::status::{Diagnostics, Health};
use super::errors::{Family, reason, said_no};
use super::fleet::{Chance, Fleet};
use super::keys::{KeyEntry, KeyTable, Role};
use super::link::{Connector, Tcp};
use super::settings::HostSettings;
use crate::{Capabilities, HsmError, KeyName};

/// Payment HSMs behind host commands: clones share the connections and the key table. Every operation ends
/// within its deadline, in a result or in a typed error. All of them may be done twice without harm, so what
/// was lost with a connection is tried on another.
#[derive(Clone)]
pub struct PayShield {
    inner: Arc<Inner>,
}

struct Inner {
    fleet: Fleet,
    keys: RwLock<KeyTable>,
}

impl PayShield {
    /// Begins to connect over TCP, with chance from the system. Must be called within a runtime.
    pub fn start(settings: HostSettings, keys: KeyTable) -> Self {
        let chance = || {
            let mut raw = [0; 8];
            // Without randomness all come back at once, which is no reason not to come back.
            let _ = getrandom::fill(&mut raw);
            u64::from_ne_bytes(raw)
        };
        Self::start_with(settings, keys, Arc::new(Tcp), Arc::new(chance))
    }

    /// As [`PayShield::start`], with connections and chance of the caller's choice: TLS, tests.
    pub fn start_with(settings: HostSettings, keys: KeyTable, connector: Arc<dyn Connector>, chance: Chance) -> Self {
        let fleet = Fleet::start(settings, connector, chance);
        Self { inner: Arc::new(Inner { fleet, keys: RwLock::new(keys) }) }
    }

    /// Waits until some HSM answers, at most as long as key management may take.
    ///
    /// # Errors
    /// [`HsmError::Unavailable`] when none does.
    pub async fn ready(&self) -> Result<(), HsmError> {
        self.inner.fleet.ready(self.settings().admin_deadline()).await
    }

    /// What this backend can: everything stays inside.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities { backend: "payshield", pin_stays_inside: true, keys_stay_inside: true }
    }

    fn settings(&self) -> &HostSettings {
        self.inner.fleet.settings()
    }

    /// Connections that stand.
    pub fn connections(&self) -> usize {
        self.inner.fleet.standing()
    }

    /// Operations that wait for room on a connection.
    pub fn queued(&self) -> usize {
        self.inner.fleet.queued()
    }

    /// Ends every connection; later calls get [`HsmError::Closed`].
    pub fn close(&self) {
        self.inner.fleet.close();
    }

    /// Whether an HSM answers, in the time that a payment has.
    ///
    /// # Errors
    /// As every operation: unavailable, late, busy.
    pub async fn ping(&self) -> Result<Health, HsmError> {
        self.payment("ping", &Diagnostics).await
    }

    fn read(&self) -> RwLockReadGuard<'_, KeyTable> {
        self.inner.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, KeyTable> {
        self.inner.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn key_of(&self, name: &KeyName, allowed: &[Role]) -> Result<KeyEntry, HsmError> {
        self.read().resolve(name, allowed)
    }

    pub(super) fn is_free(&self, name: &KeyName) -> Result<(), HsmError> {
        if self.read().get(name).is_some() { Err(HsmError::KeyExists(*name)) } else { Ok(()) }
    }

    /// One command in the time of a payment.
    pub(super) async fn payment<R: Request>(&self, operation: &'static str, request: &R) -> Result<R::Response, HsmError> {
        let patience = self.settings().deadline();
        let outcome = self.run(operation, request, patience).await?;
        outcome.map(|(_, response)| response).map_err(|failure| reason(Family::of(request.code()), failure))
    }

    /// One command in the time of key management.
    pub(super) async fn admin<R: Request>(&self, operation: &'static str, request: &R) -> Result<R::Response, HsmError> {
        self.coded(operation, request).await.map(|(_, response)| response)
    }

    pub(super) async fn coded<R: Request>(
        &self,
        operation: &'static str,
        request: &R,
    ) -> Result<(ErrorCode, R::Response), HsmError> {
        let patience = self.settings().admin_deadline();
        let outcome = self.run(operation, request, patience).await?;
        outcome.map_err(|failure| reason(Family::of(request.code()), failure))
    }

    /// A verification: 01 is no.
    pub(super) async fn verify<R: Request>(&self, operation: &'static str, request: &R) -> Result<bool, HsmError> {
        Ok(self.maybe(operation, request).await?.is_some())
    }

    /// As [`PayShield::verify`], with what came along with a yes.
    pub(super) async fn maybe<R: Request>(&self, operation: &'static str, request: &R) -> Result<Option<R::Response>, HsmError> {
        let patience = self.settings().deadline();
        match self.run(operation, request, patience).await? {
            Ok((_, response)) => Ok(Some(response)),
            Err(failure) if said_no(failure) => Ok(None),
            Err(failure) => Err(reason(Family::of(request.code()), failure)),
        }
    }

    /// Sends, waits, reads, and counts how it went.
    async fn run<R: Request>(
        &self,
        operation: &'static str,
        request: &R,
        patience: Duration,
    ) -> Result<Result<(ErrorCode, R::Response), Failure>, HsmError> {
        let started = Instant::now();
        let answer = self.inner.fleet.call(&encode(request), patience).await;
        let outcome = answer.map(|answer| decode(request, &answer));
        let class = match &outcome {
            Err(error) => error.class(),
            Ok(Err(_)) => "refused",
            Ok(Ok(_)) => "ok",
        };
        metrics::counter!("hsm_operations_total", "operation" => operation, "result" => class).increment(1);
        metrics::histogram!("hsm_operation_seconds", "operation" => operation).record(started.elapsed());
        match &outcome {
            Err(error) => tracing::debug!(target: "hsm", operation, class, %error, "HSM operation failed"),
            Ok(Err(failure)) => tracing::debug!(target: "hsm", operation, class, ?failure, "HSM refused"),
            Ok(Ok(_)) => {}
        }
        outcome
    }
}

impl fmt::Debug for PayShield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PayShield({} connections)", self.connections())
    }
}

/// Refuses more data than one command takes.
pub(super) fn within(data: &[u8]) -> Result<(), HsmError> {
    if data.len() > MAX_DATA { Err(HsmError::TooLong) } else { Ok(()) }
}
