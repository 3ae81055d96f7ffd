//! `switchyard clearing`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use payments::{BusinessDate, Wall};
use serde_json::{Value, json};
use settlement::clearing::{Endpoint, Published, SetAside, read_manifest, read_rows};
use settlement::reconciliation::Cleared;
use settlement::record::publish_day;
use switch::Config;

use super::clearing_read;
use crate::books::Books;
use crate::clearing_file::ClearingFile;
use crate::exit::{CHECK, CONFIG, DATA, Exit, IO, OrExit, UNAVAILABLE};
use crate::token::{self, runtime};
use crate::verbs::admin;

/// What to do with clearing files.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Freeze a closed business day and publish its files; a second run finds them. What cannot be presented
    /// is set aside, listed, and makes the exit code 1.
    #[command(
        after_help = "Example: switchyard clearing build --config lab/switchyard.toml --date 2026-11-21 --admin 127.0.0.1:9100"
    )]
    Build {
        /// The configuration; `clearing.toml` lies beside it.
        #[arg(long)]
        config: PathBuf,
        /// The closed day.
        #[arg(long)]
        date: String,
        /// The running switch, which posts what was sent, once, however often it is told.
        #[arg(long)]
        admin: Option<String>,
    },
    /// List the records of a published file, card numbers masked.
    #[command(
        after_help = "Example: switchyard clearing read --config lab/switchyard.toml lab/clearing/scheme1-2026-11-21-00001.json"
    )]
    Read {
        /// The configuration; `clearing.toml` lies beside it.
        #[arg(long)]
        config: PathBuf,
        /// The manifest.
        manifest: PathBuf,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
        /// Show card numbers in full.
        #[arg(long)]
        reveal: bool,
    },
    /// Check a published file against its manifest.
    #[command(
        after_help = "Example: switchyard clearing verify --config lab/switchyard.toml lab/clearing/scheme1-2026-11-21-00001.json"
    )]
    Verify {
        /// The configuration; `clearing.toml` lies beside it.
        #[arg(long)]
        config: PathBuf,
        /// The manifest.
        manifest: PathBuf,
    },
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    match action {
        Action::Build { config, date, admin } => build(&config, &date, admin.as_deref()),
        Action::Read { config, manifest, json, reveal } => {
            let (endpoint, described) = described(&config, &manifest)?;
            let data = File::open(manifest.with_file_name(&described.file)).or_exit(IO)?;
            clearing_read::print(data, endpoint.format(), json, reveal)
        }
        Action::Verify { config, manifest } => {
            let (endpoint, described) = described(&config, &manifest)?;
            let path = manifest.with_file_name(&described.file);
            let (rows, _) = read_rows(File::open(&path).or_exit(IO)?, endpoint.format()).or_exit(DATA)?;
            let sha256 = hash(&path)?;
            if sha256 != described.sha256.as_str() {
                return Err(Exit::new(
                    CHECK,
                    format!("{}: sha256 is {sha256}, the manifest says {}", path.display(), described.sha256),
                ));
            }
            if rows.len() as u64 != described.presentments {
                return Err(Exit::new(
                    CHECK,
                    format!("{} presentments, the manifest says {}", rows.len(), described.presentments),
                ));
            }
            println!("{}: {} presentments, sha256 {sha256}: good", path.display(), rows.len());
            Ok(())
        }
    }
}

fn build(path: &Path, date: &str, admin_port: Option<&str>) -> Result<(), Exit> {
    let date = BusinessDate::parse(date).map_err(|_| Exit::new(DATA, "write the date as YYYY-MM-DD"))?;
    let config = Config::load(path).or_exit(CONFIG)?;
    let ClearingFile { endpoints, directory } = ClearingFile::load(&config)?;
    token::enter(&config.token_dir())?;
    let done = runtime()?.block_on(async {
        let books = Books::open(path).await?;
        let hsm = switch::open_hsm(&books.config).await.or_exit(UNAVAILABLE)?;
        let vault = switch::open_vault(&books.config, &hsm, &books.database).await.or_exit(UNAVAILABLE)?;
        let mut client = books.connect().await?;
        let mut done = Ok(());
        for endpoint in &endpoints {
            let cards = Arc::new(vault.clone());
            let published = publish_day(&mut client, endpoint, date, directory.clone(), cards, now()).await;
            let told = match &published {
                Ok((published, aside)) => tell(published, aside, admin_port),
                Err(error) => Err(Exit::new(CHECK, error)),
            };
            // One endpoint's trouble is not another's: go on, and end with the first.
            if let Err(exit) = told {
                let exit = Exit::new(exit.code, format!("endpoint {}: {}", endpoint.name, exit.what));
                match &done {
                    Ok(()) => done = Err(exit),
                    Err(_) => eprintln!("switchyard: {}", exit.what),
                }
            }
        }
        hsm.close().await;
        done
    });
    hsm::pkcs11::finalize();
    done
}

/// Has the switch post what was sent, and says what the file is and what is not in it.
fn tell(published: &Published, aside: &[SetAside], admin_port: Option<&str>) -> Result<(), Exit> {
    let Published { manifest, data, mark, found } = published;
    let sent = manifest.sent().or_exit(CHECK)?;
    let posted = admin_port.map(|port| {
        let post = |sent: &settlement::clearing::Sent| {
            let order = json!({
                "file": sent.reference,
                "network": manifest.network,
                "currency": sent.sales.currency(),
                "sales_minor": sent.sales.minor(),
                "refunds_minor": sent.refunds.minor(),
            });
            admin::post(port, "/v1/clearing-sent", &order)
        };
        sent.iter().map(post).collect::<Result<Vec<Value>, Exit>>()
    });
    let items: Vec<Value> = aside.iter().map(described_aside).collect();
    let line = json!({
        "file": data,
        "manifest": mark,
        "found": found,
        "records": manifest.presentments,
        "totals": manifest.totals,
        "sha256": manifest.sha256,
        "notes": manifest.notes,
        "set_aside": items,
        "posted": posted.as_ref().and_then(|posted| posted.as_ref().ok()),
    });
    println!("{line}");
    if posted.is_none() && !sent.is_empty() {
        eprintln!(
            "switchyard: the ledger was not told that {} was sent; run the same command with --admin ADDRESS of the running switch",
            manifest.file
        );
    }
    for one in aside {
        eprintln!("switchyard: set aside: payment {}, {:?} of {}: {}", one.payment, one.movement, one.amount, one.reason);
    }
    // A file that could not be posted is the graver news.
    posted.unwrap_or(Ok(Vec::new()))?;
    if aside.is_empty() {
        Ok(())
    } else {
        Err(Exit::new(CHECK, format!("{} captures are in no file: set aside, see docs/clearing.md", aside.len())))
    }
}

fn described_aside(aside: &SetAside) -> Value {
    json!({
        "payment": aside.payment,
        "movement": aside.movement,
        "amount_minor": aside.amount.minor(),
        "currency": aside.amount.currency(),
        "reason": aside.reason,
    })
}

/// Every presentment of every published file, and the last business date among them.
pub(crate) fn cleared(config: &Path) -> Result<(Vec<Cleared>, Option<BusinessDate>), Exit> {
    let config = Config::load(config).or_exit(CONFIG)?;
    let ClearingFile { endpoints, directory } = ClearingFile::load(&config)?;
    let (mut cleared, mut last) = (Vec::new(), None);
    for entry in std::fs::read_dir(&directory).or_exit(IO)? {
        let mark = entry.or_exit(IO)?.path();
        if mark.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let Some(manifest) = read_manifest(&mark).or_exit(DATA)? else { continue };
        let endpoint = endpoints.iter().find(|endpoint| endpoint.name == manifest.endpoint);
        let endpoint = endpoint.ok_or_else(|| Exit::new(CONFIG, format!("no endpoint is named {}", manifest.endpoint)))?;
        let data = File::open(mark.with_file_name(&manifest.file)).or_exit(IO)?;
        let (rows, _) = read_rows(data, endpoint.format()).or_exit(DATA)?;
        cleared.extend(rows.into_iter().map(|row| Cleared { file: manifest.file.clone(), row }));
        last = last.max(Some(manifest.business_date));
    }
    Ok((cleared, last))
}

fn described(config: &Path, manifest: &Path) -> Result<(Endpoint, settlement::clearing::Manifest), Exit> {
    let described = read_manifest(manifest).or_exit(DATA)?;
    let described = described.ok_or_else(|| Exit::new(DATA, format!("{} is not there", manifest.display())))?;
    let config = Config::load(config).or_exit(CONFIG)?;
    let endpoints = ClearingFile::load(&config)?.endpoints;
    let endpoint = endpoints.into_iter().find(|endpoint| endpoint.name == described.endpoint);
    let endpoint = endpoint.ok_or_else(|| Exit::new(CONFIG, format!("no endpoint is named {}", described.endpoint)))?;
    Ok((endpoint, described))
}

fn hash(path: &Path) -> Result<String, Exit> {
    use sha2::Digest;
    let bytes = std::fs::read(path).or_exit(IO)?;
    Ok(hex::encode(sha2::Sha256::digest(&bytes)))
}

pub(super) fn now() -> Wall {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
