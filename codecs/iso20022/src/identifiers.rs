//! Identifiers with a pattern: BIC (ISO 9362), IBAN (ISO 13616), UETR (a UUID version 4).

use std::fmt;

use crate::error::Content;

/// `BICFIDec2014Identifier`: 8 or 11 characters, four alphanumeric, two letters of the country, two
/// alphanumeric of the place, optionally three of the branch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bic {
    bytes: [u8; 11],
    len: u8,
}

impl Bic {
    /// From 8 or 11 upper-case characters.
    pub fn new(text: &str) -> Result<Self, Content> {
        const WANT: Content = Content::Pattern("a BIC of 8 or 11 characters");
        let raw = text.as_bytes();
        let country = raw.get(4..6).ok_or(WANT)?;
        let upper = |b: &u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if !matches!(raw.len(), 8 | 11) || !raw.iter().all(upper) || !country.iter().all(u8::is_ascii_uppercase) {
            return Err(WANT);
        }
        let mut bytes = [0; 11];
        bytes.iter_mut().zip(raw).for_each(|(room, byte)| *room = *byte);
        Ok(Self { bytes, len: if raw.len() == 8 { 8 } else { 11 } })
    }

    /// The 8 or 11 characters.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|raw| std::str::from_utf8(raw).ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Bic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `IBAN2007Identifier` with check digits that fit (ISO 7064 MOD 97-10, as ISO 13616-1 demands).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Iban(String);

impl Iban {
    /// From an IBAN in electronic form, without blanks.
    pub fn new(text: &str) -> Result<Self, Content> {
        let raw = text.as_bytes();
        let shape = (5..=34).contains(&raw.len())
            && raw.iter().take(2).all(u8::is_ascii_uppercase)
            && raw.iter().skip(2).take(2).all(u8::is_ascii_digit)
            && raw.iter().skip(4).all(u8::is_ascii_alphanumeric);
        if !shape {
            return Err(Content::Pattern("an IBAN: country, two check digits, 1 to 30 alphanumerics"));
        }
        if remainder(raw.iter().skip(4).chain(raw.iter().take(4))) == 1 {
            Ok(Self(text.to_owned()))
        } else {
            Err(Content::CheckDigits)
        }
    }

    /// Makes the IBAN of a country and a national account number, with the right check digits.
    pub fn with_check_digits(country: &str, account: &str) -> Result<Self, Content> {
        let check = 98 - remainder(account.bytes().chain(country.bytes()).chain(*b"00").collect::<Vec<_>>().iter()).min(97);
        Self::new(&format!("{country}{check:02}{account}"))
    }

    /// The IBAN in electronic form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Country and check digits only: the rest says whose account it is.
impl fmt::Debug for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.0.get(..4).unwrap_or_default())
    }
}

/// The number that letters (A = 10) and digits spell, modulo 97.
fn remainder<'a>(characters: impl Iterator<Item = &'a u8>) -> u32 {
    characters.fold(0, |rest, byte| match char::from(*byte).to_digit(36) {
        Some(value @ 0..=9) => (rest * 10 + value) % 97,
        Some(value) => (rest * 100 + value) % 97,
        None => rest,
    })
}

/// `UUIDv4Identifier`: the unique end-to-end transaction reference, lower-case hexadecimal with
/// hyphens, version 4, variant of RFC 9562.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uetr([u8; 36]);

impl Uetr {
    /// From its 36 characters.
    pub fn new(text: &str) -> Result<Self, Content> {
        const WANT: Content = Content::Pattern("a lower-case UUID of version 4");
        let bytes: [u8; 36] = text.as_bytes().try_into().map_err(|_| WANT)?;
        let fits = bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        });
        if fits { Ok(Self(bytes)) } else { Err(WANT) }
    }

    /// From 16 random bytes; version and variant are set.
    pub fn from_random(random: [u8; 16]) -> Self {
        let mut text = [b'-'; 36];
        let mut nibbles = random.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (at, room) in text.iter_mut().enumerate() {
            *room = match at {
                8 | 13 | 18 | 23 => continue,
                14 => nibbles.next().map_or(b'4', |_| b'4'),
                19 => b"89ab".get(usize::from(nibbles.next().unwrap_or(0) & 3)).copied().unwrap_or(b'8'),
                _ => b"0123456789abcdef".get(usize::from(nibbles.next().unwrap_or(0))).copied().unwrap_or(b'0'),
            };
        }
        Self(text)
    }

    /// The 36 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Uetr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bic_has_8_or_11_characters_and_a_country() {
        assert_eq!(Bic::new("AAAADEFFXXX").unwrap().as_str(), "AAAADEFFXXX");
        assert!(Bic::new("A1AADEFF").is_ok());
        for wrong in ["AAAADEFFX", "aaaadeff", "AAAA1EFF", "", "AAAADEF\u{e9}"] {
            assert!(Bic::new(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn check_digits_of_an_iban_are_checked_and_made() {
        assert!(Iban::new("DE89370400440532013000").is_ok());
        assert_eq!(Iban::new("DE88370400440532013000"), Err(Content::CheckDigits));
        assert!(matches!(Iban::new("de89370400440532013000"), Err(Content::Pattern(_))));
        assert_eq!(Iban::with_check_digits("DE", "370400440532013000").unwrap().as_str(), "DE89370400440532013000");
        assert_eq!(Iban::with_check_digits("GB", "NWBK60161331926819").unwrap().as_str(), "GB29NWBK60161331926819");
    }

    #[test]
    fn a_uetr_is_a_lower_case_uuid_of_version_4() {
        assert!(Uetr::new("8a562c67-ca16-48ba-b074-65581be6f001").is_ok());
        assert!(Uetr::new("8A562C67-ca16-48ba-b074-65581be6f001").is_err());
        assert!(Uetr::new("8a562c67-ca16-18ba-b074-65581be6f001").is_err());
        assert!(Uetr::new("8a562c67-ca16-48ba-c074-65581be6f001").is_err());
        let made = Uetr::from_random([0xFF; 16]);
        assert_eq!(Uetr::new(made.as_str()), Ok(made));
    }
}
