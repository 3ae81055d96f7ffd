//! AES DUKPT (ANSI X9.24-3:2017): the same idea as for TDES with a 32-bit counter, keys of every AES
//! length, and working keys that name their use and algorithm in what they are derived from.

use std::fmt;

use zeroize::Zeroizing;

use crate::{AesKey, CryptoError, TdesKey};

/// A key serial number: initial key id (key set and device, 8 bytes) and a 32-bit transaction counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ksn([u8; 12]);

impl Ksn {
    /// From 12 bytes. A counter of zero, or with more than 16 one bits, is used by no device.
    pub fn new(raw: &[u8]) -> Result<Self, CryptoError> {
        let ksn = Self(raw.try_into().map_err(|_| CryptoError::KsnLength)?);
        if (1..=16).contains(&ksn.counter().count_ones()) { Ok(ksn) } else { Err(CryptoError::KsnCounter) }
    }

    /// The transaction counter. It only grows: one that goes backwards is an alarm.
    pub fn counter(&self) -> u32 {
        let [.., a, b, c, d] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The initial key id: what the base key derives the device's initial key from.
    pub fn initial_key_id(&self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        [a, b, c, d, e, f, g, h]
    }

    /// The twelve bytes.
    pub fn as_bytes(&self) -> &[u8; 12] {
        &self.0
    }
}

/// What a working key is used for (X9.24-3:2017 table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Encryption of other keys.
    KeyEncryption,
    /// The PIN.
    Pin,
    /// MACs that the device makes.
    MacGeneration,
    /// MACs that the device checks.
    MacVerification,
    /// MACs of both ways.
    MacBoth,
    /// Data that the device encrypts.
    DataEncryption,
    /// Data that the device decrypts.
    DataDecryption,
    /// Data of both ways.
    DataBoth,
}

impl Purpose {
    fn code(self) -> u16 {
        match self {
            Self::KeyEncryption => 0x0002,
            Self::Pin => 0x1000,
            Self::MacGeneration => 0x2000,
            Self::MacVerification => 0x2001,
            Self::MacBoth => 0x2002,
            Self::DataEncryption => 0x3000,
            Self::DataDecryption => 0x3001,
            Self::DataBoth => 0x3002,
        }
    }
}

/// What the device's next keys are derived with, and its first.
const KEY_DERIVATION: u16 = 0x8000;
const INITIAL_KEY: u16 = 0x8001;

/// What a derived key is for (X9.24-3:2017 table 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Double-length TDES.
    Tdes2,
    /// Triple-length TDES.
    Tdes3,
    /// AES with 128 bits.
    Aes128,
    /// AES with 192 bits.
    Aes192,
    /// AES with 256 bits.
    Aes256,
}

impl Algorithm {
    fn code(self) -> u16 {
        match self {
            Self::Tdes2 => 0,
            Self::Tdes3 => 1,
            Self::Aes128 => 2,
            Self::Aes192 => 3,
            Self::Aes256 => 4,
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Tdes2 | Self::Aes128 => 16,
            Self::Tdes3 | Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// The algorithm of an AES key.
    pub fn of(key: &AesKey) -> Self {
        match key.len() {
            16 => Self::Aes128,
            24 => Self::Aes192,
            _ => Self::Aes256,
        }
    }
}

/// A working key of either cipher.
#[derive(Clone, PartialEq, Eq)]
pub enum WorkingKey {
    /// For TDES; of any parity, as it was derived.
    Tdes(TdesKey),
    /// For AES.
    Aes(AesKey),
}

impl WorkingKey {
    fn new(algorithm: Algorithm, raw: &[u8]) -> Result<Self, CryptoError> {
        match algorithm {
            Algorithm::Tdes2 | Algorithm::Tdes3 => TdesKey::unchecked(raw).map(Self::Tdes),
            Algorithm::Aes128 | Algorithm::Aes192 | Algorithm::Aes256 => AesKey::from_bytes(raw).map(Self::Aes),
        }
    }

    /// The clear bytes: for import into a token, nowhere else.
    pub fn reveal(&self) -> &[u8] {
        match self {
            Self::Tdes(key) => key.reveal(),
            Self::Aes(key) => key.reveal(),
        }
    }
}

impl fmt::Debug for WorkingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkingKey([redacted])")
    }
}

/// One step of the derivation of clause 6.3.2: the data that a key encrypts to make another. Public, for a
/// token that derives inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    data: [[u8; 16]; 2],
    algorithm: Algorithm,
}

impl Step {
    /// From a base key to a device's initial key, of the base key's algorithm.
    pub fn initial(bdk: Algorithm, initial_key_id: [u8; 8]) -> Self {
        Self::new(INITIAL_KEY, bdk, initial_key_id)
    }

    /// From an initial key to the key of a transaction, one after the other.
    pub fn transaction(initial: Algorithm, ksn: &Ksn) -> impl Iterator<Item = Self> {
        Self::walk(initial, ksn.initial_key_id(), ksn.counter())
    }

    /// From the key of a transaction to a working key.
    pub fn working(ksn: &Ksn, purpose: Purpose, algorithm: Algorithm) -> Self {
        Self::new(purpose.code(), algorithm, context(ksn.initial_key_id(), ksn.counter()))
    }

    /// What is encrypted, block by block: one for keys of 16 bytes, else two, of which a key of 24 bytes takes
    /// the first 24.
    pub fn data(&self) -> &[u8] {
        let all = self.data.as_flattened();
        if self.algorithm.len() > 16 { all } else { all.get(..16).unwrap_or(all) }
    }

    /// What the made key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Through the counter's one bits, the highest first.
    fn walk(algorithm: Algorithm, initial_key_id: [u8; 8], counter: u32) -> impl Iterator<Item = Self> {
        let bits = (0..32).rev().map(|place| 1u32 << place).filter(move |bit| counter & bit != 0);
        bits.scan(0, move |counted, bit| {
            *counted |= bit;
            Some(Self::new(KEY_DERIVATION, algorithm, context(initial_key_id, *counted)))
        })
    }

    /// The derivation data, numbered for each 16 bytes.
    fn new(usage: u16, algorithm: Algorithm, context: [u8; 8]) -> Self {
        let [usage_high, usage_low] = usage.to_be_bytes();
        let [kind_high, kind_low] = algorithm.code().to_be_bytes();
        let [bits_high, bits_low] = u16::try_from(algorithm.len() * 8).unwrap_or(u16::MAX).to_be_bytes();
        let [a, b, c, d, e, f, g, h] = context;
        let data = [1, 2]
            .map(|number| [1, number, usage_high, usage_low, kind_high, kind_low, bits_high, bits_low, a, b, c, d, e, f, g, h]);
        Self { data, algorithm }
    }

    fn made_by(&self, key: &AesKey) -> Result<WorkingKey, CryptoError> {
        let mut derived = Zeroizing::new([0; 32]);
        let blocks = self.data.iter().flat_map(|block| key.encrypt_block(*block));
        derived.iter_mut().zip(blocks).for_each(|(room, byte)| *room = byte);
        WorkingKey::new(self.algorithm, derived.get(..self.algorithm.len()).unwrap_or_default())
    }

    fn aes_made_by(&self, key: &AesKey) -> Result<AesKey, CryptoError> {
        match self.made_by(key)? {
            WorkingKey::Aes(key) => Ok(key),
            WorkingKey::Tdes(_) => Err(CryptoError::KeyLength),
        }
    }
}

/// The initial key of a device, of the base key's length.
pub fn initial_key(bdk: &AesKey, initial_key_id: [u8; 8]) -> Result<AesKey, CryptoError> {
    Step::initial(Algorithm::of(bdk), initial_key_id).aes_made_by(bdk)
}

/// The key of the transaction that `ksn` counts, from which its working keys are derived.
pub fn transaction_key(initial: &AesKey, ksn: &Ksn) -> Result<AesKey, CryptoError> {
    walk(initial, ksn.initial_key_id(), ksn.counter())
}

/// The working key for one use of the transaction.
pub fn working_key(transaction: &AesKey, ksn: &Ksn, purpose: Purpose, algorithm: Algorithm) -> Result<WorkingKey, CryptoError> {
    Step::working(ksn, purpose, algorithm).made_by(transaction)
}

/// The key that protects a new initial key on its way into the device (clause 6.7): a key encryption key of
/// the counter FFFFFFFF, which counts no transaction.
pub fn update_key(initial: &AesKey, initial_key_id: [u8; 8], algorithm: Algorithm) -> Result<WorkingKey, CryptoError> {
    let last = walk(initial, initial_key_id, u32::MAX)?;
    Step::new(Purpose::KeyEncryption.code(), algorithm, context(initial_key_id, u32::MAX)).made_by(&last)
}

/// From the initial key through the counter's one bits, the highest first.
fn walk(initial: &AesKey, initial_key_id: [u8; 8], counter: u32) -> Result<AesKey, CryptoError> {
    Step::walk(Algorithm::of(initial), initial_key_id, counter).try_fold(initial.clone(), |key, step| step.aes_made_by(&key))
}

/// The device's half of the initial key id, and the counter.
fn context(initial_key_id: [u8; 8], counter: u32) -> [u8; 8] {
    let [_, _, _, _, a, b, c, d] = initial_key_id;
    let [e, f, g, h] = counter.to_be_bytes();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ksn(text: &str) -> Result<Ksn, CryptoError> {
        Ksn::new(&hex::decode(text).unwrap())
    }

    fn shown(key: &[u8]) -> String {
        hex::encode_upper(key)
    }

    #[test]
    fn the_supplements_keys_come_out() {
        // X9.24-3:2017 supplement, AES-128 base key.
        let bdk = AesKey::from_hex("FEDCBA9876543210F1F1F1F1F1F1F1F1").unwrap();
        let ksn = ksn("123456789012345600000001").unwrap();
        let initial = initial_key(&bdk, ksn.initial_key_id()).unwrap();
        assert_eq!(shown(initial.reveal()), "1273671EA26AC29AFA4D1084127652A1");
        let transaction = transaction_key(&initial, &ksn).unwrap();
        assert_eq!(shown(transaction.reveal()), "4F21B565BAD9835E112B6465635EAE44");
        let pin = working_key(&transaction, &ksn, Purpose::Pin, Algorithm::Aes128).unwrap();
        assert_eq!(shown(pin.reveal()), "AF8CB133A78F8DC2D1359F18527593FB");
        let update = update_key(&initial, ksn.initial_key_id(), Algorithm::Aes128).unwrap();
        assert_eq!(shown(update.reveal()), "9A9770AEE1ACD1B13473D0463A1883B9");
        assert_eq!(format!("{update:?}"), "WorkingKey([redacted])");
    }

    #[test]
    fn serial_numbers_that_no_device_has_are_refused() {
        assert_eq!(ksn("FFFF9876543210E00001"), Err(CryptoError::KsnLength));
        assert_eq!(ksn("A169486B18A1DAC10001FFFF"), Err(CryptoError::KsnCounter));
        assert_eq!(ksn("A169486B18A1DAC100000000"), Err(CryptoError::KsnCounter));
    }

    #[test]
    fn a_terminal_that_keeps_no_base_key_makes_the_hosts_keys() {
        let bdk = AesKey::from_bytes(&[0x5A; 32]).unwrap();
        let id = *b"terminal";
        let mut held = std::collections::HashMap::from([(0u32, initial_key(&bdk, id).unwrap())]);
        for counter in 1u32..600 {
            let parent = &held[&(counter & (counter - 1))];
            let made = Step::new(KEY_DERIVATION, Algorithm::Aes256, context(id, counter)).aes_made_by(parent).unwrap();
            let mut raw = id.to_vec();
            raw.extend(counter.to_be_bytes());
            let ksn = Ksn::new(&raw).unwrap();
            assert_eq!(made, transaction_key(&initial_key(&bdk, ksn.initial_key_id()).unwrap(), &ksn).unwrap());
            held.insert(counter, made);
        }
    }
}
