//! Files that schemes and banks exchange: bytes in, typed records out, and back. Pure: callers bring
//! anything that implements [`std::io::Read`] or [`std::io::Write`], usually a slice, a `Vec` or a file.
//!
//! [`ipm`] is the clearing format that public readers of Mastercard IPM files understand. Layouts come
//! from public parsers and sample data, so this is compatibility with them, not a scheme's certification.
#![forbid(unsafe_code)]

pub mod charset;
pub mod fuzz;
pub mod ipm;

pub use charset::Charset;
