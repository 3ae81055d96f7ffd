//! Searches what a laboratory left for the secrets of its run.
#![forbid(unsafe_code)]

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use system::secrets::{Allowed, Kind, Search, known};
use testkit::KitError;

/// Searches every file of a directory, and every table while the switch runs, for every card number,
/// track, PIN block and key of a run, in every form that a leak would have. The run's secrets (the JSON
/// object that the simulators were given) come on standard input.
#[derive(Parser)]
#[command(
    name = "switchyard-secrets",
    max_term_width = 100,
    after_help = "Example: switchyard-secrets lab --allow lab/conf/clearing/FILE < secrets.json"
)]
struct Arguments {
    /// The laboratory.
    dir: PathBuf,
    /// A file that may hold card numbers: a clearing file.
    #[arg(long)]
    allow: Vec<PathBuf>,
    /// The data directory of the switch that runs: its tables are read too.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// One JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match search(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("secrets: {error}");
            ExitCode::from(74)
        }
    }
}

fn search(arguments: &Arguments) -> Result<bool, KitError> {
    let mut json = String::new();
    std::io::stdin().read_to_string(&mut json).map_err(KitError::io("reading the secrets"))?;
    let scanner = known::scanner(&json)?;
    let allowed = arguments.allow.iter().map(|path| Allowed { path: path.clone(), kind: Kind::Pan }).collect();
    let mut search = Search::new(&scanner, allowed);
    if let Some(data_dir) = &arguments.data_dir {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(KitError::io("starting a runtime"))?.block_on(search.tables(data_dir))?;
    }
    search.directory(&arguments.dir)?;
    let report = search.report();
    if arguments.json {
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    } else {
        report.findings.iter().for_each(|finding| println!("{finding}"));
        println!("{report}");
    }
    Ok(report.findings.is_empty() && report.files > 0)
}
