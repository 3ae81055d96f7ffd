//! Golden documents, refusals with path and offset, round trips, and agreement with libxml2.

#![allow(clippy::unwrap_used)]
mod golden;
mod refusals;
mod roundtrip;
mod schema;

/// A pacs.008 in its envelope, as a person would write it.
pub(crate) const TRANSFER: &str = include_str!("../golden/pacs.008.xml");
