//! `./dev bench`: measurements, each figure beside its limit or peer from the same run.

mod allocations;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use system::bench::{Figure, codec, hsm, switch};
use testkit::KitError;

#[global_allocator]
static COUNTED: allocations::Counted = allocations::Counted;

/// Benchmarks. Without a group all of them run.
#[derive(Parser)]
#[command(name = "bench", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    group: Option<Group>,
    #[command(flatten)]
    switch: Switch,
}

#[derive(Subcommand)]
enum Group {
    /// The codec on one message in two layouts, beside a hand-written limit, pyiso8583 and a copy.
    #[command(after_help = "Example: ./dev bench codec --json")]
    Codec(Codec),
    /// PIN translations on a SoftHSM token beside the calls that they need, and pure functions beside their cipher.
    #[command(after_help = "Example: ./dev bench hsm --json")]
    Hsm(HsmBench),
    /// The whole switch under open-loop load, everything on the same cores.
    #[command(after_help = "Example: ./dev bench switch --rates 1000,2000 --seconds 10 --json")]
    Switch(Switch),
}

#[derive(clap::Args)]
struct Codec {
    /// Turns of everybody; the best counts.
    #[arg(long, default_value_t = ROUNDS, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// One JSON object a line and nothing else on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct HsmBench {
    /// Turns of everybody; the best counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    turns: u32,
    /// Translations of a turn.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u32).range(0..=100_000_000))]
    count: u32,
    /// One JSON object a line and nothing else on standard output.
    #[arg(long)]
    json: bool,
    /// Measures one turn on the token here and ends: the bench starts itself so.
    #[arg(long, hide = true, requires = "token")]
    turn: Option<hsm::Turn>,
    /// Where that token is.
    #[arg(long, hide = true)]
    token: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Switch {
    /// Authorizations a second, one after another.
    #[arg(long, value_delimiter = ',', default_value = "500,1000,1500,2000,2500,3000,3500,4000",
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rates: Vec<u32>,
    /// Seconds of each rate.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Thousandths of the requests that carry a PIN.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pin_per_mille: u16,
    /// Shards of the record.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    shards: u16,
    /// One JSON object a line and nothing else on standard output.
    #[arg(long)]
    json: bool,
}

/// Turns of the codec where all groups run.
const ROUNDS: u32 = 200;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (json, outcome) = match arguments.group {
        Some(Group::Codec(chosen)) => (chosen.json, codec(chosen.rounds, chosen.json)),
        Some(Group::Hsm(HsmBench { turn: Some(turn), token: Some(token), count, .. })) => {
            return match hsm::inside(&token, turn, count) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{error}");
                    ExitCode::from(70)
                }
            };
        }
        Some(Group::Hsm(chosen)) => (chosen.json, of_the_hsm(&chosen)),
        Some(Group::Switch(chosen)) => (chosen.json, switch(chosen)),
        None => (arguments.switch.json, all(arguments.switch)),
    };
    let (figures, objections) = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::from(70);
        }
    };
    for figure in &figures {
        if json {
            println!("{}", serde_json::to_string(figure).unwrap_or_default());
        } else {
            println!(
                "{:<30} {:>10.2} {:<12} {:>10.2}  {:<36} ratio {:.2}",
                figure.bench, figure.value, figure.unit, figure.against_value, figure.against, figure.ratio
            );
        }
    }
    objections.iter().for_each(|objection| eprintln!("bench: {objection}"));
    if objections.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Figures, and what is wrong with them or short of its goal.
type Outcome = Result<(Vec<Figure>, Vec<String>), KitError>;

fn all(chosen: Switch) -> Outcome {
    let (mut figures, mut objections) = codec(ROUNDS, chosen.json)?;
    let hsm = hsm::run(3, 30_000, |line| tell(chosen.json, line))?;
    figures.extend(hsm.figures);
    objections.extend(hsm.objections);
    let (more, wrong) = switch(chosen)?;
    figures.extend(more);
    objections.extend(wrong);
    Ok((figures, objections))
}

fn codec(rounds: u32, json: bool) -> Outcome {
    let outcome = codec::run(rounds, allocations::of_this_thread, |line| tell(json, line))?;
    Ok((outcome.figures, outcome.objections))
}

fn of_the_hsm(chosen: &HsmBench) -> Outcome {
    let outcome = hsm::run(chosen.turns, chosen.count.max(1), |line| tell(chosen.json, line))?;
    Ok((outcome.figures, outcome.objections))
}

fn switch(chosen: Switch) -> Outcome {
    let options = switch::Options {
        rates: chosen.rates,
        seconds: chosen.seconds,
        pin_per_mille: chosen.pin_per_mille,
        shards: chosen.shards,
    };
    let outcome = switch::run(&options, |line| tell(chosen.json, line))?;
    Ok((outcome.figures, outcome.objections))
}

/// What a person wants to see on the way.
fn tell(json: bool, line: &str) {
    if json { eprintln!("{line}") } else { println!("{line}") }
}
