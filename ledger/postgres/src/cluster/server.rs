//! Which PostgreSQL is installed, and what it can do.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// Where Debian and its kin put servers: one folder per major version, not on `PATH`.
const INSTALLED: &str = "/usr/lib/postgresql";

/// The oldest major version that is supported.
const OLDEST: u32 = 15;

/// An installed server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Folder of `postgres`, `initdb` and the rest.
    pub(crate) bin: PathBuf,
    /// Whether it was built with lz4 (for full pages in the WAL and long values).
    pub(crate) lz4: bool,
}

impl Server {
    /// The one that made a data directory, or the newest one where there is no data yet.
    pub(crate) fn for_data(data: &Path) -> Result<Self, Error> {
        let made_by = std::fs::read_to_string(data.join("PG_VERSION")).ok().and_then(|text| text.trim().parse().ok());
        let chosen = installed(Path::new(INSTALLED)).filter(|(major, _)| made_by.is_none_or(|made_by| made_by == *major));
        let (major, bin) = chosen.max_by_key(|(major, _)| *major).ok_or_else(|| match made_by {
            Some(version) => Error::Gone { version },
            None => Error::NoServer { looked: INSTALLED.into() },
        })?;
        if major < OLDEST {
            return Err(Error::TooOld { found: major, wanted: OLDEST });
        }
        let lz4 = Command::new(bin.join("pg_config"))
            .arg("--configure")
            .current_dir("/")
            .output()
            .is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("--with-lz4"));
        Ok(Self { bin, lz4 })
    }
}

/// The major versions under `folder` that have a server, with their folders of programs.
fn installed(folder: &Path) -> impl Iterator<Item = (u32, PathBuf)> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|version| Some((version.file_name().to_str()?.parse::<u32>().ok()?, version.path().join("bin"))))
        .filter(|(_, bin)| bin.join("postgres").is_file() && bin.join("initdb").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_a_whole_server_are_found() {
        let root = std::env::temp_dir().join(format!("switchyard-versions-{}", std::process::id()));
        for (version, complete) in [("9", true), ("15", true), ("16", false), ("common", true)] {
            let bin = root.join(version).join("bin");
            std::fs::create_dir_all(&bin).unwrap();
            std::fs::write(bin.join("postgres"), "").unwrap();
            if complete {
                std::fs::write(bin.join("initdb"), "").unwrap();
            }
        }
        let mut found: Vec<_> = installed(&root).collect();
        found.sort();
        assert_eq!(found, [(9, root.join("9/bin")), (15, root.join("15/bin"))]);
        assert_eq!(installed(&root.join("nothing")).count(), 0);
        std::fs::remove_dir_all(&root).unwrap();
    }
}
