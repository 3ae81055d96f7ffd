//! `switchyard config`.

use std::path::PathBuf;

use switch::Config;

use crate::exit::{CONFIG, Exit, OrExit};

/// What to do with a configuration.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Check it as `run` would: file, line and fix of the first thing that is wrong.
    #[command(after_help = "Example: switchyard config check --config lab/switchyard.toml")]
    Check {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Show what it means, with every default.
    #[command(after_help = "Example: switchyard config show --config lab/switchyard.toml")]
    Show {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    match action {
        Action::Check { config } => {
            let checked = Config::load(&config, 1).or_exit(CONFIG)?;
            println!(
                "{}: good; {} listeners, {} links, {} terminals, {} routes",
                config.display(),
                checked.listeners.len(),
                checked.links.len(),
                checked.tables.registry.terminals.len(),
                checked.tables.routes.all().len()
            );
        }
        Action::Show { config } => println!("{:#?}", Config::load(&config, 1).or_exit(CONFIG)?),
    }
    Ok(())
}
