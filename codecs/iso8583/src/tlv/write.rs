//! Writing data objects: whole tags alone, and the shortest definite length.

use super::parse_tag;

/// Why a data object could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlvWriteError {
    /// Not one whole tag of at most 4 bytes.
    #[error("not a tag")]
    Tag,
    /// The value is longer than 65,535 bytes.
    #[error("value too long")]
    TooLong,
}

/// Appends one object: the shortest definite length.
///
/// # Errors
/// A tag that is not exactly one tag, a value that is too long. `out` is then as it was.
pub fn write(tag: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), TlvWriteError> {
    match parse_tag(tag) {
        Ok(([], _)) if tag.first() != Some(&0) => {}
        _ => return Err(TlvWriteError::Tag),
    }
    let length = u16::try_from(value.len()).map_err(|_| TlvWriteError::TooLong)?;
    let [high, low] = length.to_be_bytes();
    out.extend_from_slice(tag);
    match (high, low) {
        (0, 0..=0x7F) => out.push(low),
        (0, _) => out.extend_from_slice(&[0x81, low]),
        _ => out.extend_from_slice(&[0x82, high, low]),
    }
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Tlvs;
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for length in [0, 1, 127, 128, 255, 256, 1000] {
            let value = vec![0xAB; length];
            let mut out = Vec::new();
            write(&[0x9F, 0x10], &value, &mut out).unwrap();
            let read: Vec<_> = Tlvs::new(&out).map(Result::unwrap).collect();
            assert_eq!(read.len(), 1);
            assert_eq!((read[0].tag, read[0].value), ([0x9F, 0x10].as_slice(), value.as_slice()));
        }
        assert_eq!(write(&[0x9F], &[], &mut Vec::new()), Err(TlvWriteError::Tag));
        assert_eq!(write(&[0x5A, 0x5A], &[], &mut Vec::new()), Err(TlvWriteError::Tag));
    }
}
