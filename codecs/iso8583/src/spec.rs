//! The compiled field table of one dialect.

use std::sync::{Arc, LazyLock};

use crate::bitmap::BitmapForm;
use crate::error::SpecError;
use crate::field::{Charset, Field, Severity};

/// The field table of one dialect: loaded from TOML once, then shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) mti: Charset,
    pub(crate) bitmap: BitmapForm,
    /// 129 entries, by data element number.
    pub(crate) fields: Vec<Option<Field>>,
}

/// The shipped tables: name and TOML text.
const SHIPPED: [(&str, &str); 1] = [("iso87-ascii", include_str!("../specs/iso87-ascii.toml"))];

static COMPILED: LazyLock<Vec<Arc<Spec>>> =
    LazyLock::new(|| SHIPPED.iter().filter_map(|(_, text)| Spec::from_toml(text).ok().map(Arc::new)).collect());

impl Spec {
    /// A shipped dialect by name; compiled at first use.
    pub fn shipped(name: &str) -> Option<Arc<Self>> {
        COMPILED.iter().find(|spec| spec.name == name).cloned()
    }

    /// The names of the shipped dialects.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The TOML text of a shipped dialect, to start one's own from.
    pub fn shipped_text(name: &str) -> Option<&'static str> {
        SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
    }

    /// From TOML text; see `specs/iso87-ascii.toml` for the form. What is wrong is named with line
    /// and field.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        crate::load::spec(text)
    }

    /// The name by which links refer to it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// A field of the table.
    pub fn field(&self, number: u8) -> Option<&Field> {
        self.fields.get(usize::from(number))?.as_ref()
    }

    /// Every field in ascending order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().flatten()
    }

    /// The same table for a link that only notes faults of content in all but the `essential`
    /// fields: a cosmetic fault in an approval must not become a reversal.
    pub fn noting_except(&self, essential: &[u8]) -> Self {
        let mut spec = self.clone();
        for field in spec.fields.iter_mut().flatten() {
            if field.severity == Severity::Reject && !essential.contains(&field.number) {
                field.severity = Severity::Note;
            }
        }
        spec
    }

    /// The MAC field of a message whose bitmap has or has not a second half: DE128 or DE64.
    pub(crate) fn mac_field(&self, secondary: bool) -> Option<&Field> {
        self.field(if secondary { 128 } else { 64 }).filter(|field| field.mac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_spec_loads_under_its_own_name() {
        for (name, text) in SHIPPED {
            assert_eq!(Spec::from_toml(text).map(|spec| spec.name), Ok(name.to_owned()));
            assert!(Spec::shipped(name).is_some());
        }
    }
}
