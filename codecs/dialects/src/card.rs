//! Card messages of ISO 8583:1987 as `docs/wire.md` has them: requests from terminals, answers to
//! them, requests to networks, answers from them. Which bytes a field takes is the spec's business.
//!
//! Messages leave here as [`iso8583::Message`]; the caller writes them with [`Dialect::encode`], or
//! [`Dialect::encode_for_mac`] where the link wants a MAC, since the MAC comes from a security module.

mod answer;
mod de;
mod echo;
mod error;
mod icc;
mod incoming;
mod outgoing;
mod read;
mod request;
mod shipped;

use std::sync::Arc;

use bytes::Bytes;
use iso8583::{EncodeError, Message, Spec, Unsigned};
use payments::{AcquirerId, CardSequence, Expiry, InstitutionId, Pan, PinBlock, Track2, Wall};
use zeroize::ZeroizeOnDrop;

pub use echo::Echo;
pub use error::Error;
pub use icc::NEVER_FORWARDED;
pub use incoming::{FromNetwork, Unreadable};
pub use request::{Body, CardReceived, Dropped, Inbound, Reject};
pub use shipped::{Dialects, FILES_ONLY, Missing, NAMES};

/// The mapping over one field table.
#[derive(Debug, Clone)]
pub struct Dialect {
    /// Requests and everything that is written: content faults refuse.
    strict: Arc<Spec>,
    /// Answers of networks: content faults in fields that decide nothing are noted.
    lenient: Arc<Spec>,
}

/// Whom an ingress link belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The acquirer that the link is bound to.
    pub acquirer: AcquirerId,
    /// Its institution in the registry, for messages without DE32.
    pub institution: InstitutionId,
}

/// Card data that only the shell keeps: never in the engine, never in a log. Wiped when dropped.
#[derive(Debug, Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct CardSecrets {
    /// DE2, or the PAN of DE35.
    pub pan: Pan,
    /// DE14, or the expiry of DE35.
    pub expiry: Option<Expiry>,
    /// DE23. No secret.
    #[zeroize(skip)]
    pub sequence: Option<CardSequence>,
    /// DE35. Never durable, never forwarded.
    pub track2: Option<Track2>,
    /// DE52 as the terminal encrypted it. Never durable; must be translated before it goes on.
    pub pin_block: Option<PinBlock>,
}

/// A MAC as received, to be verified before the message has any effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedMac {
    /// The bytes that it covers: from the MTI up to the MAC field.
    pub covered: Bytes,
    /// The MAC, 4 to 8 bytes as the dialect has it.
    pub mac: Vec<u8>,
}

impl Dialect {
    /// Over a field table of the 1987 numbering.
    pub fn new(spec: Arc<Spec>) -> Self {
        let lenient = Arc::new(spec.noting_except(&de::DECIDING));
        Self { strict: spec, lenient }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.strict.name()
    }

    /// The field table.
    pub fn spec(&self) -> &Spec {
        &self.strict
    }

    /// The bytes of a message without a MAC.
    ///
    /// # Errors
    /// Content that its field does not take.
    pub fn encode(&self, message: &Message, _at: Wall) -> Result<Vec<u8>, EncodeError> {
        self.strict.encode(message)
    }

    /// The bytes of a message up to its MAC, which a security module makes.
    ///
    /// # Errors
    /// As [`Self::encode`]; also where the table has no MAC field.
    pub fn encode_for_mac(&self, message: &Message, _at: Wall) -> Result<Unsigned, EncodeError> {
        self.strict.encode_for_mac(message)
    }
}

fn received_mac(message: &Message) -> Option<ReceivedMac> {
    let (covered, mac) = message.mac()?;
    Some(ReceivedMac { covered, mac: mac.to_vec() })
}

#[cfg(test)]
mod tests;
