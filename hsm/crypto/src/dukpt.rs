//! TDES DUKPT: a key that changes with every transaction (ANSI X9.24-1:2009 annex A). AES DUKPT is in
//! [`aes`].

pub mod aes;

use crate::tdes::{Block, xor};
use crate::{CryptoError, TdesKey};

/// What each half is masked with for the right half of an initial key and the left half of a next one.
const MASK: Block = [0xC0, 0xC0, 0xC0, 0xC0, 0, 0, 0, 0];

/// A key serial number: key set and device, and a 21-bit transaction counter. 10 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ksn([u8; 10]);

impl Ksn {
    /// From 10 bytes. A counter of zero, or with more than ten one bits, is used by no device.
    pub fn new(raw: &[u8]) -> Result<Self, CryptoError> {
        let ksn = Self(raw.try_into().map_err(|_| CryptoError::KsnLength)?);
        if (1..=10).contains(&ksn.counter().count_ones()) { Ok(ksn) } else { Err(CryptoError::KsnCounter) }
    }

    /// The transaction counter. It only grows: one that goes backwards is an alarm.
    pub fn counter(&self) -> u32 {
        let [.., a, b, c] = self.0;
        u32::from_be_bytes([0, a & 0x1F, b, c])
    }

    /// Key set and device: the serial number with a counter of zero.
    pub fn device(&self) -> [u8; 10] {
        let [a, b, c, d, e, f, g, h, _, _] = self.0;
        [a, b, c, d, e, f, g, h & 0xE0, 0, 0]
    }

    /// The eight leftmost bytes with a counter of zero: what the base key encrypts.
    pub fn serial(&self) -> Block {
        let [a, b, c, d, e, f, g, h, _, _] = self.device();
        [a, b, c, d, e, f, g, h]
    }

    /// As [`Ksn::serial`], from the ten bytes that a device is loaded with: its counter is still zero, or
    /// is not looked at.
    pub fn serial_of(raw: &[u8]) -> Result<Block, CryptoError> {
        Ok(Self(raw.try_into().map_err(|_| CryptoError::KsnLength)?).serial())
    }

    /// The ten bytes.
    pub fn as_bytes(&self) -> &[u8; 10] {
        &self.0
    }
}

/// What a transaction key is used for; each use has its own variant (X9.24-1:2009 table A-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The PIN.
    Pin,
    /// The MAC of a request, or of both ways where the link says so.
    MacRequest,
    /// The MAC of an answer.
    MacResponse,
    /// Data of a request.
    DataRequest,
    /// Data of an answer.
    DataResponse,
}

impl Purpose {
    /// What each half is exclusive-ored with.
    fn variant(self) -> Block {
        let inverted = match self {
            Self::Pin => 0x0000_0000_0000_00FF,
            Self::MacRequest => 0x0000_0000_0000_FF00,
            Self::MacResponse => 0x0000_0000_FF00_0000,
            Self::DataRequest => 0x0000_0000_00FF_0000,
            Self::DataResponse => 0x0000_00FF_0000_0000u64,
        };
        inverted.to_be_bytes()
    }
}

/// The initial key of a device (IPEK), from the base derivation key.
pub fn initial_key(bdk: &TdesKey, ksn: &Ksn) -> Result<TdesKey, CryptoError> {
    initial_key_of_serial(bdk, &ksn.serial())
}

/// As [`initial_key`], for a device whose serial is known before it has counted a transaction.
pub fn initial_key_of_serial(bdk: &TdesKey, serial: &Block) -> Result<TdesKey, CryptoError> {
    let right = masked(bdk)?.encrypt_block(*serial);
    Ok(initial_key_of_halves(&bdk.encrypt_block(*serial), &right))
}

/// The base key that makes the right half of initial keys. A token that cannot exclusive-or keys
/// keeps it beside the base key.
pub fn masked(bdk: &TdesKey) -> Result<TdesKey, CryptoError> {
    if bdk.len() != 16 {
        return Err(CryptoError::KeyLength);
    }
    let [left, right, _] = bdk.parts();
    Ok(TdesKey::of_halves(&xor(left, &MASK), &xor(right, &MASK)))
}

/// The initial key out of the two blocks that a token made: [`Ksn::serial`] under the base key and
/// under the [`masked`] one.
pub fn initial_key_of_halves(left: &Block, right: &Block) -> TdesKey {
    TdesKey::of_halves(left, right)
}

/// The key of the transaction that `ksn` counts, before any variant.
pub fn transaction_key(initial: &TdesKey, ksn: &Ksn) -> TdesKey {
    let [_, _, serial @ ..] = ksn.device();
    let mut register = u64::from_be_bytes(serial);
    let counter = u64::from(ksn.counter());
    let mut key = initial.clone();
    for bit in (0..21).rev().map(|place| 1u64 << place).filter(|bit| counter & bit != 0) {
        register |= bit;
        key = next(&key, register);
    }
    key
}

/// The non-reversible key generation of annex A.2.
fn next(key: &TdesKey, register: u64) -> TdesKey {
    let data = register.to_be_bytes();
    let half = |left: &Block, right: &Block| {
        let single = TdesKey::of_halves(left, left);
        xor(&single.encrypt_block_left(xor(&data, right)), right)
    };
    let [left, right, _] = key.parts();
    TdesKey::of_halves(&half(&xor(left, &MASK), &xor(right, &MASK)), &half(left, right))
}

/// The key for one purpose of the transaction. Data keys go through themselves once more (the
/// one-way step of figure A-2), so that a found data key does not give away the PIN key.
pub fn variant(transaction: &TdesKey, purpose: Purpose) -> TdesKey {
    let [left, right, _] = transaction.parts();
    let mask = purpose.variant();
    let key = TdesKey::of_halves(&xor(left, &mask), &xor(right, &mask));
    match purpose {
        Purpose::Pin | Purpose::MacRequest | Purpose::MacResponse => key,
        Purpose::DataRequest | Purpose::DataResponse => {
            let [left, right, _] = key.parts();
            TdesKey::of_halves(&key.encrypt_block(*left), &key.encrypt_block(*right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::{Padding, retail_mac};
    use crate::pin::{Pin, format0_encode};

    fn key(text: &str) -> TdesKey {
        TdesKey::unchecked(&hex::decode(text).unwrap()).unwrap()
    }

    fn ksn(text: &str) -> Ksn {
        Ksn::new(&hex::decode(text).unwrap()).unwrap()
    }

    fn shown(key: &TdesKey) -> String {
        hex::encode_upper(key.reveal())
    }

    #[test]
    fn the_initial_sequence_of_the_standard_comes_out() {
        // X9.24-1:2009 A.4.2.
        let bdk = key("0123456789ABCDEFFEDCBA9876543210");
        let initial = initial_key(&bdk, &ksn("FFFF9876543210E00001")).unwrap();
        assert_eq!(shown(&initial), "6AC292FAA1315B4D858AB3A3D7D5933A");
        for (serial, transaction, pin_key, block) in [
            ("FFFF9876543210E00001", "042666B49184CFA368DE9628D0397BC9", "042666B49184CF5C68DE9628D0397B36", "1B9C1845EB993A7A"),
            ("FFFF9876543210E00002", "C46551CEF9FD24B0AA9AD834130D3BC7", "C46551CEF9FD244FAA9AD834130D3B38", "10A01C8D02C69107"),
            ("FFFF9876543210E00003", "0DF3D9422ACA56E547676D07AD6BADFA", "0DF3D9422ACA561A47676D07AD6BAD05", "18DC07B94797B466"),
            ("FFFF9876543210E00004", "279C0F6AEED0BE652B2C733E1383AE91", "279C0F6AEED0BE9A2B2C733E1383AE6E", "0BC79509D5645DF7"),
        ] {
            let made = transaction_key(&initial, &ksn(serial));
            assert_eq!(shown(&made), transaction);
            let pin = variant(&made, Purpose::Pin);
            assert_eq!(shown(&pin), pin_key);
            let clear = format0_encode(&Pin::new(b"1234").unwrap(), b"4012345678909").unwrap();
            assert_eq!(hex::encode_upper(clear.encrypt(&pin)), block);
        }
        let first = transaction_key(&initial, &ksn("FFFF9876543210E00001"));
        let mac = |purpose| hex::encode_upper(&retail_mac(&variant(&first, purpose), b"4012345678909D987", Padding::Zeros)[..4]);
        assert_eq!(mac(Purpose::MacRequest), "9CCC7817");
        assert_eq!(mac(Purpose::MacResponse), "20364223");
    }

    #[test]
    fn large_counters_and_data_keys_agree_with_pydukpt() {
        let bdk = key("1046AE0B5B1A615B13CD46A464EA8F3B");
        let serial = ksn("FFFF5A00BD3A572A1800");
        let initial = initial_key(&bdk, &serial).unwrap();
        assert_eq!(shown(&initial), "BF2E25964820BDF343A8FE7D76C34AF4");
        let transaction = transaction_key(&initial, &serial);
        assert_eq!(shown(&transaction), "76301CC71BC82628C646B836E35BA206");
        assert_eq!(shown(&variant(&transaction, Purpose::DataRequest)), "98CD424CD4F288F3E5846C2FBB6FA747");
        assert_eq!(shown(&variant(&transaction, Purpose::DataResponse)), "BF5BB61630E55040AC2842C277A588CE");
    }

    #[test]
    fn serial_numbers_and_base_keys_that_no_device_has_are_refused() {
        let refused = |text: &str| Ksn::new(&hex::decode(text).unwrap()).unwrap_err();
        assert_eq!(refused("E7CCD0DF1C72F92124"), CryptoError::KsnLength);
        assert_eq!(refused("FFFF44F0198EDAE007FF"), CryptoError::KsnCounter);
        assert_eq!(refused("FFFF9876543210E00000"), CryptoError::KsnCounter);
        let triple = key("2C4658CB9B15571301F42F295D582A2A985D6458589BE61C");
        assert_eq!(initial_key(&triple, &ksn("FFFF9876543210E00001")), Err(CryptoError::KeyLength));
    }

    #[test]
    fn a_terminal_that_keeps_no_base_key_makes_the_hosts_keys() {
        // The terminal's part of annex A.2 as it is lived: it holds its initial key alone, walks counters up
        // and makes the key of each from the key of the counter without its lowest one bit.
        let bdk = key("0123456789ABCDEFFEDCBA9876543210");
        let base = [0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 0];
        let mut held =
            std::collections::HashMap::from([(0u32, initial_key_of_serial(&bdk, &Ksn::serial_of(&base).unwrap()).unwrap())]);
        for counter in (1u32..2_000).filter(|counter| counter.count_ones() <= 10) {
            let [.., high, low] = counter.to_be_bytes();
            let mut raw = base;
            (raw[8], raw[9]) = (high, low);
            let parent = &held[&(counter & (counter - 1))];
            let made = next(parent, u64::from_be_bytes(raw[2..].try_into().unwrap()));
            let ksn = Ksn::new(&raw).unwrap();
            assert_eq!(made, transaction_key(&initial_key(&bdk, &ksn).unwrap(), &ksn));
            held.insert(counter, made);
        }
    }
}
