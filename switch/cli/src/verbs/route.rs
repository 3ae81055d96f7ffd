//! `switchyard route`.

use std::path::PathBuf;

use payments::Pan;
use switch::Config;

use crate::exit::{CHECK, CONFIG, DATA, Exit, OrExit};

/// What to ask.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Which route a card takes. Only the first six digits are looked at, and shown.
    #[command(after_help = "Example: switchyard route test --config lab/switchyard.toml 5413330089020011")]
    Test {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// A PAN, or its first six digits.
        pan: String,
    },
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    let Action::Test { config, pan } = action;
    let config = Config::load(&config).or_exit(CONFIG)?;
    let six = if pan.len() == 6 && pan.bytes().all(|b| b.is_ascii_digit()) {
        pan
    } else {
        String::from_utf8_lossy(&Pan::new(pan.as_bytes()).or_exit(DATA)?.first_six()).into_owned()
    };
    let Some(route) = config.tables.routes.find(&six) else {
        return Err(Exit::new(CHECK, format!("{six}…: no route; the answer would be 15")));
    };
    let links: Vec<&str> = route.links.iter().map(|link| link.as_str()).collect();
    println!("{six}…: route {}, {:?} message, links {}", route.name, route.system, links.join(", "));
    Ok(())
}
