//! Session keys of a chip card: each transaction, or each script, has its own.

use crate::modes::exclusive_or;
use crate::tdes::Block;
use crate::{CryptoError, TdesKey};

/// The common session key (EMV 4.3 Book 2 annex A1.3.1): TDES of the diversification value with its third
/// byte F0, then with 0F; odd parity.
pub fn common(master: &TdesKey, diversification: Block) -> Result<TdesKey, CryptoError> {
    require_double(master)?;
    let [left, right] = common_blocks(diversification);
    Ok(TdesKey::of_halves(&master.encrypt_block(left), &master.encrypt_block(right)).with_odd_parity())
}

/// The two blocks of which a card's key makes the halves of a session's ([`common`]), for a token that
/// derives inside.
pub fn common_blocks(diversification: Block) -> [Block; 2] {
    let [a, b, _, d, e, f, g, h] = diversification;
    [0xF0, 0x0F].map(|mark| [a, b, mark, d, e, f, g, h])
}

/// The diversification value of application cryptograms by EMV: the transaction counter alone.
pub fn by_counter(counter: [u8; 2]) -> Block {
    let [a, b] = counter;
    [a, b, 0, 0, 0, 0, 0, 0]
}

/// That of Mastercard's own method: the transaction counter and the terminal's unpredictable number.
pub fn by_counter_and_unpredictable(counter: [u8; 2], unpredictable: [u8; 4]) -> Block {
    let ([a, b], [c, d, e, f]) = (counter, unpredictable);
    [a, b, 0, 0, c, d, e, f]
}

/// The session key of Visa's secure messaging: the counter exclusive-ored into the right end of the left
/// half, its complement into that of the right half; odd parity. The master key shows through it, so it
/// never leaves the card and the HSM.
pub fn visa_messaging(master: &TdesKey, counter: [u8; 2]) -> Result<TdesKey, CryptoError> {
    require_double(master)?;
    let [left, right, _] = master.parts();
    let [a, b] = counter;
    let left = exclusive_or([0, 0, 0, 0, 0, 0, a, b], left);
    let right = exclusive_or([0, 0, 0, 0, 0, 0, !a, !b], right);
    Ok(TdesKey::of_halves(&left, &right).with_odd_parity())
}

/// The two shapes of the EMV2000 key tree that have a leaf for each counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tree {
    /// Height 16, two branches at each node.
    Binary,
    /// Height 8, four branches at each node; what EMV recommended.
    Quaternary,
}

impl Tree {
    /// Of a height and a number of branches.
    pub fn new(height: u64, branches: u64) -> Result<Self, CryptoError> {
        match (height, branches) {
            (16, 2) => Ok(Self::Binary),
            (8, 4) => Ok(Self::Quaternary),
            _ => Err(CryptoError::EmvData),
        }
    }

    /// The branch to take at each level for a counter, from the root.
    fn path(self, counter: u16) -> impl Iterator<Item = u8> {
        let (bits, height) = match self {
            Self::Binary => (1, 16u32),
            Self::Quaternary => (2, 8),
        };
        let mask = (1u16 << bits) - 1;
        (0..height).rev().map(move |level| u8::try_from(counter >> (bits * level) & mask).unwrap_or_default())
    }
}

/// The session key of the EMV2000 tree (EMV 4.1 Book 2 annex A1.3): each level's key is derived from its
/// parent and grandparent, the leaf exclusive-ored with its grandparent; odd parity. Replaced in 2005 by
/// [`common`]; for cards that are still about.
pub fn tree(master: &TdesKey, counter: [u8; 2], shape: Tree, start: [u8; 16]) -> Result<TdesKey, CryptoError> {
    require_double(master)?;
    let (above, last) = start.split_first_chunk().zip(start.last_chunk()).ok_or(CryptoError::EmvData)?;
    let mut grandparent = TdesKey::of_halves(above.0, last);
    let mut before = grandparent.clone();
    let mut parent = master.clone();
    for branch in shape.path(u16::from_be_bytes(counter)) {
        let child = descend(&parent, &grandparent, branch);
        before = std::mem::replace(&mut grandparent, std::mem::replace(&mut parent, child));
    }
    // Here `parent` is the leaf, `grandparent` its parent, and `before` its grandparent.
    let ([left, right, _], [over, under, _]) = (parent.parts(), before.parts());
    Ok(TdesKey::of_halves(&exclusive_or(*left, over), &exclusive_or(*right, under)).with_odd_parity())
}

fn descend(parent: &TdesKey, grandparent: &TdesKey, branch: u8) -> TdesKey {
    let [left, right, _] = grandparent.parts();
    let left = parent.encrypt_block(exclusive_or([0, 0, 0, 0, 0, 0, 0, branch], left));
    let right = parent.encrypt_block(exclusive_or([0, 0, 0, 0, 0, 0, 0, branch ^ 0xF0], right));
    TdesKey::of_halves(&left, &right)
}

fn require_double(key: &TdesKey) -> Result<(), CryptoError> {
    if key.len() == 16 { Ok(()) } else { Err(CryptoError::KeyLength) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_keys_agree_with_pyemv() {
        // The examples in pyemv's documentation.
        let master = TdesKey::unchecked(&hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap()).unwrap();
        let shown = |key: TdesKey| hex::encode_upper(key.reveal());
        let counter = [0x00, 0x1C];
        assert_eq!(shown(common(&master, by_counter(counter)).unwrap()), "E9FB384AF807B940FEDCEA613461B0C4");
        assert_eq!(shown(visa_messaging(&master, counter).unwrap()), "0123456789ABCDF2FEDCBA987654CDF2");
        let key = tree(&master, counter, Tree::Quaternary, [0; 16]).unwrap();
        assert_eq!(shown(key), "E5BF6D1067F194B0A89B7F5D83BC64A2");
        assert_ne!(tree(&master, counter, Tree::Binary, [0; 16]), tree(&master, counter, Tree::Quaternary, [0; 16]));
    }

    #[test]
    fn trees_without_a_leaf_for_each_counter_and_long_keys_are_refused() {
        assert_eq!(Tree::new(8, 2), Err(CryptoError::EmvData));
        assert_eq!(Tree::new(16, 2), Ok(Tree::Binary));
        let triple = TdesKey::unchecked(&[7; 24]).unwrap();
        assert_eq!(common(&triple, [0; 8]), Err(CryptoError::KeyLength));
        assert_eq!(visa_messaging(&triple, [0; 2]), Err(CryptoError::KeyLength));
        assert_eq!(tree(&triple, [0; 2], Tree::Binary, [0; 16]), Err(CryptoError::KeyLength));
    }
}
