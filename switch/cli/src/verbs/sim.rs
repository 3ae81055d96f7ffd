//! `switchyard sim`: the simulators. Their options are tables; a file and `--set key=value` fill them.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use simulators::{bank, hsm, issuer, load, pos};

use crate::exit::{CHECK, DATA, Exit, OrExit, UNAVAILABLE};
use crate::token::runtime;

/// Options of a simulator.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// A TOML file with options; `--show` prints them all.
    #[arg(long)]
    config: Option<PathBuf>,
    /// One option, as `key=value` or `table.key=value` (TOML).
    #[arg(long = "set")]
    set: Vec<String>,
    /// Print the options with their defaults, and end.
    #[arg(long)]
    show: bool,
}

/// Which simulator.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Terminals.
    #[command(
        after_help = "Example: switchyard sim pos --set fleet.connect='\"127.0.0.1:8583\"' --set conversations=100 < keys.json"
    )]
    Pos(Options),
    /// A network and its issuers.
    #[command(after_help = "Example: switchyard sim issuer --set network='\"dual\"' --set book='\"dual.ndjson\"' < keys.json")]
    Issuer(Options),
    /// A bank that executes credit transfers.
    #[command(after_help = "Example: switchyard sim bank --set book='\"bank.ndjson\"'")]
    Bank(Options),
    /// A party that instructs credit transfers.
    #[command(after_help = "Example: switchyard sim party --show")]
    Party(Options),
    /// A payment HSM that takes host commands, under the published test master keys.
    #[command(after_help = "Example: switchyard sim hsm --error-rate 10 --error-code 41 --drop-rate 5 --seed 7\n\
        Its master keys are printed in manuals: nothing under them is secret (docs/hsm/host-commands.md).")]
    Hsm(HsmOptions),
    /// Purchases at a rate, open loop.
    #[command(after_help = "Example: switchyard sim load --set rate=500 --set seconds=30 < keys.json")]
    Load(Options),
}

/// Options of the simulated HSM, and short names for its trouble on purpose.
#[derive(clap::Args)]
pub(crate) struct HsmOptions {
    #[command(flatten)]
    options: Options,
    /// Of a thousand commands, how many are answered with an error.
    #[arg(long)]
    error_rate: Option<u16>,
    /// The error, two characters.
    #[arg(long)]
    error_code: Option<String>,
    /// Of a thousand commands, how many lose the connection.
    #[arg(long)]
    drop_rate: Option<u16>,
    /// Milliseconds before each answer.
    #[arg(long)]
    latency_ms: Option<u64>,
    /// Seed of everything that is by chance.
    #[arg(long)]
    seed: Option<u64>,
}

impl HsmOptions {
    /// The short names as what they stand for, after what `--set` says.
    fn spelled(self) -> Options {
        let pairs = [
            self.error_rate.map(|rate| format!("error_per_mille={rate}")),
            self.error_code.map(|code| format!("error_code={code:?}")),
            self.drop_rate.map(|rate| format!("drop_per_mille={rate}")),
            self.latency_ms.map(|latency| format!("latency_ms={latency}")),
            self.seed.map(|seed| format!("seed={seed}")),
        ];
        let mut options = self.options;
        options.set.extend(pairs.into_iter().flatten());
        options
    }
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    match action {
        Action::Pos(options) => simulate::<pos::PosOptions, _, _, _>(&options, pos::run),
        Action::Issuer(options) => simulate::<issuer::IssuerOptions, _, _, _>(&options, issuer::run),
        Action::Bank(options) => simulate::<bank::BankOptions, _, _, _>(&options, bank::run),
        Action::Party(options) => simulate::<bank::party::PartyOptions, _, _, _>(&options, bank::party::run),
        Action::Hsm(options) => simulate::<hsm::HsmOptions, _, _, _>(&options.spelled(), hsm::run),
        Action::Load(options) => simulate::<load::LoadOptions, _, _, _>(&options, load::run),
    }
}

/// Runs one; its summary is the last line on standard output.
fn simulate<O, F, S, E>(options: &Options, run: impl FnOnce(O) -> F) -> Result<(), Exit>
where
    O: Default + Serialize + DeserializeOwned,
    F: Future<Output = Result<S, E>>,
    S: Serialize,
    E: ToString,
{
    let filled: O = fill(options)?;
    if options.show {
        print!("{}", toml::to_string(&filled).or_exit(DATA)?);
        return Ok(());
    }
    let summary = runtime()?.block_on(run(filled)).map_err(|error| Exit::new(UNAVAILABLE, error.to_string()))?;
    let summary = serde_json::to_value(&summary).or_exit(DATA)?;
    println!("{summary}");
    match summary["expectations_missed"].as_u64() {
        Some(missed) if missed > 0 => Err(Exit::new(CHECK, format!("{missed} expectations were not met"))),
        _ => Ok(()),
    }
}

fn fill<O: DeserializeOwned>(options: &Options) -> Result<O, Exit> {
    let text = options.config.as_ref().map(std::fs::read_to_string).transpose().or_exit(DATA)?.unwrap_or_default();
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| Exit::new(DATA, error))?;
    for pair in &options.set {
        let one: toml::Table =
            pair.parse().map_err(|error| Exit::new(DATA, format!("--set {pair}: {error}; strings need quotes")))?;
        merge(&mut table, one);
    }
    O::deserialize(toml::Value::Table(table)).or_exit(DATA)
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
