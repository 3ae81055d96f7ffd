//! A mapping file as it is written (`codecs/dialects/mappings/*.toml`).

use std::collections::BTreeMap;

use serde::Deserialize;

/// The whole file. Fields are keyed by their number in the engine's numbering, that of 1987.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    /// The shipped mapping that this one differs from.
    pub(super) extends: Option<String>,
    /// Fields of the engine's that the dialect has no place for.
    #[serde(default)]
    pub(super) without: Vec<u8>,
    /// Message types; the same as the engine's where they are left out.
    #[serde(default)]
    pub(super) types: Types,
    /// Where fields stand. The same place and form for all that are in neither list.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, Row>,
    /// DE70 and the function code that says the same.
    #[serde(default)]
    pub(super) functions: BTreeMap<String, String>,
    /// What an approval is, by class of message.
    #[serde(default)]
    pub(super) approved: BTreeMap<String, String>,
    /// DE39 and the action codes that say the same.
    #[serde(default)]
    pub(super) codes: BTreeMap<String, Vec<String>>,
    /// Action codes that are read but never written.
    #[serde(default)]
    pub(super) codes_read: BTreeMap<String, String>,
    /// DE39 of a reversal and the message reason codes that say the same.
    #[serde(default)]
    pub(super) reasons: BTreeMap<String, Vec<String>>,
    /// The point of service data code.
    pub(super) point_of_service: Option<PointOfService>,
}

impl File {
    /// Reads a file, and those that it extends.
    pub(super) fn read(text: &str, resolve: &dyn Fn(&str) -> Option<&'static str>) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let Some(name) = &file.extends else { return Ok(file) };
        let base = resolve(name).ok_or_else(|| format!("extends: there is no mapping \"{name}\""))?;
        // Shipped files are one deep: none extends what extends it.
        let base: Self = toml::from_str(base).map_err(|error| format!("{name}: {error}"))?;
        Ok(file.over(base))
    }

    /// This file laid over another.
    fn over(self, mut base: Self) -> Self {
        base.fields.retain(|number, _| !self.without.iter().any(|without| without.to_string() == *number));
        base.without.retain(|number| !self.fields.contains_key(&number.to_string()));
        base.without.extend(self.without);
        base.fields.extend(self.fields);
        base.types.function = self.types.function.or(base.types.function);
        base.types.rows.extend(self.types.rows);
        base.functions.extend(self.functions);
        base.approved.extend(self.approved);
        base.codes.extend(self.codes);
        base.codes_read.extend(self.codes_read);
        base.reasons.extend(self.reasons);
        Self { point_of_service: self.point_of_service.or(base.point_of_service), ..base }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Types {
    /// Where the function code stands.
    pub(super) function: Option<u8>,
    #[serde(default)]
    pub(super) rows: BTreeMap<String, Type>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Type {
    pub(super) mti: String,
    #[serde(default)]
    pub(super) functions: Vec<String>,
}

/// Where a field stands and in which form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) at: u8,
    #[serde(default)]
    pub(super) form: Form,
    /// Digits, for [`Form::Digits`] and the trace number of [`Form::Original`].
    pub(super) width: Option<usize>,
    /// Whether years have four digits.
    #[serde(default)]
    pub(super) century: bool,
    /// Whether the institution of [`Form::Original`] has no length in front.
    #[serde(default)]
    pub(super) bare: bool,
    /// Whether [`Form::OriginalAmounts`] have their currency in front.
    #[serde(default)]
    pub(super) currency: bool,
    /// Where a reversal says why, for [`Form::ActionCode`].
    pub(super) reason: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Form {
    /// As it is.
    #[default]
    Same,
    /// More digits, zeros in front.
    Digits,
    /// A 0 behind it.
    Filled,
    /// DE12 and DE13 in one, with the year.
    LocalDateTime,
    /// A date with its year.
    Date,
    /// DE4 and DE49 in one: currency 3, decimals 1, amount 12.
    AmountWithCurrency,
    /// DE39 by table; in a request that takes back, by the table of reasons.
    ActionCode,
    /// DE70 by table.
    Function,
    /// DE90: type, trace number, local date and time, acquiring institution.
    Original,
    /// DE95: DE4 is then what shall stand, and this field what stood.
    OriginalAmounts,
    /// DE22 and DE25 by table.
    PointOfService,
}

/// DE22 and DE25 as positions of one field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PointOfService {
    /// What stands there before anything is written.
    pub(super) blank: String,
    /// The first two digits of DE22.
    pub(super) entry: Vec<Overlay>,
    /// The third digit of DE22.
    pub(super) pin: Vec<Overlay>,
    /// DE25.
    pub(super) condition: Vec<Overlay>,
}

/// One value and what it is at the positions of the field; `_` is any, or left.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Overlay {
    pub(super) value: String,
    pub(super) writes: Option<String>,
    pub(super) reads: Option<String>,
}
