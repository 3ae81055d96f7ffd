//! `switchyard recon`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use payments::LinkId;
use serde_json::json;
use settlement::record::{keep, last_kept, reconcile_network};

use super::clearing::now;
use crate::books::Books;
use crate::clearing_file::ClearingFile;
use crate::exit::{CHECK, DATA, Exit, IO, OrExit, UNAVAILABLE};
use crate::token::runtime;

/// What to reconcile.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Reconcile file, ledger and issuer's report of a network, item by item, and keep what was found.
    #[command(
        after_help = "Example: switchyard recon run --config lab/switchyard.toml --network dual --report dual.report.ndjson"
    )]
    Run {
        /// The configuration; `clearing.toml` lies beside it.
        #[arg(long)]
        config: PathBuf,
        /// The network, by its link.
        #[arg(long)]
        network: String,
        /// The issuer's report (docs/clearing.md).
        #[arg(long)]
        report: PathBuf,
    },
    /// Show the breaks of the last reconciliation of a network.
    #[command(after_help = "Example: switchyard recon breaks --config lab/switchyard.toml --network dual --json")]
    Breaks {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// The network, by its link.
        #[arg(long)]
        network: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    let link = |network: &str| LinkId::new(network).map_err(|error| Exit::new(DATA, error));
    match action {
        Action::Run { config, network, report } => reconcile(&config, &link(&network)?, &report),
        Action::Breaks { config, network, json } => breaks(&config, &link(&network)?, json),
    }
}

fn reconcile(config: &Path, network: &LinkId, report: &Path) -> Result<(), Exit> {
    runtime()?.block_on(async {
        let books = Books::open(config).await?;
        let clearing = ClearingFile::load(&books.config)?;
        let mut client = books.connect().await?;
        let source = BufReader::new(File::open(report).or_exit(IO)?);
        let done = reconcile_network(&mut client, &clearing.directory, network, source).await.or_exit(CHECK)?;
        keep(&client, network, &done, now()).await.or_exit(UNAVAILABLE)?;
        let mut shown = json!(done);
        // Of no network yet, so no break of this one: but money that a merchant waits for.
        let unmatched = store::reports::count_unmatched_completions(&client).await.or_exit(UNAVAILABLE)?;
        shown["unmatched_completions"] = json!(unmatched);
        println!("{shown}");
        if unmatched > 0 {
            eprintln!("{unmatched} completions have no authorization; `switchyard completion list` shows them");
        }
        if done.proves() {
            Ok(())
        } else if done.breaks.is_empty() {
            Err(Exit::new(CHECK, "nothing was looked at in one of the books"))
        } else {
            Err(Exit::new(CHECK, format!("{} breaks; `switchyard recon breaks` shows them again", done.breaks.len())))
        }
    })
}

fn breaks(config: &Path, network: &LinkId, json: bool) -> Result<(), Exit> {
    runtime()?.block_on(async {
        let books = Books::open(config).await?;
        let client = books.connect().await?;
        let kept = last_kept(&client, network).await.or_exit(UNAVAILABLE)?;
        let Some(kept) = kept else {
            return Err(Exit::new(CHECK, format!("no reconciliation of {network} is kept; `switchyard recon run` makes one")));
        };
        if json {
            println!("{}", json!(kept));
            return Ok(());
        }
        let agree = if kept.proves { "the books agree" } else { "the books do not agree" };
        println!(
            "reconciliation {} of {network} at {}, through {}: {} breaks, {agree}",
            kept.number,
            kept.reconciled_at,
            kept.through,
            kept.breaks.len()
        );
        kept.breaks.iter().for_each(|found| println!("{found}"));
        Ok(())
    })
}
