//! The forms that a secret takes when it leaks: as text, packed, in hexadecimal, base64, the mainframe's
//! and the desktop's character sets, and hashed without a salt.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};

use super::digest::{md5, sha1};

/// A form's name and its bytes.
pub type Form = (&'static str, Vec<u8>);

/// Of text: card numbers, tracks, a seed. EBCDIC is what code pages 037 and 500 share: letters, digits
/// and the equals sign.
pub fn of_text(text: &[u8]) -> Vec<Form> {
    let wide = |order: fn(u16) -> [u8; 2]| text.iter().flat_map(|byte| order(u16::from(*byte))).collect::<Vec<u8>>();
    let mut forms = vec![
        ("ascii", text.to_vec()),
        ("utf-16le", wide(u16::to_le_bytes)),
        ("utf-16be", wide(u16::to_be_bytes)),
        ("ebcdic", text.iter().map(|byte| ebcdic(*byte)).collect()),
        ("hex of ascii", hex::encode(text).into_bytes()),
        ("hex of ascii", hex::encode_upper(text).into_bytes()),
    ];
    forms.extend(aligned("base64 of ascii", text));
    forms
}

/// Of digits, `=` and `D` packed two in a byte; an odd number is filled with F, as chips do, or with 0, as
/// `iso87-binary` does.
pub fn of_packed(digits: &[u8]) -> Vec<Form> {
    let fillers: &[u8] = if digits.len().is_multiple_of(2) { &[0xF] } else { &[0xF, 0x0] };
    fillers.iter().flat_map(|filler| packed_with(digits, *filler)).collect()
}

fn packed_with(digits: &[u8], filler: u8) -> Vec<Form> {
    let nibble = |digit: Option<&u8>| match digit {
        Some(digit @ b'0'..=b'9') => digit - b'0',
        Some(b'=' | b'D') => 0xD,
        _ => filler,
    };
    let packed: Vec<u8> = digits.chunks(2).map(|pair| nibble(pair.first()) << 4 | nibble(pair.get(1))).collect();
    let mut forms = aligned("base64 of bcd", &packed);
    // With a separator inside, the hexadecimal of the packed form is not the text itself.
    forms.extend([("hex of bcd", hex::encode(&packed).into_bytes()), ("hex of bcd", hex::encode_upper(&packed).into_bytes())]);
    forms.push(("bcd", packed));
    forms
}

/// Of bytes: keys and PIN blocks.
pub fn of_bytes(bytes: &[u8]) -> Vec<Form> {
    let mut forms = aligned("base64", bytes);
    forms.push(("raw", bytes.to_vec()));
    for text in [hex::encode(bytes), hex::encode_upper(bytes)] {
        let wide = |order: fn(u16) -> [u8; 2]| text.bytes().flat_map(|byte| order(u16::from(byte))).collect::<Vec<u8>>();
        forms.extend([
            ("utf-16le of hex", wide(u16::to_le_bytes)),
            ("utf-16be of hex", wide(u16::to_be_bytes)),
            ("ebcdic of hex", text.bytes().map(ebcdic).collect()),
            ("hex", text.clone().into_bytes()),
        ]);
    }
    forms
}

/// Unsalted hashes of text, raw and in hexadecimal.
pub fn hashed(text: &[u8]) -> Vec<Form> {
    let hashes: [(&str, &str, Vec<u8>); 3] = [
        ("md5", "hex of md5", md5(text).to_vec()),
        ("sha-1", "hex of sha-1", sha1(text).to_vec()),
        ("sha-256", "hex of sha-256", Sha256::digest(text).to_vec()),
    ];
    let forms = hashes.into_iter().flat_map(|(raw, as_hex, hash)| {
        [(as_hex, hex::encode(&hash).into_bytes()), (as_hex, hex::encode_upper(&hash).into_bytes()), (raw, hash)]
    });
    forms.collect()
}

/// The characters of base64 that a secret alone decides, for each place it can have in a group of three.
fn aligned(name: &'static str, bytes: &[u8]) -> Vec<Form> {
    let form = |before: usize| {
        let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
        let mut text = STANDARD_NO_PAD.encode(&padded).into_bytes();
        if !(padded.len() * 8).is_multiple_of(6) {
            text.pop();
        }
        (name, text.split_off((before * 8).div_ceil(6)))
    };
    (0..3).map(form).collect()
}

fn ebcdic(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0' + 0xF0,
        b'A'..=b'I' => byte - b'A' + 0xC1,
        b'J'..=b'R' => byte - b'J' + 0xD1,
        b'S'..=b'Z' => byte - b'S' + 0xE2,
        b'a'..=b'i' => byte - b'a' + 0x81,
        b'j'..=b'r' => byte - b'j' + 0x91,
        b's'..=b'z' => byte - b's' + 0xA2,
        b'=' => 0x7E,
        _ => 0x40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_known_wherever_it_begins() {
        let secret = b"4761739001010119";
        for before in 0..7 {
            let whole: Vec<u8> = [&b"abcdefg"[..before], secret, b"xyz"].concat();
            let text = STANDARD_NO_PAD.encode(whole);
            let found = aligned("base64", secret)
                .iter()
                .filter(|(_, form)| text.as_bytes().windows(form.len()).any(|w| w == form))
                .count();
            assert_eq!(found, 1, "{before} bytes before");
        }
    }

    #[test]
    fn packed_and_mainframe_digits_are_as_published() {
        let packed = of_packed(b"5413330089600119=2512");
        for odd in ["5413330089600119D2512F", "5413330089600119D25120"] {
            assert!(packed.contains(&("bcd", hex::decode(odd).unwrap_or_default())), "{odd}");
        }
        assert!(of_text(b"09AZ=").contains(&("ebcdic", vec![0xF0, 0xF9, 0xC1, 0xE9, 0x7E])));
    }
}
