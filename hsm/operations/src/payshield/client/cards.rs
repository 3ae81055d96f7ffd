//! Card verification values and chip cryptograms.

use crypto::CryptoError;
use zeroize::Zeroizing;

use super::super::commands::cards::{CardFields, CheckCvv, MakeCvv};
use super::super::commands::chip::{ChipAnswer, ChipScheme, Cryptogram};
use super::super::keys::Role;
use super::super::operations::{CardSecurity, Incoming};
use super::PayShield;
use crate::HsmError;

/// Longest data of a cryptogram, in bytes.
const CHIP_DATA: usize = 255;

impl PayShield {
    /// The verification value of a card, three ASCII digits.
    ///
    /// # Errors
    /// [`HsmError::Refused`] for an expiry or a service code that is no digits.
    pub async fn cvv(&self, card: &CardSecurity<'_>) -> Result<Zeroizing<[u8; 3]>, HsmError> {
        let key = self.key_of(&card.key, &[Role::Cvk])?;
        self.payment("cvv", &MakeCvv { key: &key.wrapped, card: card_fields(card)? }).await
    }

    /// Whether a card shows the right value.
    ///
    /// # Errors
    /// As [`PayShield::cvv`].
    pub async fn verify_cvv(&self, card: &CardSecurity<'_>, shown: &[u8; 3]) -> Result<bool, HsmError> {
        let key = self.key_of(&card.key, &[Role::Cvk])?;
        if !shown.iter().all(u8::is_ascii_digit) {
            return Ok(false);
        }
        self.verify("verify_cvv", &CheckCvv { key: &key.wrapped, card: card_fields(card)?, shown }).await
    }

    /// Whether a cryptogram is the card's over `data`, which is padded as the card scheme wants.
    ///
    /// # Errors
    /// [`HsmError::TooLong`] above 255 bytes.
    pub async fn verify_arqc(&self, incoming: &Incoming<'_>, data: &[u8]) -> Result<bool, HsmError> {
        let outcome = self.chip("verify_arqc", incoming, Some(data), None).await?;
        Ok(outcome.is_some())
    }

    /// As [`PayShield::verify_arqc`], with the issuer's answer where the cryptogram is right; `None` where
    /// it is not.
    ///
    /// # Errors
    /// [`HsmError::Unsupported`] for an answer that the scheme does not have.
    pub async fn verify_arqc_and_answer(
        &self,
        incoming: &Incoming<'_>,
        data: &[u8],
        answer: ChipAnswer<'_>,
    ) -> Result<Option<Vec<u8>>, HsmError> {
        self.chip("verify_arqc", incoming, Some(data), Some(answer)).await
    }

    /// The issuer's answer to a cryptogram that was checked elsewhere.
    ///
    /// # Errors
    /// As [`PayShield::verify_arqc_and_answer`].
    pub async fn answer_arqc(&self, incoming: &Incoming<'_>, answer: ChipAnswer<'_>) -> Result<Vec<u8>, HsmError> {
        let made = self.chip("answer_arqc", incoming, None, Some(answer)).await?;
        made.ok_or_else(|| HsmError::Refused("HSM checked a cryptogram that it was not asked to".to_owned()))
    }

    async fn chip(
        &self,
        operation: &'static str,
        incoming: &Incoming<'_>,
        data: Option<&[u8]>,
        answer: Option<ChipAnswer<'_>>,
    ) -> Result<Option<Vec<u8>>, HsmError> {
        if data.is_some_and(|data| data.len() > CHIP_DATA) {
            return Err(HsmError::TooLong);
        }
        match (incoming.scheme, answer) {
            (ChipScheme::Static | ChipScheme::MChip, Some(ChipAnswer::Status(..))) => {
                return Err(HsmError::Unsupported("answer by method 2 in this scheme"));
            }
            (_, Some(ChipAnswer::Status(_, proprietary))) if proprietary.len() > 8 => return Err(HsmError::TooLong),
            _ => {}
        }
        if !incoming.sequence.iter().all(u8::is_ascii_digit) {
            return Err(HsmError::KeyRefused(CryptoError::PanSequence));
        }
        let key = self.key_of(&incoming.key, &[Role::MkAc])?;
        let request = Cryptogram {
            scheme: incoming.scheme,
            key: &key.wrapped,
            pan: incoming.pan.reveal(),
            sequence: &incoming.sequence,
            counter: incoming.counter,
            unpredictable: incoming.unpredictable,
            data,
            received: incoming.cryptogram,
            answer,
        };
        self.maybe(operation, &request).await
    }
}

fn card_fields<'a>(card: &'a CardSecurity<'_>) -> Result<CardFields<'a>, HsmError> {
    let digits = card.expiry.iter().chain(&card.service_code);
    if !digits.into_iter().all(u8::is_ascii_digit) {
        return Err(HsmError::Refused("expiry and service code are digits".to_owned()));
    }
    if card.pan.reveal().len() < 12 {
        return Err(HsmError::Pan);
    }
    Ok(CardFields { pan: card.pan.reveal(), expiry: &card.expiry, service_code: &card.service_code })
}
