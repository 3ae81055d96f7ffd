//! MACs and encrypted data of messages.

use crypto::CryptoError;
use zeroize::Zeroizing;

use super::Hsm;
use crate::compose::{data as data_of, mac};
use crate::token::Way;
use crate::{DataSource, HsmError, MacSource};

impl Hsm {
    /// The MAC of `data`: the 8 leftmost bytes, which is all of it with TDES; links that truncate more take the
    /// leftmost of these.
    pub async fn generate_mac(&self, source: impl Into<MacSource>, data: &[u8]) -> Result<[u8; 8], HsmError> {
        let whole = self.whole_mac(source.into(), data).await?;
        whole.first_chunk().copied().ok_or(HsmError::Input(CryptoError::DataLength))
    }

    /// The `bytes` leftmost of the MAC of `data`, 4 at least: up to 8 with TDES, up to 16 with AES.
    pub async fn generate_mac_of(&self, source: impl Into<MacSource>, data: &[u8], bytes: usize) -> Result<Vec<u8>, HsmError> {
        let whole = self.whole_mac(source.into(), data).await?;
        let cut = whole.get(..bytes).filter(|cut| cut.len() >= 4);
        cut.map(<[u8]>::to_vec).ok_or(HsmError::Input(CryptoError::DataLength))
    }

    async fn whole_mac(&self, source: MacSource, data: &[u8]) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        // Messages hold PANs.
        let data = Zeroizing::new(data.to_vec());
        self.payment("generate_mac", move |token| mac::generate(token, &source, &data)).await
    }

    /// Whether `mac` is that of `data`: all of it, or at least the 4 leftmost bytes where the link truncates.
    /// The caller checks that the length is the link's.
    pub async fn verify_mac(&self, source: impl Into<MacSource>, data: &[u8], mac: &[u8]) -> Result<bool, HsmError> {
        let (source, data, mac) = (source.into(), Zeroizing::new(data.to_vec()), mac.to_vec());
        self.payment("verify_mac", move |token| mac::verify(token, &source, &data, &mac)).await
    }

    /// Encrypts whole blocks in CBC mode from a block `start`: 8 bytes for TDES keys, 16 for AES. The caller
    /// pads.
    pub async fn encrypt_data(&self, source: &DataSource, start: &[u8], data: &[u8]) -> Result<Vec<u8>, HsmError> {
        Ok(self.crypt("encrypt_data", source, Way::Encrypt, start, data).await?.to_vec())
    }

    /// Decrypts what [`Hsm::encrypt_data`] or a terminal encrypted. Data keys are for data alone: a PIN block or
    /// a key is never under one.
    pub async fn decrypt_data(&self, source: &DataSource, start: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        self.crypt("decrypt_data", source, Way::Decrypt, start, data).await
    }

    async fn crypt(
        &self,
        operation: &'static str,
        source: &DataSource,
        way: Way,
        start: &[u8],
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let (source, start, data) = (*source, start.to_vec(), Zeroizing::new(data.to_vec()));
        self.payment(operation, move |token| data_of::crypt(token, &source, way, &start, &data)).await
    }
}
