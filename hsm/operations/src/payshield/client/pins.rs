//! PINs: translated, and verified.

use crypto::CryptoError;
use payments::{Pan, PinBlock};

use super::super::commands::pins::{Origin, PinKey, TranslatePin, VerifyOffset, VerifyPvv};
use super::super::commands::{Account, PinFormat};
use super::super::keys::{KeyEntry, Role};
use super::super::operations::{PinCheck, PinFrom, PinTo};
use super::PayShield;
use crate::HsmError;

impl PayShield {
    /// Takes a PIN block to a zone's key, and to another layout. Nothing of it is in the clear outside the
    /// HSM.
    ///
    /// # Errors
    /// [`HsmError::PinBlock`] when what is inside is not a PIN block: key, PAN or block are wrong, and
    /// nobody can tell which.
    pub async fn translate_pin(&self, from: &PinFrom, to: &PinTo, pan: &Pan, block: &PinBlock) -> Result<PinBlock, HsmError> {
        if block.reveal().len() != from.format().bytes() {
            return Err(HsmError::PinBlock);
        }
        let whole = from.format() == PinFormat::Iso4 || to.format == PinFormat::Iso4;
        let account = if whole { Account::whole(pan.reveal()) } else { Account::twelve(pan.reveal())? };
        let target = self.key_of(&to.key, &[Role::Zpk])?;
        let (source, ksn) = match from {
            PinFrom::Static { key, .. } => (self.key_of(key, &[Role::Tpk, Role::Zpk])?, None),
            PinFrom::Dukpt { bdk, ksn, .. } => (self.key_of(bdk, &[Role::Bdk])?, Some(ksn)),
        };
        let origin = match ksn {
            Some(ksn) => Origin::Dukpt(&source.wrapped, ksn),
            None => Origin::Static(pin_key(&source)),
        };
        let request = TranslatePin {
            origin,
            target: &target.wrapped,
            block: block.reveal(),
            from: from.format(),
            to: to.format,
            account: &account,
        };
        let moved = self.payment("translate_pin", &request).await?;
        PinBlock::new(&moved).map_err(|_| HsmError::PinBlock)
    }

    /// Whether the PIN in a block is the one that the issuer knows of.
    ///
    /// # Errors
    /// [`HsmError::PinBlock`] as in a translation. The caller answers it as it answers `false` where the
    /// sender must not tell them apart.
    pub async fn verify_pin(&self, from: &PinFrom, pan: &Pan, block: &PinBlock, check: &PinCheck) -> Result<bool, HsmError> {
        let PinFrom::Static { key, format } = from else {
            return Err(HsmError::Unsupported("verify a PIN under a DUKPT key: translate it first"));
        };
        if *format == PinFormat::Iso4 {
            return Err(HsmError::Unsupported("verify a PIN in format 4: translate it first"));
        }
        if block.reveal().len() != format.bytes() {
            return Err(HsmError::PinBlock);
        }
        let account = Account::twelve(pan.reveal())?;
        let source = self.key_of(key, &[Role::Tpk, Role::Zpk])?;
        match check {
            PinCheck::Visa(kept) => {
                if !kept.index.is_ascii_digit() {
                    return Err(HsmError::KeyRefused(CryptoError::Pvki));
                }
                let verification = self.key_of(&kept.key, &[Role::Pvk])?;
                let request = VerifyPvv {
                    key: pin_key(&source),
                    verification: &verification.wrapped,
                    block: block.reveal(),
                    format: *format,
                    account: &account,
                    index: kept.index,
                    value: kept.value.reveal(),
                };
                self.verify("verify_pin", &request).await
            }
            PinCheck::Ibm3624(kept) => {
                let validation = kept.validation(pan, &account)?;
                let tables = &self.settings().decimalisation_tables;
                if !tables.iter().any(|table| table.as_bytes() == kept.table) {
                    return Err(HsmError::KeyRefused(CryptoError::DecimalizationTable));
                }
                let verification = self.key_of(&kept.key, &[Role::Pvk])?;
                let request = VerifyOffset {
                    key: pin_key(&source),
                    verification: &verification.wrapped,
                    block: block.reveal(),
                    format: *format,
                    shortest: kept.shortest,
                    account: &account,
                    table: &kept.table,
                    validation: &validation,
                    offset: kept.offset.reveal(),
                };
                self.verify("verify_pin", &request).await
            }
        }
    }
}

fn pin_key(entry: &KeyEntry) -> PinKey<'_> {
    if entry.role == Role::Tpk { PinKey::Terminal(&entry.wrapped) } else { PinKey::Zone(&entry.wrapped) }
}
