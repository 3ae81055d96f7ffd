//! What keys are for: roles, algorithms, modes of use and exportability, as key blocks state them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a key is for. One key has one role, for good; keys for MACs have one method, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeyRole {
    /// Terminal PIN key: PINs come under it and are never encrypted under it here.
    Tpk,
    /// Terminal MAC key, for MAC algorithm 3.
    Tak,
    /// Zone PIN key, shared with a network.
    Zpk,
    /// Zone MAC key, shared with a network, for MAC algorithm 3.
    Zak,
    /// DUKPT base derivation key, for TDES or AES.
    Bdk,
    /// Key encryption key for the data keys of our own stored data.
    Kek,
    /// Terminal MAC key for MAC algorithm 1.
    TakCbc,
    /// Zone MAC key for MAC algorithm 1.
    ZakCbc,
    /// Terminal MAC key for CMAC.
    TakCmac,
    /// Zone MAC key for CMAC.
    ZakCmac,
    /// PIN verification key, Visa's method.
    PvkVisa,
    /// PIN verification key, IBM 3624.
    PvkIbm,
    /// Card verification key: CVV, CVC and their kin.
    Cvk,
    /// Issuer master key for application cryptograms.
    ImkAc,
    /// Issuer master key for the integrity of scripts.
    ImkSmi,
    /// Issuer master key for dynamic numbers: dCVV and CVC3.
    ImkDn,
    /// Data encryption key for messages.
    Dek,
    /// Key block protection key.
    Kbpk,
}

impl KeyRole {
    /// Every role.
    pub const ALL: [Self; 18] = [
        Self::Tpk,
        Self::Tak,
        Self::Zpk,
        Self::Zak,
        Self::Bdk,
        Self::Kek,
        Self::TakCbc,
        Self::ZakCbc,
        Self::TakCmac,
        Self::ZakCmac,
        Self::PvkVisa,
        Self::PvkIbm,
        Self::Cvk,
        Self::ImkAc,
        Self::ImkSmi,
        Self::ImkDn,
        Self::Dek,
        Self::Kbpk,
    ];

    /// The word in configuration and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tpk => "tpk",
            Self::Tak => "tak",
            Self::Zpk => "zpk",
            Self::Zak => "zak",
            Self::Bdk => "bdk",
            Self::Kek => "kek",
            Self::TakCbc => "takcbc",
            Self::ZakCbc => "zakcbc",
            Self::TakCmac => "takcmac",
            Self::ZakCmac => "zakcmac",
            Self::PvkVisa => "pvkvisa",
            Self::PvkIbm => "pvkibm",
            Self::Cvk => "cvk",
            Self::ImkAc => "imkac",
            Self::ImkSmi => "imksmi",
            Self::ImkDn => "imkdn",
            Self::Dek => "dek",
            Self::Kbpk => "kbpk",
        }
    }

    /// Key usage of X9.143:2021 table 6 (TR-31).
    pub fn usage(self) -> &'static str {
        match self {
            Self::Tpk | Self::Zpk => "P0",
            Self::TakCbc | Self::ZakCbc => "M1",
            Self::Tak | Self::Zak => "M3",
            Self::TakCmac | Self::ZakCmac => "M6",
            Self::Bdk => "B0",
            Self::Kek => "K0",
            Self::Kbpk => "K1",
            Self::PvkIbm => "V1",
            Self::PvkVisa => "V2",
            Self::Cvk => "C0",
            Self::ImkAc => "E0",
            Self::ImkSmi => "E2",
            Self::ImkDn => "E4",
            Self::Dek => "D0",
        }
    }

    /// The algorithm that keys of this role have where nothing else is said.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Kek | Self::Kbpk => Algorithm::Aes256,
            _ => Algorithm::TdesDouble,
        }
    }

    /// Whether keys of this role may have this algorithm.
    pub fn admits(self, algorithm: Algorithm) -> bool {
        match self {
            Self::Kek => algorithm == Algorithm::Aes256,
            Self::Tak | Self::Zak => algorithm.is_tdes(),
            Self::PvkVisa | Self::PvkIbm | Self::Cvk | Self::ImkAc | Self::ImkSmi | Self::ImkDn => {
                algorithm == Algorithm::TdesDouble
            }
            Self::Bdk => algorithm != Algorithm::TdesTriple,
            Self::Tpk | Self::Zpk | Self::TakCbc | Self::ZakCbc | Self::TakCmac | Self::ZakCmac | Self::Dek | Self::Kbpk => true,
        }
    }

    /// Which pair of modes of use keys of this role have: that of ciphers, of MACs, or of derivation.
    fn modes(self) -> &'static [ModeOfUse] {
        use ModeOfUse::{Decrypt, Derive, Encrypt, EncryptDecrypt, Generate, GenerateVerify, Unrestricted, Verify};
        match self {
            Self::Tpk | Self::Zpk | Self::Kek | Self::Kbpk | Self::Dek => &[EncryptDecrypt, Encrypt, Decrypt, Unrestricted],
            Self::Tak
            | Self::Zak
            | Self::TakCbc
            | Self::ZakCbc
            | Self::TakCmac
            | Self::ZakCmac
            | Self::PvkVisa
            | Self::PvkIbm
            | Self::Cvk => &[GenerateVerify, Generate, Verify, Unrestricted],
            Self::Bdk | Self::ImkAc | Self::ImkSmi | Self::ImkDn => &[Derive, Unrestricted],
        }
    }

    /// Whether keys of this role may have this mode of use (X9.143:2021 tables 6 and 8).
    pub fn admits_mode(self, mode: ModeOfUse) -> bool {
        self.modes().contains(&mode)
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Algorithm and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Algorithm {
    /// TDES of 16 bytes.
    TdesDouble,
    /// TDES of 24 bytes.
    TdesTriple,
    /// AES of 16 bytes.
    Aes128,
    /// AES of 24 bytes.
    Aes192,
    /// AES of 32 bytes.
    Aes256,
}

impl Algorithm {
    /// Bytes of a key.
    pub fn key_bytes(self) -> usize {
        match self {
            Self::TdesDouble | Self::Aes128 => 16,
            Self::TdesTriple | Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// TDES, else AES.
    pub fn is_tdes(self) -> bool {
        matches!(self, Self::TdesDouble | Self::TdesTriple)
    }

    /// The letter of X9.143:2021 table 7.
    pub fn letter(self) -> char {
        if self.is_tdes() { 'T' } else { 'A' }
    }

    /// The algorithm of a key block's letter and the length of the key in it.
    pub fn of_block(letter: char, key_bytes: usize) -> Option<Self> {
        match (letter, key_bytes) {
            ('T', 16) => Some(Self::TdesDouble),
            ('T', 24) => Some(Self::TdesTriple),
            ('A', 16) => Some(Self::Aes128),
            ('A', 24) => Some(Self::Aes192),
            ('A', 32) => Some(Self::Aes256),
            _ => None,
        }
    }

    /// As AES DUKPT names it.
    pub(crate) fn derived(self) -> crypto::dukpt::aes::Algorithm {
        use crypto::dukpt::aes::Algorithm as Derived;
        match self {
            Self::TdesDouble => Derived::Tdes2,
            Self::TdesTriple => Derived::Tdes3,
            Self::Aes128 => Derived::Aes128,
            Self::Aes192 => Derived::Aes192,
            Self::Aes256 => Derived::Aes256,
        }
    }
}

/// What a key may do of what its role does (X9.143:2021 table 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModeOfUse {
    /// Encrypt and decrypt, wrap and unwrap.
    EncryptDecrypt,
    /// Encrypt only.
    Encrypt,
    /// Decrypt only.
    Decrypt,
    /// Make and check.
    GenerateVerify,
    /// Make only.
    Generate,
    /// Check only.
    Verify,
    /// Derive keys.
    Derive,
    /// Whatever its role does.
    Unrestricted,
}

impl ModeOfUse {
    const ALL: [Self; 8] = [
        Self::EncryptDecrypt,
        Self::Encrypt,
        Self::Decrypt,
        Self::GenerateVerify,
        Self::Generate,
        Self::Verify,
        Self::Derive,
        Self::Unrestricted,
    ];

    /// The letter in key blocks.
    pub fn letter(self) -> char {
        match self {
            Self::EncryptDecrypt => 'B',
            Self::Encrypt => 'E',
            Self::Decrypt => 'D',
            Self::GenerateVerify => 'C',
            Self::Generate => 'G',
            Self::Verify => 'V',
            Self::Derive => 'X',
            Self::Unrestricted => 'N',
        }
    }

    /// Of its letter.
    pub fn of_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.letter() == letter)
    }

    /// Whether it allows this use of a key.
    pub(crate) fn allows(self, wanted: Use) -> bool {
        match self {
            Self::EncryptDecrypt | Self::GenerateVerify | Self::Unrestricted => true,
            Self::Encrypt | Self::Generate => wanted == Use::Forward,
            Self::Decrypt | Self::Verify => wanted == Use::Backward,
            Self::Derive => wanted == Use::Derive,
        }
    }
}

/// What an operation does with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Encrypts, wraps or makes.
    Forward,
    /// Decrypts, unwraps or checks.
    Backward,
    /// Derives.
    Derive,
}

/// Whether a key may leave in a key block (X9.143:2021 table 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exportability {
    /// Under a key encryption key, in a form that X9.24 trusts: `E`.
    Exportable,
    /// Never: `N`.
    NonExportable,
    /// In any form under a key encryption key: `S`.
    Sensitive,
}

impl Exportability {
    /// The letter in key blocks.
    pub fn letter(self) -> char {
        match self {
            Self::Exportable => 'E',
            Self::NonExportable => 'N',
            Self::Sensitive => 'S',
        }
    }

    /// Of its letter.
    pub fn of_letter(letter: char) -> Option<Self> {
        [Self::Exportable, Self::NonExportable, Self::Sensitive].into_iter().find(|known| known.letter() == letter)
    }

    /// Whether a key block of it may be made. Ours are always of the trusted form, so both of the exportable
    /// kinds may.
    pub fn may_leave(self) -> bool {
        self != Self::NonExportable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_configuration_and_letters_come_back() {
        for role in KeyRole::ALL {
            let word = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(role.as_str());
            assert_eq!(KeyRole::deserialize(word), Ok(role));
            assert!(role.admits(role.algorithm()) && role.admits_mode(ModeOfUse::Unrestricted));
        }
        for mode in ModeOfUse::ALL {
            assert_eq!(ModeOfUse::of_letter(mode.letter()), Some(mode));
        }
        assert_eq!(ModeOfUse::of_letter('S'), None);
        assert_eq!(Exportability::of_letter('S'), Some(Exportability::Sensitive));
        assert_eq!(Algorithm::of_block('A', 20), None);
    }

    #[test]
    fn a_restricted_mode_allows_one_way_and_no_other() {
        for (mode, wanted) in [
            (ModeOfUse::Encrypt, Use::Forward),
            (ModeOfUse::Decrypt, Use::Backward),
            (ModeOfUse::Generate, Use::Forward),
            (ModeOfUse::Verify, Use::Backward),
            (ModeOfUse::Derive, Use::Derive),
        ] {
            let allowed: Vec<Use> =
                [Use::Forward, Use::Backward, Use::Derive].into_iter().filter(|use_| mode.allows(*use_)).collect();
            assert_eq!(allowed, [wanted]);
        }
    }
}
