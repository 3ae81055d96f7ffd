//! Operations on PINs. None gives a clear PIN out, and none takes one.

use crypto::ibm3624::{DecimalizationTable, Offset, ValidationData};
use crypto::pvv::Pvv;
use payments::{Pan, PinBlock};

use super::Hsm;
use crate::compose::pin;
use crate::{HsmError, KeyName, PinReference, PinSource, PinTarget, Verified};

impl Hsm {
    /// Takes a PIN block from its source to a route's zone key. The PAN binds formats that have it in
    /// the block.
    ///
    /// Fails with [`HsmError::PinBlock`] when what is inside is not a PIN block: the key, the PAN or the
    /// block is wrong, and nobody can tell which.
    pub async fn translate_pin(
        &self,
        source: &PinSource,
        target: &PinTarget,
        pan: &Pan,
        block: &PinBlock,
    ) -> Result<PinBlock, HsmError> {
        let (source, target, pan, block) = (*source, *target, pan.clone(), block.clone());
        self.payment("translate_pin", move |token| pin::translate(token, &source, &target, &pan, &block)).await
    }

    /// Whether the PIN in a block is the one that the issuer's reference is of. A block that is none is a PIN
    /// that is not it, in answer and in time; a counter inside tells them apart.
    pub async fn verify_pin(
        &self,
        source: &PinSource,
        reference: &PinReference,
        pan: &Pan,
        block: &PinBlock,
    ) -> Result<Verified, HsmError> {
        let (source, reference, pan, block) = (*source, reference.clone(), pan.clone(), block.clone());
        let tables = self.tables.clone();
        self.payment("verify_pin", move |token| pin::verify(token, &source, &reference, &tables, &pan, &block)).await
    }

    /// Visa's PIN verification value of the PIN in a block, for the issuer to keep. `index` is the ASCII digit
    /// of the key.
    pub async fn generate_pvv(
        &self,
        source: &PinSource,
        pvk: &KeyName,
        index: u8,
        pan: &Pan,
        block: &PinBlock,
    ) -> Result<Pvv, HsmError> {
        let (source, pvk, pan, block) = (*source, *pvk, pan.clone(), block.clone());
        self.payment("generate_pvv", move |token| pin::generate_pvv(token, &source, &pvk, index, &pan, &block)).await
    }

    /// The IBM 3624 offset of the PIN in a block, for the issuer to keep.
    pub async fn generate_offset(
        &self,
        source: &PinSource,
        pvk: &KeyName,
        table: &DecimalizationTable,
        data: &ValidationData,
        pan: &Pan,
        block: &PinBlock,
    ) -> Result<Offset, HsmError> {
        let (source, pvk, table, data, pan, block) = (*source, *pvk, *table, data.clone(), pan.clone(), block.clone());
        let tables = self.tables.clone();
        self.payment("generate_offset", move |token| {
            pin::generate_offset(token, &source, &pvk, (&table, &tables), &data, &pan, &block)
        })
        .await
    }
}
