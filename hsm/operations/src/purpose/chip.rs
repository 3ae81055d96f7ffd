//! Chip cards: which card, which transaction, what the card is answered.

use std::fmt;

use crypto::CryptoError;
use crypto::emv::scheme::Answer;
use crypto::emv::{Card, Scheme};
use payments::Pan;

use crate::KeyName;

pub use crypto::emv::scheme::Transaction as ChipTransaction;

/// A card, the rules that it follows, and the issuer's key that its own is derived from. Its `Debug` shows
/// none of the card.
#[derive(Clone)]
pub struct ChipCard {
    /// The issuer's key: role IMKAC for cryptograms and answers, IMKSMI for scripts.
    pub imk: KeyName,
    /// The card scheme's rules, by cryptogram version.
    pub scheme: Scheme,
    pan: Pan,
    sequence: [u8; 2],
}

impl ChipCard {
    /// `sequence` is the PAN sequence number, two ASCII digits, `00` where the card has none.
    pub fn new(imk: KeyName, scheme: Scheme, pan: &Pan, sequence: [u8; 2]) -> Result<Self, crate::HsmError> {
        Card::new(pan.reveal(), &sequence)?;
        Ok(Self { imk, scheme, pan: pan.clone(), sequence })
    }

    pub(crate) fn card(&self) -> Result<Card<'_>, CryptoError> {
        Card::new(self.pan.reveal(), &self.sequence)
    }
}

impl fmt::Debug for ChipCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChipCard({}, [redacted])", self.imk)
    }
}

/// What the issuer answers a cryptogram with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArpcAnswer {
    /// Method 1: the response code, two characters.
    Code([u8; 2]),
    /// Method 2: the card status update and up to eight bytes of proprietary data.
    Status {
        /// Card status update.
        update: [u8; 4],
        /// Proprietary authentication data, zeros behind its length.
        proprietary: [u8; 8],
        /// How many of them there are.
        proprietary_len: usize,
    },
}

impl ArpcAnswer {
    /// Method 2 with proprietary data, at most eight bytes.
    pub fn status(update: [u8; 4], proprietary: &[u8]) -> Result<Self, crate::HsmError> {
        let mut room = [0; 8];
        if proprietary.len() > room.len() {
            return Err(CryptoError::EmvData.into());
        }
        room.iter_mut().zip(proprietary).for_each(|(room, byte)| *room = *byte);
        Ok(Self::Status { update, proprietary: room, proprietary_len: proprietary.len() })
    }

    pub(crate) fn answer(&self) -> Answer<'_> {
        match self {
            Self::Code(code) => Answer::Code(*code),
            Self::Status { update, proprietary, proprietary_len } => {
                Answer::Status(*update, proprietary.get(..*proprietary_len).unwrap_or(proprietary))
            }
        }
    }
}
