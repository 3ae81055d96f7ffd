//! Data encrypted, decrypted and taken from key to key.

use zeroize::Zeroizing;

use super::super::commands::data::{Chaining, Crypt, DataKeyField, TranslateData};
use super::super::keys::{KeyEntry, Role};
use super::super::operations::DataSource;
use super::{PayShield, within};
use crate::HsmError;

impl PayShield {
    /// Encrypts whole blocks.
    ///
    /// # Errors
    /// [`HsmError::TooLong`] above what one command takes.
    pub async fn encrypt_data(
        &self,
        with: &DataSource,
        chaining: Chaining<'_>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        self.crypt("encrypt_data", true, with, chaining, data).await
    }

    /// Decrypts whole blocks.
    ///
    /// # Errors
    /// As [`PayShield::encrypt_data`].
    pub async fn decrypt_data(
        &self,
        with: &DataSource,
        chaining: Chaining<'_>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        self.crypt("decrypt_data", false, with, chaining, data).await
    }

    async fn crypt(
        &self,
        operation: &'static str,
        encrypt: bool,
        with: &DataSource,
        chaining: Chaining<'_>,
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let key = self.data_key(with)?;
        whole_blocks(&key, chaining, data)?;
        let request = Crypt { encrypt, chaining, key: data_field(&key, with), data };
        self.payment(operation, &request).await
    }

    /// Takes encrypted data from one key to another; the clear data stays inside.
    ///
    /// # Errors
    /// As [`PayShield::encrypt_data`].
    pub async fn translate_data(
        &self,
        from: (&DataSource, Chaining<'_>),
        to: (&DataSource, Chaining<'_>),
        data: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        let (source, target) = (self.data_key(from.0)?, self.data_key(to.0)?);
        whole_blocks(&source, from.1, data)?;
        whole_blocks(&target, to.1, data)?;
        let request = TranslateData {
            from: from.1,
            to: to.1,
            source: data_field(&source, from.0),
            target: data_field(&target, to.0),
            data,
        };
        self.payment("translate_data", &request).await
    }

    fn data_key(&self, source: &DataSource) -> Result<KeyEntry, HsmError> {
        match source {
            DataSource::Static { key } => self.key_of(key, &[Role::Zek, Role::Dek]),
            DataSource::Dukpt { bdk, .. } => self.key_of(bdk, &[Role::Bdk]),
        }
    }
}

fn data_field<'a>(entry: &'a KeyEntry, source: &'a DataSource) -> DataKeyField<'a> {
    let ksn = match source {
        DataSource::Static { .. } => None,
        DataSource::Dukpt { ksn, .. } => Some(ksn),
    };
    DataKeyField { role: entry.role, key: &entry.wrapped, ksn }
}

fn whole_blocks(entry: &KeyEntry, chaining: Chaining<'_>, data: &[u8]) -> Result<(), HsmError> {
    within(data)?;
    let block = entry.wrapped.shape().block();
    let start_fits = match chaining {
        Chaining::Ecb => true,
        Chaining::Cbc(start) => start.len() == block,
    };
    if data.is_empty() || !data.len().is_multiple_of(block) || !start_fits {
        return Err(HsmError::Refused("data and its start are whole blocks of the key's cipher".to_owned()));
    }
    Ok(())
}
