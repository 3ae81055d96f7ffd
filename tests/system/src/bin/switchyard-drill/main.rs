//! `./dev drill`: crash drills over real processes.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use switch::faults::Point;
use system::drill::{self, Options, Round};

/// Drills. Without a name all of them run.
#[derive(Parser)]
#[command(name = "drill", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    drill: Option<Drill>,
    #[command(flatten)]
    crash: Crash,
}

#[derive(Subcommand)]
enum Drill {
    /// Kill the switch, PostgreSQL or both at every edge of the flow, with payments in flight.
    #[command(after_help = "Example: ./dev drill crash --rounds 3 --seed 7")]
    Crash(Crash),
}

#[derive(clap::Args)]
struct Crash {
    /// Kills; 27 are every edge with every action.
    #[arg(long, default_value_t = 27)]
    rounds: usize,
    /// Of the moments of the kills and of the conversations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Conversations of the terminals in each round.
    #[arg(long, default_value_t = 500)]
    conversations: u64,
    /// Only this edge; may be given more than once.
    #[arg(long, value_parser = edge)]
    only: Vec<Point>,
    /// Tell the engine that batches are durable before they are: the judges must find the loss.
    #[arg(long)]
    early_ack: bool,
    /// End with one JSON object.
    #[arg(long)]
    json: bool,
}

fn edge(name: &str) -> Result<Point, String> {
    let known = || Point::ALL.map(Point::name).join(", ");
    Point::ALL.into_iter().find(|point| point.name() == name).ok_or_else(|| format!("there are {}", known()))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let crash = match arguments.drill {
        Some(Drill::Crash(crash)) => crash,
        None => arguments.crash,
    };
    let options = Options {
        rounds: crash.rounds,
        seed: crash.seed,
        conversations: crash.conversations,
        early_ack: crash.early_ack,
        only: crash.only,
    };
    let began = Instant::now();
    println!("round edge            action      count in flight  to kill  down  settled   items findings");
    let report = match drill::crash(&options, tell) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("drill: {error}");
            return ExitCode::from(70);
        }
    };
    println!();
    for (edge, actions) in &report.hits {
        let counts: Vec<String> = actions.iter().map(|(action, count)| format!("{action} {count}")).collect();
        println!("{edge:<16} {}", counts.join(", "));
    }
    println!();
    for (row, count) in &report.whole.populations {
        println!("{count:>8}  {row}");
    }
    let objections = report.objections();
    println!("\n{} rounds in {} s, {} objections", report.rounds.len(), began.elapsed().as_secs(), objections.len());
    objections.iter().take(40).for_each(|objection| println!("  {objection}"));
    if options.early_ack {
        println!("the promise was broken on purpose; the judges {}", if report.good() { "found it" } else { "did not notice" });
    }
    if crash.json {
        println!("{}", report.to_json());
    }
    if report.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(round: &Round) {
    println!(
        "{:>5} {:<15} {:<11} {:>5} {:>9} {:>6}ms {:>4} {:>6}ms {:>7} {:>8}",
        round.round,
        round.point,
        round.action.name(),
        round.count,
        round.in_flight,
        round.until_fault_ms,
        round.down_ms.map_or("-".to_owned(), |down| down.to_string()),
        round.settled_ms,
        round.verdict.items(),
        round.verdict.findings.len() + round.problems.len(),
    );
    round.problems.iter().for_each(|problem| println!("      {problem}"));
    round.verdict.findings.iter().take(5).for_each(|finding| println!("      {finding}"));
}
