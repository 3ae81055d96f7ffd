//! ISO 8583: bytes ↔ messages, by field tables that are data. Pure functions, no I/O, no clock.
//!
//! A [`Spec`] is a table of fields, loaded from TOML and compiled once. [`Spec::decode`] reads one
//! message strictly: every byte is accounted for and every character checked against its content
//! class; an error says what, where (field and byte offset), what was wanted and what stood there,
//! and keeps the part that could be read. [`Spec::encode`] refuses whatever decoding would refuse.
//!
//! ```
//! use iso8583::{Message, Spec};
//! let spec = Spec::shipped("iso87-ascii").unwrap();
//! let mut echo = Message::new("0800");
//! echo.set(7, "0715143100").set(11, "000001").set(70, "301");
//! let wire = spec.encode(&echo).unwrap();
//! assert_eq!(wire, b"08008220000000000000040000000000000007151431000000013 01".iter().filter(|b| **b != b' ').copied().collect::<Vec<u8>>());
//! let read = spec.decode(wire.into()).unwrap();
//! assert_eq!(read.str(70), Some("301"));
//! ```
//!
//! What no error, `Debug` or description ever shows is the content of a field.
#![forbid(unsafe_code)]

mod access;
mod bitmap;
mod charset;
mod class;
mod compile;
mod content;
mod decode;
mod describe;
mod dialects;
mod ebcdic;
pub mod emv;
mod encode;
mod error;
mod field;
mod frame;
pub mod fuzz;
pub mod import;
mod inside;
mod json;
mod layout;
mod load;
mod mask;
mod message;
mod mti;
mod nested;
#[cfg(doctest)]
mod pages;
mod path;
mod plan;
mod prefix;
mod row;
mod schema;
mod shape;
mod spec;
mod swar;
pub mod tlv;

pub use access::AccessError;
pub use bitmap::{BitmapForm, Third};
pub use class::{Content, Date};
pub use compile::LONGEST_FIELD;
pub use decode::LONGEST_FRAME;
pub use describe::describe;
pub use dialects::{dialects_table, fields_table};
pub use ebcdic::CodePage;
pub use encode::Unsigned;
pub use error::{DecodeError, EncodeError, Got, Kind, Note, Place, SpecError, Wanted};
pub use field::{Charset, Counts, Field, Length, Pad, Prefix, PrefixForm, Sensitivity, Severity, Side};
pub use frame::{Frame, FrameError, Framing, FramingError, Header, HeaderKind, LengthForm, Mark, Order, Preset, ZeroLength};
pub use json::{JsonError, Show, error_to_json, from_json, to_json};
pub use message::{Fields, Message};
pub use mti::{is_repeat, response_mti};
pub use path::{DEEPEST_PATH, Label, Path};
pub use shape::{Mapped, Shape, Tagged};
pub use spec::{Spec, Version};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod structured;
#[cfg(test)]
mod tests;
