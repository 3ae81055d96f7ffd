//! `switchyard iso8583`: one message a line.

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use iso8583::{Show, Spec};

use crate::exit::{DATA, Exit, IO, OrExit};

/// What to do with messages.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Hex lines in, JSON lines out; masked unless --reveal.
    #[command(after_help = "Example: echo 30383030… | switchyard iso8583 decode --spec iso87-ascii")]
    Decode {
        #[command(flatten)]
        spec: SpecName,
        /// Show card data.
        #[arg(long)]
        reveal: bool,
    },
    /// JSON lines in, hex lines out.
    #[command(
        after_help = "Example: echo '{\"mti\":\"0800\",\"fields\":{\"70\":\"301\"}}' | switchyard iso8583 encode --spec iso87-ascii"
    )]
    Encode {
        #[command(flatten)]
        spec: SpecName,
    },
    /// Hex lines in; a table with names for people, always masked.
    #[command(after_help = "Example: echo 30383030… | switchyard iso8583 describe --spec iso87-ascii")]
    Describe {
        #[command(flatten)]
        spec: SpecName,
    },
    /// Shipped field tables.
    #[command(subcommand, after_help = "Example: switchyard iso8583 spec show iso87-ascii")]
    Spec(SpecAction),
}

/// A field table.
#[derive(clap::Args)]
pub(crate) struct SpecName {
    /// Name of a shipped field table, or a TOML file.
    #[arg(long, default_value = "iso87-ascii")]
    spec: String,
}

/// What to do with field tables.
#[derive(clap::Subcommand)]
pub(crate) enum SpecAction {
    /// Names of the shipped ones.
    #[command(after_help = "Example: switchyard iso8583 spec list")]
    List,
    /// One of them, as a file.
    #[command(after_help = "Example: switchyard iso8583 spec show iso87-ascii")]
    Show {
        /// Its name.
        name: String,
    },
    /// Check a file.
    #[command(after_help = "Example: switchyard iso8583 spec check own.toml")]
    Check {
        /// The file.
        file: String,
    },
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    match action {
        Action::Decode { spec, reveal } => {
            let (spec, show) = (load(&spec.spec)?, if reveal { Show::Revealed } else { Show::Masked });
            lines(|line| match decode(&spec, line) {
                Ok(message) => Ok(iso8583::to_json(&spec, &message, show)),
                Err(error) => Err(error),
            })
        }
        Action::Encode { spec } => {
            let spec = load(&spec.spec)?;
            lines(|line| {
                let message = iso8583::from_json(&spec, line).map_err(|error| error_line(&error))?;
                spec.encode(&message).map(hex::encode_upper).map_err(|error| error_line(&error))
            })
        }
        Action::Describe { spec } => {
            let spec = load(&spec.spec)?;
            lines(|line| decode(&spec, line).map(|message| iso8583::describe(&spec, &message)))
        }
        Action::Spec(SpecAction::List) => {
            Spec::shipped_names().for_each(|name| println!("{name}"));
            Ok(())
        }
        Action::Spec(SpecAction::Show { name }) => {
            let text = Spec::shipped_text(&name).ok_or_else(|| Exit::new(DATA, format!("no field table is named {name}")))?;
            print!("{text}");
            Ok(())
        }
        Action::Spec(SpecAction::Check { file }) => {
            let spec = load(&file)?;
            println!("{file}: good; {} fields", spec.fields().count());
            Ok(())
        }
    }
}

fn load(name: &str) -> Result<Arc<Spec>, Exit> {
    if let Some(spec) = Spec::shipped(name) {
        return Ok(spec);
    }
    if !Path::new(name).exists() {
        let shipped: Vec<_> = Spec::shipped_names().collect();
        return Err(Exit::new(DATA, format!("{name} is no file and no shipped field table ({})", shipped.join(", "))));
    }
    let text = std::fs::read_to_string(name).or_exit(IO)?;
    Spec::from_toml(&text).map(Arc::new).map_err(|error| Exit::new(DATA, format!("{name}: {error}")))
}

fn decode(spec: &Spec, line: &str) -> Result<iso8583::Message, String> {
    let bytes = hex::decode(line.trim()).map_err(|error| error_line(&error))?;
    spec.decode(Bytes::from(bytes)).map_err(|error| iso8583::error_to_json(&error))
}

fn error_line(error: &dyn std::fmt::Display) -> String {
    serde_json::json!({ "error": { "kind": "input", "message": error.to_string() } }).to_string()
}

/// Every line of standard input; a bad one does not end the run, but its exit code.
fn lines(mut each: impl FnMut(&str) -> Result<String, String>) -> Result<(), Exit> {
    let (mut bad, mut out) = (0u64, std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line.or_exit(IO)?;
        if line.trim().is_empty() {
            continue;
        }
        let text = each(&line).unwrap_or_else(|error| {
            bad += 1;
            error
        });
        writeln!(out, "{text}").or_exit(IO)?;
    }
    if bad == 0 { Ok(()) } else { Err(Exit::new(DATA, format!("{bad} lines could not be read"))) }
}
