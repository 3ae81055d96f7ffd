//! Keys that change with every transaction.

pub(super) mod aes;
pub(super) mod tdes;
