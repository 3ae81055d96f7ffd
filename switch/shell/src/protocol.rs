//! What is spoken on a link, by the name that stands in the configuration.

use std::fmt;

use dialects::card;
use payments::Text;
use serde::de::{EnumAccess, Error, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What is spoken on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Card messages in the shipped dialect of this name.
    Card(Text<32>),
    /// ISO 20022 envelopes.
    Iso20022,
}

const ISO_20022: &str = "iso20022";

/// Every name that a configuration may use.
static NAMES: [&str; card::NAMES.len() + 1] = {
    let mut names = [ISO_20022; card::NAMES.len() + 1];
    let mut at = 0;
    while at < card::NAMES.len() {
        names[at] = card::NAMES[at];
        at += 1;
    }
    names
};

impl Protocol {
    /// Whether card messages are spoken.
    pub fn is_card(self) -> bool {
        matches!(self, Self::Card(_))
    }

    fn named(name: &str) -> Option<Self> {
        if name == ISO_20022 {
            return Some(Self::Iso20022);
        }
        card::NAMES.contains(&name).then(|| Text::new(name).ok().map(Self::Card)).flatten()
    }
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("Protocol", &NAMES, Named)
    }
}

struct Named;

impl<'de> Visitor<'de> for Named {
    type Value = Protocol;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a protocol")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Protocol, A::Error> {
        let (name, rest) = access.variant::<String>()?;
        rest.unit_variant()?;
        match Protocol::named(&name) {
            Some(protocol) => Ok(protocol),
            None if name == card::FILES_ONLY => {
                Err(A::Error::custom(format_args!("\"{name}\" is a dialect of clearing files; no link speaks it")))
            }
            None => Err(A::Error::unknown_variant(&name, &NAMES)),
        }
    }
}
