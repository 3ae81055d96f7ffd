//! What an issuer counted; ends as the summary line.

use std::collections::BTreeMap;

use serde::Serialize;

/// Counters by name. Names are MTIs, codes, kinds and notes: never anything of a card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Messages received, by MTI.
    pub received: BTreeMap<String, u64>,
    /// First approvals, by kind.
    pub approved: BTreeMap<&'static str, u64>,
    /// First declines, by code.
    pub declined: BTreeMap<String, u64>,
    /// Notes, by name.
    pub notes: BTreeMap<String, u64>,
    /// Misbehaviour, by act.
    pub misbehaved: BTreeMap<&'static str, u64>,
    /// Right PINs.
    pub pins_verified: u64,
    /// Wrong PINs.
    pub pins_wrong: u64,
    /// PIN blocks that did not decode.
    pub pin_blocks_undecodable: u64,
    /// Right MACs.
    pub macs_verified: u64,
    /// Wrong or missing MACs.
    pub macs_wrong: u64,
    /// Messages that do not decode or lack a field.
    pub format_errors: u64,
    /// Connections closed because a message could not be answered.
    pub unanswerable: u64,
    /// Messages that are no requests.
    pub not_requests: u64,
    /// Reversals that took something back.
    pub reversals_effective: u64,
    /// Reversal repeats (0401, 0421).
    pub reversal_repeats: u64,
    /// Sign-ons.
    pub sign_ons: u64,
    /// Echoes.
    pub echoes: u64,
    /// Requests with data that a switch must not send on (track, DE43, DE48, card data in DE55).
    pub not_forwardable: u64,
}

/// One more of a name.
pub fn one_more<K: Ord>(map: &mut BTreeMap<K, u64>, name: impl Into<K>) {
    *map.entry(name.into()).or_default() += 1;
}
