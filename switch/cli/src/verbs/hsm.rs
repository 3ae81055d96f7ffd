//! `switchyard hsm`: the token and its keys.

use std::io::Read;
use std::path::{Path, PathBuf};

use hsm::pkcs11::{self, Settings, softhsm};
use hsm::{ClearKey, Hsm, HsmError, KeyName, KeyRole, TokenProblem};
use switch::Config;
use zeroize::Zeroizing;

use crate::exit::{CHECK, CONFIG, DATA, Exit, IO, OrExit, UNAVAILABLE};
use crate::token::{self, runtime};

/// What to do with the token.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Make the token and the key that wraps data keys. What is there stays.
    #[command(after_help = "Example: switchyard hsm init --config lab/switchyard.toml")]
    Init {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Keys.
    #[command(subcommand)]
    Key(KeyAction),
}

/// What to do with keys.
#[derive(clap::Subcommand)]
pub(crate) enum KeyAction {
    /// List them with roles and check values.
    List {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Make one.
    #[command(after_help = "Example: switchyard hsm key generate --config lab/switchyard.toml --role tpk tpk-term0001")]
    Generate {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Its role: tpk, tak, zpk, zak, bdk, kek.
        #[arg(long)]
        role: String,
        /// Its name.
        name: String,
    },
    /// Take keys in from clear material on standard input, a line each: `role name hex [hex…]` (components are joined by XOR). For laboratories.
    #[command(
        after_help = "Example: echo 'zpk zpk-dual 0123456789ABCDEFFEDCBA9876543210' | switchyard hsm key import --config lab/switchyard.toml"
    )]
    Import {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
    },
    /// Remove one for good.
    Destroy {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Its name.
        name: String,
    },
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    match action {
        Action::Init { config } => {
            let config = Config::load(&config, 1).or_exit(CONFIG)?;
            let settings = initialize(&config)?;
            let kek: KeyName = config.hsm.kek.parse().or_exit(CONFIG)?;
            with_token(settings, async |hsm| {
                if hsm.key(&kek).await.is_err() {
                    hsm.generate_key(&kek, KeyRole::Kek).await.or_exit(UNAVAILABLE)?;
                }
                list(hsm).await
            })
        }
        Action::Key(action) => keys(action),
    }
}

/// Opens the token, works with it, and leaves it in order: a module that is still in use while the process
/// ends may crash it.
fn with_token(settings: Settings, work: impl AsyncFnOnce(&Hsm) -> Result<(), Exit>) -> Result<(), Exit> {
    let done = runtime()?.block_on(async {
        let hsm = pkcs11::open(settings).await.or_exit(UNAVAILABLE)?;
        let done = work(&hsm).await;
        hsm.close().await;
        done
    });
    pkcs11::finalize();
    done
}

/// Makes the token where it is not there yet.
fn initialize(config: &Config) -> Result<Settings, Exit> {
    let directory = token::enter(&config.token_dir())?;
    let mut settings = Settings::with_pin_file(directory.user_pin_file());
    settings.module.clone_from(&config.hsm.module);
    match softhsm::initialize(&settings, &directory.so_pin_file()) {
        Ok(()) | Err(HsmError::Token(TokenProblem::TokenExists(_))) => Ok(settings),
        Err(error) => Err(Exit::new(UNAVAILABLE, error)),
    }
}

fn keys(action: KeyAction) -> Result<(), Exit> {
    let path: &Path = match &action {
        KeyAction::List { config }
        | KeyAction::Generate { config, .. }
        | KeyAction::Import { config }
        | KeyAction::Destroy { config, .. } => config,
    };
    let config = Config::load(path, 1).or_exit(CONFIG)?;
    let directory = token::enter(&config.token_dir())?;
    let mut settings = Settings::with_pin_file(directory.user_pin_file());
    settings.module.clone_from(&config.hsm.module);
    with_token(settings, async |hsm| match action {
        KeyAction::List { .. } => list(hsm).await,
        KeyAction::Generate { role, name, .. } => {
            let info = hsm.generate_key(&name.parse().or_exit(DATA)?, parse_role(&role)?).await.or_exit(CHECK)?;
            println!("{} {} {}", info.name, info.role.as_str(), info.kcv);
            Ok(())
        }
        KeyAction::Import { .. } => import(hsm).await,
        KeyAction::Destroy { name, .. } => hsm.destroy_key(&name.parse().or_exit(DATA)?).await.or_exit(CHECK),
    })
}

async fn list(hsm: &Hsm) -> Result<(), Exit> {
    for info in hsm.list_keys().await.or_exit(UNAVAILABLE)? {
        println!("{} {} {}", info.name, info.role.as_str(), info.kcv);
    }
    Ok(())
}

/// Keys from standard input; read whole into wiped memory.
async fn import(hsm: &Hsm) -> Result<(), Exit> {
    let mut text = Zeroizing::new(String::with_capacity(1 << 20));
    std::io::stdin().take(1 << 20).read_to_string(&mut text).or_exit(IO)?;
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: &str| Exit::new(DATA, format!("line {}: {what}", number + 1));
        let mut words = line.split_whitespace();
        let (Some(role), Some(name)) = (words.next(), words.next()) else { return Err(wrong("write: role name hex")) };
        let role = parse_role(role)?;
        let parts: Vec<Zeroizing<Vec<u8>>> =
            words.map(|word| hex::decode(word).map(Zeroizing::new)).collect::<Result<_, _>>().map_err(|_| wrong("not hex"))?;
        let components: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
        let key = match components.as_slice() {
            [] => return Err(wrong("no key")),
            [whole] => ClearKey::new(role, whole),
            several => ClearKey::from_components(role, several),
        };
        let key = key.map_err(|error| wrong(&error.to_string()))?;
        let name = name.parse().map_err(|_| wrong("not a key name"))?;
        let info = hsm.import_key(&name, &key).await.map_err(|error| wrong(&error.to_string()))?;
        println!("{} {} {}", info.name, info.role.as_str(), info.kcv);
    }
    Ok(())
}

fn parse_role(text: &str) -> Result<KeyRole, Exit> {
    [KeyRole::Tpk, KeyRole::Tak, KeyRole::Zpk, KeyRole::Zak, KeyRole::Bdk, KeyRole::Kek]
        .into_iter()
        .find(|role| role.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| Exit::new(DATA, format!("{text} is no role; use tpk, tak, zpk, zak, bdk or kek")))
}
