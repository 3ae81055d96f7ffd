//! Claims: the unique key of a request, and what is compared when the key comes again.

use std::fmt;

use payments::request::{CreditTransfer, Head};
use payments::{Amount, LocalDateTime, PaymentId, Stan, Text};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The key under which a request is accepted once: ingress acquirer, DE32, DE41, DE42, DE11, DE12 and
/// DE13, and the message class with repeats folded in (SEMANTICS rule 2); hashed to 16 bytes. DE7,
/// amount and card are not in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimKey(#[serde(with = "hex::serde")] pub [u8; 16]);

/// Hash of what must be equal when a claim comes again: kind, amount, currency, card token. Another
/// body under the same key is a conflict (94), never a new payment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyHash(#[serde(with = "hex::serde")] pub [u8; 16]);

impl ClaimKey {
    /// The key of a card message.
    pub fn card(head: &Head) -> Self {
        Self::of_original(head, &head.mti, head.stan, head.local)
    }

    /// The key that the original of a reversal has (or will have, when it comes late): the
    /// reversal's parties with the original's MTI, STAN and local time.
    pub fn of_original(head: &Head, mti: &Text<4>, stan: Stan, local: LocalDateTime) -> Self {
        let local = format!("{}{}", local.date(), local.time());
        Self(hash(&[
            head.acquirer.as_bytes(),
            head.institution.as_bytes(),
            head.terminal.as_bytes(),
            head.merchant.as_bytes(),
            stan.to_string().as_bytes(),
            local.as_bytes(),
            class(mti).as_bytes(),
        ]))
    }

    /// The key of a credit transfer: instructing party and UETR, which is unique by definition.
    pub fn transfer(transfer: &CreditTransfer) -> Self {
        Self::uetr(&transfer.acquirer, &transfer.facts.uetr)
    }

    /// As [`ClaimKey::transfer`], from the parts.
    pub fn uetr(party: &payments::AcquirerId, uetr: &Text<36>) -> Self {
        Self(hash(&[b"pacs.008", party.as_bytes(), uetr.as_bytes()]))
    }

    /// The key under which a completion without its authorization is settled once and for all: matched, withdrawn,
    /// or taken back by its terminal.
    pub fn settlement_of(completion: PaymentId) -> Self {
        Self(hash(&[b"completion", completion.0.as_bytes()]))
    }

    /// The key of an operator's act, made idempotent by its reference.
    pub fn operator(reference: &str) -> Self {
        Self(hash(&[b"operator", reference.as_bytes()]))
    }
}

impl BodyHash {
    /// Of a kind word, an amount and what identifies the card or account.
    pub fn of(kind: &str, amount: Amount, subject: &[u8]) -> Self {
        Self(hash(&[kind.as_bytes(), &amount.minor().to_be_bytes(), &amount.currency().numeric().to_be_bytes(), subject]))
    }
}

/// The message class: the second digit of the MTI plus its function, with repeats folded in. All
/// reversals are one class, since 0400 and 0420 of one transaction mean the same.
fn class(mti: &Text<4>) -> &'static str {
    match mti.as_bytes() {
        [_, b'1', b'0' | b'1', _] => "10",
        [_, b'1', ..] => "12",
        [_, b'2', b'0' | b'1', _] => "20",
        [_, b'2', ..] => "22",
        [_, b'4', ..] => "4",
        _ => "?",
    }
}

/// SHA-256 over length-prefixed parts, cut to 16 bytes.
fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let full = digest.finalize();
    let mut short = [0; 16];
    short.iter_mut().zip(full.iter()).for_each(|(room, byte)| *room = *byte);
    short
}

impl fmt::Debug for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use payments::{Currency, Text};

    use super::*;
    use crate::suite::samples::card;

    fn head(change: impl FnOnce(&mut Head)) -> Head {
        let facts = card(1, crate::PaymentKind::Purchase, Amount::zero(Currency::EUR));
        let mut head = facts.head.expect("a card has a head");
        change(&mut head);
        head
    }

    fn key(change: impl FnOnce(&mut Head)) -> ClaimKey {
        ClaimKey::card(&head(change))
    }

    #[test]
    fn a_repeat_has_the_key_of_its_original_and_another_class_has_not() {
        let of = |mti: &'static str| key(|head| head.mti = Text::literal(mti));
        assert_eq!(of("0200"), of("0201"));
        assert_eq!(of("0220"), of("0221"));
        assert_eq!(of("0400"), of("0421"), "all reversals of a transaction mean the same");
        let classes: std::collections::BTreeSet<_> = ["0100", "0120", "0200", "0220", "0400"].into_iter().map(of).collect();
        assert_eq!(classes.len(), 5);
    }

    #[test]
    fn what_devices_make_anew_is_not_in_the_key_and_what_tells_requests_apart_is() {
        let same = key(|_| {});
        assert_eq!(same, key(|head| head.transmission = None));
        assert_eq!(same, key(|head| head.rrn = payments::Rrn::new(b"000000000009").ok()));
        let changes: [fn(&mut Head); 6] = [
            |head| head.acquirer = Text::literal("OTHER"),
            |head| head.institution = Text::literal("2"),
            |head| head.terminal = Text::literal("OTHER"),
            |head| head.merchant = Text::literal("OTHER"),
            |head| head.stan = payments::Stan::new(77).expect("a STAN"),
            |head| head.local = payments::Wall(0).local(),
        ];
        changes.into_iter().for_each(|change| assert_ne!(same, key(change)));
    }

    #[test]
    fn a_reversal_finds_the_key_of_its_original() {
        let original = head(|_| {});
        let reversal = head(|head| {
            head.mti = Text::literal("0420");
            head.stan = payments::Stan::new(999).expect("a STAN");
        });
        let found = ClaimKey::of_original(&reversal, &original.mti, original.stan, original.local);
        assert_eq!(found, ClaimKey::card(&original));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let split = |acquirer, institution| {
            key(|head| (head.acquirer, head.institution) = (Text::literal(acquirer), Text::literal(institution)))
        };
        assert_ne!(split("AB", "1"), split("A", "B1"));
    }
}
