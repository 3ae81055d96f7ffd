//! The compiled field table of one dialect.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::bitmap::{BitmapForm, Third};
use crate::error::{EncodeError, Got, Kind, Place, SpecError, Wanted};
use crate::field::{Charset, Field, Severity};
use crate::path::Path;

/// The field table of one dialect: loaded from TOML once, then shared.
#[derive(Debug, Clone)]
pub struct Spec {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) version: Version,
    pub(crate) mti: Charset,
    pub(crate) bitmap: BitmapForm,
    pub(crate) third: Third,
    /// Whether bytes may follow the last field.
    pub(crate) trailing: bool,
    /// By data element number.
    pub(crate) fields: Vec<Option<Field>>,
    pub(crate) layout: Layout,
}

/// The edition of ISO 8583 that a dialect follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// ISO 8583:1987, MTI 0xxx.
    V1987,
    /// ISO 8583:1993, MTI 1xxx.
    V1993,
    /// ISO 8583:2003, MTI 2xxx.
    V2003,
}

/// Which wire form a table has: tables made from one another by severities alone share it, so a
/// message read with one may be written unchanged with the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout(u64);

impl Layout {
    /// Of messages that were not read from anything.
    pub(crate) const NONE: Self = Self(0);

    /// Another one than any before.
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Spec {
    /// From TOML text that extends shipped specs at most; see `specs/iso87-ascii.toml` for the form.
    ///
    /// # Errors
    /// What is wrong, with line, column, field and what would be right.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        Self::load("spec", text, &|_| None)
    }

    /// From the TOML text of `file`. `extends = "…"` names a shipped spec, or what `resolve` gives the
    /// text of: the codec itself opens no files.
    ///
    /// # Errors
    /// As [`Spec::from_toml`], naming `file`, or what it extends.
    pub fn load(file: &str, text: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Result<Self, SpecError> {
        crate::load::spec(file, text, resolve)
    }

    /// The JSON Schema (2020-12) of the TOML form, for editors.
    pub fn schema() -> String {
        crate::schema::schema()
    }

    /// The name by which links refer to it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One line for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The edition of ISO 8583.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How the MTI stands on the wire.
    pub fn mti_charset(&self) -> Charset {
        self.mti
    }

    /// How bitmaps stand on the wire.
    pub fn bitmap_form(&self) -> BitmapForm {
        self.bitmap
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

    /// The error that a field is not of the spec.
    pub(crate) fn undefined(number: u8) -> EncodeError {
        let (place, path) = (Place::Field(number), Path::default());
        EncodeError { kind: Kind::UndefinedField, place, path, offset: 0, wanted: Wanted::KnownField, got: Got::Nothing }
    }
}
