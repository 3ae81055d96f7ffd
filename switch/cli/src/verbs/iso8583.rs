//! `switchyard iso8583`: one message a line.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use iso8583::{Show, Spec};

use crate::exit::{DATA, Exit, IO, OrExit};

/// What to do with messages.
#[derive(clap::Subcommand)]
pub(crate) enum Action {
    /// Hex lines in, JSON lines out; masked unless --reveal.
    #[command(
        after_help = "A bad line gives {\"error\":{\"kind\",\"field\",\"offset\",\"message\"}}, and exit code 65 at the end.\n\n\
                            Example: echo 30383030… | switchyard iso8583 decode --spec iso87-ascii"
    )]
    Decode {
        #[command(flatten)]
        spec: SpecName,
        /// Show card data.
        #[arg(long)]
        reveal: bool,
    },
    /// JSON lines in, hex lines out.
    #[command(after_help = "Example: echo '{\"mti\":\"0800\",\"fields\":{\"11\":\"000001\",\"70\":\"301\"}}' | \
                            switchyard iso8583 encode --spec iso87-binary")]
    Encode {
        #[command(flatten)]
        spec: SpecName,
        /// JSON lines out: {"hex":…}.
        #[arg(long)]
        json: bool,
    },
    /// Hex lines in; a table with names and a marked hex dump for people, always masked but with --json --reveal.
    #[command(after_help = "Example: echo 30383030… | switchyard iso8583 describe --spec postilion")]
    Describe {
        #[command(flatten)]
        spec: SpecName,
        /// JSON lines, as decode gives them.
        #[arg(long)]
        json: bool,
        /// Show card data; with --json only.
        #[arg(long, requires = "json")]
        reveal: bool,
    },
    /// Field tables: the shipped dialects, and one's own.
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
    /// The shipped dialects as a table.
    #[command(after_help = "Example: switchyard iso8583 spec list --json")]
    List {
        /// One JSON line each.
        #[arg(long)]
        json: bool,
    },
    /// A dialect as the file that it is, to start one's own from; or every field that it comes to.
    #[command(after_help = "Example: switchyard iso8583 spec show visa-base1 --fields")]
    Show {
        /// Its name, or a TOML file.
        name: String,
        /// Every field and subfield as a table, with what is extended.
        #[arg(long)]
        fields: bool,
    },
    /// Check a file: what is wrong with line, column, field and what would be right.
    #[command(after_help = "Example: switchyard iso8583 spec check our-acquirer.toml")]
    Check {
        /// The file.
        file: String,
        /// One JSON line.
        #[arg(long)]
        json: bool,
    },
    /// Another tool's table as ours: the spec to standard output, what it lacks to standard error.
    #[command(after_help = "Exit code 65 where something is lost that changes the wire.\n\n\
                            Example: switchyard iso8583 spec import --from jpos packager.xml > our-acquirer.toml")]
    Import {
        /// The form of the file: the XML of a jPOS GenericPackager, or the JSON of moov-io/iso8583.
        #[arg(long, value_enum)]
        from: Origin,
        /// The file.
        file: PathBuf,
        /// The report as JSON lines.
        #[arg(long)]
        json: bool,
    },
}

/// The tool whose table is imported.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Origin {
    Jpos,
    Moov,
}

pub(crate) fn run(action: Action) -> Result<(), Exit> {
    match action {
        Action::Decode { spec, reveal } => decode_lines(&spec, reveal),
        Action::Encode { spec, json } => {
            let spec = load(&spec.spec)?;
            lines(|line| {
                let message = iso8583::from_json(&spec, line).map_err(|error| error_line("input", &error))?;
                let wire = spec.encode(&message).map_err(|error| encode_error_line(&error))?;
                let wire = hex::encode_upper(wire);
                Ok(if json { serde_json::json!({ "hex": wire }).to_string() } else { wire })
            })
        }
        Action::Describe { spec, json: true, reveal } => decode_lines(&spec, reveal),
        Action::Describe { spec, .. } => {
            let spec = load(&spec.spec)?;
            lines(|line| decode(&spec, line).map(|message| iso8583::describe(&spec, &message)))
        }
        Action::Spec(action) => run_spec(action),
    }
}

fn decode_lines(spec: &SpecName, reveal: bool) -> Result<(), Exit> {
    let (spec, show) = (load(&spec.spec)?, if reveal { Show::Revealed } else { Show::Masked });
    lines(|line| decode(&spec, line).map(|message| iso8583::to_json(&spec, &message, show)))
}

fn run_spec(action: SpecAction) -> Result<(), Exit> {
    match action {
        SpecAction::List { json: false } => print!("{}", iso8583::dialects_table()),
        SpecAction::List { json: true } => {
            for spec in Spec::shipped_names().filter_map(Spec::shipped) {
                let fields = spec.fields().count();
                println!("{}", serde_json::json!({ "name": spec.name(), "title": spec.title(), "fields": fields }));
            }
        }
        SpecAction::Show { name, fields: true } => print!("{}", iso8583::fields_table(load(&name)?.as_ref())),
        SpecAction::Show { name, fields: false } => match Spec::shipped_text(&name) {
            Some(text) => print!("{text}"),
            None => {
                load(&name)?;
                print!("{}", std::fs::read_to_string(&name).or_exit(IO)?);
            }
        },
        SpecAction::Check { file, json } => {
            let spec = load(&file)?;
            let fields = spec.fields().count();
            if json {
                println!("{}", serde_json::json!({ "file": file, "name": spec.name(), "fields": fields }));
            } else {
                println!("{file}: good; {fields} fields");
            }
        }
        SpecAction::Import { from, file, json } => return import(from, &file, json),
    }
    Ok(())
}

fn import(from: Origin, file: &Path, json: bool) -> Result<(), Exit> {
    let text = std::fs::read_to_string(file).or_exit(IO)?;
    let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let imported = match from {
        Origin::Jpos => iso8583::import::jpos(&name, &text),
        Origin::Moov => iso8583::import::moov(&name, &text),
    };
    let imported = imported.map_err(|error| Exit::new(DATA, format!("{}: {error}", file.display())))?;
    print!("{}", imported.toml);
    for loss in &imported.losses {
        if json {
            let iso8583::import::Loss { field, what, why, essential } = loss;
            eprintln!("{}", serde_json::json!({ "field": field, "what": what, "why": why, "essential": essential }));
        } else {
            eprintln!("{loss}");
        }
    }
    if imported.is_incomplete() { Err(Exit::new(DATA, "the spec must be finished by hand: see what is lost")) } else { Ok(()) }
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
    let beside = Path::new(name).parent().unwrap_or(Path::new(""));
    let extended = |file: &str| std::fs::read_to_string(beside.join(file)).ok();
    Spec::load(name, &text, &extended).map(Arc::new).map_err(|error| Exit::new(DATA, error.to_string()))
}

fn decode(spec: &Spec, line: &str) -> Result<iso8583::Message, String> {
    let bytes = hex::decode(line.trim()).map_err(|_| error_line("bad_hex", &"a line is whole bytes in hexadecimal"))?;
    spec.decode(Bytes::from(bytes)).map_err(|error| iso8583::error_to_json(&error))
}

/// A line that is no message: nothing to point at but the line.
fn error_line(kind: &str, error: &dyn std::fmt::Display) -> String {
    let error = serde_json::json!({ "kind": kind, "field": null, "offset": null, "message": error.to_string() });
    serde_json::json!({ "error": error }).to_string()
}

/// Of a message that cannot be written the offset counts in the content of the field.
fn encode_error_line(error: &iso8583::EncodeError) -> String {
    let (kind, field) = (error.kind.as_str(), format!("{}{}", error.place, error.path));
    let error = serde_json::json!({ "kind": kind, "field": field, "offset": error.offset, "message": error.to_string() });
    serde_json::json!({ "error": error }).to_string()
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
