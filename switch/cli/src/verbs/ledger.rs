//! `switchyard ledger` and `switchyard audit`: the books and their proof.

use std::path::PathBuf;

use payments::PaymentId;
use serde_json::json;
use store::{reports, verify};

use crate::books::Books;
use crate::exit::{CHECK, DATA, Exit, OrExit, UNAVAILABLE};
use crate::token::runtime;

/// Which configuration, and for whom.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// The configuration of the node.
    #[arg(long)]
    config: PathBuf,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

/// What to ask of the books.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Debits and credits per currency; they must be equal.
    #[command(after_help = "Example: switchyard ledger trial --config lab/switchyard.toml")]
    Trial(Which),
    /// Balances of the accounts whose code begins like this.
    #[command(after_help = "Example: switchyard ledger balance --config lab/switchyard.toml merchant-payable/")]
    Balance {
        #[command(flatten)]
        which: Which,
        /// Beginning of the code; all when absent.
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Everything the record has about a payment, by its id.
    #[command(after_help = "Example: switchyard ledger history --config lab/switchyard.toml 0193…")]
    History {
        #[command(flatten)]
        which: Which,
        /// The payment's id.
        id: String,
    },
    /// Replay the chain and hold every row of every table against it.
    #[command(after_help = "Example: switchyard ledger verify --config lab/switchyard.toml")]
    Verify(Which),
}

/// What to prove.
#[derive(clap::Subcommand)]
pub(crate) enum AuditAction {
    /// Check the chain of blocks from the first to the last.
    #[command(after_help = "Example: switchyard audit verify --config lab/switchyard.toml")]
    Verify(Which),
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    runtime()?.block_on(async {
        match action {
            Action::Trial(which) => trial(&which).await,
            Action::Balance { which, prefix } => {
                let client = Books::open(&which.config).await?;
                let client = client.connect().await?;
                for line in reports::balance(&client, &prefix, 10_000).await.or_exit(UNAVAILABLE)? {
                    if which.json {
                        println!("{}", json!(line));
                    } else {
                        println!("{:<64} {} {:>16}", line.code, line.currency, line.net_credit);
                    }
                }
                Ok(())
            }
            Action::History { which, id } => {
                let id = id.parse().map(PaymentId).map_err(|_| Exit::new(DATA, "a payment's id is a UUID"))?;
                let books = Books::open(&which.config).await?;
                let client = books.connect().await?;
                match reports::history(&client, id).await.or_exit(UNAVAILABLE)? {
                    Some(history) => println!("{:#}", json!(history)),
                    None => return Err(Exit::new(CHECK, format!("no payment {id}"))),
                }
                Ok(())
            }
            Action::Verify(which) => verify_ledger(&which).await,
        }
    })
}

async fn trial(which: &Which) -> Result<(), Exit> {
    let books = Books::open(&which.config).await?;
    let client = books.connect().await?;
    let lines = reports::trial(&client).await.or_exit(UNAVAILABLE)?;
    for line in &lines {
        if which.json {
            println!("{}", json!(line));
        } else {
            println!("{}  debit {:>16}  credit {:>16}  difference {}", line.currency, line.debit, line.credit, line.difference());
        }
    }
    match lines.iter().find(|line| line.difference() != 0) {
        Some(line) => Err(Exit::new(CHECK, format!("{} does not balance", line.currency))),
        None if lines.is_empty() => Err(Exit::new(CHECK, "there are no accounts yet: nothing was looked at")),
        None => Ok(()),
    }
}

async fn verify_ledger(which: &Which) -> Result<(), Exit> {
    let books = Books::open(&which.config).await?;
    let mut client = books.connect().await?;
    let mut wrong = 0;
    let shards = verify::shards(&client).await.or_exit(UNAVAILABLE)?;
    for shard in &shards {
        let found = verify::ledger(&mut client, *shard).await.or_exit(UNAVAILABLE)?;
        wrong += found.findings.len() as u64 + found.more;
        found.findings.iter().for_each(|finding| println!("shard {}: {finding}", shard.0));
        println!("shard {}: {:?}", shard.0, found.report);
    }
    end(wrong, shards.len())
}

pub(crate) fn audit(action: AuditAction) -> Result<(), Exit> {
    let AuditAction::Verify(which) = action;
    runtime()?.block_on(async {
        let books = Books::open(&which.config).await?;
        let mut client = books.connect().await?;
        let mut wrong = 0;
        let shards = verify::shards(&client).await.or_exit(UNAVAILABLE)?;
        for shard in &shards {
            let found = verify::audit(&mut client, *shard, []).await.or_exit(UNAVAILABLE)?;
            wrong += found.findings.len() as u64 + found.more;
            found.findings.iter().for_each(|finding| println!("shard {}: {finding}", shard.0));
            let (head, hash) = found.report.head;
            println!("shard {}: {} blocks, {} items, head {} {hash}", shard.0, found.blocks, found.report.items, head.0);
        }
        end(wrong, shards.len())
    })
}

fn end(wrong: u64, shards: usize) -> Result<(), Exit> {
    match (wrong, shards) {
        (0, 0) => Err(Exit::new(CHECK, "no shard was ever written: nothing was looked at")),
        (0, _) => Ok(()),
        (wrong, _) => Err(Exit::new(CHECK, format!("{wrong} findings"))),
    }
}
