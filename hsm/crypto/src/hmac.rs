//! HMAC-SHA256 under a key that is kept ready.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A 256-bit HMAC key, its two inner hash states made once.
#[derive(Clone)]
pub struct HmacKey(Hmac<Sha256>);

impl HmacKey {
    /// From 32 bytes.
    pub fn new(raw: &[u8; 32]) -> Self {
        // The block of SHA-256 is 64 bytes; shorter keys are filled with zeros (FIPS 198-1 section 4).
        let mut block = zeroize::Zeroizing::new([0u8; 64]);
        block.iter_mut().zip(raw).for_each(|(room, byte)| *room = *byte);
        Self(Hmac::new((&*block).into()))
    }

    /// HMAC-SHA256 (FIPS 198-1) of the parts one after another, 32 bytes.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_agrees_with_rfc_4231() {
        // RFC 4231 test case 1: a key of 20 bytes, which zeros up to 32 do not change.
        let mut raw = [0; 32];
        raw[..20].fill(0x0B);
        let key = HmacKey::new(&raw);
        let signed = hex::encode(key.sign(&[b"Hi ", b"There"]));
        assert_eq!(signed, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(format!("{key:?}"), "HmacKey([redacted])");
    }
}
