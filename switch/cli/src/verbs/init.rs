//! `switchyard init`.

use std::path::PathBuf;

use crate::exit::Exit;
use crate::skeleton::{self, Plan};

/// Writes a commented configuration that runs as it is, so that your own client and issuer can be
/// attached.
#[derive(clap::Args)]
#[command(
    after_help = "Example: switchyard init lab && switchyard hsm init --config lab/switchyard.toml && switchyard run --config lab/switchyard.toml"
)]
pub(crate) struct Arguments {
    /// Directory to write into; made when it is not there.
    dir: PathBuf,
    /// How many terminals the registry has.
    #[arg(long, default_value_t = 4)]
    terminals: usize,
    /// Addresses of your own, as NAME=HOST:PORT: pos, party, dual, single, bank, admin; and pos-binary,
    /// which is a comment otherwise.
    #[arg(long = "at")]
    at: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Exit> {
    let mut plan = Plan { terminals: arguments.terminals.clamp(1, 9999), ..Plan::default() };
    for pair in &arguments.at {
        let known = pair.split_once('=').and_then(|(name, address)| {
            let place = match name {
                "pos" => &mut plan.pos,
                "pos-binary" => plan.pos_binary.get_or_insert_default(),
                "party" => &mut plan.party,
                "dual" => &mut plan.dual,
                "single" => &mut plan.single,
                "bank" => &mut plan.bank,
                "admin" => &mut plan.admin,
                _ => return None,
            };
            address.clone_into(place);
            Some(())
        });
        known.ok_or_else(|| {
            Exit::new(2, format!("--at {pair}: write pos, pos-binary, party, dual, single, bank or admin, then =HOST:PORT"))
        })?;
    }
    skeleton::write(&arguments.dir, &plan)?;
    let config = arguments.dir.join("switchyard.toml");
    println!("wrote {}; next:", arguments.dir.display());
    println!("  switchyard hsm init --config {}", config.display());
    println!(
        "  switchyard hsm key import --config {}   # role name hex (odd parity), a line each: tpk, tak per terminal; zpk, zak per network",
        config.display()
    );
    println!("  switchyard run --config {}", config.display());
    Ok(())
}
