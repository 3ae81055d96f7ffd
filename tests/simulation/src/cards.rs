//! Cards, keys and the keeper of cards of the simulation. The numbers are made up; the vault and the
//! security module have tests of their own.

use dialects::card::CardSecrets;
use payments::{CardRef, Expiry, Pan, PinBlock, Text};

use crate::setup::terminal_id;
use crate::wire::{key_of, mac};

/// A card number: which network it belongs to, and which card.
pub(crate) fn pan(bin: &str, card: usize) -> String {
    format!("{bin}{card:010}")
}

/// The MAC key of a terminal.
pub(crate) fn terminal_key(index: usize) -> u64 {
    key_of(&format!("tak/{}", terminal_id(index)))
}

/// The clear PIN block of a card, and another one, which is wrong.
pub(crate) fn pin(pan: &str, right: bool) -> [u8; 8] {
    mac(if right { 1 } else { 2 }, pan.as_bytes())
}

/// A block under a key: stands for the encryption, which is tried elsewhere.
pub(crate) fn under(block: [u8; 8], key: &str) -> [u8; 8] {
    (u64::from_be_bytes(block) ^ key_of(key)).to_be_bytes()
}

/// What the security module does to a PIN block.
pub(crate) fn translate(block: &PinBlock, from: &str, to: &str) -> Option<PinBlock> {
    let raw: [u8; 8] = block.reveal().try_into().ok()?;
    PinBlock::new(&under(under(raw, from), to)).ok()
}

/// What the vault makes of a card.
pub(crate) fn seal(card: &CardSecrets) -> CardRef {
    let digits = card.pan.reveal();
    let mut token = [0; 16];
    token[..8].copy_from_slice(&mac(7, digits));
    token[8..].copy_from_slice(&mac(8, digits));
    // Inverted, so that nothing of it shows by accident.
    let mut sealed: Vec<u8> = digits.iter().map(|byte| !byte).collect();
    sealed.extend(card.expiry.iter().flat_map(|expiry| expiry.reveal().map(|byte| !byte)));
    CardRef {
        token,
        first_six: Text::from_bytes(&card.pan.first_six()).unwrap_or_default(),
        last_four: Text::from_bytes(&card.pan.last_four()).unwrap_or_default(),
        sealed,
    }
}

/// And back.
pub(crate) fn unseal(sealed: &[u8]) -> CardSecrets {
    let clear: Vec<u8> = sealed.iter().map(|byte| !byte).collect();
    let (digits, expiry) = clear.split_at(clear.len().saturating_sub(4));
    CardSecrets {
        pan: Pan::new(digits).expect("sealed by the simulation"),
        expiry: Expiry::new(expiry).ok(),
        sequence: None,
        track2: None,
        pin_block: None,
    }
}
