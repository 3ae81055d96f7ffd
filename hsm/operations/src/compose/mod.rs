//! The operations, composed of what a token can: the steps that plain PKCS#11 leaves to the host. One module
//! for each noun. Clear PIN blocks and DUKPT keys exist here, wiped, for the length of one call.

pub(crate) mod block;
pub(crate) mod card;
pub(crate) mod chip;
mod cipher;
pub(crate) mod data;
mod dukpt;
pub(crate) mod mac;
pub(crate) mod pin;
pub(crate) mod seal;
