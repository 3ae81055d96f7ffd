//! Frames between the parties of a history: the shipped field tables of both forms, and a MAC on every
//! financial message.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use dialects::card::Dialect;
use iso8583::{Message, Spec};

/// How the messages of a terminal or link are laid out: all in ASCII, or with packed digits. The mapping
/// of fields to meaning is the same in both, and written anew here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Ascii,
    Binary,
}

/// The field tables that terminals and networks use. The switch's edge uses the real dialects over the
/// same tables.
static SPECS: LazyLock<[Arc<Spec>; 2]> =
    LazyLock::new(|| ["iso87-ascii", "iso87-binary"].map(|name| Spec::shipped(name).expect("the dialect is shipped")));

impl Form {
    fn spec(self) -> &'static Arc<Spec> {
        let [ascii, binary] = &*SPECS;
        match self {
            Self::Ascii => ascii,
            Self::Binary => binary,
        }
    }

    /// Encodes with a MAC.
    pub(crate) fn sealed(self, message: &Message, key: u64) -> Vec<u8> {
        let sealed = self.spec().encode_with_mac(message, |covered| mac(key, covered));
        sealed.expect("a message of the simulation can be encoded")
    }

    /// Encodes without one: network management, refusals.
    pub(crate) fn plain(self, message: &Message) -> Vec<u8> {
        self.spec().encode(message).expect("a message of the simulation can be encoded")
    }

    /// A message whose MAC is right. `None` where it cannot be read or the MAC is wrong or absent.
    pub(crate) fn opened(self, frame: &[u8], key: u64) -> Option<Message> {
        let message = self.read(frame)?;
        let (covered, got) = message.mac()?;
        (got == mac(key, &covered)).then_some(message)
    }

    /// A message without MAC.
    pub(crate) fn read(self, frame: &[u8]) -> Option<Message> {
        self.spec().decode(Bytes::copy_from_slice(frame)).ok()
    }

    /// The message type of a frame, whatever else is wrong with it.
    pub(crate) fn mti(self, frame: &[u8]) -> [u8; 4] {
        match (self, frame) {
            (Self::Ascii, [a, b, c, d, ..]) => [*a, *b, *c, *d],
            (Self::Binary, [a, b, ..]) => [*a >> 4, *a & 15, *b >> 4, *b & 15].map(|digit| b'0' + digit),
            _ => *b"????",
        }
    }
}

/// The switch's dialects, one of each form.
#[derive(Debug)]
pub(crate) struct Dialects([Dialect; 2]);

impl Dialects {
    pub(crate) fn new() -> Self {
        Self([Form::Ascii, Form::Binary].map(|form| Dialect::new(Arc::clone(form.spec()))))
    }

    pub(crate) fn of(&self, form: Form) -> &Dialect {
        let [ascii, binary] = &self.0;
        match form {
            Form::Ascii => ascii,
            Form::Binary => binary,
        }
    }
}

/// A keyed check over bytes: it stands for the retail MAC, which the security module makes elsewhere.
pub(crate) fn mac(key: u64, covered: &[u8]) -> [u8; 8] {
    let mut hash = key ^ 0xCBF2_9CE4_8422_2325;
    for byte in covered {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        hash ^= hash >> 29;
    }
    hash.to_be_bytes()
}

/// The key of a name, as a registry would hold it.
pub(crate) fn key_of(name: &str) -> u64 {
    u64::from_be_bytes(mac(0x5EED, name.as_bytes()))
}

/// A field as text.
pub(crate) fn text(message: &Message, number: u8) -> &str {
    message.str(number).unwrap_or_default()
}

/// A field as a number.
pub(crate) fn number(message: &Message, number: u8) -> i64 {
    text(message, number).parse().unwrap_or(0)
}
