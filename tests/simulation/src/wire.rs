//! Frames between the parties of a history: the shipped field table, a MAC on every financial message,
//! and garbling that a MAC finds.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use iso8583::{Message, Spec};

/// The field table that terminals and networks use. The switch's edge uses the real dialect over the
/// same table; the mapping of fields to meaning is written anew here.
pub(crate) static SPEC: LazyLock<Arc<Spec>> =
    LazyLock::new(|| Spec::shipped("iso87-ascii").expect("the default dialect is shipped"));

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

/// Encodes with a MAC.
pub(crate) fn sealed(message: &Message, key: u64) -> Vec<u8> {
    SPEC.encode_with_mac(message, |covered| mac(key, covered)).expect("a message of the simulation can be encoded")
}

/// Encodes without one: network management, refusals.
pub(crate) fn plain(message: &Message) -> Vec<u8> {
    SPEC.encode(message).expect("a message of the simulation can be encoded")
}

/// A message whose MAC is right. `None` where it cannot be read or the MAC is wrong or absent.
pub(crate) fn opened(frame: &[u8], key: u64) -> Option<Message> {
    let message = SPEC.decode(Bytes::copy_from_slice(frame)).ok()?;
    let (covered, got) = message.mac()?;
    (got == mac(key, &covered)).then_some(message)
}

/// A message without MAC.
pub(crate) fn read(frame: &[u8]) -> Option<Message> {
    SPEC.decode(Bytes::copy_from_slice(frame)).ok()
}

/// A field as text.
pub(crate) fn text(message: &Message, number: u8) -> &str {
    message.str(number).unwrap_or_default()
}

/// A field as a number.
pub(crate) fn number(message: &Message, number: u8) -> i64 {
    text(message, number).parse().unwrap_or(0)
}
