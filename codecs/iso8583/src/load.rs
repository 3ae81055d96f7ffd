//! Reads a spec from TOML with what it extends, refuses what cannot work, names file, line, column,
//! field and what would be right.

use crate::bitmap::{BitmapForm, Third};
use crate::compile::{Context, compile};
use crate::error::SpecError;
use crate::field::{Charset, Field, Side};
use crate::row::{CharsetName, Defaults, Document, Entries, Origin, Sources, Trailing, entries, overlay};
use crate::spec::{Layout, Spec, Version};

/// So many specs may extend one another.
const LONGEST_CHAIN: usize = 8;
/// Most bytes of a spec's text.
const LONGEST_TEXT: usize = 4 << 20;
/// One more than the highest data element.
const ROOM: usize = 193;

/// What a document says with all that it extends.
struct Merged {
    title: String,
    version: Version,
    mti: Option<Charset>,
    bitmap: Option<BitmapForm>,
    third: Third,
    trailing: bool,
    defaults: Defaults,
    fields: Entries,
}

pub(crate) fn spec(file: &str, text: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Result<Spec, SpecError> {
    let mut sources = Sources(Vec::new());
    let (name, merged) = document(file, text, resolve, &mut sources)?;
    let top = Origin { file: 0, offset: 0 };
    let mti = merged.mti.ok_or_else(|| sources.error(top, "", "`mti` is missing: \"ascii\", \"bcd\" or \"ebcdic\""))?;
    let bitmap = merged.bitmap;
    let bitmap =
        bitmap.ok_or_else(|| sources.error(top, "", "`bitmap` is missing: \"binary\", \"hex-ascii\" or \"hex-ebcdic\""))?;
    let mut fields: Vec<Option<Field>> = vec![None; ROOM];
    let context = Context { sources: &sources, defaults: merged.defaults };
    for (key, entry) in &merged.fields {
        let number = key.parse::<u8>().ok().filter(|number| allowed(*number, merged.third));
        let Some(number) = number else {
            let reason = match merged.third {
                Third::None => "a field is a number from 2 to 128",
                _ => "a field is a number from 2 to 192, and 65 is the third bitmap",
            };
            return Err(sources.error(entry.at, key.clone(), reason));
        };
        let field = compile(&context, number, entry)?;
        match fields.get_mut(usize::from(number)) {
            Some(Some(_)) => return Err(sources.error(entry.at, key.clone(), "the field is defined twice")),
            Some(room) => *room = Some(field),
            None => {}
        }
    }
    let Merged { title, version, third, trailing, .. } = merged;
    Ok(Spec { name, title, version, mti, bitmap, third, trailing, fields, layout: Layout::fresh() })
}

fn allowed(number: u8, third: Third) -> bool {
    match third {
        Third::None => (2..=128).contains(&number),
        Third::Follows | Third::Field65 => (2..=192).contains(&number) && number != 65,
    }
}

/// Reads a document and, before it, what it extends. The first of `sources` is the document itself.
fn document(
    file: &str,
    text: &str,
    resolve: &dyn Fn(&str) -> Option<String>,
    sources: &mut Sources,
) -> Result<(String, Merged), SpecError> {
    let index = sources.0.len();
    let here = |offset| Origin { file: index, offset };
    let repeated = sources.0.iter().any(|(name, _)| name == file);
    sources.0.push((file.to_owned(), text.to_owned()));
    if repeated || index >= LONGEST_CHAIN {
        return Err(sources.error(here(0), "", "the spec extends itself, or too many others"));
    }
    if text.len() > LONGEST_TEXT {
        return Err(sources.error(here(0), "", format!("a spec has at most {LONGEST_TEXT} bytes")));
    }
    let document: Document = toml::from_str(text)
        .map_err(|error| sources.error(here(error.span().map_or(0, |span| span.start)), "", error.message()))?;
    let base = match &document.extends {
        None => None,
        Some(extended) => {
            let at = here(extended.span().start);
            let wanted = extended.get_ref().as_str();
            let Some(text) = Spec::shipped_text(wanted).map(str::to_owned).or_else(|| resolve(wanted)) else {
                let shipped: Vec<_> = Spec::shipped_names().collect();
                let reason = format!("no spec is named {wanted:?}; shipped are {}", shipped.join(", "));
                return Err(sources.error(at, "", reason));
            };
            Some(self::document(wanted, &text, resolve, sources)?.1)
        }
    };
    let merged = merge(&document, base, index, sources)?;
    let own = entries(document.fields, index);
    Ok((document.name, Merged { fields: overlay(merged.fields, own), ..merged }))
}

/// The head of a document on top of its base, without its fields.
fn merge(document: &Document, base: Option<Merged>, index: usize, sources: &Sources) -> Result<Merged, SpecError> {
    let here = |offset| Origin { file: index, offset };
    let mut merged = base.unwrap_or(Merged {
        title: String::new(),
        version: Version::V1987,
        mti: None,
        bitmap: None,
        third: Third::None,
        trailing: false,
        defaults: Defaults::default(),
        fields: Entries::new(),
    });
    if let Some(title) = &document.title {
        merged.title.clone_from(title);
    }
    if let Some(version) = &document.version {
        merged.version = match version.get_ref() {
            1987 => Version::V1987,
            1993 => Version::V1993,
            2003 => Version::V2003,
            _ => return Err(sources.error(here(version.span().start), "", "a version is 1987, 1993 or 2003")),
        };
    }
    if let Some(mti) = &document.mti {
        merged.mti = Some(match mti.get_ref() {
            CharsetName::Ascii => Charset::Ascii,
            CharsetName::Bcd => Charset::Bcd { side: Side::Left, fill: 0 },
            CharsetName::Ebcdic | CharsetName::Ebcdic037 | CharsetName::Ebcdic500 | CharsetName::Ebcdic1047 => {
                // Digits stand at the same places in every code page.
                Charset::Ebcdic(crate::CodePage::Cp037)
            }
            _ => return Err(sources.error(here(mti.span().start), "", "the MTI is \"ascii\", \"bcd\" or \"ebcdic\"")),
        });
    }
    merged.bitmap = document.bitmap.or(merged.bitmap);
    merged.third = document.third_bitmap.unwrap_or(merged.third);
    merged.trailing = document.trailing.map_or(merged.trailing, |trailing| trailing == Trailing::Allow);
    merged.defaults = document.defaults.over(merged.defaults);
    for removed in &document.remove {
        if merged.fields.remove(&removed.get_ref().to_string()).is_none() {
            let reason = format!("field {} cannot be removed: what is extended does not have it", removed.get_ref());
            return Err(sources.error(here(removed.span().start), "", reason));
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(fields: &str) -> (usize, String, String) {
        let text = format!("name = \"x\"\nmti = \"ascii\"\nbitmap = \"hex-ascii\"\n[fields]\n{fields}\n");
        let error = Spec::load("x.toml", &text, &|_| None).unwrap_err();
        assert_eq!(error.file, "x.toml");
        (error.line, error.path, error.reason)
    }

    #[test]
    fn a_bad_row_is_named_with_line_and_field() {
        let (line, field, reason) =
            error("3 = { name = \"a\", content = \"n\", length = 6 }\n4 = { name = \"b\", content = \"n\" }");
        assert_eq!((line, field.as_str()), (6, "4"));
        assert!(reason.contains("either length"), "{reason}");
        assert_eq!(error("2 = { name = \"a\", content = \"n\", max = 100, prefix = 2 }").2, "the prefix cannot say 100");
        assert_eq!(error("2 = { name = \"a\", content = \"b\", length = 8, charset = \"ascii\" }").1, "2");
        assert_eq!(error("129 = { name = \"a\", content = \"n\", length = 8 }").0, 5);
        assert_eq!(error("7 = { name = \"a\", content = \"MMDD\", length = 5 }").2, "MMDD has a fixed length of 4");
        assert_eq!(
            error("02 = { name = \"a\", content = \"n\", length = 1 }\n2 = { name = \"a\", content = \"n\", length = 1 }").2,
            "the field is defined twice"
        );
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_column() {
        let (line, _, reason) =
            error("3 = { name = \"a\", content = \"n\", length = 6 }\n4 = { name = \"a\", content = \"n\", lenght = 6 }");
        assert_eq!(line, 6);
        assert!(reason.contains("lenght"), "{reason}");
        let (line, _, reason) = error("3 = { name = \"a\", content = \"nn\", length = 6 }");
        assert_eq!(line, 5);
        assert!(reason.contains("nn"), "{reason}");
        let error = Spec::load("y.toml", "name = \"x\"\nmti = 3\n", &|_| None).unwrap_err();
        assert_eq!((error.file.as_str(), error.line, error.column), ("y.toml", 2, 7));
    }

    #[test]
    fn a_spec_that_extends_another_overrides_row_by_row_and_key_by_key() {
        let text = "name = \"x\"\nextends = \"iso87-ascii\"\nremove = [55]\n[defaults]\nnumeric = \"bcd\"\n[fields]\n\
                    2 = { sensitivity = \"hide\" }\n43 = { max = 99, prefix = 2 }\n";
        let spec = Spec::from_toml(text).unwrap();
        assert!(spec.field(55).is_none());
        let (pan, name) = (spec.field(2).unwrap(), spec.field(43).unwrap());
        assert_eq!((pan.name(), pan.sensitivity()), ("Primary account number", crate::Sensitivity::Hide));
        assert!(matches!(pan.charset(), Charset::Bcd { .. }));
        assert!(matches!(name.length(), crate::Length::Variable { max: 99, .. }));
        let of_files = |name: &str| (name == "base.toml").then(|| text.to_owned());
        let text = "name = \"y\"\nextends = \"base.toml\"\n";
        assert!(Spec::load("y.toml", text, &of_files).unwrap().field(55).is_none());
    }

    #[test]
    fn what_cannot_be_extended_is_named() {
        let error = Spec::load("x.toml", "name = \"x\"\nextends = \"nowhere\"\n", &|_| None).unwrap_err();
        assert_eq!((error.line, error.column), (2, 11));
        assert!(error.reason.contains("iso87-ascii"), "{error}");
        let text = "name = \"x\"\nextends = \"x.toml\"\n";
        let error = Spec::load("x.toml", text, &|_| Some(text.to_owned())).unwrap_err();
        assert!(error.reason.contains("extends itself"), "{error}");
        let error = Spec::from_toml("name = \"x\"\nextends = \"iso87-ascii\"\nremove = [2, 2]\n").unwrap_err();
        assert_eq!((error.line, error.column), (3, 14));
    }

    #[test]
    fn a_fault_in_the_base_is_told_where_it_stands() {
        let base = "name = \"b\"\nmti = \"ascii\"\nbitmap = \"binary\"\n[fields]\n3 = { name = \"a\", content = \"n\" }\n";
        let error = Spec::load("x.toml", "name = \"x\"\nextends = \"b.toml\"\n", &|_| Some(base.to_owned())).unwrap_err();
        assert_eq!((error.file.as_str(), error.line, error.column, error.path.as_str()), ("b.toml", 5, 1, "3"));
    }
}
