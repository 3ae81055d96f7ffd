//! DE55: a run of BER-TLV objects (EMV Book 3, annex B), tags and values as bytes.

use super::fault::Reason;

/// Writes the objects one after the other, in the order given. A tag is 1 to 3 bytes as EMV writes it,
/// a value at most 255 bytes, the whole at most 255 bytes, as ISO 8583 gives the field.
pub fn chip_data<'a>(objects: impl IntoIterator<Item = ChipObject<'a>>) -> Result<Vec<u8>, Reason> {
    let mut out = Vec::with_capacity(255);
    for (tag, value) in objects {
        let length = u8::try_from(value.len()).map_err(|_| Reason::ChipData)?;
        if tag_length(tag) != Some(tag.len()) {
            return Err(Reason::ChipData);
        }
        out.extend_from_slice(tag);
        if length > 127 {
            out.push(0x81);
        }
        out.push(length);
        out.extend_from_slice(value);
    }
    if out.len() > 255 { Err(Reason::ChipData) } else { Ok(out) }
}

/// A tag and its value.
pub type ChipObject<'a> = (&'a [u8], &'a [u8]);

/// Tags and values of a DE55. Zero bytes between objects are padding and skipped.
pub fn chip_objects(mut bytes: &[u8]) -> Result<Vec<ChipObject<'_>>, Reason> {
    let mut objects = Vec::new();
    while let [first, rest @ ..] = bytes {
        if *first == 0 {
            bytes = rest;
            continue;
        }
        let split = tag_length(bytes).and_then(|length| bytes.split_at_checked(length));
        let (tag, rest) = split.ok_or(Reason::ChipData)?;
        let (length, rest) = match rest {
            [length @ 0..=0x7F, rest @ ..] => (*length, rest),
            [0x81, length, rest @ ..] => (*length, rest),
            _ => return Err(Reason::ChipData),
        };
        let (value, rest) = rest.split_at_checked(usize::from(length)).ok_or(Reason::ChipData)?;
        objects.push((tag, value));
        bytes = rest;
    }
    Ok(objects)
}

/// Bytes of the tag at the start, at most 3.
fn tag_length(bytes: &[u8]) -> Option<usize> {
    if bytes.first()? & 0x1F != 0x1F {
        return Some(1);
    }
    let more = bytes.get(1..3.min(bytes.len()))?.iter().position(|byte| byte & 0x80 == 0)?;
    Some(more + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_come_back() {
        let long = [0xAB; 130];
        let objects: [(&[u8], &[u8]); 3] = [(&[0x9F, 0x26], &[1, 2]), (&[0x95], &[]), (&[0x9F, 0x10], &long)];
        let bytes = chip_data(objects).unwrap();
        assert_eq!(chip_objects(&bytes).unwrap(), objects);
        assert_eq!(chip_objects(&bytes[..bytes.len() - 1]), Err(Reason::ChipData));
        assert_eq!(chip_objects(&[0x9F]), Err(Reason::ChipData));
        assert_eq!(chip_data([(&[0x9F][..], &[][..])]), Err(Reason::ChipData));
    }
}
