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
mod mapping;
mod outgoing;
mod read;
mod request;
mod shipped;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use iso8583::{EncodeError, Message, Spec, Unsigned};
use payments::{AcquirerId, CardSequence, Expiry, InstitutionId, LocalDateTime, Pan, PinBlock, Track2, Wall};
use zeroize::ZeroizeOnDrop;

pub use echo::Echo;
pub use error::Error;
pub use icc::NEVER_FORWARDED;
pub use incoming::{FromNetwork, Unreadable};
use mapping::Mapping;
pub use mapping::MappingError;
pub use request::{Body, CardReceived, CompletionReceived, Dropped, Inbound, Reject};
pub use shipped::{Dialects, FILES_ONLY, NAMES};

/// One dialect: a field table, and how it stands to the engine.
#[derive(Debug, Clone)]
pub struct Dialect {
    /// Requests and everything that is written: content faults refuse.
    strict: Arc<Spec>,
    /// Answers of networks: content faults in fields that decide nothing are noted.
    lenient: Arc<Spec>,
    /// Where the numbering is another than the engine's.
    mapping: Option<Arc<Mapping>>,
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
    /// Over a field table of the engine's numbering, that of 1987.
    pub fn new(spec: Arc<Spec>) -> Self {
        let lenient = Arc::new(spec.noting_except(&de::DECIDING));
        Self { strict: spec, lenient, mapping: None }
    }

    /// Over any field table, with a mapping file between its numbering and the engine's.
    ///
    /// # Errors
    /// What is wrong with the mapping.
    pub fn mapped(spec: Arc<Spec>, mapping: &str) -> Result<Self, MappingError> {
        let mapping = Mapping::compile(mapping, &spec)?;
        let deciding = de::DECIDING.map(|own| mapping.place(own));
        let lenient = Arc::new(spec.noting_except(&deciding));
        Ok(Self { strict: spec, lenient, mapping: Some(Arc::new(mapping)) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.strict.name()
    }

    /// The field table.
    pub fn spec(&self) -> &Spec {
        &self.strict
    }

    /// The bytes of a message without a MAC. `at` tells the years of its dates, where the dialect has them.
    ///
    /// # Errors
    /// Content that its field does not take, or that has no form in the dialect.
    pub fn encode(&self, message: &Message, at: Wall) -> Result<Vec<u8>, WriteError> {
        Ok(match &self.mapping {
            None => self.strict.encode(message)?,
            Some(mapping) => self.strict.encode(&mapping.write(message, at)?)?,
        })
    }

    /// The bytes of a message up to its MAC, which a security module makes.
    ///
    /// # Errors
    /// As [`Self::encode`]; also where the table has no MAC field.
    pub fn encode_for_mac(&self, message: &Message, at: Wall) -> Result<Unsigned, WriteError> {
        Ok(match &self.mapping {
            None => self.strict.encode_for_mac(message)?,
            Some(mapping) => self.strict.encode_for_mac(&mapping.write(message, at)?)?,
        })
    }

    /// A message in the engine's numbering; one that has it already is only lent.
    fn own<'a>(&self, wire: &'a Message) -> Result<(Cow<'a, Message>, Option<LocalDateTime>), Error> {
        match &self.mapping {
            None => Ok((Cow::Borrowed(wire), None)),
            Some(mapping) => mapping.read(wire).map(|own| (Cow::Owned(own.message), own.original_local)),
        }
    }

    /// The bare answer to what may not be readable whole.
    fn echo(&self, wire: &Message) -> Option<Echo> {
        match &self.mapping {
            None => Echo::of(wire),
            Some(mapping) => Echo::of(&mapping.read_what_can_be(wire)?),
        }
    }

    /// An error by the dialect's own field numbers.
    fn named(&self, error: Error) -> Error {
        let place = |own: u8| self.mapping.as_ref().map_or(own, |mapping| mapping.place(own));
        match error {
            Error::Missing(own) => Error::Missing(place(own)),
            Error::Invalid(own) => Error::Invalid(place(own)),
            Error::Contradiction(one, other) => Error::Contradiction(place(one), place(other)),
            other => other,
        }
    }

    /// Whether anything is read out of a field, or it travels on.
    fn knows(&self, number: u8) -> bool {
        match &self.mapping {
            None => de::is_read(number) || de::FORWARDED.contains(&number),
            Some(mapping) => mapping.reads(number) || [de::MAC, de::MAC_2].contains(&number),
        }
    }
}

/// Why a message was not written. Whose fault it is: ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// It has no form in the dialect.
    #[error(transparent)]
    Mapping(#[from] Error),
    /// A field does not take its content.
    #[error(transparent)]
    Wire(#[from] EncodeError),
}

fn received_mac(message: &Message) -> Option<ReceivedMac> {
    let (covered, mac) = message.mac()?;
    Some(ReceivedMac { covered, mac: mac.to_vec() })
}

#[cfg(test)]
mod tests;
