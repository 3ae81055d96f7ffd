//! Why the database could not be had. What happens to a batch has errors of its own, in
//! [`ledger::CommitError`]; none of either holds card data.

use std::path::{Path, PathBuf};

/// Why the database could not be found, started, reached or brought up to date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No PostgreSQL server is installed where Debian puts it.
    #[error("PostgreSQL is not installed under {}; install it: apt-get install postgresql", looked.display())]
    NoServer {
        /// Where we looked.
        looked: PathBuf,
    },
    /// A server is there, but too old.
    #[error("PostgreSQL {found} is too old; install {wanted} or newer")]
    TooOld {
        /// Major version found.
        found: u32,
        /// Major version wanted at least.
        wanted: u32,
    },
    /// The version that made the data directory is not installed any more.
    #[error("the data is of PostgreSQL {version}, which is not installed; install it: apt-get install postgresql-{version}")]
    Gone {
        /// Its major version.
        version: u32,
    },
    /// PostgreSQL refuses to run as root and the account that it should run as does not exist.
    #[error("there is no account {name:?} to run PostgreSQL as; install the postgresql package, or run as a normal user")]
    NoAccount {
        /// Name of the account.
        name: String,
    },
    /// The data directory lies in memory: nothing there survives a power cut.
    #[error("{} is on a tmpfs, where nothing survives a power cut; use a directory on a disk", path.display())]
    InMemory {
        /// The directory.
        path: PathBuf,
    },
    /// A directory that we would use belongs to somebody else, or others may write to it.
    #[error("{} is not ours alone ({why}); remove it or choose another data directory", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another process has the data directory.
    #[error("{} is in use by {by}; stop that one first or choose another data directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Who has it.
        by: String,
    },
    /// The directory holds something that is not a cluster of ours.
    #[error("{} is not a database cluster, and not empty; choose another data directory", path.display())]
    NotACluster {
        /// The directory.
        path: PathBuf,
    },
    /// `initdb` failed.
    #[error("initdb failed: {log}")]
    Initdb {
        /// The end of what it said.
        log: String,
    },
    /// The server ended instead of starting.
    #[error("PostgreSQL did not start; the end of {}: {log}", path.display())]
    Start {
        /// Its log file.
        path: PathBuf,
        /// The end of it.
        log: String,
    },
    /// The server started but did not become ready in time.
    #[error("PostgreSQL is not ready after {seconds} s; see {}", path.display())]
    NotReady {
        /// How long we waited.
        seconds: u64,
        /// Its log file.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("cannot {what} {}: {why}", path.display())]
    Io {
        /// What we wanted, a verb.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The connection string is wrong.
    #[error("connection string: {0}")]
    ConnectionString(String),
    /// The server cannot be reached, or ended the connection.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// A setting of the server would lose what it has confirmed.
    #[error("{setting} is {value}: confirmed payments could be lost; set it to {wanted}")]
    Unsafe {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A migration failed, or the schema is of another history.
    #[error("schema {schema}: {why}")]
    Migration {
        /// The schema.
        schema: &'static str,
        /// Why.
        why: String,
    },
    /// A statement failed that should not.
    #[error("database: {0}")]
    Statement(String),
    /// What is stored cannot be understood.
    #[error("stored record is damaged: {0}")]
    Damaged(String),
}

impl Error {
    /// An I/O error with what was wanted.
    pub(crate) fn io(what: &'static str, path: &Path, why: impl std::fmt::Display) -> Self {
        Self::Io { what, path: path.to_owned(), why: why.to_string() }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(_) => Self::Statement(describe(&error)),
            None => Self::Unavailable(describe(&error)),
        }
    }
}

/// What an error of the driver says, without the values of rows: PostgreSQL puts whole rows into the
/// detail of a violated constraint, so only code, message and constraint are taken.
pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            let constraint = db.constraint().map(|name| format!(" ({name})")).unwrap_or_default();
            format!("{} {}{constraint}", db.code().code(), db.message())
        }
        None => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                let cause_text = cause.to_string();
                if !text.contains(&cause_text) {
                    text = format!("{text}: {cause_text}");
                }
                source = cause.source();
            }
            text
        }
    }
}
