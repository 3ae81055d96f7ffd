//! ISO 20022 messages as bytes: the business message envelope (nvlp.001.001.01) with a business
//! application header (head.001.001.02) and one of pacs.008.001.08, pacs.002.001.10, pacs.028.001.03.
//!
//! [`read`] turns one XML document into an [`Envelope`], [`write`](fn@write) does the reverse. Reading is
//! strict: namespaces resolved, no DTD, no processing instruction, no entity beyond the five that XML
//! predefines, order and occurrence of every sequence that is entered, content rules of every value
//! that is read, and bounds ([`Limits`]) on all of it. The views are hand-written and hold what a
//! payment switch acts on; elements of the schema that no view holds are named in [`Unread`], so that
//! the caller decides whether a message may go on without them.
//!
//! Errors carry a path of schema names, a byte offset and what was wanted, never content.
#![forbid(unsafe_code)]

mod amount;
mod credit_transfer;
mod datetime;
mod envelope;
mod error;
pub mod fuzz;
mod header;
mod identifiers;
mod limits;
mod parties;
mod sequence;
mod status_report;
mod status_request;
mod text;
mod tree;
mod writer;

pub use amount::{Amount, CurrencyCode};
pub use credit_transfer::{ChargeBearer, CreditTransfer, SettlementMethod};
pub use datetime::{Date, DateTime};
pub use envelope::{Document, Envelope, Received, read, read_document, write, write_document};
pub use error::{Content, Error, Fault};
pub use header::{BusinessHeader, CopyDuplicate, Endpoint};
pub use identifiers::{Bic, Iban, Uetr};
pub use limits::Limits;
pub use parties::{Account, Agent, ClearingMember, Party};
pub use sequence::Unread;
pub use status_report::{GroupStatus, OriginalMessage, StatusReport, TransactionStatus};
pub use status_request::{StatusRequest, TransactionEnquiry};
pub use text::{Code, Text};

/// Namespace of the business message envelope.
pub const ENVELOPE: &str = "urn:iso:std:iso:20022:tech:xsd:nvlp.001.001.01";
/// Namespace of the business application header.
pub const HEADER: &str = "urn:iso:std:iso:20022:tech:xsd:head.001.001.02";
/// Message definition of the credit transfer.
pub const PACS_008: &str = "pacs.008.001.08";
/// Message definition of the status report.
pub const PACS_002: &str = "pacs.002.001.10";
/// Message definition of the status request.
pub const PACS_028: &str = "pacs.028.001.03";
/// What stands before a message definition in its namespace.
pub const NAMESPACE_PREFIX: &str = "urn:iso:std:iso:20022:tech:xsd:";
