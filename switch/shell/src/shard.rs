//! The task of one shard: events in, steps, effects out. It never waits for anything but events and
//! its own next wake.

use std::sync::Arc;

use engine::{CallId, Effect, Engine, Event, HsmDone, HsmFailure, HsmJob, LinkAct, LinkEvent, Note, Sent, StoreEvent};
use hsm::{HsmError, KeyName, PinSource, PinTarget};
use ledger::{Lookup, Store};
use payments::request::PinEntry;
use payments::{Mono, Shard};
use store::PgStore;
use tokio::sync::mpsc;

use crate::peers::{ShardStatus, Shared};
use crate::socket::Report;
use crate::{bank, cards, faults, observe};

/// Events taken at once.
const BATCH: usize = 256;

/// What a shard's task works with.
pub(crate) struct ShardTask {
    pub(crate) shard: Shard,
    pub(crate) engine: Engine,
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<PgStore>,
    pub(crate) events: mpsc::Receiver<Event>,
    /// Effects of opening the engine.
    pub(crate) opening: Vec<Effect>,
}

impl ShardTask {
    /// Runs until its events end.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut effects = std::mem::take(&mut self.opening);
        let mut again = Vec::new();
        loop {
            self.carry_out(&mut effects, &mut again);
            for event in again.drain(..) {
                self.engine.step(self.shared.clock.now(), event, &mut effects);
            }
            if !effects.is_empty() {
                continue;
            }
            self.publish();
            let count = match self.engine.next_wake() {
                Some(wake) => {
                    tokio::select! {
                        biased;
                        count = self.events.recv_many(&mut batch, BATCH) => count,
                        () = tokio::time::sleep_until(self.shared.clock.instant(wake)) => {
                            batch.push(Event::Tick);
                            1
                        }
                    }
                }
                None => self.events.recv_many(&mut batch, BATCH).await,
            };
            if count == 0 {
                return;
            }
            for event in batch.drain(..) {
                self.engine.step(self.shared.clock.now(), event, &mut effects);
            }
        }
    }

    /// Hands every effect on. Commits go to the writer as one group, in their order.
    fn carry_out(&mut self, effects: &mut Vec<Effect>, again: &mut Vec<Event>) {
        let mut commits = Vec::new();
        for effect in effects.drain(..) {
            match effect {
                Effect::Commit { seq, command } => commits.push((seq, *command)),
                Effect::Send { proof: _, leg, link, message, secrets, by } => {
                    let Some(state) = self.shared.link(&link) else {
                        again.push(Event::Written { leg, sent: Sent::NotSent });
                        continue;
                    };
                    let Some(handle) = self.shared.shards.get(usize::from(self.shard.0)) else { continue };
                    let report = Report { events: handle.events.clone(), leg };
                    let shared = Arc::clone(&self.shared);
                    tokio::spawn(async move {
                        match *message {
                            payments::outgoing::Outgoing::CreditTransfer(_) | payments::outgoing::Outgoing::StatusRequest(_) => {
                                bank::send(&shared, &state, &message, by, report).await;
                            }
                            _ => cards::send(&shared, &state, &message, secrets, by, report).await,
                        }
                    });
                }
                Effect::Reply { proof: _, to, response } => {
                    let Some(conn) = self.shared.conns.get(to) else {
                        metrics::counter!("switchyard_replies_undeliverable_total").increment(1);
                        continue;
                    };
                    let shared = Arc::clone(&self.shared);
                    tokio::spawn(async move {
                        match &*response {
                            payments::outgoing::Response::Transfer(transfer) => bank::reply(&conn, transfer).await,
                            _ => cards::reply(&shared, &conn, &response).await,
                        }
                        conn.answered(&shared.conns);
                    });
                }
                Effect::Silence(to) => {
                    if let Some(conn) = self.shared.conns.get(to) {
                        conn.answered(&self.shared.conns);
                    }
                }
                Effect::Hsm { call, job, by } => self.translate(call, job, by),
                Effect::Load { call, what } => self.look_up(call, what),
                Effect::Link { link, act } => self.act_on_link(link, act, again),
                Effect::Drop(handle) => self.shared.keep.drop(handle),
                Effect::Note(note) => self.note(&note),
            }
        }
        if !commits.is_empty()
            && let Some(handle) = self.shared.shards.get(usize::from(self.shard.0))
        {
            handle.queue.push(commits.into_iter());
        }
    }

    fn translate(&self, call: CallId, job: HsmJob, _by: Mono) {
        let HsmJob::TranslatePin { carried, entry, from, to } = job;
        let Some(events) = self.shared.shards.get(usize::from(self.shard.0)).map(|shard| shard.events.clone()) else { return };
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let result = async {
                let secrets = shared.keep.get(carried).ok_or(HsmFailure::Crypto)?;
                let block = secrets.card.pin_block.as_ref().ok_or(HsmFailure::Crypto)?;
                let key = |name: &str| name.parse::<KeyName>().map_err(|_| HsmFailure::Crypto);
                let source = match entry {
                    PinEntry::Static => PinSource::format0(key(from.as_str())?),
                    PinEntry::Dukpt { ksn, len } => PinSource::Dukpt {
                        bdk: key(from.as_str())?,
                        ksn: ksn.get(..usize::from(len)).and_then(|raw| hsm::Ksn::new(raw).ok()).ok_or(HsmFailure::Crypto)?,
                        format: hsm::Format::Iso0,
                    },
                };
                let target = PinTarget::format0(key(to.as_str())?);
                let translated = shared.hsm.translate_pin(&source, &target, &secrets.card.pan, block).await;
                let translated = translated.map_err(|error| failure(&error))?;
                metrics::counter!("switchyard_pins_translated_total").increment(1);
                shared.keep.translated(carried, translated);
                Ok(HsmDone::PinTranslated)
            }
            .await;
            if events.send(Event::Hsm { call, result }).await.is_err() {
                tracing::error!("the engine is gone");
            }
        });
    }

    fn look_up(&self, call: CallId, what: Lookup) {
        let Some(events) = self.shared.shards.get(usize::from(self.shard.0)).map(|shard| shard.events.clone()) else { return };
        let (store, shard) = (Arc::clone(&self.store), self.shard);
        tokio::spawn(async move {
            let found = store.lookup(shard, &what).await.map_err(|error| {
                tracing::warn!(%error, "a lookup failed");
                error.to_string()
            });
            if events.send(Event::Store(StoreEvent::Loaded { call, found })).await.is_err() {
                tracing::error!("the engine is gone");
            }
        });
    }

    fn act_on_link(&self, link: payments::LinkId, act: LinkAct, again: &mut Vec<Event>) {
        match act {
            LinkAct::SignedOn | LinkAct::SignedOff => {
                let on = act == LinkAct::SignedOn;
                tracing::info!(link = link.as_str(), "{}", if on { "signed on" } else { "signed off" });
                for (index, handle) in self.shared.shards.iter().enumerate() {
                    let event = Event::Link { link, is: if on { LinkEvent::SignedOn } else { LinkEvent::SignedOff } };
                    if index == usize::from(self.shard.0) {
                        again.push(event);
                        continue;
                    }
                    // In order where there is room: an old sign-on must not come behind a sign-off.
                    let Err(mpsc::error::TrySendError::Full(event)) = handle.events.try_send(event) else { continue };
                    let events = handle.events.clone();
                    tokio::spawn(async move {
                        if events.send(event).await.is_err() {
                            tracing::error!("an engine is gone");
                        }
                    });
                }
            }
            LinkAct::Reconnect => {
                if let Some(state) = self.shared.link(&link) {
                    state.reconnect.notify_waiters();
                }
            }
        }
    }

    fn note(&self, note: &Note) {
        observe::note(self.shard, note);
        let Some(handle) = self.shared.shards.get(usize::from(self.shard.0)) else { return };
        match note {
            Note::DayClosed(date) => {
                let mut status = handle.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                status.closed.push(*date);
            }
            Note::Ordered { order, outcome } => {
                // Who is told of a cut-over looks at the status next.
                self.publish();
                handle.orders.tell(*order, *outcome);
            }
            _ => {}
        }
    }

    /// What the admin port tells.
    fn publish(&self) {
        let Some(handle) = self.shared.shards.get(usize::from(self.shard.0)) else { return };
        let links = self.shared.config();
        let mut status = handle.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let closed = std::mem::take(&mut status.closed);
        faults::in_flight(status.in_flight, self.engine.in_flight());
        *status = ShardStatus {
            business_date: Some(self.engine.business_date()),
            closed,
            in_flight: self.engine.in_flight(),
            owed: self.engine.owed(),
            stalled: self.engine.is_stalled(),
            ready: true,
            left: self.engine.has_left(),
            links_ready: links.links.keys().filter(|link| self.engine.link_ready(link)).copied().collect(),
        };
    }
}

fn failure(error: &HsmError) -> HsmFailure {
    tracing::warn!(class = error.class(), "a PIN was not translated");
    if error.response_code() == payments::ResponseCode::PIN_CRYPTO_ERROR { HsmFailure::Crypto } else { HsmFailure::Unavailable }
}
