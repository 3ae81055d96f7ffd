//! Message authentication codes.

use super::super::commands::macs::{CheckMac, DukptMac, MacMethod, MakeMac};
use super::super::keys::Role;
use super::super::operations::{MacFrom, padded};
use super::{PayShield, within};
use crate::HsmError;

impl PayShield {
    /// The MAC of data: 8 bytes, or 16 under an AES key; links that truncate take the leftmost.
    ///
    /// # Errors
    /// [`HsmError::TooLong`] above what one command takes.
    pub async fn generate_mac(&self, from: &MacFrom, data: &[u8]) -> Result<Vec<u8>, HsmError> {
        within(data)?;
        match from {
            MacFrom::Static { key, algorithm } => {
                let entry = self.key_of(key, &[Role::Tak, Role::Zak])?;
                let bytes = entry.wrapped.shape().block();
                let method = MacMethod { role: entry.role, key: &entry.wrapped, algorithm: *algorithm, bytes };
                self.payment("generate_mac", &MakeMac { method, data }).await
            }
            MacFrom::Dukpt { bdk, ksn, padding } => {
                let entry = self.key_of(bdk, &[Role::Bdk])?;
                let data = padded(data, *padding)?;
                let request = DukptMac { base: &entry.wrapped, ksn, data: &data, check: None };
                self.payment("generate_mac", &request).await
            }
        }
    }

    /// Whether `mac` is that of `data`: all of it, or the 4 leftmost bytes where the link truncates.
    ///
    /// # Errors
    /// [`HsmError::Unsupported`] for another length, which no command checks.
    pub async fn verify_mac(&self, from: &MacFrom, data: &[u8], mac: &[u8]) -> Result<bool, HsmError> {
        within(data)?;
        let right = match from {
            MacFrom::Static { key, algorithm } => {
                let entry = self.key_of(key, &[Role::Tak, Role::Zak])?;
                if !matches!(mac.len(), 4 | 8 | 16) || mac.len() > entry.wrapped.shape().block() {
                    return Err(MAC_LENGTH);
                }
                let method = MacMethod { role: entry.role, key: &entry.wrapped, algorithm: *algorithm, bytes: mac.len() };
                self.verify("verify_mac", &CheckMac { method, data, mac }).await?
            }
            MacFrom::Dukpt { bdk, ksn, padding } => {
                if !matches!(mac.len(), 4 | 8) {
                    return Err(MAC_LENGTH);
                }
                let entry = self.key_of(bdk, &[Role::Bdk])?;
                let data = padded(data, *padding)?;
                self.verify("verify_mac", &DukptMac { base: &entry.wrapped, ksn, data: &data, check: Some(mac) }).await?
            }
        };
        if !right {
            metrics::counter!("hsm_mac_mismatches_total").increment(1);
        }
        Ok(right)
    }
}

const MAC_LENGTH: HsmError = HsmError::Unsupported("check a MAC of this length");
