//! Why a document was refused: where (path of schema names and byte offset), what was wanted, and,
//! where it says something, what stood there. Content never appears: it may be personal data.

use std::fmt;

/// A refused document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// Schema names from the root to the element, joined by `/`. A name that no schema here knows is
    /// written `?`.
    pub path: String,
    /// Offset in bytes of the element's start tag, or of the place where reading stopped.
    pub offset: usize,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", if self.path.is_empty() { "document" } else { &self.path }, self.offset, self.fault)
    }
}

/// What is wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// More bytes than [`crate::Limits::document_bytes`].
    #[error("{got} bytes, at most {max} are read")]
    TooLarge {
        /// Bytes given.
        got: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// More open elements than [`crate::Limits::depth`].
    #[error("elements nested deeper than {max}")]
    TooDeep {
        /// Levels allowed.
        max: usize,
    },
    /// More elements than [`crate::Limits::elements`].
    #[error("more than {max} elements")]
    TooManyElements {
        /// Elements allowed.
        max: usize,
    },
    /// More attributes or namespace declarations than the limits allow.
    #[error("too many attributes or namespace declarations")]
    TooManyAttributes,
    /// More text in one element than [`crate::Limits::text_bytes`].
    #[error("text longer than {max} bytes")]
    TextTooLong {
        /// Bytes allowed.
        max: usize,
    },
    /// Not UTF-8, or declared as something else.
    #[error("not UTF-8")]
    NotUtf8,
    /// Not well-formed XML 1.0.
    #[error("not well-formed: {0}")]
    NotWellFormed(&'static str),
    /// A document type declaration.
    #[error("a document type declaration is not allowed")]
    Doctype,
    /// A processing instruction.
    #[error("a processing instruction is not allowed")]
    ProcessingInstruction,
    /// An entity that XML does not predefine.
    #[error("an entity other than amp, lt, gt, apos, quot is not allowed")]
    Entity,
    /// An element that may not stand here: wrong name, namespace, place in the order, or once too often.
    #[error("wanted {want}, got {got}")]
    Unexpected {
        /// The element or elements that may stand here.
        want: &'static str,
        /// The element found, `another element` where no schema here knows its name, `another
        /// namespace` where the name is right.
        got: &'static str,
    },
    /// A mandatory element that is not there.
    #[error("wanted {want}, got nothing")]
    Missing {
        /// The element.
        want: &'static str,
    },
    /// Text where only elements may stand, or elements where only text may.
    #[error("text and elements are mixed")]
    Mixed,
    /// An attribute that the schema does not have here, or `xsi:nil` or `xsi:type`.
    #[error("an attribute that may not stand here")]
    Attribute,
    /// A value that breaks its content rule.
    #[error("{0}")]
    Content(#[from] Content),
    /// `MsgDefIdr` of the header is not the message that follows.
    #[error("the header announces another message than the document is")]
    HeaderMismatch,
    /// Several credit transfers in one pacs.008; one is what this switch takes.
    #[error("{got} credit transfers in one message, exactly one is accepted")]
    SeveralTransactions {
        /// Transactions found.
        got: usize,
    },
    /// `NbOfTxs` is not the number of transactions.
    #[error("NbOfTxs is not the number of transactions")]
    Count,
    /// `TtlIntrBkSttlmAmt` or `CtrlSum` is not the sum of the transactions.
    #[error("the total is not the sum of the transactions")]
    Total,
    /// Stands in the group header and in the transaction, where only one may have it.
    #[error("{0} stands in the group header and in the transaction")]
    Twice(&'static str),
}

/// A value that breaks its content rule. Says the rule, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Content {
    /// Characters outside 1 to the maximum.
    #[error("text of {got} characters, wanted 1 to {max}")]
    Length {
        /// Characters given.
        got: usize,
        /// Characters allowed.
        max: usize,
    },
    /// A character that XML 1.0 cannot carry.
    #[error("a character that XML cannot carry")]
    Character,
    /// Not of the pattern of its type.
    #[error("not {0}")]
    Pattern(&'static str),
    /// Check digits do not fit.
    #[error("check digits of the IBAN do not fit")]
    CheckDigits,
    /// Not a date of the calendar, or a date with a time zone.
    #[error("not a date YYYY-MM-DD")]
    Date,
    /// Not an `xs:dateTime`.
    #[error("not a date and time")]
    DateTime,
    /// Not a decimal number of at most 18 digits, 5 of them behind the point.
    #[error("not a decimal of at most 18 digits, at most 5 of them behind the point")]
    Decimal,
    /// Not a currency of ISO 4217 with a minor unit (funds codes and metals have none).
    #[error("not a currency of ISO 4217 with a minor unit")]
    Currency,
    /// More digits behind the point than the currency has.
    #[error("more digits behind the point than the currency's {exponent}")]
    Exponent {
        /// Digits that the currency has.
        exponent: u8,
    },
    /// Nothing to move.
    #[error("an amount of zero")]
    Zero,
    /// More than 18 digits in minor units.
    #[error("more than 18 digits in minor units")]
    Digits,
}
