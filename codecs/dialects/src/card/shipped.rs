//! The dialects that the running switch speaks.

use iso8583::Spec;

use super::{Dialect, MappingError};

/// Their names: what `protocol = "…"` of a listener or link may say.
pub const NAMES: [&str; 10] = [
    "iso87-ascii",
    "iso87-binary",
    "iso93-ascii",
    "iso93-binary",
    "iso93-ebcdic",
    "iso2003-binary",
    "cmf",
    "base24",
    "postilion",
    "visa-base1",
];

/// The shipped table that is one of clearing files: its messages have neither trace number nor response
/// code, so no link can speak it.
pub const FILES_ONLY: &str = "mastercard-ipm";

/// A shipped mapping file.
pub(super) fn mapping_named(name: &str) -> Option<&'static str> {
    Some(match name {
        "iso93" => include_str!("../../mappings/iso93.toml"),
        "iso93-ebcdic" => include_str!("../../mappings/iso93-ebcdic.toml"),
        "iso2003" => include_str!("../../mappings/iso2003.toml"),
        "base24" => include_str!("../../mappings/base24.toml"),
        "postilion" => include_str!("../../mappings/postilion.toml"),
        "visa-base1" => include_str!("../../mappings/visa-base1.toml"),
        _ => return None,
    })
}

/// The mapping of a shipped dialect; none where its numbering is the engine's in every field.
fn mapping(name: &str) -> Option<&'static str> {
    match name {
        "iso93-ascii" | "iso93-binary" => mapping_named("iso93"),
        "iso2003-binary" | "cmf" => mapping_named("iso2003"),
        other => mapping_named(other),
    }
}

/// Dialects, compiled: those that somebody speaks.
#[derive(Debug, Clone, Default)]
pub struct Dialects(Vec<Dialect>);

impl Dialects {
    /// Every shipped one.
    ///
    /// # Errors
    /// [`MappingError`], which a test rules out.
    pub fn shipped() -> Result<Self, MappingError> {
        NAMES.iter().map(|name| shipped(name)).collect::<Result<_, _>>().map(Self)
    }

    /// One of [`NAMES`] more, where it is not there yet.
    ///
    /// # Errors
    /// [`MappingError`] for another name.
    pub fn add_shipped(&mut self, name: &str) -> Result<(), MappingError> {
        if self.get(name).is_none() {
            self.0.push(shipped(name)?);
        }
        Ok(())
    }

    /// One more, of another name than those that are there. False where there is one of its name.
    pub fn add(&mut self, dialect: Dialect) -> bool {
        let new = self.get(dialect.name()).is_none();
        if new {
            self.0.push(dialect);
        }
        new
    }

    /// The dialect of a name.
    pub fn get(&self, name: &str) -> Option<&Dialect> {
        self.0.iter().find(|dialect| dialect.name() == name)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Dialect> {
        self.0.iter()
    }
}

fn shipped(name: &str) -> Result<Dialect, MappingError> {
    let missing = || MappingError { dialect: name.to_owned(), what: "it has no field table".to_owned() };
    let spec = Spec::shipped(name).ok_or_else(missing)?;
    match mapping(name) {
        Some(mapping) => Dialect::mapped(spec, mapping),
        None => Ok(Dialect::new(spec)),
    }
}
