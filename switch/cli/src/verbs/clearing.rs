//! `switchyard clearing` and `switchyard recon`.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use payments::{BusinessDate, LinkId, Wall};
use serde::Deserialize;
use serde_json::{Value, json};
use settlement::clearing::{Endpoint, read_manifest, read_rows};
use settlement::reconciliation::Cleared;
use settlement::record::{publish_day, reconcile_network};

use crate::books::Books;
use crate::exit::{CHECK, CONFIG, DATA, Exit, IO, OrExit, UNAVAILABLE};
use crate::token::{self, runtime};
use crate::verbs::admin;

/// `clearing.toml`, beside the configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClearingFile {
    directory: PathBuf,
    #[serde(default)]
    endpoint: Vec<Endpoint>,
}

/// What to do with clearing files.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Freeze a closed business day and publish its files. A second run finds them.
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
        /// The running switch, which posts what was sent.
        #[arg(long)]
        admin: Option<String>,
    },
    /// List the records of a published file, without card data.
    Read {
        /// The configuration; `clearing.toml` lies beside it.
        #[arg(long)]
        config: PathBuf,
        /// The manifest.
        manifest: PathBuf,
    },
    /// Check a published file against its manifest.
    Verify {
        /// The configuration; `clearing.toml` lies beside it.
        #[arg(long)]
        config: PathBuf,
        /// The manifest.
        manifest: PathBuf,
    },
}

/// What to reconcile.
#[derive(clap::Subcommand)]
pub(crate) enum ReconAction {
    /// Reconcile file, ledger and issuer's report of a network, item by item.
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
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    match action {
        Action::Build { config, date, admin } => build(&config, &date, admin.as_deref()),
        Action::Read { config, manifest } => {
            let (endpoint, described) = described(&config, &manifest)?;
            let data = File::open(manifest.with_file_name(&described.file)).or_exit(IO)?;
            let (rows, _) = read_rows(data, endpoint.format()).or_exit(DATA)?;
            rows.iter().for_each(|row| println!("{row:?}"));
            Ok(())
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
    let (clearing, directory) = endpoints(path)?;
    let config = switch::Config::load(path, 1).or_exit(CONFIG)?;
    token::enter(&config.token_dir())?;
    runtime()?.block_on(async {
        let books = Books::open(path).await?;
        let hsm = switch::open_hsm(&books.config).await.or_exit(UNAVAILABLE)?;
        let vault = switch::open_vault(&books.config, &hsm, &books.database).await.or_exit(UNAVAILABLE)?;
        let mut client = books.connect().await?;
        for endpoint in &clearing {
            let cards = Arc::new(vault.clone());
            let published = publish_day(&mut client, endpoint, date, directory.clone(), cards, now()).await.or_exit(CHECK)?;
            if let Some(port) = admin_port {
                for sent in published.manifest.sent().or_exit(CHECK)? {
                    let order = json!({
                        "file": sent.reference,
                        "network": published.manifest.network,
                        "currency": sent.sales.currency(),
                        "sales_minor": sent.sales.minor(),
                        "refunds_minor": sent.refunds.minor(),
                    });
                    admin::post(port, "/v1/clearing-sent", &order)?;
                }
            }
            let line: Value = json!({
                "file": published.data,
                "manifest": published.mark,
                "found": published.found,
                "records": published.manifest.presentments,
                "totals": published.manifest.totals,
                "sha256": published.manifest.sha256,
            });
            println!("{line}");
        }
        hsm.close().await;
        Ok(())
    })?;
    hsm::pkcs11::finalize();
    Ok(())
}

pub(crate) fn recon(action: ReconAction) -> Result<(), Exit> {
    let ReconAction::Run { config, network, report } = action;
    let network = LinkId::new(&network).map_err(|error| Exit::new(DATA, error))?;
    let (_, directory) = endpoints(&config)?;
    runtime()?.block_on(async {
        let books = Books::open(&config).await?;
        let mut client = books.connect().await?;
        let source = BufReader::new(File::open(&report).or_exit(IO)?);
        let done = reconcile_network(&mut client, &directory, &network, source).await.or_exit(CHECK)?;
        println!("{}", json!(done));
        if done.proves() {
            Ok(())
        } else if done.breaks.is_empty() {
            Err(Exit::new(CHECK, "nothing was looked at in one of the books"))
        } else {
            Err(Exit::new(CHECK, format!("{} breaks", done.breaks.len())))
        }
    })
}

/// Every presentment of every published file, and the last business date among them.
pub(crate) fn cleared(config: &Path) -> Result<(Vec<Cleared>, Option<BusinessDate>), Exit> {
    let (endpoints, directory) = endpoints(config)?;
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

/// The endpoints and the directory of their files.
fn endpoints(config: &Path) -> Result<(Vec<Endpoint>, PathBuf), Exit> {
    let base = config.parent().unwrap_or(Path::new("."));
    let path = base.join("clearing.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| Exit::new(CONFIG, format!("{}: {error}", path.display())))?;
    let file: ClearingFile = toml::from_str(&text).map_err(|error| Exit::new(CONFIG, format!("{}: {error}", path.display())))?;
    for endpoint in &file.endpoint {
        endpoint.validate().or_exit(CONFIG)?;
    }
    Ok((file.endpoint, base.join(file.directory)))
}

fn described(config: &Path, manifest: &Path) -> Result<(Endpoint, settlement::clearing::Manifest), Exit> {
    let described = read_manifest(manifest).or_exit(DATA)?;
    let described = described.ok_or_else(|| Exit::new(DATA, format!("{} is not there", manifest.display())))?;
    let (endpoints, _) = endpoints(config)?;
    let endpoint = endpoints.into_iter().find(|endpoint| endpoint.name == described.endpoint);
    let endpoint = endpoint.ok_or_else(|| Exit::new(CONFIG, format!("no endpoint is named {}", described.endpoint)))?;
    Ok((endpoint, described))
}

fn hash(path: &Path) -> Result<String, Exit> {
    use sha2::Digest;
    let bytes = std::fs::read(path).or_exit(IO)?;
    Ok(hex::encode(sha2::Sha256::digest(&bytes)))
}

fn now() -> Wall {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
