//! Who a logical file is: PDS0105 (type 3, date 6, processor 11, sequence 5) and PDS0122 (mode).

use std::fmt;

use super::fault::Reason;

/// The id of a logical file, 25 digits. Header and trailer carry the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId([u8; 25]);

impl FileId {
    /// From its parts: type of three digits (`002` from an acquirer), date `YYMMDD`, processor of at most
    /// 11 digits, sequence of at most 99999.
    pub fn build(kind: &[u8; 3], date: &[u8; 6], processor: &str, sequence: u32) -> Result<Self, Reason> {
        if sequence > 99_999 || processor.len() > 11 {
            return Err(Reason::FileId);
        }
        let mut id = Vec::with_capacity(25);
        id.extend_from_slice(kind);
        id.extend_from_slice(date);
        id.extend_from_slice(format!("{processor:0>11}{sequence:05}").as_bytes());
        Self::parse(&id)
    }

    /// From 25 digits with a possible date.
    pub fn parse(raw: &[u8]) -> Result<Self, Reason> {
        let id: [u8; 25] = raw.try_into().map_err(|_| Reason::FileId)?;
        let two = |at: usize| id.get(at..at + 2).and_then(super::record::number).unwrap_or(0);
        let possible = id.iter().all(u8::is_ascii_digit) && (1..=12).contains(&two(5)) && (1..=31).contains(&two(7));
        if possible { Ok(Self(id)) } else { Err(Reason::FileId) }
    }

    /// The 25 digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The sequence number in it.
    pub fn sequence(&self) -> u32 {
        self.0.get(20..).and_then(super::record::number).and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// PDS0122: whether the file moves money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `P`.
    Production,
    /// `T`.
    Test,
}

impl Mode {
    /// From the one letter.
    pub fn parse(raw: &[u8]) -> Result<Self, Reason> {
        match raw {
            b"P" => Ok(Self::Production),
            b"T" => Ok(Self::Test),
            _ => Err(Reason::Mode),
        }
    }

    /// The one letter.
    pub fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Production => b"P",
            Self::Test => b"T",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_builds_what_it_reads() {
        let id = FileId::build(b"002", b"261120", "123450", 7).unwrap();
        assert_eq!(id.as_str(), "0022611200000012345000007");
        assert_eq!(FileId::parse(id.as_str().as_bytes()), Ok(id));
        assert_eq!(id.sequence(), 7);
        assert_eq!(FileId::build(b"002", b"261320", "1", 7), Err(Reason::FileId));
        assert_eq!(FileId::build(b"002", b"261120", "1", 100_000), Err(Reason::FileId));
    }
}
