//! The page of `docs/hsm` about this package: its examples run as tests.

#[doc = include_str!("../../../docs/hsm/crypto.md")]
struct Crypto;
