//! Keys: made, taken in and out, listed, removed; and data keys under them.

use crypto::keyblock::Version;

use super::Hsm;
use crate::compose::{block, seal};
use crate::token::KeyKind;
use crate::{Algorithm, ClearKey, DataKey, Exportability, HsmError, Kcv, KeyInfo, KeyName, KeyRole, WrappedDataKey};

impl Hsm {
    /// A new data key of 32 bytes, clear and wrapped. `purpose` is bound to it: unwrapping under
    /// another one fails.
    pub async fn generate_data_key(&self, kek: &KeyName, purpose: &str) -> Result<(DataKey, WrappedDataKey), HsmError> {
        let (kek, purpose) = (*kek, purpose.to_owned());
        self.admin("generate_data_key", move |token| seal::generate_data_key(token, &kek, &purpose)).await
    }

    /// A data key out of its wrapping, [`HsmError::NotAuthentic`] if anything about it is not as it was.
    pub async fn unwrap_data_key(&self, kek: &KeyName, purpose: &str, wrapped: &WrappedDataKey) -> Result<DataKey, HsmError> {
        let (kek, purpose, wrapped) = (*kek, purpose.to_owned(), wrapped.clone());
        self.admin("unwrap_data_key", move |token| seal::unwrap_data_key(token, &kek, &purpose, &wrapped)).await
    }

    /// Makes a key. PIN keys and key encryption keys are made in the token; roles that need a companion
    /// object (MAC keys, base derivation keys) are made of the token's random bytes and taken in.
    pub async fn generate_key(&self, name: &KeyName, role: KeyRole) -> Result<KeyInfo, HsmError> {
        self.generate_key_of(name, role, role.algorithm(), Exportability::NonExportable).await
    }

    /// As [`Hsm::generate_key`], of an algorithm that the role admits, and maybe one that may leave in a key
    /// block.
    pub async fn generate_key_of(
        &self,
        name: &KeyName,
        role: KeyRole,
        algorithm: Algorithm,
        exportability: Exportability,
    ) -> Result<KeyInfo, HsmError> {
        if !role.admits(algorithm) {
            return Err(HsmError::WrongAlgorithm(role));
        }
        let (name, kind) = (*name, KeyKind { role, algorithm, exportability });
        self.admin("generate_key", move |token| token.generate(&name, kind)).await
    }

    /// Takes a key in from clear material: laboratories and ceremonies.
    pub async fn import_key(&self, name: &KeyName, key: &ClearKey) -> Result<KeyInfo, HsmError> {
        let (name, key) = (*name, key.clone());
        self.admin("import_key", move |token| token.import(&name, &key)).await
    }

    /// Takes a key in out of an X9.143 (TR-31) key block of version B, D or E, under a key with role KBPK. What
    /// the block says must be what `role` is: usage, algorithm, mode of use; the mode and whether the key may
    /// leave again are kept. `told` is the check value that its sender told, where one did; one that the block
    /// carries is checked, too.
    pub async fn import_block(
        &self,
        kbpk: &KeyName,
        name: &KeyName,
        role: KeyRole,
        block: &str,
        told: Option<Kcv>,
    ) -> Result<KeyInfo, HsmError> {
        let (kbpk, name, text) = (*kbpk, *name, block.to_owned());
        self.admin("import_block", move |token| block::import(token, &kbpk, &name, role, &text, told)).await
    }

    /// A key as a key block, and its check value. Only keys that were made or taken in as exportable leave.
    pub async fn export_block(&self, kbpk: &KeyName, name: &KeyName, version: Version) -> Result<(String, Kcv), HsmError> {
        let (kbpk, name) = (*kbpk, *name);
        self.admin("export_block", move |token| block::export(token, &kbpk, &name, version)).await
    }

    /// Removes a key for good.
    pub async fn destroy_key(&self, name: &KeyName) -> Result<(), HsmError> {
        let name = *name;
        self.admin("destroy_key", move |token| token.destroy(&name)).await
    }

    /// Every key of ours in the HSM, in order of name.
    pub async fn list_keys(&self) -> Result<Vec<KeyInfo>, HsmError> {
        self.admin("list_keys", |token| token.list()).await
    }

    /// What is known of one key, its check value for one.
    pub async fn key(&self, name: &KeyName) -> Result<KeyInfo, HsmError> {
        let keys = self.list_keys().await?;
        keys.into_iter().find(|key| key.name == *name).ok_or(HsmError::UnknownKey(*name))
    }

    /// Reads anew which keys there are, after another process changed them.
    pub async fn refresh(&self) -> Result<(), HsmError> {
        self.admin("refresh", |token| token.refresh()).await
    }
}
