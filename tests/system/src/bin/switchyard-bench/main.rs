//! `./dev bench`: measurements, each figure beside its limit or peer from the same run.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use system::bench::switch;

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
    /// The whole switch under open-loop load, everything on the same cores.
    #[command(after_help = "Example: ./dev bench switch --rates 1000,2000 --seconds 10 --json")]
    Switch(Switch),
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

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen = match arguments.group {
        Some(Group::Switch(chosen)) => chosen,
        None => arguments.switch,
    };
    let options = switch::Options {
        rates: chosen.rates,
        seconds: chosen.seconds,
        pin_per_mille: chosen.pin_per_mille,
        shards: chosen.shards,
    };
    let tell = |line: &str| if chosen.json { eprintln!("{line}") } else { println!("{line}") };
    let outcome = match switch::run(&options, tell) {
        Ok(outcome) => outcome,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::from(70);
        }
    };
    for figure in &outcome.figures {
        if chosen.json {
            println!("{}", serde_json::to_string(figure).unwrap_or_default());
        } else {
            println!(
                "{:<30} {:>10.2} {:<12} {:>10.2}  {:<36} ratio {:.2}",
                figure.bench, figure.value, figure.unit, figure.against_value, figure.against, figure.ratio
            );
        }
    }
    outcome.objections.iter().for_each(|objection| eprintln!("bench: {objection}"));
    if outcome.objections.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
