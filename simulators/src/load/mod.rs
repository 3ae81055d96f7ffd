//! Open-loop load: requests leave at their intended times whether or not earlier ones were answered,
//! and latency counts from the intended time, so that a stalled switch cannot hide behind a stalled
//! generator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use payments::Text;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::keys::Secrets;
use crate::pos::exchange::{Exchange, Silence, Subject, state_line};
use crate::pos::fleet::{Fleet, Seat, lock};
use crate::pos::record::Standing;
use crate::pos::scenario::{Operation, PinUse, Reading, Step};
use crate::pos::tally::Latency;
use crate::pos::{Figures, FleetOptions};
use crate::{Error, stop};

/// Options of [`run`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadOptions {
    /// The terminals. `log` keeps their book, `sync` false leaves it unsynced.
    pub fleet: FleetOptions,
    /// Purchases a second.
    pub rate: u32,
    /// Seconds that are measured.
    pub seconds: u32,
    /// Seconds before that at the same rate, not measured.
    pub warm_up_seconds: u32,
    /// Networks by weight; empty takes all alike.
    pub networks: BTreeMap<String, u32>,
    /// Thousandths of the purchases that carry a PIN.
    pub pin_per_mille: u16,
    /// Requests that may be unanswered at one time; beyond that a request is counted as shed.
    pub max_in_flight: usize,
    /// Seed of cards and amounts.
    pub seed: u64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            fleet: FleetOptions::default(),
            rate: 100,
            seconds: 10,
            warm_up_seconds: 0,
            networks: BTreeMap::new(),
            pin_per_mille: 500,
            max_in_flight: 20_000,
            seed: 1,
        }
    }
}

/// What a load run tells at its end. Measured requests only, unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Always `load`.
    pub simulator: &'static str,
    /// Purchases a second that were intended.
    pub rate: u32,
    /// Seconds measured.
    pub seconds: u32,
    /// Requests whose intended time came.
    pub intended: u64,
    /// Requests that were not sent since too many were unanswered.
    pub shed: u64,
    /// Answers by DE39; `reversed`, `reversing` and `unanswered` without an answer in time.
    pub outcomes: BTreeMap<String, u64>,
    /// Approvals, warm-up included: what the issuer's book has to show.
    pub approved_in_all: u64,
    /// Requests with a PIN, warm-up included.
    pub pins_in_all: u64,
    /// Thousandths of a request a second that were answered, first intended to last answer.
    pub answered_per_1000_s: u64,
    /// From the intended time to the answer.
    pub latency: Figures,
    /// Answers that nobody waited for.
    pub unexpected: u64,
    /// Answers ignored, by reason.
    pub problems: BTreeMap<String, u64>,
}

#[derive(Default)]
struct Measured {
    outcomes: BTreeMap<String, u64>,
    approved: u64,
    latency: Latency,
    last_ns: u64,
    answered: u64,
}

/// Runs the load. SIGTERM or SIGINT end it early; where asked for, the end of standard input cuts it off.
pub async fn run(options: LoadOptions) -> Result<Summary, Error> {
    let secrets = Secrets::load(&options.fleet.secrets)?;
    let stdin_close = options.fleet.stop_on_stdin_close;
    stop::unless_abandoned(stdin_close, drive(options, &secrets, stop::requested())).await
}

/// As [`run`], with secrets and stop given.
pub async fn drive(
    options: LoadOptions,
    secrets: &Secrets,
    stop: impl Future<Output = Result<(), Error>>,
) -> Result<Summary, Error> {
    if options.rate == 0 || options.seconds == 0 {
        return Err(Error::BadOption { option: "rate, seconds", reason: "at least 1".to_owned() });
    }
    let fleet = Arc::new(Fleet::open(&options.fleet, secrets)?);
    for seat in &fleet.seats {
        if !seat.link.ready(fleet.connect_wait).await {
            let refused = std::io::Error::from(std::io::ErrorKind::NotConnected);
            return Err(Error::io(format!("connecting to {}", options.fleet.connect))(refused));
        }
    }
    let networks: Vec<(String, u32)> = match options.networks.is_empty() {
        true => fleet.cards.keys().map(|name| (name.clone(), 1)).collect(),
        false => options.networks.clone().into_iter().collect(),
    };
    let weight: u32 = networks.iter().map(|(_, weight)| *weight).sum();
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let measured = Arc::new(std::sync::Mutex::new(Measured::default()));
    let in_flight = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    let start = fleet.clock.now().mono.after(Duration::from_millis(50));
    let warm_up = u64::from(options.warm_up_seconds) * u64::from(options.rate);
    let all = warm_up + u64::from(options.seconds) * u64::from(options.rate);
    let (mut intended_count, mut shed, mut pins) = (0u64, 0u64, 0u64);
    for number in 0..all {
        let intended = start.after(Duration::from_nanos(number.saturating_mul(1_000_000_000) / u64::from(options.rate)));
        if fleet.clock.now().mono < intended {
            tokio::select! {
                () = tokio::time::sleep_until(fleet.clock.instant(intended)) => {}
                stopped = &mut stop => {
                    stopped?;
                    break;
                }
            }
        }
        while let Some(ended) = running.try_join_next() {
            settle(ended)?;
        }
        let counted = number >= warm_up;
        intended_count += u64::from(counted);
        if in_flight.load(Ordering::Relaxed) >= options.max_in_flight {
            shed += u64::from(counted);
            continue;
        }
        let pin = rng.u16(0..1000) < options.pin_per_mille;
        pins += u64::from(pin);
        let step = Step {
            network: pick(&networks, rng.u32(0..weight.max(1))),
            nth: rng.u32(..),
            amount: Some(rng.i64(100..5_000)),
            reading: if pin { Reading::Chip } else { Reading::Contactless },
            pin: if pin { PinUse::Right } else { PinUse::None },
            ..Step::of(Operation::Purchase)
        };
        let at = usize::try_from(number).unwrap_or(0) % fleet.seats.len().max(1);
        let Some(seat) = fleet.seats.get(at).cloned() else { continue };
        in_flight.fetch_add(1, Ordering::Relaxed);
        let (fleet, measured, in_flight) = (fleet.clone(), measured.clone(), in_flight.clone());
        running.spawn(async move {
            let ended = one(&fleet, &seat, &step).await;
            in_flight.fetch_sub(1, Ordering::Relaxed);
            let (standing, code) = ended?;
            let now = fleet.clock.now().mono;
            let mut measured = lock(&measured);
            measured.approved += u64::from(standing == Standing::Approved);
            if counted {
                let name = code.map_or_else(|| standing.as_str().to_owned(), |code| code.to_string());
                *measured.outcomes.entry(name).or_default() += 1;
                if code.is_some() {
                    measured.answered += 1;
                    measured.latency.record(u64::try_from(now.since(intended).as_micros()).unwrap_or(u64::MAX));
                    measured.last_ns = measured.last_ns.max(now.0);
                }
            }
            Ok::<(), Error>(())
        });
    }
    while let Some(ended) = running.join_next().await {
        settle(ended)?;
    }
    let tally = fleet.tallied();
    let summary = {
        let measured = lock(&measured);
        let first = start.after(Duration::from_secs(u64::from(options.warm_up_seconds)));
        let taken_ms =
            u64::try_from(Duration::from_nanos(measured.last_ns.saturating_sub(first.0)).as_millis()).unwrap_or(u64::MAX);
        Summary {
            simulator: "load",
            rate: options.rate,
            seconds: options.seconds,
            intended: intended_count,
            shed,
            outcomes: measured.outcomes.clone(),
            approved_in_all: measured.approved,
            pins_in_all: pins,
            answered_per_1000_s: measured.answered.saturating_mul(1_000_000) / taken_ms.max(1),
            latency: measured.latency.figures(),
            unexpected: tally.unexpected,
            problems: tally.problems,
        }
    };
    fleet.close().await?;
    Ok(summary)
}

/// One purchase, and its reversal where it is not answered.
async fn one(fleet: &Fleet, seat: &Seat, step: &Step) -> Result<(Standing, Option<Text<2>>), Error> {
    let card = fleet.population(&step.network)?.of_class(step.card, step.nth)?;
    let request = seat.terminal.request(step, &card, fleet.pvk.as_ref(), fleet.clock.now().wall)?;
    let subject = Subject { send: step.send, network: step.network.clone(), of: Text::EMPTY };
    let mut exchange = Exchange::new(seat.terminal.clone(), subject.clone(), request.clone(), Silence::Reverse);
    let ended = fleet.exchange(seat, &mut exchange).await?;
    let line = state_line(seat.terminal.id, &subject, &request, fleet.clock.now(), &ended);
    let ticket = fleet.log(&line)?;
    fleet.durable(ticket).await?;
    Ok((ended.standing, ended.answer.map(|seen| seen.code)))
}

fn pick(networks: &[(String, u32)], mut drawn: u32) -> String {
    for (name, weight) in networks {
        match drawn.checked_sub(*weight) {
            Some(rest) => drawn = rest,
            None => return name.clone(),
        }
    }
    networks.first().map(|(name, _)| name.clone()).unwrap_or_default()
}

/// A task that panicked is a bug; it is told rather than swallowed.
fn settle(ended: Result<Result<(), Error>, tokio::task::JoinError>) -> Result<(), Error> {
    ended.unwrap_or_else(|fault| Err(Error::Bug(fault.to_string())))
}
