//! `switchyard sim`: the simulators. Their options are tables; a file and `--set key=value` fill them.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use simulators::{bank, issuer, load, pos};

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
    /// Purchases at a rate, open loop.
    #[command(after_help = "Example: switchyard sim load --set rate=500 --set seconds=30 < keys.json")]
    Load(Options),
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    match action {
        Action::Pos(options) => simulate::<pos::PosOptions, _, _, _>(&options, pos::run),
        Action::Issuer(options) => simulate::<issuer::IssuerOptions, _, _, _>(&options, issuer::run),
        Action::Bank(options) => simulate::<bank::BankOptions, _, _, _>(&options, bank::run),
        Action::Party(options) => simulate::<bank::party::PartyOptions, _, _, _>(&options, bank::party::run),
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
