//! Keys that exist to be used outside.

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A clear key of 32 bytes for data outside the HSM: sealing, keyed fingerprints. It is kept only
/// wrapped, and in memory while in use.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl DataKey {
    pub(crate) fn new(raw: [u8; 32]) -> Self {
        Self(raw)
    }

    /// The clear bytes.
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for DataKey {
    fn eq(&self, other: &Self) -> bool {
        crypto::same(&self.0, &other.0)
    }
}

impl Eq for DataKey {}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

/// A data key under a key encryption key, authenticated together with its purpose: may be stored
/// anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedDataKey(pub Vec<u8>);

impl fmt::Debug for WrappedDataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedDataKey({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_pass_through_never_show_in_debug() {
        let shown = format!("{:?} {:?}", DataKey::new([0xA5; 32]), WrappedDataKey(vec![0xA5; 61]));
        assert_eq!(shown, "DataKey([redacted]) WrappedDataKey(61 bytes)");
        assert_ne!(DataKey::new([0xA5; 32]), DataKey::new([0xA4; 32]));
    }
}
