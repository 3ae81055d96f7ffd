//! Why something could not be read or kept.

use payments::{BusinessDate, LinkId};

/// Why something could not be read or kept. None of it carries card data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, or ended the connection.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// A statement failed; the text has no values of rows in it.
    #[error("database: {0}")]
    Statement(String),
    /// What is stored cannot be understood.
    #[error("stored {0} is damaged")]
    Damaged(&'static str),
    /// The engine has not closed the day in every shard yet.
    #[error("business date {0} is not closed yet")]
    NotClosed(BusinessDate),
    /// A day before has captures and no file.
    #[error("business date {0} has captures and no clearing file; freeze it first")]
    EarlierDay(BusinessDate),
    /// A frozen file does not have the captures any more that it was frozen with.
    #[error("the frozen set of {0} differs from the ledger's captures")]
    Changed(BusinessDate),
    /// The file's record was changed by somebody else in between.
    #[error("the record of the file of {0} is not as expected")]
    Clash(BusinessDate),
    /// The settings do not fit.
    #[error(transparent)]
    Setting(#[from] crate::clearing::SettingError),
    /// The file could not be made.
    #[error(transparent)]
    Clearing(#[from] crate::clearing::Error),
    /// The issuer's report was refused.
    #[error("issuer's report: {0}")]
    Report(#[from] crate::reconciliation::ReportError),
    /// The report is of another network.
    #[error("the report is of network {got}, wanted {want}")]
    OtherNetwork {
        /// As the report says.
        got: String,
        /// The network that is reconciled.
        want: LinkId,
    },
    /// A task of ours ended by itself: a bug.
    #[error("a task ended by itself")]
    Task,
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        // Code, message and constraint only: a violated constraint's detail has the row's values in it.
        match error.as_db_error() {
            Some(db) => {
                let constraint = db.constraint().map(|name| format!(" ({name})")).unwrap_or_default();
                Self::Statement(format!("{} {}{constraint}", db.code().code(), db.message()))
            }
            None => Self::Unavailable(error.to_string()),
        }
    }
}
