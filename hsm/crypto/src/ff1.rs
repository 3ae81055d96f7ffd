//! Format-preserving encryption, FF1 of NIST SP 800-38G: digits become as many digits. The algorithm is
//! the crate `fpe`'s; here are the alphabets, the bounds and the typed refusals. FF3 and FF3-1 are not
//! offered: the standard's revision drops FF3.
//!
//! The crate keeps the numerals in buffers of its own that it does not wipe; what is made here is wiped.

use ::aes::{Aes128, Aes192, Aes256};
use fpe::ff1::{FF1, FlexibleNumeralString, NumeralStringError};
use zeroize::Zeroizing;

use crate::{AesKey, CryptoError};

/// How many characters text is made of: the first of `0`-`9`, `a`-`z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Radix(u32);

impl Radix {
    /// Decimal digits.
    pub const DECIMAL: Self = Self(10);

    /// From 2 to 36.
    pub fn new(radix: u32) -> Result<Self, CryptoError> {
        if (2..=36).contains(&radix) { Ok(Self(radix)) } else { Err(CryptoError::Alphabet) }
    }
}

/// Encrypts text in its alphabet. `tweak` binds it to what stands beside it. The text has at least a
/// million possible values (SP 800-38G revision 1).
pub fn encrypt(key: &AesKey, radix: Radix, tweak: &[u8], text: &str) -> Result<Zeroizing<String>, CryptoError> {
    run(key, radix, tweak, text, true)
}

/// Decrypts what [`encrypt`] made with the same tweak. Nothing tells a wrong key or tweak: other text
/// comes out.
pub fn decrypt(key: &AesKey, radix: Radix, tweak: &[u8], text: &str) -> Result<Zeroizing<String>, CryptoError> {
    run(key, radix, tweak, text, false)
}

fn run(key: &AesKey, radix: Radix, tweak: &[u8], text: &str, forward: bool) -> Result<Zeroizing<String>, CryptoError> {
    macro_rules! with {
        ($cipher:ty) => {{
            let ff1 = FF1::<$cipher>::new(key.reveal(), radix.0).map_err(|_| CryptoError::Alphabet)?;
            let numerals = numerals(text, radix)?;
            if forward { ff1.encrypt(tweak, &numerals) } else { ff1.decrypt(tweak, &numerals) }
        }};
    }
    let made = match key.len() {
        16 => with!(Aes128),
        24 => with!(Aes192),
        _ => with!(Aes256),
    };
    let made = made.map_err(|refused| match refused {
        NumeralStringError::TooShort { .. } => CryptoError::DomainTooSmall,
        NumeralStringError::TooLong { .. } => CryptoError::TooLong,
        NumeralStringError::InvalidForRadix(_) => CryptoError::Alphabet,
    })?;
    let made = Zeroizing::new(Vec::from(made));
    let characters = made.iter().map(|numeral| char::from_digit(u32::from(*numeral), radix.0).ok_or(CryptoError::Alphabet));
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    for character in characters {
        out.push(character?);
    }
    Ok(out)
}

fn numerals(text: &str, radix: Radix) -> Result<FlexibleNumeralString, CryptoError> {
    let one = |letter: char| -> Option<u16> {
        // Capitals are not of the alphabet: two texts must not be the same.
        let value = letter.to_digit(radix.0).filter(|_| !letter.is_ascii_uppercase())?;
        u16::try_from(value).ok()
    };
    text.chars().map(one).collect::<Option<Vec<u16>>>().map(FlexibleNumeralString::from).ok_or(CryptoError::Alphabet)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nists_samples_come_out() {
        // NIST FF1 samples 1, 3 and 9.
        let key = AesKey::from_hex("2B7E151628AED2A6ABF7158809CF4F3C").unwrap();
        let long = AesKey::from_hex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94").unwrap();
        let letters = Radix::new(36).unwrap();
        let tweak = b"7777pqrs777";
        assert_eq!(*encrypt(&key, Radix::DECIMAL, b"", "0123456789").unwrap(), "2433477484");
        assert_eq!(*encrypt(&key, letters, tweak, "0123456789abcdefghi").unwrap(), "a9tv40mll9kdu509eum");
        assert_eq!(*encrypt(&long, letters, tweak, "0123456789abcdefghi").unwrap(), "xs8a0azh2avyalyzuwd");
    }

    #[test]
    fn text_that_would_not_be_hidden_or_is_not_of_the_alphabet_is_refused() {
        let key = AesKey::from_bytes(&[1; 16]).unwrap();
        let refused = |radix, text| encrypt(&key, radix, b"", text).unwrap_err();
        assert_eq!(refused(Radix::DECIMAL, "12345"), CryptoError::DomainTooSmall);
        assert_eq!(refused(Radix::DECIMAL, ""), CryptoError::DomainTooSmall);
        assert_eq!(refused(Radix::DECIMAL, "12345a7890"), CryptoError::Alphabet);
        assert_eq!(refused(Radix::new(36).unwrap(), "ABCDEFGHIJ"), CryptoError::Alphabet);
        assert_eq!(Radix::new(37), Err(CryptoError::Alphabet));
        assert_eq!(Radix::new(1), Err(CryptoError::Alphabet));
    }

    proptest! {
        #[test]
        fn decryption_undoes_encryption(raw: [u8; 24], tweak: [u8; 7], pan in "[0-9]{6,30}", word in "[0-9a-z]{4,30}") {
            let key = AesKey::from_bytes(&raw).unwrap();
            for (radix, text) in [(Radix::DECIMAL, &pan), (Radix::new(36).unwrap(), &word)] {
                let sealed = encrypt(&key, radix, &tweak, text).unwrap();
                prop_assert_eq!(sealed.len(), text.len());
                prop_assert_eq!(&*decrypt(&key, radix, &tweak, &sealed).unwrap(), text);
            }
        }

        #[test]
        fn any_text_is_encrypted_or_refused(text in ".{0,40}", radix in 2u32..=36) {
            let key = AesKey::from_bytes(&[1; 16]).unwrap();
            let radix = Radix::new(radix).unwrap();
            if let Ok(sealed) = encrypt(&key, radix, b"", &text) {
                prop_assert_eq!(&*decrypt(&key, radix, b"", &sealed).unwrap(), &text);
            }
        }
    }
}
