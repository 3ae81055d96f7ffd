//! The vault in memory: keys ready, cards in and out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crypto::gcm::{GcmKey, NONCE};
use crypto::hmac::HmacKey;
use hsm::{Hsm, KeyName};
use payments::{CardRef, CardSequence, Expiry, Pan, Text};
use zeroize::Zeroizing;

use crate::VaultError;
use crate::sealed::{self, Card};
use crate::storage::{Purpose, Storage};

/// Why a card is opened. Each is logged and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A reversal is sent.
    Reversal,
    /// An advice is sent.
    Advice,
    /// A clearing record is written.
    Clearing,
    /// A payment is taken up again after a restart.
    Recovery,
    /// An operator asked, with the right to.
    Operator,
}

impl Reason {
    /// The word in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reversal => "reversal",
            Self::Advice => "advice",
            Self::Clearing => "clearing",
            Self::Recovery => "recovery",
            Self::Operator => "operator",
        }
    }
}

/// Cards for the record, and back. Callers hold `Arc<dyn Sealer>`; nothing here waits.
pub trait Sealer: Send + Sync {
    /// PAN, expiry and sequence number, encrypted and authenticated. The same card never looks the
    /// same twice.
    fn seal(&self, pan: &Pan, expiry: Option<Expiry>, sequence: Option<CardSequence>) -> Result<Vec<u8>, VaultError>;

    /// A card in the clear, for a reason, which is logged (target `vault`) in the span of the caller,
    /// who names the payment there.
    fn unseal(&self, sealed: &[u8], reason: Reason) -> Result<Card, VaultError>;

    /// A keyed fingerprint: the same for the same PAN, and of no use to anybody else.
    fn token(&self, pan: &Pan) -> [u8; 16];

    /// All of a card that engine, ledger and logs may know.
    fn card_ref(&self, pan: &Pan, expiry: Option<Expiry>, sequence: Option<CardSequence>) -> Result<CardRef, VaultError> {
        Ok(CardRef {
            token: self.token(pan),
            first_six: Text::from_bytes(&pan.first_six()).unwrap_or_default(),
            last_four: Text::from_bytes(&pan.last_four()).unwrap_or_default(),
            sealed: self.seal(pan, expiry, sequence)?,
        })
    }
}

/// The vault: clones share its keys.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<Keys>,
}

struct Keys {
    /// The key that seals, and all that open.
    active: u16,
    cards: BTreeMap<u16, GcmKey>,
    fingerprint: HmacKey,
}

impl Vault {
    /// Opens the data keys that are stored, and makes those that are missing: one that seals cards, one
    /// for fingerprints. `kek` is a key of role KEK in the HSM, for new keys; stored ones name their
    /// own. Two that start at the same time end up with the same keys.
    pub async fn open_or_create(hsm: &Hsm, kek: &KeyName, storage: &mut Storage<'_>) -> Result<Self, VaultError> {
        storage.prepare().await?;
        let mut stored = storage.read().await?;
        for purpose in [Purpose::Card, Purpose::Fingerprint] {
            if !stored.iter().any(|key| key.purpose == purpose && key.active) {
                let (_, wrapped) = hsm.generate_data_key(kek, purpose.as_str()).await?;
                storage.add(purpose, kek, wrapped).await?;
                tracing::info!(target: "vault", purpose = purpose.as_str(), %kek, "data key made");
                // Another may have been first, so what counts is what is stored.
                stored = storage.read().await?;
            }
        }
        let (mut active, mut cards, mut fingerprint) = (None, BTreeMap::new(), None);
        for key in &stored {
            let clear = hsm.unwrap_data_key(&key.kek, key.purpose.as_str(), &key.wrapped).await?;
            match key.purpose {
                Purpose::Card => {
                    cards.insert(key.id, GcmKey::new(clear.reveal()));
                    active = active.or(key.active.then_some(key.id));
                }
                Purpose::Fingerprint if key.active => fingerprint = Some(HmacKey::new(clear.reveal())),
                Purpose::Fingerprint => {}
            }
        }
        let active = active.ok_or(VaultError::Stored("no active key for cards"))?;
        let fingerprint = fingerprint.ok_or(VaultError::Stored("no active key for fingerprints"))?;
        tracing::info!(target: "vault", keys = stored.len(), active, "vault open");
        Ok(Self { keys: Arc::new(Keys { active, cards, fingerprint }) })
    }

    /// A vault with keys of its own that nobody keeps: for tests and simulations. What it sealed cannot
    /// be opened by any other.
    pub fn ephemeral() -> Result<Self, VaultError> {
        let mut raw = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *raw).map_err(|_| VaultError::NoRandomness)?;
        let cards = BTreeMap::from([(1, GcmKey::new(&raw))]);
        getrandom::fill(&mut *raw).map_err(|_| VaultError::NoRandomness)?;
        Ok(Self { keys: Arc::new(Keys { active: 1, cards, fingerprint: HmacKey::new(&raw) }) })
    }
}

impl Sealer for Vault {
    fn seal(&self, pan: &Pan, expiry: Option<Expiry>, sequence: Option<CardSequence>) -> Result<Vec<u8>, VaultError> {
        let key = self.keys.cards.get(&self.keys.active).ok_or(VaultError::UnknownKey(self.keys.active))?;
        // Random nonces are safe for 2^32 cards under one key (SP 800-38D 8.3); rotation comes long before.
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::NoRandomness)?;
        metrics::counter!("vault_seals_total").increment(1);
        sealed::seal(self.keys.active, key, &nonce, pan, expiry, sequence)
    }

    fn unseal(&self, sealed: &[u8], reason: Reason) -> Result<Card, VaultError> {
        let opened = sealed::key_of(sealed).and_then(|id| {
            let key = self.keys.cards.get(&id).ok_or(VaultError::UnknownKey(id))?;
            sealed::open(key, sealed)
        });
        let result = if opened.is_ok() { "ok" } else { "refused" };
        metrics::counter!("vault_unseals_total", "reason" => reason.as_str(), "result" => result).increment(1);
        tracing::info!(target: "vault", reason = reason.as_str(), result, "card unsealed");
        opened
    }

    fn token(&self, pan: &Pan) -> [u8; 16] {
        let whole = self.keys.fingerprint.sign(&[b"switchyard token\0", pan.reveal()]);
        let mut token = [0; 16];
        token.iter_mut().zip(whole).for_each(|(room, byte)| *room = byte);
        token
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault(active data key {}, [redacted])", self.keys.active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pan(digits: &str) -> Pan {
        Pan::new(digits.as_bytes()).unwrap()
    }

    #[test]
    fn a_card_ref_shows_what_may_be_shown_and_opens_to_the_whole_card() {
        let vault = Vault::ephemeral().unwrap();
        let expiry = Some(Expiry::new(b"2512").unwrap());
        let sequence = Some(CardSequence::new(1).unwrap());
        let card = vault.card_ref(&pan("5413330089020011"), expiry, sequence).unwrap();
        assert_eq!((card.first_six.as_str(), card.last_four.as_str()), ("541333", "0011"));
        let opened = vault.unseal(&card.sealed, Reason::Clearing).unwrap();
        assert_eq!(opened, Card { pan: pan("5413330089020011"), expiry, sequence });
        let digits = b"5413330089020011";
        assert!(!card.sealed.windows(6).any(|window| digits.windows(6).any(|part| part == window)));
    }

    #[test]
    fn tokens_are_the_same_for_the_same_card_in_one_vault_only() {
        let (vault, other) = (Vault::ephemeral().unwrap(), Vault::ephemeral().unwrap());
        assert_eq!(vault.token(&pan("5413330089020011")), vault.token(&pan("5413330089020011")));
        assert_ne!(vault.token(&pan("5413330089020011")), vault.token(&pan("5413330089020029")));
        assert_ne!(vault.token(&pan("5413330089020011")), other.token(&pan("5413330089020011")));
        let card = |vault: &Vault| vault.seal(&pan("5413330089020011"), None, None).unwrap();
        assert_ne!(card(&vault), card(&vault), "the same card never looks the same twice");
        assert!(matches!(other.unseal(&card(&vault), Reason::Operator), Err(VaultError::NotAuthentic)));
    }

    #[test]
    fn what_is_not_a_sealed_card_is_refused() {
        let vault = Vault::ephemeral().unwrap();
        let mut sealed = vault.seal(&pan("5413330089020011"), None, None).unwrap();
        sealed[2] = 9;
        assert!(matches!(vault.unseal(&sealed, Reason::Recovery), Err(VaultError::UnknownKey(9))));
        assert!(matches!(vault.unseal(&[], Reason::Recovery), Err(VaultError::NotAuthentic)));
        assert!(matches!(vault.unseal(&sealed[..57], Reason::Recovery), Err(VaultError::NotAuthentic)));
        assert!(!format!("{vault:?}").contains("GcmKey"));
    }
}
