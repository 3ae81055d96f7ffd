//! The verbs, a file each.

pub(crate) mod admin;
pub(crate) mod clearing;
mod clearing_read;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod hsm;
pub(crate) mod init;
pub(crate) mod iso8583;
pub(crate) mod ledger;
pub(crate) mod recon;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod sim;
