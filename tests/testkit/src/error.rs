//! Why a laboratory or a book could not be used. None of them is a finding about money.

use switchyard::stack::StackError;
use switchyard::three_books::BookError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// A process of the laboratory.
    #[error("{0}")]
    Stack(#[from] StackError),
    /// A file or directory.
    #[error("{what}: {why}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        why: std::io::Error,
    },
    /// A book.
    #[error("{0}")]
    Book(#[from] BookError),
    /// The record of the switch cannot be read.
    #[error("the record: {0}")]
    Record(String),
    /// Something that a drill needs did not happen.
    #[error("{0}")]
    Drill(String),
    /// What a measurement needs is not there.
    #[error("{0}")]
    Bench(String),
}

impl KitError {
    /// For `map_err`: an I/O error with what was being done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |why| Self::Io { what, why }
    }
}
