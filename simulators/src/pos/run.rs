//! A run of terminals: scenarios first, then random conversations on all terminals at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::task::JoinSet;

use super::fleet::{Fleet, Turns, lock};
use super::generate::Generator;
use super::options::PosOptions;
use super::play::play;
use super::scenario::Scenario;
use super::tally::{Figures, Tally};
use crate::keys::Secrets;
use crate::{Error, stop};

/// What a run tells at its end. Amounts in minor units, times in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // the names are those of `Tally`
pub struct Summary {
    /// Always `pos`.
    pub simulator: &'static str,
    pub terminals: usize,
    pub conversations: std::collections::BTreeMap<String, u64>,
    pub sent: std::collections::BTreeMap<String, u64>,
    pub transactions:
        std::collections::BTreeMap<String, std::collections::BTreeMap<String, std::collections::BTreeMap<&'static str, u64>>>,
    pub standing_minor: std::collections::BTreeMap<String, std::collections::BTreeMap<String, i64>>,
    pub codes: std::collections::BTreeMap<String, u64>,
    pub problems: std::collections::BTreeMap<String, u64>,
    pub skipped_steps: u64,
    pub not_started: u64,
    /// Conversations that a stop cut off.
    pub cut_off: usize,
    pub connects: u64,
    pub garbled: u64,
    pub misaddressed: u64,
    pub unexpected: u64,
    pub expectations_met: u64,
    pub expectations_missed: u64,
    pub missed: Vec<String>,
    pub latency: Figures,
}

/// Runs to the end of what was asked, or until SIGTERM or SIGINT; where asked for, the end of standard
/// input cuts it off.
pub async fn run(options: PosOptions) -> Result<Summary, Error> {
    let secrets = Secrets::load(&options.fleet.secrets)?;
    let stdin_close = options.fleet.stop_on_stdin_close;
    stop::unless_abandoned(stdin_close, drive(options, &secrets, stop::requested())).await
}

/// As [`run`], with secrets and stop given.
pub async fn drive(
    options: PosOptions,
    secrets: &Secrets,
    stop: impl Future<Output = Result<(), Error>>,
) -> Result<Summary, Error> {
    let mut scenarios = Vec::new();
    for path in &options.scenarios {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(Error::io(format!("scenario {name}")))?;
        scenarios.push(Scenario::from_toml(&name, &text)?);
    }
    for given in &options.given {
        super::scenario::check(&given.step)
            .map_err(|(step, reason)| Error::BadFile { file: given.name.clone(), reason: format!("step {step}: {reason}") })?;
    }
    scenarios.extend(options.given.iter().cloned());
    let fleet = Arc::new(Fleet::open(&options.fleet, secrets)?);
    let stopping = Arc::new(AtomicBool::new(false));
    let mut cut_off = 0;
    let mut stop = std::pin::pin!(stop);
    let mut playing = JoinSet::new();
    playing.spawn(all(options.clone(), scenarios, fleet.clone(), stopping.clone()));
    tokio::select! {
        ended = playing.join_next() => settle(ended)?,
        stopped = &mut stop => {
            stopped?;
            stopping.store(true, Ordering::Relaxed);
            match tokio::time::timeout(Duration::from_millis(options.drain_ms), playing.join_next()).await {
                Ok(ended) => settle(ended)?,
                Err(_) => {
                    // The task owns all others: they end with it.
                    playing.shutdown().await;
                    cut_off = fleet.seats.len() * options.in_flight.max(1);
                }
            }
        }
    }
    let summary = summarise(&fleet, fleet.tallied(), cut_off);
    fleet.close().await?;
    Ok(summary)
}

async fn all(options: PosOptions, scenarios: Vec<Scenario>, fleet: Arc<Fleet>, stopping: Arc<AtomicBool>) -> Result<(), Error> {
    for scenario in scenarios {
        let seats = if scenario.every_terminal { fleet.seats.len() } else { 1 };
        let scenario = Arc::new(scenario);
        let mut playing = JoinSet::new();
        for at in 0..seats {
            let (fleet, scenario) = (fleet.clone(), scenario.clone());
            playing.spawn(async move {
                let Some(seat) = fleet.seats.get(at) else { return Ok(()) };
                if !seat.link.ready(fleet.connect_wait).await {
                    lock(&fleet.tally).not_started += 1;
                    return Ok(());
                }
                play(&fleet, seat, &scenario.name, &scenario.step).await
            });
        }
        while let Some(ended) = playing.join_next().await {
            settle(Some(ended))?;
        }
    }
    if options.conversations == 0 && !options.until_stopped {
        return Ok(());
    }
    let networks = fleet.cards.keys().cloned().collect();
    let ends = options.mischief_ends.clone();
    let generator = Generator::new(options.seed, &options.mix, networks, options.mischief_per_mille, ends);
    let (generator, turns, options) = (Arc::new(generator), Arc::new(Turns::default()), Arc::new(options));
    let mut playing = JoinSet::new();
    for at in 0..fleet.seats.len() {
        for _ in 0..options.in_flight.max(1) {
            let worker = work(options.clone(), generator.clone(), turns.clone(), fleet.clone(), stopping.clone(), at);
            playing.spawn(worker);
        }
    }
    while let Some(ended) = playing.join_next().await {
        settle(Some(ended))?;
    }
    Ok(())
}

async fn work(
    options: Arc<PosOptions>,
    generator: Arc<Generator>,
    turns: Arc<Turns>,
    fleet: Arc<Fleet>,
    stopping: Arc<AtomicBool>,
    at: usize,
) -> Result<(), Error> {
    let Some(seat) = fleet.seats.get(at) else { return Ok(()) };
    while !stopping.load(Ordering::Relaxed) {
        if !seat.link.ready(fleet.connect_wait).await {
            lock(&fleet.tally).not_started += 1;
            if options.until_stopped {
                continue;
            }
            return Ok(());
        }
        let number = turns.take();
        if !options.until_stopped && number >= options.conversations {
            return Ok(());
        }
        let (topic, steps) = generator.conversation(number);
        let name = serde_json::to_value(topic).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        play(&fleet, seat, &name, &steps).await?;
        if options.pace_ms > 0 {
            tokio::time::sleep(Duration::from_millis(options.pace_ms)).await;
        }
    }
    Ok(())
}

/// A task that panicked is a bug; it is told rather than swallowed.
fn settle(ended: Option<Result<Result<(), Error>, tokio::task::JoinError>>) -> Result<(), Error> {
    match ended {
        Some(Ok(result)) => result,
        Some(Err(fault)) => Err(Error::Bug(fault.to_string())),
        None => Ok(()),
    }
}

fn summarise(fleet: &Fleet, tally: Tally, cut_off: usize) -> Summary {
    Summary {
        simulator: "pos",
        terminals: fleet.seats.len(),
        conversations: tally.conversations,
        sent: tally.sent,
        transactions: tally.transactions,
        standing_minor: tally.standing_minor,
        codes: tally.codes,
        problems: tally.problems,
        skipped_steps: tally.skipped_steps,
        not_started: tally.not_started,
        cut_off,
        connects: tally.connects,
        garbled: tally.garbled,
        misaddressed: tally.misaddressed,
        unexpected: tally.unexpected,
        expectations_met: tally.met,
        expectations_missed: tally.missed,
        missed: tally.told,
        latency: tally.latency.figures(),
    }
}
