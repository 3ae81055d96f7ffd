//! `simulate --seeds FROM..TO` plays histories, prints what they went through and ends with 1 where a
//! judge objects or something never happened; `simulate --seed N` tells the story of one.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use simulation::{Counters, Options, play, report};

const USAGE: &str = "usage: simulate --seeds FROM..TO | --seed N [--histories M]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|it| it == name).and_then(|at| arguments.get(at + 1)).map(String::as_str);
    let number = |text: &str| text.parse::<u64>().ok();
    let one = value("--seed").and_then(number);
    let many = value("--seeds").and_then(|range| {
        let (from, to) = range.split_once("..")?;
        Some((number(from)?, number(to)?))
    });
    let count = value("--histories").and_then(number).unwrap_or(1);
    let (from, to) = match (one, many) {
        (Some(seed), None) => (seed, seed + count),
        (None, Some(range)) => range,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    let mut counters = Counters::default();
    let (mut bad, mut events) = (0u64, 0u64);
    for seed in from..to {
        let outcome = play(seed, Options::default());
        counters.absorb(&outcome.counters);
        events += outcome.events;
        if !outcome.objections.is_empty() {
            bad += 1;
            if to - from == 1 || bad <= 3 {
                println!("{}", report(seed, Options::default()));
            } else {
                println!("seed {seed}: {}", outcome.objections[0].what);
            }
        }
    }
    if to - from > 1 {
        print!("{}", counters.table());
    }
    let zero = if to - from < 100 { Vec::new() } else { counters.zero() };
    println!("{} histories, {events} messages and commits, {bad} with objections", to - from);
    for what in &zero {
        println!("never happened: {}", what.words());
    }
    if bad > 0 || !zero.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
