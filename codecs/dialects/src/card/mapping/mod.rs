//! Between the engine's numbering and a dialect's: message types, places and forms of fields, codes. What the
//! engine and its ledger say is ISO 8583:1987 with two-character response codes; that a network says it in
//! another edition is known here and nowhere else.
//!
//! A mapping is a file (`codecs/dialects/mappings`). One whose numbering is the engine's names only what
//! differs; any other names a place for every field of the engine's, or that there is none.

mod codes;
mod forms;
mod place;
mod table;
#[cfg(test)]
mod tests;

use iso8583::{Content, Message, Shape, Spec};
use payments::{LocalDateTime, Wall};

use self::codes::Codes;
use self::forms::Form;
use self::place::PointOfService;
use super::{Error, de};

/// A compiled mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    types: Vec<Type>,
    /// Where the function code stands, where types have one.
    function_at: Option<u8>,
    /// In ascending order of the engine's numbers.
    fields: Vec<Row>,
    codes: Codes,
    functions: Vec<(String, String)>,
    point_of_service: Option<PointOfService>,
}

/// A request type of the engine's and the dialect's; repeats and answers follow from them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Type {
    own: [u8; 4],
    wire: [u8; 4],
    functions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    own: u8,
    at: u8,
    form: Form,
    /// Whether the dialect has bytes there.
    binary: bool,
}

/// A mapping file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{dialect}: {what}")]
pub struct MappingError {
    /// The dialect that it was to be used for.
    pub dialect: String,
    /// What is wrong, and where.
    pub what: String,
}

/// A message as the engine's numbering has it.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) message: Message,
    /// When the original of a reversal was made, where the dialect says it apart.
    pub(crate) original_local: Option<LocalDateTime>,
}

impl Mapping {
    /// Compiles a file for a field table.
    pub(crate) fn compile(text: &str, spec: &Spec) -> Result<Self, MappingError> {
        let wrong = |what: String| MappingError { dialect: spec.name().to_owned(), what };
        let file = table::File::read(text, &super::shipped::mapping_named).map_err(wrong)?;
        let mut types = Vec::new();
        for (own, row) in &file.types.rows {
            let four = |mti: &str| -> Option<[u8; 4]> {
                mti.as_bytes().try_into().ok().filter(|mti: &[u8; 4]| mti.iter().all(u8::is_ascii_digit))
            };
            let (own, wire) = four(own).zip(four(&row.mti)).ok_or_else(|| wrong(format!("types.{own}: four digits wanted")))?;
            types.push(Type { own, wire, functions: row.functions.clone() });
        }
        let mut fields = Vec::new();
        for own in de::MAPPED {
            let row = match file.fields.get(&own.to_string()) {
                Some(row) => row.clone(),
                None if file.without.contains(&own) || forms::covered(own, &file.fields) => continue,
                None if types.is_empty() => table::Row { at: own, ..table::Row::default() },
                None => {
                    return Err(wrong(format!(
                        "field {own} of the engine's stands nowhere; give it a place or list it in without"
                    )));
                }
            };
            let Some(field) = spec.field(row.at) else {
                return Err(wrong(format!("fields.{own}: the table has no field {}", row.at)));
            };
            if own == de::ICC && !matches!(field.shape(), Shape::BerTlv) {
                return Err(wrong(format!(
                    "fields.{own}: field {} of the table holds no BER-TLV; list {own} in without",
                    row.at
                )));
            }
            let form = Form::of(&row).map_err(|what| wrong(format!("fields.{own}: {what}")))?;
            fields.push(Row { own, at: row.at, form, binary: field.content() == Content::B });
        }
        let known = |number: &String| number.parse::<u8>().is_ok_and(|number| de::MAPPED.contains(&number));
        if let Some(odd) = file.fields.keys().find(|number| !known(number)) {
            return Err(wrong(format!("fields.{odd}: the engine has no such field")));
        }
        let binary = fields.iter().any(|row| row.form == Form::PointOfService && row.binary);
        Ok(Self {
            types,
            function_at: file.types.function,
            fields,
            codes: Codes::compile(&file).map_err(wrong)?,
            functions: file.functions.into_iter().collect(),
            point_of_service: file
                .point_of_service
                .map(|file| PointOfService::compile(file, binary))
                .transpose()
                .map_err(wrong)?,
        })
    }

    /// Where a field of the engine's stands: what an error names.
    pub(crate) fn place(&self, own: u8) -> u8 {
        let row = self
            .fields
            .iter()
            .find(|row| row.own == own)
            .or_else(|| self.fields.iter().find(|row| row.form.covers() == Some(own)));
        row.map_or(own, |row| row.at)
    }

    /// Whether anything is read out of a field of the dialect.
    pub(crate) fn reads(&self, at: u8) -> bool {
        self.function_at == Some(at) || self.fields.iter().any(|row| row.at == at || row.form.reason_at() == Some(at))
    }

    /// A message of the dialect's, in the engine's numbering.
    pub(crate) fn read(&self, wire: &Message) -> Result<Own, Error> {
        let mti = self.own_type(wire).ok_or(Error::UnsupportedMessage)?;
        let mut fault = None;
        let own = self.read_with(&mti, wire, &mut |error| fault = fault.or(Some(error)));
        match fault {
            Some(error) => Err(error),
            None => Ok(own),
        }
    }

    /// What of a message can be read: for answers to what cannot be read whole, or is not supported.
    pub(crate) fn read_what_can_be(&self, wire: &Message) -> Option<Message> {
        let mti = self.own_type(wire).or_else(|| self.own_name(wire.mti()))?;
        Some(self.read_with(&mti, wire, &mut |_| {}).message)
    }

    fn read_with(&self, mti: &str, wire: &Message, fault: &mut dyn FnMut(Error)) -> Own {
        let mut own = Own { message: Message::new(mti), original_local: None };
        for row in &self.fields {
            if let Err(error) = self.read_row(row, wire, &mut own) {
                fault(error);
            }
        }
        own
    }

    /// A message of the engine's, as the dialect has it. `at` tells the years of its dates.
    pub(crate) fn write(&self, own: &Message, at: Wall) -> Result<Message, Error> {
        let mut wire = Message::new(&self.wire_type(own.mti()).ok_or(Error::UnsupportedMessage)?);
        if let (Some(function), Some(row)) = (self.function_at, self.type_of(own.mti()))
            && let (Some(code), false) = (row.functions.first(), is_answer(own.mti()))
        {
            wire.set(function, code);
        }
        for row in &self.fields {
            self.write_row(row, own, &mut wire, at)?;
        }
        Ok(wire)
    }

    fn type_of(&self, own: &str) -> Option<&Type> {
        let (base, _, _) = parts(own)?;
        self.types.iter().find(|row| row.own == base)
    }

    /// The engine's type of a message, by its own type and function code.
    fn own_type(&self, wire: &Message) -> Option<String> {
        if self.types.is_empty() {
            return Some(wire.mti().to_owned());
        }
        let (base, answer, repeat) = parts(wire.mti())?;
        let code = self.function_at.and_then(|at| wire.str(at));
        let fits = |row: &&Type| {
            // An answer need not say its function again.
            let said =
                row.functions.is_empty() || answer || code.is_some_and(|code| row.functions.iter().any(|known| known == code));
            row.wire == base && said
        };
        self.types.iter().find(fits).map(|row| joined(row.own, answer, repeat))
    }

    fn wire_type(&self, own: &str) -> Option<String> {
        if self.types.is_empty() {
            return Some(own.to_owned());
        }
        let (base, answer, repeat) = parts(own)?;
        let wire = self.type_of(own).map_or_else(|| self.edition(base, |row| row.wire), |row| Some(row.wire));
        wire.map(|wire| joined(wire, answer, repeat))
    }

    /// The engine's type by the dialect's alone: of the message that another one names, and of those that
    /// are not supported.
    fn own_name(&self, wire: &str) -> Option<String> {
        if self.types.is_empty() {
            return Some(wire.to_owned());
        }
        let (base, answer, repeat) = parts(wire)?;
        let row = self.types.iter().find(|row| row.wire == base);
        let own = row.map_or_else(|| self.edition(base, |row| row.own), |row| Some(row.own));
        own.map(|own| joined(own, answer, repeat))
    }

    /// A type that stands in no row, with the edition (first digit) of those that do.
    fn edition(&self, [_, class, function, origin]: [u8; 4], of: impl Fn(&Type) -> [u8; 4]) -> Option<[u8; 4]> {
        let [edition, ..] = self.types.first().map(of)?;
        Some([edition, class, function, origin])
    }
}

/// A type as its request, and whether it is an answer (odd third digit) and a repeat (odd last digit).
fn parts(mti: &str) -> Option<([u8; 4], bool, bool)> {
    let raw: [u8; 4] = mti.as_bytes().try_into().ok()?;
    let [version, class, function, origin] = raw;
    let (answer, repeat) = (function % 2 == 1, origin % 2 == 1);
    raw.iter().all(u8::is_ascii_digit).then_some((
        [version, class, function - u8::from(answer), origin - u8::from(repeat)],
        answer,
        repeat,
    ))
}

fn joined([version, class, function, origin]: [u8; 4], answer: bool, repeat: bool) -> String {
    [version, class, function + u8::from(answer), origin + u8::from(repeat)].iter().map(|digit| char::from(*digit)).collect()
}

fn is_answer(mti: &str) -> bool {
    parts(mti).is_some_and(|(_, answer, _)| answer)
}
