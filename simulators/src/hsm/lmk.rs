//! The published test master keys, and keys under them: pairs with variants for TDES keys, and the AES
//! master key of key blocks. They are printed in manuals and known to everybody.

use crypto::TdesKey;
use zeroize::Zeroizing;

use super::codes::Code;

/// Code of a pair in key types, and the two halves of the pair.
const PAIRS: [(u8, [u8; 16]); 8] = [
    (0x00, *b"@@@@@@@@QQQQQQQQ"),
    (0x01, *b"aaaaaaaapppppppp"),
    (0x02, [0xE0, 0xE0, 1, 1, 1, 1, 1, 1, 0xF1, 0xF1, 1, 1, 1, 1, 1, 1]),
    (0x03, [0x1C, 0x58, 0x7F, 0x1C, 0x13, 0x92, 0x4F, 0xEF, 1, 1, 1, 1, 1, 1, 1, 1]),
    (0x08, [22, 22, 22, 22, 22, 22, 22, 22, 25, 25, 25, 25, 25, 25, 25, 25]),
    (0x09, [26, 26, 26, 26, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28]),
    (0x0A, *b"########%%%%%%%%"),
    (0x0B, *b"&&&&&&&&))))))))"),
];

/// What changes the first byte of a pair for the variants 1 to 9.
const TYPE_MASKS: [u8; 9] = [0xA6, 0x5A, 0x6A, 0xDE, 0x2B, 0x50, 0x74, 0x9C, 0xFA];
/// What changes its ninth byte for the parts of a double- and of a triple-length key.
const DOUBLE_MASKS: [u8; 2] = [0xA6, 0x5A];
const TRIPLE_MASKS: [u8; 3] = [0x6A, 0xDE, 0x2B];

/// The AES test master key of key blocks.
pub(super) const BLOCK_LMK: [u8; 32] = [
    0x9B, 0x71, 0x33, 0x3A, 0x13, 0xF9, 0xFA, 0xE7, 0x2F, 0x9D, 0x0E, 0x2D, 0xAB, 0x4A, 0xD6, 0x78, 0x47, 0x18, 0x01, 0x2F, 0x92,
    0x44, 0x03, 0x3F, 0x3F, 0x26, 0xA2, 0xDE, 0x0C, 0x8A, 0xA1, 0x1A,
];

/// Key type of a command: the variant, and the code of the pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyType {
    pub(super) variant: u8,
    pub(super) pair: u8,
}

impl KeyType {
    /// Zone master key.
    pub const ZMK: Self = Self { variant: 0, pair: 0x00 };
    /// Zone PIN key.
    pub const ZPK: Self = Self { variant: 0, pair: 0x01 };
    /// Terminal keys and PIN verification keys.
    pub const TPK: Self = Self { variant: 0, pair: 0x02 };
    /// Card verification key.
    pub const CVK: Self = Self { variant: 4, pair: 0x02 };
    /// Terminal authentication key.
    pub const TAK: Self = Self { variant: 0, pair: 0x03 };
    /// Zone authentication key.
    pub const ZAK: Self = Self { variant: 0, pair: 0x08 };
    /// Base derivation key.
    pub const BDK: Self = Self { variant: 0, pair: 0x09 };
    /// Issuer master key for application cryptograms.
    pub const MK_AC: Self = Self { variant: 1, pair: 0x09 };
    /// Zone encryption key.
    pub const ZEK: Self = Self { variant: 0, pair: 0x0A };
    /// Data encryption key.
    pub const DEK: Self = Self { variant: 0, pair: 0x0B };

    /// From the three characters of a command: variant, and two of the pair.
    pub(super) fn parse(text: [u8; 3]) -> Result<Self, Code> {
        let [variant, high, low] = text.map(|digit| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
        match (variant, high, low) {
            (Some(variant), Some(0), Some(pair)) if variant <= 9 && PAIRS.iter().any(|(code, _)| *code == pair) => {
                Ok(Self { variant, pair })
            }
            _ => Err(Code::KEY_TYPE),
        }
    }
}

/// Which set of master keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lmk {
    /// The published test set.
    Test,
    /// What stands in for the set before a change: the same pairs with their halves exchanged.
    Old,
}

impl Lmk {
    /// The pair as changed for a key type and a part.
    fn pair(self, kind: KeyType, part_mask: u8) -> Result<TdesKey, Code> {
        let (_, pair) = PAIRS.iter().find(|(code, _)| *code == kind.pair).ok_or(Code::KEY_TYPE)?;
        let mut pair = Zeroizing::new(*pair);
        if self == Self::Old {
            pair.rotate_left(8);
        }
        let type_mask = match kind.variant.checked_sub(1) {
            None => 0,
            Some(at) => *TYPE_MASKS.get(usize::from(at)).ok_or(Code::KEY_TYPE)?,
        };
        if let ([left, ..], [right, ..]) = pair.split_at_mut(8) {
            *left ^= type_mask;
            *right ^= part_mask;
        }
        TdesKey::unchecked(&*pair).map_err(|_| Code::KEY_LENGTH)
    }

    /// A key of 8, 16 or 24 bytes under its pair.
    pub(super) fn seal(self, kind: KeyType, clear: &[u8]) -> Result<Zeroizing<Vec<u8>>, Code> {
        self.each(kind, clear, |pair, part| pair.encrypt_block(part))
    }

    /// What [`Lmk::seal`] sealed; of any parity when it was another pair.
    pub(super) fn open(self, kind: KeyType, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Code> {
        self.each(kind, sealed, |pair, part| pair.decrypt_block(part))
    }

    fn each(self, kind: KeyType, raw: &[u8], with: impl Fn(&TdesKey, [u8; 8]) -> [u8; 8]) -> Result<Zeroizing<Vec<u8>>, Code> {
        let masks: &[u8] = match raw.len() {
            8 => &[0],
            16 => &DOUBLE_MASKS,
            24 => &TRIPLE_MASKS,
            _ => return Err(Code::KEY_LENGTH),
        };
        let (parts, _) = raw.as_chunks::<8>();
        let mut out = Zeroizing::new(Vec::with_capacity(raw.len()));
        for (part, mask) in parts.iter().zip(masks) {
            out.extend_from_slice(&with(&self.pair(kind, *mask)?, *part));
        }
        Ok(out)
    }

    /// A clear TDES key as a host keeps it: 16, `U` and 32, or `T` and 48 characters. `None` for another
    /// length. For tests, which know the keys that they make.
    pub fn cryptogram(self, kind: KeyType, clear: &[u8]) -> Option<String> {
        let prefix = match clear.len() {
            8 => "",
            16 => "U",
            24 => "T",
            _ => return None,
        };
        let sealed = self.seal(kind, clear).ok()?;
        Some(format!("{prefix}{}", hex::encode_upper(&*sealed)))
    }

    /// The clear key out of what [`Lmk::cryptogram`] makes, of whatever parity. For tests.
    pub fn clear(self, kind: KeyType, cryptogram: &str) -> Option<Vec<u8>> {
        let text = cryptogram.strip_prefix(['U', 'T']).unwrap_or(cryptogram);
        let sealed = hex::decode(text).ok()?;
        self.open(kind, &sealed).ok().map(|clear| clear.to_vec())
    }
}

/// An AES or TDES key as a key block under the AES test master key: `S` and the block. For tests.
pub fn key_block(usage: &str, algorithm: char, clear: &[u8]) -> Option<String> {
    super::block::seal(usage.as_bytes(), u8::try_from(algorithm).ok()?, b'N', clear, &[0x5A; 16]).ok()
}
