//! What is spoken on a link, by the name that stands in the configuration, and dialects of one's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dialects::card::{self, Dialect};
use iso8583::Spec;
use payments::Text;
use serde::{Deserialize, Deserializer};

/// What is spoken on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Card messages in the dialect of this name.
    Card(Text<32>),
    /// ISO 20022 envelopes.
    Iso20022,
}

const ISO_20022: &str = "iso20022";

impl Protocol {
    /// Whether card messages are spoken.
    pub fn is_card(self) -> bool {
        matches!(self, Self::Card(_))
    }

    /// What is wrong with it, where no such dialect is there.
    pub(crate) fn fault(self, own: &BTreeMap<Text<32>, DialectFile>) -> Option<String> {
        match self {
            Self::Card(name) if card::NAMES.contains(&name.as_str()) || own.contains_key(&name) => None,
            Self::Card(name) if name.as_str() == card::FILES_ONLY => {
                Some(format!("protocol \"{name}\" is a dialect of clearing files; no link speaks it"))
            }
            Self::Card(name) => {
                let names = card::NAMES.into_iter().chain([ISO_20022]).chain(own.keys().map(Text::as_str));
                let names = names.collect::<Vec<_>>().join(", ");
                Some(format!("protocol \"{name}\" is not known; there are {names}, or describe it in [dialect.{name}]"))
            }
            Self::Iso20022 => None,
        }
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Text::<32>::deserialize(deserializer)?;
        Ok(if name.as_str() == ISO_20022 { Self::Iso20022 } else { Self::Card(name) })
    }
}

/// `[dialect.NAME]`: a field table of one's own, and how it stands to the engine's numbering.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DialectFile {
    /// The field table, as `iso8583 spec` reads and writes it.
    pub(crate) spec: PathBuf,
    /// The mapping file; none where the numbering is that of the engine, ISO 8583:1987.
    #[serde(default)]
    pub(crate) mapping: Option<PathBuf>,
}

impl DialectFile {
    /// Compiles it, and adds what it read to `texts`; the file at fault and what is wrong with it.
    pub(crate) fn compile(&self, name: &str, base: &Path, texts: &mut Vec<String>) -> Result<Dialect, (PathBuf, String)> {
        let mut read = |path: &PathBuf| {
            let path = base.join(path);
            let text = std::fs::read_to_string(&path).map_err(|error| (path.clone(), format!("cannot be read: {error}")))?;
            texts.push(text.clone());
            Ok((path, text))
        };
        let (path, text) = read(&self.spec)?;
        let beside = |extended: &str| {
            let shipped = Spec::shipped_text(extended).map(str::to_owned);
            shipped.or_else(|| std::fs::read_to_string(path.with_file_name(format!("{extended}.toml"))).ok())
        };
        let shown = path.display().to_string();
        let spec = Spec::load(&shown, &text, &beside).map_err(|error| (path.clone(), error.to_string()))?;
        if spec.name() != name {
            return Err((
                path,
                format!("its name is \"{}\", that of the dialect \"{name}\"; write one of them as the other", spec.name()),
            ));
        }
        match &self.mapping {
            None => Ok(Dialect::new(Arc::new(spec))),
            Some(mapping) => {
                let (path, text) = read(mapping)?;
                Dialect::mapped(Arc::new(spec), &text).map_err(|error| (path, error.to_string()))
            }
        }
    }
}
