//! The whole switch under open-loop load: terminals, switch, PostgreSQL, token, networks, all on the
//! same processors, with the timers of production and every commit synced.
//!
//! What bounds it: a payment waits for two commits, A before it is sent and B before it is answered, so
//! N payments in flight allow at most N / (2 x sync) a second however fast the code is; and every
//! process of the laboratory shares the processors, so the processor time of one authorization over
//! all of them gives the other limit. Both are computed from what the same run measured.
//!
//! What it showed on two cores with an ext4 disk that syncs a page in 0.13 ms: 2,460 authorizations a
//! second sustained at 87 % of what the processors allow, so it is the processors that bind, not the two
//! commits: groups of 31 commands need 0.07 syncs for an authorization. About half of the processor time
//! is the switch (with the software token), a quarter PostgreSQL, the rest terminals and issuers. The
//! middle latency was 15 ms at 1,500 a second and 430 ms at 2,500: the last fifth is bought with queueing.
//! Beyond the limit the queue grows and requests are refused with 91 and 96.

use std::time::Duration;

use serde_json::Value;
use testkit::{KitError, Laboratory};

use super::machine::{self, Ticks};
use super::record::{self, Wal, metric};
use super::{Figure, dialects};

/// Terminals, each on a connection of its own.
const TERMINALS: usize = 64;
/// Beyond this the answer is too late for a queue at a till: a rate with a later p99 is not sustained.
const P99_MS: f64 = 1000.0;
/// The goal of the first version, authorizations a second on two cores.
pub const GOAL: f64 = 1000.0;

/// What is measured.
#[derive(Debug, Clone)]
pub struct Options {
    /// Authorizations a second, one after another.
    pub rates: Vec<u32>,
    /// Seconds of each.
    pub seconds: u32,
    /// Thousandths of the requests with a PIN.
    pub pin_per_mille: u16,
    /// Shards of the record.
    pub shards: u16,
}

/// One rate.
#[derive(Debug, Clone)]
pub struct Level {
    /// Intended, a second.
    pub rate: f64,
    /// Answered, a second.
    pub answered: f64,
    /// From the intended time, milliseconds.
    pub p50_ms: f64,
    /// As `p50_ms`.
    pub p99_ms: f64,
    /// Whether everything was approved, at the intended rate, in time.
    pub sustained: bool,
    /// Approved, warm-up included.
    pub approved: f64,
    /// Requests with a PIN, warm-up included.
    pub pins: f64,
    /// Syncs of the log a second.
    pub syncs: f64,
    /// Syncs for each authorization.
    pub syncs_each: f64,
    /// Bytes of the log for each authorization.
    pub wal_bytes_each: f64,
    /// Commits a second.
    pub commits: f64,
    /// Commands of one commit.
    pub commands: f64,
    /// One commit, milliseconds, by the writer's clock.
    pub commit_ms: f64,
    /// Processor time of one authorization, microseconds: everything of the laboratory.
    pub cpu_us: f64,
    /// Of it the switch itself, without PostgreSQL.
    pub switch_us: f64,
    /// Of it PostgreSQL.
    pub postgres_us: f64,
    /// Share of the processors that others took.
    pub foreign: f64,
    /// What was not approved, by code.
    pub others: String,
}

/// What a run found.
#[derive(Debug)]
pub struct Outcome {
    /// The rates.
    pub levels: Vec<Level>,
    /// Figures against their limits.
    pub figures: Vec<Figure>,
    /// What is wrong with the measurement; empty when it counts.
    pub objections: Vec<String>,
}

/// Runs the laboratory through the rates.
///
/// # Errors
/// When the laboratory cannot be run.
pub fn run(options: &Options, mut tell: impl FnMut(&str)) -> Result<Outcome, KitError> {
    let mut objections = Vec::new();
    let mut laboratory = laboratory(options, "bench")?;
    let disk = machine::file_system(laboratory.dir())?;
    let (sync, late_sync) = machine::sync_times(laboratory.dir(), Duration::from_secs(2))?;
    let sync_ms = ms(sync);
    tell(&format!(
        "{} on {disk}; fdatasync of a page p50 {sync_ms:.3} ms, p99 {:.3} ms; load average {} before anything",
        laboratory.dir().display(),
        ms(late_sync),
        machine::load_average()
    ));
    if ["tmpfs", "ramfs"].contains(&disk.as_str()) {
        objections.push(format!("{disk} keeps nothing: a sync costs nothing there"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(KitError::io("starting a runtime"))?;
    let stack = laboratory.stack()?;
    stack.start_switch(&[])?;
    let client = runtime.block_on(record::connect(&stack.data_dir()))?;
    for (setting, wanted) in [("fsync", "on"), ("synchronous_commit", "on"), ("full_page_writes", "on")] {
        let is = runtime.block_on(record::ask(&client, &format!("SHOW {setting}")))?;
        if is != wanted {
            objections.push(format!("{setting} is {is}: nothing is promised then"));
        }
    }
    let method = runtime.block_on(record::ask(&client, "SHOW wal_sync_method"))?;
    let version = runtime.block_on(record::ask(&client, "SHOW server_version"))?;
    tell(&format!("PostgreSQL {version}, fsync, synchronous_commit and full_page_writes checked, wal_sync_method {method}"));
    tell(&format!(
        "{TERMINALS} terminals, {} shard(s), PIN in {} of 1000, {} s a rate, latency from the intended time",
        options.shards, options.pin_per_mille, options.seconds
    ));
    tell(
        "  rate answered  p50 ms   p99 ms syncs/s syncs each WAL each commits/s commands commit ms cpu us switch postgres foreign",
    );
    let mut levels = Vec::new();
    for (number, rate) in options.rates.iter().enumerate() {
        let level = level(&mut laboratory, &runtime, &client, options, *rate, number)?;
        tell(&format!(
            "{:>6.0} {:>8.0} {:>7.2} {:>8.2} {:>7.0} {:>10.3} {:>8.0} {:>9.0} {:>8.1} {:>9.2} {:>6.0} {:>6.0} {:>8.0} {:>6.1}% {}{}",
            level.rate,
            level.answered,
            level.p50_ms,
            level.p99_ms,
            level.syncs,
            level.syncs_each,
            level.wal_bytes_each,
            level.commits,
            level.commands,
            level.commit_ms,
            level.cpu_us,
            level.switch_us,
            level.postgres_us,
            level.foreign * 100.0,
            if level.sustained { "" } else { "not sustained " },
            level.others
        ));
        let stop = !level.sustained && level.answered < level.rate * 0.7;
        levels.push(level);
        if stop {
            // Far beyond what it takes: higher rates would only measure the queue.
            break;
        }
    }
    drop(client);
    drop(runtime);
    let books = books(&mut laboratory, &levels, &mut objections)?;
    drop(laboratory);
    let (dialects, worse) = dialects::run(options, &mut tell)?;
    objections.extend(worse);
    tell(&format!("load average {} at the end", machine::load_average()));
    let mut figures = books;
    figures.extend(compare(&levels, sync_ms, ms(late_sync)));
    figures.extend(dialects);
    Ok(Outcome { levels, figures, objections })
}

/// A laboratory as it is in production, but for the books of the simulators: they are judges of a drill, not
/// part of the switch, and here only cost.
pub(super) fn laboratory(options: &Options, name: &str) -> Result<Laboratory, KitError> {
    Laboratory::new(name, |stack| {
        stack.terminals = TERMINALS;
        stack.shards = options.shards;
        stack.short_timers = false;
        stack.sockets = 2;
        stack.sync = false;
        stack.unsafe_test = false;
    })
}

/// Loads with one rate.
pub(super) fn level(
    laboratory: &mut Laboratory,
    runtime: &tokio::runtime::Runtime,
    client: &tokio_postgres::Client,
    options: &Options,
    rate: u32,
    number: usize,
) -> Result<Level, KitError> {
    let stack = laboratory.stack()?;
    let sets = [
        format!("rate = {rate}"),
        format!("seconds = {}", options.seconds),
        "warm_up_seconds = 1".to_owned(),
        format!("pin_per_mille = {}", options.pin_per_mille),
        format!("seed = {}", number + 1),
    ];
    let switch_pid = stack.switch.as_ref().map_or(0, |switch| switch.pid());
    let own = std::process::id();
    let before = (runtime.block_on(Wal::read(client))?, record::metrics(&stack.admin)?);
    let load = stack.start_load(&format!("load-{rate}"), &sets)?;
    // The load's own end is counted before it is gone, so its ticks are those of our dead children too.
    let (all, ours, switch) = (Ticks::now(&[]), children(own), Ticks::now(&[switch_pid]).ours);
    let alone = machine::ticks_of(switch_pid);
    let (_, summary) = load.wait(Duration::from_secs(u64::from(options.seconds) + 120))?;
    let used = Ticks::now(&[]).since(all);
    let (ours, switch) = (children(own).saturating_sub(ours), Ticks::now(&[switch_pid]).ours.saturating_sub(switch));
    let alone = machine::ticks_of(switch_pid).saturating_sub(alone);
    laboratory.settle_down(Duration::from_secs(60))?;
    let stack = laboratory.stack()?;
    let wal = runtime.block_on(Wal::read(client))?.since(before.0);
    let metrics = record::metrics(&stack.admin)?;
    let more = |name: &str| metric(&metrics, name) - metric(&before.1, name);
    let count = |name: &str| summary[name].as_f64().unwrap_or(0.0);
    let latency = |name: &str| summary["latency"][name].as_f64().unwrap_or(0.0) / 1000.0;
    let approved = count("approved_in_all");
    let commits = more("switchyard_commit_seconds_count");
    let seconds = f64::from(options.seconds + 1);
    let answered = count("answered_per_1000_s") / 1000.0;
    let others: serde_json::Map<String, Value> = summary["outcomes"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(code, _)| *code != "00")
        .map(|(a, b)| (a.clone(), b.clone()))
        .collect();
    let good = others.is_empty() && count("shed") == 0.0;
    let each = |ticks: u64| ticks as f64 * 10_000.0 / approved.max(1.0);
    Ok(Level {
        rate: f64::from(rate),
        answered,
        p50_ms: latency("p50_us"),
        p99_ms: latency("p99_us"),
        sustained: good && answered >= f64::from(rate) * 0.98 && latency("p99_us") <= P99_MS,
        approved,
        pins: count("pins_in_all"),
        syncs: wal.syncs / seconds,
        syncs_each: wal.syncs / approved.max(1.0),
        wal_bytes_each: wal.bytes / approved.max(1.0),
        commits: commits / seconds,
        commands: more("switchyard_batch_commands_sum") / more("switchyard_batch_commands_count").max(1.0),
        commit_ms: more("switchyard_commit_seconds_sum") * 1000.0 / commits.max(1.0),
        cpu_us: each(ours),
        switch_us: each(alone),
        postgres_us: each(switch.saturating_sub(alone)),
        foreign: used.busy.saturating_sub(ours) as f64 / used.all.max(1) as f64,
        others: if others.is_empty() { String::new() } else { Value::Object(others).to_string() },
    })
}

/// Ticks of everything below us, of children that have ended too.
fn children(own: u32) -> u64 {
    Ticks::now(&[own]).ours + machine::ended_children()
}

/// Stops everything and holds the issuers' counts against the terminals'.
fn books(laboratory: &mut Laboratory, levels: &[Level], objections: &mut Vec<String>) -> Result<Vec<Figure>, KitError> {
    let stack = laboratory.stack()?;
    stack.stop_switch()?;
    let (mut approved, mut pins) = (0.0, 0.0);
    for network in [&mut stack.dual, &mut stack.single] {
        network.terminate();
        let line = network.expect_line("{", Duration::from_secs(60))?;
        let summary: Value = serde_json::from_str(&line).unwrap_or_default();
        let counts = if summary["counts"].is_object() { &summary["counts"] } else { &summary };
        approved += counts["approved"].as_object().into_iter().flatten().filter_map(|(_, count)| count.as_f64()).sum::<f64>();
        pins += counts["pins_verified"].as_f64().unwrap_or(0.0);
    }
    let (ours, sent) =
        (levels.iter().map(|level| level.approved).sum::<f64>(), levels.iter().map(|level| level.pins).sum::<f64>());
    let clean = levels.iter().all(|level| level.others.is_empty());
    // A rate that was too high leaves reversals: then the issuer approved more than the terminals saw.
    if ours == 0.0 || if clean { approved != ours } else { approved < ours } {
        objections.push(format!("the issuers approved {approved}, the terminals saw {ours} approvals"));
    }
    if sent == 0.0 || if clean { pins != sent } else { pins > sent } {
        objections.push(format!("the issuers verified {pins} PINs, the terminals sent {sent}"));
    }
    Ok(vec![
        Figure::more("switch/issuer-approvals", approved, "approvals", "approvals that terminals saw", ours),
        Figure::more("switch/pins-verified", pins, "PINs", "PINs that terminals sent", sent),
    ])
}

/// The best sustained rate against its limits.
fn compare(levels: &[Level], sync_ms: f64, late_sync_ms: f64) -> Vec<Figure> {
    let sustained = levels.iter().filter(|level| level.sustained).max_by(|a, b| a.rate.total_cmp(&b.rate));
    let Some(best) = sustained.or(levels.first()) else { return Vec::new() };
    let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    // Little's law, with the middle for the mean.
    let in_flight = best.answered * best.p50_ms / 1000.0;
    let value = if best.sustained { best.answered } else { 0.0 };
    vec![
        Figure::more("switch/authorizations", value, "1/s", "goal", GOAL),
        Figure::more(
            "switch/authorizations",
            value,
            "1/s",
            "all cores / processor time of one",
            cores * 1e6 / best.cpu_us.max(1.0),
        ),
        Figure::more("switch/authorizations", value, "1/s", "in flight / (2 x fdatasync)", in_flight * 1000.0 / (2.0 * sync_ms)),
        Figure::more(
            "switch/authorizations",
            value,
            "1/s",
            "in flight / (2 x commit)",
            in_flight * 1000.0 / (2.0 * best.commit_ms),
        ),
        Figure::less("switch/p50", best.p50_ms, "ms", "2 x fdatasync p50", 2.0 * sync_ms),
        Figure::less("switch/p99", best.p99_ms, "ms", "2 x fdatasync p99", 2.0 * late_sync_ms),
        Figure::more("switch/wal-syncs", best.syncs, "1/s", "fdatasync alone", 1000.0 / sync_ms),
        Figure::less("switch/wal-syncs-each", best.syncs_each, "syncs", "two commits of its own", 2.0),
        Figure::less("switch/commit", best.commit_ms, "ms", "fdatasync p50", sync_ms),
        Figure::more("switch/commands-per-commit", best.commands, "commands", "no grouping", 1.0),
        Figure::less("switch/processor", best.switch_us, "us", "PostgreSQL for the same", best.postgres_us),
        Figure::less("switch/foreign-load", best.foreign, "of the cores", "a tenth", 0.1),
    ]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
