//! Keys made, formed, brought in, sent out and checked.

use crypto::CryptoError;

use super::super::codec::ErrorCode;
use super::super::commands::admin::{CheckValue, ExportKey, FormKey, GenerateKey, Generated, ImportKey, Rewrap};
use super::super::keys::{KeyEntry, Role, Shape, Wrapped, ZoneCryptogram};
use super::super::operations::Components;
use super::PayShield;
use crate::{HsmError, Kcv, KeyName};

impl PayShield {
    /// Makes a TDES key and puts it into the table. With a zone master key it comes back under that one,
    /// too, for the other party.
    ///
    /// # Errors
    /// [`HsmError::KeyExists`] when the name is taken.
    pub async fn generate_key(
        &self,
        name: &KeyName,
        role: Role,
        shape: Shape,
        zone: Option<&KeyName>,
    ) -> Result<(KeyEntry, Option<ZoneCryptogram>), HsmError> {
        self.is_free(name)?;
        let zone = zone.map(|zone| self.key_of(zone, &[Role::Zmk])).transpose()?;
        let request = GenerateKey { role, shape, zone: zone.as_ref().map(|zone| &zone.wrapped) };
        request.check()?;
        let Generated { wrapped, sent, check_value } = self.admin("generate_key", &request).await?;
        let entry = KeyEntry { role, wrapped, check_value };
        self.write().insert(*name, entry.clone())?;
        Ok((entry, sent))
    }

    /// Forms a key of components, each under the local master key, and puts it into the table.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] for fewer than two, more than nine, or of different lengths.
    pub async fn form_key(&self, name: &KeyName, role: Role, components: Components<'_>) -> Result<KeyEntry, HsmError> {
        self.is_free(name)?;
        let shape = match components {
            [first, _, ..] if components.len() <= 9 => first.shape(),
            _ => return Err(HsmError::KeyRefused(CryptoError::Components)),
        };
        if shape == Shape::Aes || components.iter().any(|component| component.shape() != shape) {
            return Err(HsmError::KeyRefused(CryptoError::Components));
        }
        let (wrapped, check_value) = self.admin("form_key", &FormKey { role, components, shape }).await?;
        let entry = KeyEntry { role, wrapped, check_value };
        self.write().insert(*name, entry.clone())?;
        Ok(entry)
    }

    /// Brings a key in that came under a zone master key, with the check value that its sender told.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] for wrong parity or equal parts, [`HsmError::KcvMismatch`] for another key
    /// than the sender meant.
    pub async fn import_key(
        &self,
        name: &KeyName,
        role: Role,
        zone: &KeyName,
        sent: &ZoneCryptogram,
        check_value: Kcv,
    ) -> Result<KeyEntry, HsmError> {
        self.is_free(name)?;
        let zone = self.key_of(zone, &[Role::Zmk])?;
        let request = ImportKey { role, zone: &zone.wrapped, sent };
        let (code, (wrapped, told)) = self.coded("import_key", &request).await?;
        if code == ErrorCode::FAILED {
            return Err(HsmError::KeyRefused(CryptoError::Parity));
        }
        if !crypto::same(&told.0, &check_value.0) {
            return Err(HsmError::KcvMismatch);
        }
        let entry = KeyEntry { role, wrapped, check_value };
        self.write().insert(*name, entry.clone())?;
        Ok(entry)
    }

    /// Sends a key out under a zone master key, with its check value.
    ///
    /// # Errors
    /// [`HsmError::Unsupported`] for AES keys.
    pub async fn export_key(&self, name: &KeyName, zone: &KeyName) -> Result<(ZoneCryptogram, Kcv), HsmError> {
        let zone = self.key_of(zone, &[Role::Zmk])?;
        let key = self.key_of(name, &Role::ALL)?;
        let scheme = key.wrapped.shape().zone_scheme()?;
        let request = ExportKey { role: key.role, zone: &zone.wrapped, key: &key.wrapped, scheme };
        let (sent, check_value) = self.admin("export_key", &request).await?;
        if check_value == key.check_value { Ok((sent, check_value)) } else { Err(HsmError::KcvMismatch) }
    }

    /// The check value that the HSM computes of a key.
    ///
    /// # Errors
    /// [`HsmError::UnknownKey`].
    pub async fn key_check_value(&self, name: &KeyName) -> Result<Kcv, HsmError> {
        let key = self.key_of(name, &Role::ALL)?;
        self.check_value_of(key.role, &key.wrapped).await
    }

    /// As [`PayShield::key_check_value`], of a key that is in no table: a component, for one.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] when it is not a key of the role.
    pub async fn check_value_of(&self, role: Role, wrapped: &Wrapped) -> Result<Kcv, HsmError> {
        self.admin("key_check_value", &CheckValue { role, key: wrapped }).await
    }

    /// Puts a key from storage into the table, once the HSM has said that it is the one meant.
    ///
    /// # Errors
    /// [`HsmError::KcvMismatch`] when it is another.
    pub async fn add_key(&self, name: &KeyName, entry: KeyEntry) -> Result<(), HsmError> {
        self.is_free(name)?;
        if self.check_value_of(entry.role, &entry.wrapped).await? != entry.check_value {
            return Err(HsmError::KcvMismatch);
        }
        self.write().insert(*name, entry)
    }

    /// A key under the old local master keys, under the new ones.
    ///
    /// # Errors
    /// [`HsmError::KeyRefused`] when it is not under the old ones.
    pub async fn rewrap_key(&self, role: Role, old: &Wrapped) -> Result<Wrapped, HsmError> {
        self.admin("rewrap_key", &Rewrap { role, key: old }).await
    }

    /// Takes a key out of the table. An HSM of this kind has nothing to forget.
    ///
    /// # Errors
    /// [`HsmError::UnknownKey`].
    pub fn remove_key(&self, name: &KeyName) -> Result<KeyEntry, HsmError> {
        self.write().remove(name)
    }

    /// A key of the table.
    ///
    /// # Errors
    /// [`HsmError::UnknownKey`].
    pub fn key(&self, name: &KeyName) -> Result<KeyEntry, HsmError> {
        self.key_of(name, &Role::ALL)
    }
}
