//! The dialects that the running switch speaks.

use iso8583::Spec;

use super::Dialect;

/// Their names: what `protocol = "…"` of a listener or link may say.
pub const NAMES: [&str; 2] = ["iso87-ascii", "iso87-binary"];

/// The shipped table that is one of clearing files: its messages have neither trace number nor response
/// code, so no link can speak it.
pub const FILES_ONLY: &str = "mastercard-ipm";

/// Every dialect of [`NAMES`], compiled.
#[derive(Debug, Clone)]
pub struct Dialects(Vec<Dialect>);

impl Dialects {
    /// Compiles them.
    ///
    /// # Errors
    /// [`Missing`], which a test rules out.
    pub fn shipped() -> Result<Self, Missing> {
        NAMES.iter().map(|name| Spec::shipped(name).map(Dialect::new).ok_or(Missing(name))).collect::<Result<_, _>>().map(Self)
    }

    /// The dialect of a name.
    pub fn get(&self, name: &str) -> Option<&Dialect> {
        self.0.iter().find(|dialect| dialect.name() == name)
    }
}

/// A dialect that is named has no field table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shipped dialect {0} is missing")]
pub struct Missing(&'static str);
