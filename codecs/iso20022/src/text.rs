//! `MaxNText` and external codes: Unicode text of 1 to N characters, counted as code points
//! (XSD `xs:string` with `minLength` and `maxLength`; blanks are kept).

use std::fmt;

use crate::error::Content;

/// Text of 1 to `MAX` characters, all of which XML 1.0 can carry. Longer kinds (names, remittance
/// text) redact themselves in `Debug`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// From text of 1 to `MAX` characters.
    pub fn new(text: impl Into<String>) -> Result<Self, Content> {
        let text = text.into();
        let got = text.chars().count();
        if got == 0 || got > MAX {
            return Err(Content::Length { got, max: MAX });
        }
        if text.chars().all(is_xml_char) { Ok(Self(text)) } else { Err(Content::Character) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if MAX <= 35 { write!(f, "{:?}", self.0) } else { write!(f, "<{} characters>", self.0.chars().count()) }
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An external code of 1 to 4 characters (`ExternalStatusReason1Code` and its kin). The lists are
/// published apart from the schemas, so unknown codes are valid here.
pub type Code = Text<4>;

/// XML 1.0 §2.2, production `Char`.
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(Text::<35>::new("é".repeat(35)).is_ok());
        assert!(Text::<35>::new("𝄞".repeat(35)).is_ok());
        assert_eq!(Text::<35>::new("é".repeat(36)), Err(Content::Length { got: 36, max: 35 }));
        assert_eq!(Text::<35>::new(""), Err(Content::Length { got: 0, max: 35 }));
    }

    #[test]
    fn characters_that_xml_cannot_carry_are_refused() {
        assert_eq!(Text::<35>::new("a\u{0}"), Err(Content::Character));
        assert_eq!(Text::<35>::new("a\u{FFFE}"), Err(Content::Character));
    }

    #[test]
    fn names_do_not_show_in_debug() {
        assert!(!format!("{:?}", Text::<140>::new("Söhne").unwrap()).contains("Söhne"));
    }
}
