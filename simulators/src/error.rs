//! Why a simulator could not start or had to stop. What a peer does wrong is counted, not an error.

use std::io;

/// One variant per reason. None carries card data or a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secrets are not the JSON object that they have to be.
    #[error("secrets: line {line}, column {column} is not what was expected there")]
    SecretsSyntax {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
    },
    /// The secrets lack something that this simulator needs.
    #[error("secrets: {0} is missing")]
    SecretMissing(String),
    /// A key is not 32 hexadecimal characters of a double-length TDES key.
    #[error("secrets: {0} is not a double-length TDES key in hexadecimal")]
    BadKey(String),
    /// A configuration or scenario file was refused.
    #[error("{file}: {reason}")]
    BadFile {
        /// Path as given.
        file: String,
        /// What is wrong, with the line where it is known.
        reason: String,
    },
    /// An option or a rule was refused.
    #[error("{option}: {reason}")]
    BadOption {
        /// Name of the option.
        option: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A file or a socket failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// The book could not be written or synced. Nothing more is answered after that.
    #[error("the book cannot be written: {0}")]
    Journal(String),
    /// Standard input ended, and with it whoever started the simulator.
    #[error("standard input has ended: whoever started this is gone")]
    Abandoned,
    /// A task of the simulator panicked: a bug of ours.
    #[error("a task of the simulator failed: {0}")]
    Bug(String),
    /// A line of an existing book is not one of ours, so it cannot be continued.
    #[error("{file}: line {line} is not a line of this book")]
    BadBook {
        /// Path as given.
        file: String,
        /// Line of the fault, from 1.
        line: usize,
    },
    /// No such dialect is shipped.
    #[error("there is no dialect {name}")]
    Dialect {
        /// Name as given.
        name: String,
    },
    /// A message that we built does not encode: a bug, or an option that does not fit its field.
    #[error("message {mti} does not encode: {reason}")]
    Encode {
        /// Its MTI.
        mti: String,
        /// Field and reason, without content.
        reason: String,
    },
}

impl Error {
    /// Wraps what the system said, with what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
