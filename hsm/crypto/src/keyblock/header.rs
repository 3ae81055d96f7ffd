//! The header of a key block and its optional blocks (X9.143:2021 sections 5 and 6): what a key may be
//! used for, in the clear.

use super::MOST_CHARACTERS;
use crate::CryptoError;

/// How a block is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// TDES key variants; deprecated.
    A,
    /// TDES key derivation.
    B,
    /// TDES key variants.
    C,
    /// AES in CBC mode.
    D,
    /// AES in CTR mode (ISO 20038).
    E,
}

impl Version {
    /// Of a block, by its first character; the rest is not looked at.
    pub fn of(block: &str) -> Result<Self, CryptoError> {
        match block.as_bytes().first() {
            Some(b'A') => Ok(Self::A),
            Some(b'B') => Ok(Self::B),
            Some(b'C') => Ok(Self::C),
            Some(b'D') => Ok(Self::D),
            Some(b'E') => Ok(Self::E),
            Some(_) => Err(CryptoError::BlockVersion),
            None => Err(CryptoError::BlockLength),
        }
    }

    /// The letter.
    pub fn letter(self) -> char {
        match self {
            Self::A => 'A',
            Self::B => 'B',
            Self::C => 'C',
            Self::D => 'D',
            Self::E => 'E',
        }
    }

    /// Bytes of the MAC.
    pub(super) fn mac_len(self) -> usize {
        match self {
            Self::A | Self::C => 4,
            Self::B => 8,
            Self::D | Self::E => 16,
        }
    }

    /// Bytes that the encrypted part is a multiple of: a key stream takes any.
    pub(super) fn cipher_block(self) -> usize {
        match self {
            Self::A | Self::B | Self::C => 8,
            Self::D => 16,
            Self::E => 1,
        }
    }

    /// Characters that the header with its optional blocks is a multiple of.
    fn header_block(self) -> usize {
        match self {
            Self::A | Self::B | Self::C => 8,
            Self::D | Self::E => 16,
        }
    }
}

/// More about a key: two characters of what it is, and printable text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalBlock {
    id: String,
    data: String,
}

impl OptionalBlock {
    /// Two letters or digits, and printable ASCII.
    pub fn new(id: &str, data: &str) -> Result<Self, CryptoError> {
        let good = id.len() == 2 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let printable = data.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !good || !printable || data.len() > MOST_CHARACTERS {
            return Err(CryptoError::BlockFormat);
        }
        Ok(Self { id: id.to_owned(), data: data.to_owned() })
    }

    /// What it is, such as `KS` for a key serial number.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its text.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Whether it only fills the header up.
    pub fn is_padding(&self) -> bool {
        self.id == "PB"
    }

    /// Reads one off the front of `text`.
    fn read(text: &str) -> Result<(Self, &str), CryptoError> {
        let (id, rest) = take(text, 2)?;
        let (short, mut rest) = take(rest, 2)?;
        let mut whole = number(short)?;
        let mut before = 4;
        if whole == 0 {
            // An extended length: how many bytes it has, then the length itself.
            let (count, after) = take(rest, 2)?;
            let digits =
                number(count)?.checked_mul(2).filter(|digits| (2..=8).contains(digits)).ok_or(CryptoError::BlockFormat)?;
            let (long, after) = take(after, digits)?;
            (whole, rest, before) = (number(long)?, after, 6 + digits);
        }
        let (data, rest) = take(rest, whole.checked_sub(before).ok_or(CryptoError::BlockFormat)?)?;
        Ok((Self::new(id, data)?, rest))
    }

    fn write(&self, out: &mut String) {
        out.push_str(&self.id);
        let short = self.data.len() + 4;
        if short <= 0xFF {
            out.push_str(&format!("{short:02X}"));
        } else {
            out.push_str(&format!("0002{:04X}", self.data.len() + 10));
        }
        out.push_str(&self.data);
    }
}

/// Characters of the header without optional blocks.
const FIXED: usize = 16;

/// What a key is and may be used for. All of it is in the clear, and none of it can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    version: Version,
    usage: [u8; 2],
    algorithm: u8,
    mode: u8,
    key_version: [u8; 2],
    exportability: u8,
    reserved: [u8; 2],
    blocks: Vec<OptionalBlock>,
}

impl Header {
    /// A header without optional blocks. `usage` is two characters such as `P0`, `algorithm`, `mode` and
    /// `exportability` one each, `key_version` two (`00` for none).
    pub fn new(
        version: Version,
        usage: &str,
        algorithm: char,
        mode: char,
        key_version: &str,
        exportability: char,
    ) -> Result<Self, CryptoError> {
        let one = |letter: char| u8::try_from(letter).ok().filter(u8::is_ascii_alphanumeric).ok_or(CryptoError::BlockFormat);
        Ok(Self {
            version,
            usage: pair(usage)?,
            algorithm: one(algorithm)?,
            mode: one(mode)?,
            key_version: pair(key_version)?,
            exportability: one(exportability)?,
            reserved: *b"00",
            blocks: Vec::new(),
        })
    }

    /// With one more optional block; at most 98, since one may be needed to fill up.
    pub fn with(mut self, block: OptionalBlock) -> Result<Self, CryptoError> {
        if self.blocks.len() >= 98 {
            return Err(CryptoError::BlockFormat);
        }
        self.blocks.push(block);
        Ok(self)
    }

    /// How the block is protected.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What the key is for (table 6), such as `P0`: PIN encryption.
    pub fn usage(&self) -> &str {
        text(&self.usage)
    }

    /// The key's algorithm (table 7), such as `T`: TDES.
    pub fn algorithm(&self) -> char {
        char::from(self.algorithm)
    }

    /// What the key may do (table 8), such as `E`: encrypt only.
    pub fn mode(&self) -> char {
        char::from(self.mode)
    }

    /// The key's version, `00` for none.
    pub fn key_version(&self) -> &str {
        text(&self.key_version)
    }

    /// Whether it may be exported (table 10), such as `N`: not at all.
    pub fn exportability(&self) -> char {
        char::from(self.exportability)
    }

    /// The optional blocks in their order, the one that fills up included where there was one.
    pub fn blocks(&self) -> &[OptionalBlock] {
        &self.blocks
    }

    /// Bytes up to which a key is filled, so that its block does not tell its length.
    pub(super) fn masked_len(&self) -> usize {
        match self.algorithm {
            b'T' => 24,
            b'A' => 32,
            _ => 0,
        }
    }

    /// Reads the header of a whole block: the header, and where it ends.
    pub(super) fn read(block: &str) -> Result<(Self, usize), CryptoError> {
        let version = Version::of(block)?;
        if !block.is_ascii() {
            return Err(CryptoError::BlockFormat);
        }
        let (fixed, mut rest) = block.split_at_checked(FIXED).ok_or(CryptoError::BlockLength)?;
        let fixed: [u8; FIXED] = fixed.as_bytes().try_into().map_err(|_| CryptoError::BlockLength)?;
        let [_, l0, l1, l2, l3, u0, u1, algorithm, mode, v0, v1, exportability, n0, n1, r0, r1] = fixed;
        if decimal(&[l0, l1, l2, l3]).ok_or(CryptoError::BlockLength)? != block.len() {
            return Err(CryptoError::BlockLength);
        }
        if !fixed.iter().all(u8::is_ascii_alphanumeric) {
            return Err(CryptoError::BlockFormat);
        }
        let mut header = Self {
            version,
            usage: [u0, u1],
            algorithm,
            mode,
            key_version: [v0, v1],
            exportability,
            reserved: [r0, r1],
            blocks: Vec::new(),
        };
        for _ in 0..decimal(&[n0, n1]).ok_or(CryptoError::BlockFormat)? {
            let (block, after) = OptionalBlock::read(rest)?;
            header.blocks.push(block);
            rest = after;
        }
        Ok((header, block.len() - rest.len()))
    }

    /// The header in front of so many characters, filled up to whole blocks of its cipher.
    pub(super) fn write(&self, behind: usize) -> Result<String, CryptoError> {
        let mut optional = String::new();
        let kept = self.blocks.iter().filter(|block| !block.is_padding());
        let mut count = kept.clone().map(|block| block.write(&mut optional)).count();
        let unit = self.version.header_block();
        if !optional.len().is_multiple_of(unit) {
            let fill = (optional.len() + 4).next_multiple_of(unit) - optional.len() - 4;
            OptionalBlock::new("PB", &"0".repeat(fill))?.write(&mut optional);
            count += 1;
        }
        let length = FIXED + optional.len() + behind;
        if length > MOST_CHARACTERS || count > 99 {
            return Err(CryptoError::BlockLength);
        }
        let (version, usage, reserved) = (self.version.letter(), self.usage(), text(&self.reserved));
        let (algorithm, mode, exportability) = (self.algorithm(), self.mode(), self.exportability());
        let key_version = self.key_version();
        Ok(format!("{version}{length:04}{usage}{algorithm}{mode}{key_version}{exportability}{count:02}{reserved}{optional}"))
    }
}

fn pair(text: &str) -> Result<[u8; 2], CryptoError> {
    let pair = <[u8; 2]>::try_from(text.as_bytes()).map_err(|_| CryptoError::BlockFormat)?;
    if pair.iter().all(u8::is_ascii_alphanumeric) { Ok(pair) } else { Err(CryptoError::BlockFormat) }
}

/// Alphanumeric ASCII, as every constructor made sure.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn take(text: &str, count: usize) -> Result<(&str, &str), CryptoError> {
    text.split_at_checked(count).ok_or(CryptoError::BlockFormat)
}

fn decimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0, |number, digit| Some(number * 10 + usize::from(digit.is_ascii_digit().then(|| digit - b'0')?)))
}

fn number(hexadecimal: &str) -> Result<usize, CryptoError> {
    if !hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(CryptoError::BlockFormat);
    }
    usize::from_str_radix(hexadecimal, 16).map_err(|_| CryptoError::BlockFormat)
}
