//! Clearing: freeze, set aside what cannot be presented, build, prove, publish.
//!
//! A file is a pure function of the frozen items, the endpoint's settings and the file's place in the
//! sequence. There is no clock in it and no order but that of the captures, so a run after a crash makes
//! the same bytes or finds its own manifest.

mod build;
mod capture;
mod country;
mod endpoint;
mod error;
mod freeze;
mod local_time;
mod manifest;
mod pos_data;
mod prove;
mod publish;
mod set_aside;

#[cfg(test)]
pub(crate) mod tests;

pub use build::{CannotUnseal, ClearCard, Unseal, Unsealed, build};
pub use capture::{Captured, Facts, Presented};
pub use endpoint::{CharsetSetting, Endpoint, LayoutSetting, ModeSetting, SettingError};
pub use error::Error;
pub use freeze::{FileKey, Frozen, Item, Movement, Note, freeze, net_by_currency};
pub use manifest::{Manifest, Noted, Range, Sent, Total};
pub use prove::{Row, prove, read_presentments, read_rows};
pub use publish::{Published, Step, publish, read_manifest};
pub use set_aside::{SetAside, set_aside};
