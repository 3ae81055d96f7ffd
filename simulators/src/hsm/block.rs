//! Key blocks of version `1` under the AES master key: a header in the clear, the key under AES-CBC that
//! starts from the header, and 8 bytes of CMAC over both. The two keys for it come from the master key by
//! CMAC, as in X9.143 version D.

use crypto::{AesKey, mac, modes};
use zeroize::Zeroizing;

use super::codes::Code;
use super::fields::Fields;
use super::lmk::BLOCK_LMK;

/// Characters of the header.
const HEADER: usize = 16;
/// Bytes of the MAC.
const MAC: usize = 8;
/// Longest block that is taken, in characters.
const MOST: usize = 512;

/// What a block held.
pub(super) struct Opened {
    pub(super) usage: [u8; 2],
    pub(super) algorithm: u8,
    pub(super) key: Zeroizing<Vec<u8>>,
}

/// The key for one use: 0 encryption, 1 authentication.
fn derived(usage: u8) -> Result<AesKey, Code> {
    let master = AesKey::from_bytes(&BLOCK_LMK)?;
    let mut raw = Zeroizing::new(Vec::with_capacity(32));
    for counter in [1, 2] {
        // Counter, usage, separator, AES-256, 256 bits.
        raw.extend_from_slice(&mac::cmac_aes(&master, &[counter, 0, usage, 0, 0, 4, 1, 0]));
    }
    Ok(AesKey::from_bytes(&raw)?)
}

/// Takes a block off the request; its `S` is taken already.
pub(super) fn take(fields: &mut Fields<'_>) -> Result<Opened, Code> {
    let mut ahead = *fields;
    let version = ahead.one()?;
    let length = ahead.number(4)?;
    if version != b'1' {
        return Err(Code::BLOCK_SCHEME);
    }
    if !(HEADER..=MOST).contains(&length) {
        return Err(Code::BLOCK_LENGTH);
    }
    let mut block = Fields::new(fields.bytes(length)?);
    let header: [u8; HEADER] = block.array()?;
    let [_, _, _, _, _, u0, u1, algorithm, _, _, _, _, n0, n1, _, _] = header;
    if [n0, n1] != *b"00" {
        return Err(Code::BLOCK_OPTIONAL);
    }
    let sealed_characters = (length - HEADER).checked_sub(MAC * 2).ok_or(Code::BLOCK_LENGTH)?;
    let mut data = block.hex(sealed_characters)?;
    let received = block.hex(MAC * 2)?;
    if data.is_empty() || !data.len().is_multiple_of(16) {
        return Err(Code::BLOCK_LENGTH);
    }
    let right = mac::cmac_aes(&derived(1)?, &[&header[..], &data].concat());
    if !mac::matches(&right, &received) {
        return Err(Code::BLOCK_MAC);
    }
    modes::cbc_decrypt(&derived(0)?, &header, &mut data)?;
    let (bits, behind) = data.split_first_chunk().ok_or(Code::BLOCK_LENGTH)?;
    let bytes = usize::from(u16::from_be_bytes(*bits)) / 8;
    let key = behind.get(..bytes).ok_or(Code::BLOCK_LENGTH)?;
    Ok(Opened { usage: [u0, u1], algorithm, key: Zeroizing::new(key.to_vec()) })
}

/// Makes a block, with its `S`.
pub(super) fn seal(usage: &[u8], algorithm: u8, mode: u8, key: &[u8], random: &[u8; 16]) -> Result<String, Code> {
    let usage = <[u8; 2]>::try_from(usage).map_err(|_| Code::BLOCK_USAGE)?;
    let bits = u16::try_from(key.len() * 8).map_err(|_| Code::KEY_LENGTH)?;
    let mut data = Zeroizing::new(bits.to_be_bytes().to_vec());
    data.extend_from_slice(key);
    let fill = data.len().next_multiple_of(16) - data.len();
    data.extend(random.iter().take(fill));
    let length = HEADER + data.len() * 2 + MAC * 2;
    let text = format!("1{length:04}{}{}{}00E0000", String::from_utf8_lossy(&usage), char::from(algorithm), char::from(mode));
    let header = <[u8; HEADER]>::try_from(text.as_bytes()).map_err(|_| Code::BLOCK_LENGTH)?;
    modes::cbc_encrypt(&derived(0)?, &header, &mut data)?;
    let right = mac::cmac_aes(&derived(1)?, &[&header[..], &data].concat());
    let mac = right.get(..MAC).unwrap_or_default();
    Ok(format!("S{text}{}{}", hex::encode_upper(&*data), hex::encode_upper(mac)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_another_maker_open() {
        // Two blocks of a public test suite, made by a calculator of another maker under the AES test key.
        for (block, key) in [
            (
                "10096B0TN00E0002F21247ABCAF1AAB60415020B95858FA2D3D35DCE0B9CA675739A1C6EC367061107D66472D5097626",
                "000102030405060708090A0B0C0D0E0F",
            ),
            (
                "10096B0AN00E00021DFDC97FED3ACD531E0F85F811B10D8700B58E7D5CD72CB465DCCE8B79B67CDE6298505CCB7BAD47",
                "0D6B02388AC8EF491902342C5B0EDAD5",
            ),
        ] {
            let opened = take(&mut Fields::new(block.as_bytes())).unwrap();
            assert_eq!(hex::encode_upper(&*opened.key), key);
            assert_eq!(&opened.usage, b"B0");
            let changed = block.replacen("00E0", "00N0", 1);
            assert_eq!(take(&mut Fields::new(changed.as_bytes())).err(), Some(Code::BLOCK_MAC));
        }
    }

    #[test]
    fn what_was_sealed_opens_and_other_versions_do_not() {
        for len in [16, 24, 32] {
            let block = seal(b"P0", b'A', b'N', &vec![7; len], &[1; 16]).unwrap();
            let opened = take(&mut Fields::new(&block.as_bytes()[1..])).unwrap();
            assert_eq!((opened.key.len(), opened.algorithm), (len, b'A'));
        }
        assert_eq!(take(&mut Fields::new(b"00072B0TN00E0002")).err(), Some(Code::BLOCK_SCHEME));
        assert_eq!(take(&mut Fields::new(b"19999B0TN00E0002")).err(), Some(Code::BLOCK_LENGTH));
        assert_eq!(take(&mut Fields::new(b"1")).err(), Some(Code::INPUT));
    }
}
