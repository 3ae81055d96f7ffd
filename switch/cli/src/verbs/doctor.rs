//! `switchyard doctor`: what is missing on this machine.

use std::path::{Path, PathBuf};

use switch::Config;

use crate::exit::{CHECK, Exit};

/// Checks PostgreSQL, the PKCS#11 module, the configuration and the data directory.
#[derive(clap::Args)]
#[command(after_help = "Example: switchyard doctor --config lab/switchyard.toml")]
pub(crate) struct Arguments {
    /// Also check this configuration.
    #[arg(long)]
    config: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Exit> {
    let mut missing = 0;
    let mut tell = |what: &str, state: Result<String, String>| match state {
        Ok(found) => println!("good     {what}: {found}"),
        Err(fix) => {
            missing += 1;
            println!("missing  {what}: {fix}");
        }
    };
    tell("PostgreSQL", postgres());
    let module = Path::new("/usr/lib/softhsm/libsofthsm2.so");
    let module =
        arguments.config.as_ref().and_then(|path| Config::load(path).ok()).map_or(module.to_owned(), |config| config.hsm.module);
    tell(
        "PKCS#11 module",
        if module.exists() {
            Ok(module.display().to_string())
        } else {
            Err(format!("{} is not there; apt-get install softhsm2, or name another in [hsm] module", module.display()))
        },
    );
    if let Some(path) = &arguments.config {
        tell("configuration", Config::load(path).map(|_| path.display().to_string()).map_err(|error| error.to_string()));
    }
    if missing == 0 { Ok(()) } else { Err(Exit::new(CHECK, format!("{missing} missing"))) }
}

/// The newest server of the packages.
fn postgres() -> Result<String, String> {
    let fix = || "no server below /usr/lib/postgresql; apt-get install postgresql".to_owned();
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .map_err(|_| fix())?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin/postgres"))))
        .filter(|(_, program)| program.exists())
        .collect();
    found.sort();
    match found.pop() {
        Some((version, program)) if version >= 15 => Ok(program.display().to_string()),
        Some((version, _)) => Err(format!("version {version} is too old; 15 or newer is needed")),
        None => Err(fix()),
    }
}
