//! `switchyard hsm`: the token and its keys.

use std::io::Read;
use std::path::{Path, PathBuf};

use crypto::CryptoError;
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
    #[command(subcommand, after_help = "Example: switchyard hsm key list --config lab/switchyard.toml")]
    Key(KeyAction),
}

/// What to do with keys.
#[derive(clap::Subcommand)]
pub(crate) enum KeyAction {
    /// List them with roles and check values.
    #[command(after_help = "Example: switchyard hsm key list --config lab/switchyard.toml")]
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
    /// Take keys in from clear material on standard input, a line each: `role name hex [hex…]` (components are
    /// joined by XOR). TDES keys have odd parity. A key that is there already with the same check value is
    /// left as it is. For laboratories.
    #[command(
        after_help = "Example: echo 'zpk zpk-dual 0123456789ABCDEFFEDCBA9876543210' | switchyard hsm key import --config lab/switchyard.toml"
    )]
    Import {
        /// The configuration.
        #[arg(long)]
        config: PathBuf,
        /// Set odd parity in TDES keys that come without it.
        #[arg(long)]
        adjust_parity: bool,
    },
    /// Remove one for good.
    #[command(after_help = "Example: switchyard hsm key destroy --config lab/switchyard.toml tpk-term0001")]
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
            let config = Config::load(&config).or_exit(CONFIG)?;
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
        | KeyAction::Import { config, .. }
        | KeyAction::Destroy { config, .. } => config,
    };
    let config = Config::load(path).or_exit(CONFIG)?;
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
        KeyAction::Import { adjust_parity, .. } => import(hsm, adjust_parity).await,
        KeyAction::Destroy { name, .. } => hsm.destroy_key(&name.parse().or_exit(DATA)?).await.or_exit(CHECK),
    })
}

async fn list(hsm: &Hsm) -> Result<(), Exit> {
    for info in hsm.list_keys().await.or_exit(UNAVAILABLE)? {
        println!("{} {} {}", info.name, info.role.as_str(), info.kcv);
    }
    Ok(())
}

/// Keys from standard input; read whole into wiped memory. Every line is understood before the first key is
/// taken in, and a key that is there already, the same by role and check value, is success: an import that was
/// cut off is run again.
async fn import(hsm: &Hsm, adjust: bool) -> Result<(), Exit> {
    let mut text = Zeroizing::new(String::with_capacity(1 << 20));
    std::io::stdin().take(1 << 20).read_to_string(&mut text).or_exit(IO)?;
    let keys = understand(&text, adjust)?;
    for (number, name, key) in &keys {
        let wrong = |what: &str| Exit::new(DATA, format!("line {number}: {what}"));
        let (info, what) = match hsm.import_key(name, key).await {
            Ok(info) => (info, ""),
            Err(HsmError::KeyExists(_)) => {
                let info = hsm.key(name).await.map_err(|error| wrong(&error.to_string()))?;
                if (info.role, info.kcv) != (key.role(), key.kcv()) {
                    let (role, kcv) = (info.role.as_str(), info.kcv);
                    let what =
                        format!("{name} is there already, another key: {role} {kcv}; `switchyard hsm key destroy` removes it");
                    return Err(wrong(&what));
                }
                (info, " (there already)")
            }
            Err(error) => return Err(wrong(&error.to_string())),
        };
        println!("{} {} {}{what}", info.name, info.role.as_str(), info.kcv);
    }
    Ok(())
}

/// The keys of every line, each with its line number.
fn understand(text: &str, adjust: bool) -> Result<Vec<(usize, KeyName, ClearKey)>, Exit> {
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: &str| Exit::new(DATA, format!("line {}: {what}; no key was taken in", number + 1));
        let mut words = line.split_whitespace();
        let (Some(role), Some(name)) = (words.next(), words.next()) else { return Err(wrong("write: role name hex")) };
        let role = parse_role(role).map_err(|exit| wrong(&exit.what))?;
        let parts: Vec<Zeroizing<Vec<u8>>> =
            words.map(|word| hex::decode(word).map(Zeroizing::new)).collect::<Result<_, _>>().map_err(|_| wrong("not hex"))?;
        let components: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
        let key = match components.as_slice() {
            [] => return Err(wrong("no key")),
            [whole] if adjust => ClearKey::with_odd_parity(role, whole),
            [whole] => ClearKey::new(role, whole),
            several => ClearKey::from_components(role, several),
        };
        let key = key.map_err(|error| match error {
            HsmError::KeyRefused(CryptoError::Parity) => wrong(
                "each byte of a TDES key has odd parity (FIPS 46-3) and this key has not: it was mistyped, or it comes from \
                 somebody who leaves parity out; then --adjust-parity sets it, which changes neither cipher nor check value",
            ),
            error => wrong(&error.to_string()),
        })?;
        let name = name.parse().map_err(|_| wrong("not a key name"))?;
        keys.push((number + 1, name, key));
    }
    Ok(keys)
}

fn parse_role(text: &str) -> Result<KeyRole, Exit> {
    [KeyRole::Tpk, KeyRole::Tak, KeyRole::Zpk, KeyRole::Zak, KeyRole::Bdk, KeyRole::Kek]
        .into_iter()
        .find(|role| role.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| Exit::new(DATA, format!("{text} is no role; use tpk, tak, zpk, zak, bdk or kek")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        understand(text, false).err().map(|exit| exit.what).unwrap_or_default()
    }

    #[test]
    fn a_key_without_parity_is_told_with_its_fix_and_can_be_taken_with_it() {
        let even = "zpk zpk-dual 0023456789ABCDEFFEDCBA9876543210";
        let told = refused(even);
        assert!(told.contains("line 1") && told.contains("odd parity") && told.contains("--adjust-parity"), "{told}");
        assert!(!told.contains("0023"), "no key material in an error");
        let taken = understand(even, true).unwrap();
        let odd = understand("zpk zpk-dual 0123456789ABCDEFFEDCBA9876543210", false).unwrap();
        assert_eq!(taken[0].2.kcv(), odd[0].2.kcv());
    }

    #[test]
    fn one_bad_line_of_several_takes_nothing_in() {
        let good = "zpk zpk-dual 0123456789ABCDEFFEDCBA9876543210\n";
        assert_eq!(understand(&good.repeat(2), false).unwrap().len(), 2);
        for bad in
            ["zpk", "xyz name 00", "zpk name", "zpk name 0G", "zpk name 0123", "zpk bad/name 0123456789ABCDEFFEDCBA9876543210"]
        {
            let told = refused(&format!("{good}\n{bad}\n"));
            assert!(told.starts_with("line 3: ") && told.ends_with("no key was taken in"), "{told}");
        }
    }
}
