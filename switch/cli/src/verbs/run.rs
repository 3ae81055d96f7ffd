//! `switchyard run`.

use std::path::PathBuf;

use switch::{Config, Node, NodeError};

use crate::exit::{CONFIG, Exit, IO, UNAVAILABLE};
use crate::{logging, token};

/// Example: switchyard run --config /etc/switchyard/switchyard.toml
#[derive(clap::Args)]
#[command(after_help = "Example: switchyard run --config lab/switchyard.toml")]
pub(crate) struct Arguments {
    /// The configuration; `switchyard init DIR` writes one.
    #[arg(long)]
    config: PathBuf,
    /// Allow faults, and a database on a memory file system. For tests and drills only.
    #[arg(long)]
    unsafe_test: bool,
    /// A fault to arm: POINT:COUNT:ACTION[:BUSY] or early-ack. Needs --unsafe-test.
    #[arg(long = "fault")]
    faults: Vec<String>,
    /// End when standard input is closed.
    #[arg(long)]
    end_with_stdin: bool,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Exit> {
    // A bad configuration must be named before anything is started or made.
    let config = Config::load(&arguments.config).map_err(|error| Exit::new(CONFIG, error))?;
    token::enter(&config.token_dir())?;
    logging::start();
    let node = Node {
        config: arguments.config,
        unsafe_test: arguments.unsafe_test,
        faults: arguments.faults,
        end_with_stdin: arguments.end_with_stdin,
    };
    let runtime = token::runtime()?;
    let done = runtime.block_on(switch::run(node));
    // Standard input is read by a thread that cannot be woken; nothing else is left to wait for.
    runtime.shutdown_background();
    done.map_err(|error| {
        let code = match &error {
            NodeError::Config(_) | NodeError::Profile(_) | NodeError::Listen { .. } => CONFIG,
            NodeError::Database(_) | NodeError::Hsm(_) | NodeError::Vault(_) | NodeError::Lost(_) => UNAVAILABLE,
            NodeError::Io(_) => IO,
        };
        Exit::new(code, error)
    })
}
