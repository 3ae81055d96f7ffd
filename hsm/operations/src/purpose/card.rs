//! What a magnetic stripe, a panel or a contactless card shows.

use std::fmt;

use crypto::CryptoError;
use crypto::cvv::CardData;
use crypto::emv::{Card, Derivation};
use payments::Pan;
use zeroize::Zeroize;

use crate::KeyName;

/// What a card verification value is computed over. Its `Debug` shows none of it.
#[derive(Clone)]
pub struct Track {
    pan: Pan,
    expiry: [u8; 4],
    service_code: [u8; 3],
}

impl Track {
    /// A PAN of 12 to 19 digits, four digits of expiry in the issuer's order, three of service code: 000 for
    /// CVV2, 999 for iCVV.
    pub fn new(pan: &Pan, expiry: &[u8], service_code: &[u8]) -> Result<Self, crate::HsmError> {
        CardData::new(pan.reveal(), expiry, service_code)?;
        let expiry = expiry.try_into().map_err(|_| CryptoError::Expiry)?;
        let service_code = service_code.try_into().map_err(|_| CryptoError::ServiceCode)?;
        Ok(Self { pan: pan.clone(), expiry, service_code })
    }

    pub(crate) fn data(&self) -> Result<CardData<'_>, CryptoError> {
        CardData::new(self.pan.reveal(), &self.expiry, &self.service_code)
    }

    pub(crate) fn pan(&self) -> &Pan {
        &self.pan
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Track([redacted])")
    }
}

impl Drop for Track {
    fn drop(&mut self) {
        // The PAN wipes itself.
        self.expiry.zeroize();
        self.service_code.zeroize();
    }
}

/// Whose key makes the dynamic value of a contactless card, and how the card's own comes from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contactless {
    /// A key with role IMKDN.
    pub imk: KeyName,
    /// How the card's key is derived.
    pub derivation: Derivation,
    /// The PAN sequence number, two ASCII digits.
    pub sequence: [u8; 2],
}

impl Contactless {
    pub(crate) fn card<'a>(&'a self, pan: &'a Pan) -> Result<Card<'a>, CryptoError> {
        Card::new(pan.reveal(), &self.sequence)
    }
}
