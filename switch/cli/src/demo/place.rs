//! Where a demonstration writes, and what of it stays for people to look at.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::exit::{Exit, IO};

/// Directories of our own are made here: on a disk, and reachable for the database's account.
const BASE: &str = "/var/tmp";
const PREFIX: &str = "switchyard-demo-";
/// What the demonstration found, the JSON object of `--json`. Written last: a directory that has it is
/// of a run that has ended.
const SUMMARY: &str = "summary.json";

/// A directory.
pub(super) struct Place {
    pub(super) dir: PathBuf,
    /// Whether the name is ours, and so is the tidying.
    own: bool,
}

impl Place {
    /// The directory asked for, or a fresh one; then what earlier good runs left is removed.
    pub(super) fn take(wanted: Option<&Path>) -> Result<Self, Exit> {
        let failed = |dir: &Path, why: std::io::Error| Exit::new(IO, format!("{} cannot be made: {why}", dir.display()));
        match wanted {
            Some(dir) => {
                std::fs::create_dir_all(dir).map_err(|why| failed(dir, why))?;
                Ok(Self { dir: dir.to_owned(), own: false })
            }
            None => {
                prune(Path::new(BASE));
                let dir = Path::new(BASE).join(format!("{PREFIX}{}", std::process::id()));
                std::fs::create_dir(&dir).map_err(|why| failed(&dir, why))?;
                Ok(Self { dir, own: true })
            }
        }
    }

    /// Writes the summary. Of a good run of our own nothing stays but what there is to look at: its
    /// database and its token go. Says what is where.
    pub(super) fn finish(&self, good: bool, keep: bool, summary: &Value) {
        let dir = self.dir.display();
        let tidy = self.own && good && !keep;
        if tidy && let Err(why) = std::fs::remove_dir_all(self.dir.join("conf/data")) {
            println!("the database and the token in {dir}/conf/data could not be removed: {why}");
        }
        if let Err(why) = std::fs::write(self.dir.join(SUMMARY), format!("{summary}\n")) {
            println!("{dir}/{SUMMARY} could not be written: {why}");
        }
        println!("where to look, below {dir}:");
        println!("  conf/clearing/           clearing files and their manifests");
        println!("  *.book.ndjson            the books of terminals, issuers, instructing party and bank");
        println!("  *.report.ndjson          the issuers' reports");
        println!("  *.log                    logs");
        println!("  conf/*.toml              configuration");
        println!("  {SUMMARY}             what was found");
        if tidy {
            println!("its database and its token were removed; the next ./dev demo removes the rest");
        } else {
            println!("  conf/data/               the database and the token; nothing of this is removed by itself");
        }
    }
}

/// Removes what good runs of this user left below `base`. What cannot be removed is left: somebody may
/// look at it just now.
fn prune(base: &Path) {
    let me = rustix::process::geteuid().as_raw();
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
            && entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == me);
        if ours && was_good(&entry.path()) && std::fs::remove_dir_all(entry.path()).is_ok() {
            println!("removed {}, what an earlier run left", entry.path().display());
        }
    }
}

/// Whether a run in this directory ended, and nothing of it is worth keeping.
fn was_good(dir: &Path) -> bool {
    let summary = std::fs::read_to_string(dir.join(SUMMARY)).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let tidied = !dir.join("conf/data").exists();
    tidied && summary.is_some_and(|summary| summary["good"] == Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_ended_good_run_left_is_pruned() {
        let base = std::env::temp_dir().join(format!("place-{:x}", fastrand::u64(..)));
        let make = |name: &str, summary: Option<&str>, data: bool| {
            let dir = base.join(name);
            std::fs::create_dir_all(dir.join("conf")).unwrap();
            if let Some(summary) = summary {
                std::fs::write(dir.join(SUMMARY), summary).unwrap();
            }
            if data {
                std::fs::create_dir(dir.join("conf/data")).unwrap();
            }
            dir
        };
        let gone = make("switchyard-demo-1", Some("{\"good\":true}"), false);
        let stay = [
            make("switchyard-demo-2", None, true),
            make("switchyard-demo-3", Some("{\"good\":false}"), false),
            make("switchyard-demo-4", Some("{\"good\":true}"), true),
            make("somebody-else", Some("{\"good\":true}"), false),
        ];
        prune(&base);
        assert!(!gone.exists());
        assert!(stay.iter().all(|dir| dir.exists()), "running, failed, kept and foreign ones stay");
        std::fs::remove_dir_all(&base).unwrap();
    }
}
