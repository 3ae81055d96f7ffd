//! Triple DES keys of two or three parts, and the block operation. Everything else that is made of
//! TDES (MACs, PIN blocks, check values, DUKPT) stands on this type.

use std::fmt;

use cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use des::Des;
use zeroize::Zeroizing;

use crate::CryptoError;

/// One block of DES, 8 bytes.
pub type Block = [u8; 8];

/// A double-length (16 bytes) or triple-length (24 bytes) DES key with its schedules. Single-length
/// keys do not exist here; where a standard's example needs one, it is the double-length key with
/// both halves equal, which only [`TdesKey::unchecked`] makes.
#[derive(Clone)]
pub struct TdesKey {
    // A double-length key keeps its first part again as the third.
    parts: Zeroizing<[Block; 3]>,
    double: bool,
    // Schedules of the three parts; `des` wipes them on drop.
    first: Des,
    second: Des,
    third: Des,
}

impl TdesKey {
    /// From 16 or 24 bytes, as a key is taken in from outside: odd parity, no weak part, no equal
    /// parts.
    pub fn from_bytes(raw: &[u8]) -> Result<Self, CryptoError> {
        let key = Self::unchecked(raw)?;
        key.check()?;
        Ok(key)
    }

    /// As [`TdesKey::from_bytes`], from 32 or 48 hexadecimal characters.
    pub fn from_hex(text: &str) -> Result<Self, CryptoError> {
        let raw = Zeroizing::new(hex::decode(text).map_err(|_| CryptoError::KeyHex)?);
        Self::from_bytes(&raw)
    }

    /// From 16 or 24 bytes of any parity: keys that a standard derives (DUKPT transaction keys have no
    /// parity), and published examples.
    pub fn unchecked(raw: &[u8]) -> Result<Self, CryptoError> {
        match raw.as_chunks() {
            ([first, second], []) => Ok(Self::of_halves(first, second)),
            ([first, second, third], []) => Ok(Self::of_parts([first, second, third], false)),
            _ => Err(CryptoError::KeyLength),
        }
    }

    /// From 8 bytes of any parity, with both halves equal: single DES, for published examples and for
    /// the halves of older key pairs. Never for a key that protects anything.
    pub fn single(raw: &[u8]) -> Result<Self, CryptoError> {
        let half: &Block = raw.try_into().map_err(|_| CryptoError::KeyLength)?;
        Ok(Self::of_halves(half, half))
    }

    /// A double-length key of its two halves, of any parity.
    pub(crate) fn of_halves(left: &Block, right: &Block) -> Self {
        Self::of_parts([left, right, left], true)
    }

    fn of_parts([first, second, third]: [&Block; 3], double: bool) -> Self {
        let parts = Zeroizing::new([*first, *second, *third]);
        Self { parts, double, first: Des::new(first.into()), second: Des::new(second.into()), third: Des::new(third.into()) }
    }

    /// Refuses wrong parity, weak parts (the 4 weak, 12 semi-weak and 48 possibly weak keys) and equal
    /// parts, in this order.
    pub fn check(&self) -> Result<(), CryptoError> {
        if !self.has_odd_parity() {
            return Err(CryptoError::Parity);
        }
        let [first, second, third] = &*self.parts;
        if [first, second, third].into_iter().any(|part| des::weak_key_test(part).is_err()) {
            return Err(CryptoError::WeakKey);
        }
        if first == second || !self.double && (second == third || first == third) {
            return Err(CryptoError::RepeatedParts);
        }
        Ok(())
    }

    /// Whether every byte has odd parity.
    pub fn has_odd_parity(&self) -> bool {
        self.reveal().iter().all(|byte| !byte.count_ones().is_multiple_of(2))
    }

    /// The same key with odd parity in every byte. Parity bits do not enter the cipher: it encrypts
    /// alike.
    pub fn with_odd_parity(&self) -> Self {
        let mut parts = self.parts.clone();
        for byte in parts.as_flattened_mut() {
            *byte = (*byte & 0xFE) | u8::from((*byte >> 1).count_ones().is_multiple_of(2));
        }
        let [first, second, third] = &*parts;
        Self::of_parts([first, second, third], self.double)
    }

    /// The clear bytes: for import into a token and for derivation, nowhere else.
    pub fn reveal(&self) -> &[u8] {
        let all = self.parts.as_flattened();
        all.get(..self.len()).unwrap_or(all)
    }

    /// Bytes of the key: 16 or 24.
    #[allow(clippy::len_without_is_empty)] // no key is empty
    pub fn len(&self) -> usize {
        if self.double { 16 } else { 24 }
    }

    /// The three parts in the order of encryption; the third is the first again in a double-length
    /// key.
    pub(crate) fn parts(&self) -> &[Block; 3] {
        &self.parts
    }

    /// Encrypts one block.
    pub fn encrypt_block(&self, mut block: Block) -> Block {
        self.first.encrypt_block((&mut block).into());
        self.finish_block(block)
    }

    /// Decrypts one block.
    pub fn decrypt_block(&self, mut block: Block) -> Block {
        self.third.decrypt_block((&mut block).into());
        self.second.encrypt_block((&mut block).into());
        self.first.decrypt_block((&mut block).into());
        block
    }

    /// Single DES under the first part: the inner rounds of MAC algorithm 3.
    pub(crate) fn encrypt_block_left(&self, mut block: Block) -> Block {
        self.first.encrypt_block((&mut block).into());
        block
    }

    /// What turns single DES under the first part into TDES: D(second), E(third).
    pub(crate) fn finish_block(&self, mut block: Block) -> Block {
        self.second.decrypt_block((&mut block).into());
        self.third.encrypt_block((&mut block).into());
        block
    }
}

impl PartialEq for TdesKey {
    fn eq(&self, other: &Self) -> bool {
        self.double == other.double && crate::same(self.reveal(), other.reveal())
    }
}

impl Eq for TdesKey {}

impl fmt::Debug for TdesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TdesKey([redacted])")
    }
}

/// Exclusive or of two blocks.
pub(crate) fn xor(left: &Block, right: &Block) -> Block {
    (u64::from_be_bytes(*left) ^ u64::from_be_bytes(*right)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<TdesKey, CryptoError> {
        TdesKey::from_hex(text)
    }

    #[test]
    fn a_double_length_key_is_its_triple_form_with_the_first_part_repeated() {
        // NIST SP 800-67 example data; also the bare identity of both forms.
        let double = checked("0123456789ABCDEFFEDCBA9876543210").unwrap();
        let raw = hex::decode("0123456789ABCDEFFEDCBA98765432100123456789ABCDEF").unwrap();
        let triple = TdesKey::unchecked(&raw).unwrap();
        let clear = *b"Now is t";
        assert_eq!(double.encrypt_block(clear), triple.encrypt_block(clear));
        assert_eq!(double.decrypt_block(double.encrypt_block(clear)), clear);
        assert_ne!(double, triple);
    }

    #[test]
    fn a_key_from_outside_has_odd_parity_no_weak_part_and_no_equal_parts() {
        assert_eq!(checked("0023456789ABCDEFFEDCBA9876543210"), Err(CryptoError::Parity));
        // A weak key in one half, and a key that is single DES in truth.
        assert_eq!(checked("E0E0E0E0F1F1F1F162D989D33EA43D26"), Err(CryptoError::WeakKey));
        assert_eq!(checked("0BF7268AE5EA3E380BF7268AE5EA3E38"), Err(CryptoError::RepeatedParts));
        assert_eq!(checked("0123456789ABCDEFFEDCBA98765432100123456789ABCDEF"), Err(CryptoError::RepeatedParts));
        assert_eq!(checked("0123456789ABCDEF"), Err(CryptoError::KeyLength));
        assert_eq!(checked("0123456789ABCDEFFEDCBA98765432"), Err(CryptoError::KeyLength));
        assert_eq!(checked("0123456789ABCDEFFEDCBA987654321x"), Err(CryptoError::KeyHex));
    }

    #[test]
    fn parity_is_adjusted_without_changing_the_cipher() {
        let raw = hex::decode("C0DCE7A46E063732DE9D2C21439EB6D6").unwrap();
        let even = TdesKey::unchecked(&raw).unwrap();
        assert_eq!(even.check(), Err(CryptoError::Parity));
        let odd = even.with_odd_parity();
        assert_eq!(hex::encode_upper(odd.reveal()), "C1DCE6A46E073732DF9D2C20439EB6D6");
        assert_eq!(odd.check(), Ok(()));
        assert_eq!(odd.encrypt_block([7; 8]), even.encrypt_block([7; 8]));
    }

    #[test]
    fn a_key_never_shows_in_debug() {
        let shown = format!("{:?}", checked("0123456789ABCDEFFEDCBA9876543210").unwrap());
        assert_eq!(shown, "TdesKey([redacted])");
    }
}
