//! Published blocks, round trips, and blocks that were tampered with.

use proptest::prelude::*;

use super::*;

const VERSIONS: [Version; 5] = [Version::A, Version::B, Version::C, Version::D, Version::E];

fn protection(version: Version, text: &str) -> ProtectionKey {
    ProtectionKey::new(version, &hex::decode(text).unwrap()).unwrap()
}

/// A protection key for each version, of the longest length.
fn some_protection(version: Version, raw: &[u8; 32]) -> ProtectionKey {
    let len = if matches!(version, Version::D | Version::E) { 32 } else { 24 };
    ProtectionKey::new(version, &raw[..len]).unwrap()
}

#[test]
fn published_blocks_open() {
    // Blocks that a payShield 10K made (as carried in openemv's test data), and ISO 20038:2017 B.2.
    let tdes = "EFE0853B256B583D868F251CE99EA1D9";
    let iso = "3235362D62697420414553207772617070696E67202849534F20323030333829";
    for (text, block, key) in [
        (tdes, "A0072K0TN00N0000F40D5672C6D0EC86F860BA88D44D00F0CA9A8CE8CD2F640287A9A9EB", "5DB50B454F8389ADCE573BE50861F2BF"),
        (
            iso,
            "E0084B0TV16N0000B2AE5E26BBA7F246E84D5EA24167E208A6B66EF2E27E55A52DB52F0AEACB94C57547",
            "777261707065642033444553206B6579",
        ),
    ] {
        let protection = protection(Version::of(block).unwrap(), text);
        let (header, clear) = unwrap(&protection, block).unwrap();
        assert_eq!(hex::encode_upper(clear.reveal()), key);
        assert_eq!((header.algorithm(), header.blocks().len()), ('T', 0));
        assert_eq!(format!("{clear:?} {protection:?}"), "ClearKey([redacted]) ProtectionKey([redacted])");
    }
}

#[test]
fn headers_that_are_none_are_refused() {
    let key = protection(Version::B, "EFE0853B256B583D868F251CE99EA1D9");
    let refused = |block: &str| unwrap(&key, block).unwrap_err();
    assert_eq!(refused(""), CryptoError::BlockLength);
    assert_eq!(refused("Z0016P0TE00E0000"), CryptoError::BlockVersion);
    assert_eq!(refused("D0016P0AE00E0000"), CryptoError::KeyLength);
    assert_eq!(refused("B0016P0TE00E000"), CryptoError::BlockLength);
    assert_eq!(refused("B001xP0TE00E0000"), CryptoError::BlockLength);
    assert_eq!(refused("B0016P0TE00E0000"), CryptoError::BlockLength);
    assert_eq!(refused("B0016P0TE00E0100"), CryptoError::BlockFormat);
    assert_eq!(refused("B0020P0TE00E0100KS03"), CryptoError::BlockFormat);
    assert_eq!(refused("B0022P0TE00E0100KS0000"), CryptoError::BlockFormat);
    assert_eq!(refused("B0018P0TE00E0000\u{e9}"), CryptoError::BlockFormat);
    assert_eq!(Header::new(Version::B, "P", 'T', 'E', "00", 'E').unwrap_err(), CryptoError::BlockFormat);
    assert_eq!(Header::new(Version::B, "P0", '\u{e9}', 'E', "00", 'E').unwrap_err(), CryptoError::BlockFormat);
    assert_eq!(OptionalBlock::new("K", "").unwrap_err(), CryptoError::BlockFormat);
    assert_eq!(OptionalBlock::new("KS", "\n").unwrap_err(), CryptoError::BlockFormat);
}

#[test]
fn an_authentic_block_with_no_key_in_it_is_refused() {
    // Bits that are no whole bytes, none at all, and more than there are.
    for bits in [[0x00, 0x7F], [0, 0], [0xFF, 0xF8]] {
        for version in VERSIONS {
            let key = some_protection(version, &[0x3C; 32]);
            let header = Header::new(version, "K0", 'T', 'N', "00", 'N').unwrap();
            let mut data = [0x11; 32];
            (data[0], data[1]) = (bits[0], bits[1]);
            let mut block = header.write(64 + version.mac_len() * 2).unwrap();
            let mac = key.keys(version).unwrap().close(block.as_bytes(), &mut data).unwrap();
            block.push_str(&hex::encode_upper(data));
            block.push_str(&hex::encode_upper(mac));
            assert_eq!(unwrap(&key, &block).unwrap_err(), CryptoError::BlockKey);
        }
    }
}

#[test]
fn a_block_does_not_tell_how_long_its_key_is() {
    let key = protection(Version::D, "3235362D62697420414553207772617070696E67202849534F20323030333829");
    for (algorithm, lengths) in [('T', [8, 16, 24]), ('A', [16, 24, 32])] {
        let header = Header::new(Version::D, "D0", algorithm, 'B', "00", 'N').unwrap();
        let blocks = lengths.map(|len| wrap(&key, &header, &ClearKey::new(&vec![7; len]).unwrap(), &[9; 48]).unwrap().len());
        assert_eq!(blocks, [blocks[0]; 3]);
    }
    assert_eq!(ClearKey::new(&[]).unwrap_err(), CryptoError::KeyLength);
    assert_eq!(ClearKey::new(&[7; 8192]).unwrap_err(), CryptoError::KeyLength);
}

fn some_header() -> impl Strategy<Value = Header> {
    let blocks = proptest::collection::vec(("[A-OQ-Z][0-9A-Z]", "[ -~]{0,300}"), 0..4);
    (0..5usize, "[A-Z][0-9]", "[TAH]", "[A-Z]", "[0-9a-z]{2}", "[ENS]", blocks).prop_map(
        |(version, usage, algorithm, mode, key_version, exportability, blocks)| {
            let one = |text: &str| text.chars().next().unwrap();
            let header =
                Header::new(VERSIONS[version], &usage, one(&algorithm), one(&mode), &key_version, one(&exportability)).unwrap();
            blocks.iter().fold(header, |header, (id, data)| header.with(OptionalBlock::new(id, data).unwrap()).unwrap())
        },
    )
}

proptest! {
    #[test]
    fn what_was_wrapped_unwraps_with_its_header(
        raw: [u8; 32], header in some_header(), key in proptest::collection::vec(any::<u8>(), 1..80), random: [[u8; 16]; 3]
    ) {
        let protection = some_protection(header.version(), &raw);
        let key = ClearKey::new(&key).unwrap();
        let block = wrap(&protection, &header, &key, random.as_flattened().try_into().unwrap()).unwrap();
        let (read, clear) = unwrap(&protection, &block).unwrap();
        prop_assert_eq!(clear, key);
        let kept: Vec<_> = read.blocks().iter().filter(|block| !block.is_padding()).cloned().collect();
        prop_assert_eq!(&kept, header.blocks());
        prop_assert_eq!((read.usage(), read.mode(), read.key_version()), (header.usage(), header.mode(), header.key_version()));
    }

    #[test]
    fn a_block_with_one_character_changed_is_a_typed_error(
        raw: [u8; 32], header in some_header(), at: proptest::sample::Index, by in 1u8..128
    ) {
        let protection = some_protection(header.version(), &raw);
        let block = wrap(&protection, &header, &ClearKey::new(&[0x5A; 16]).unwrap(), &[1; 48]).unwrap();
        let mut bytes = block.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = (bytes[at] + by) % 128;
        let changed = String::from_utf8(bytes).unwrap();
        // Small hexadecimal digits mean the same bytes.
        prop_assume!(!changed.eq_ignore_ascii_case(&block));
        prop_assert!(unwrap(&protection, &changed).is_err());
    }

    #[test]
    fn any_text_is_a_typed_error(raw: [u8; 32], text in "[A-E][0-9]{4}[0-9A-Z]{0,60}", cut in 0usize..80, other in ".{0,40}") {
        for version in VERSIONS {
            let protection = some_protection(version, &raw);
            prop_assert!(unwrap(&protection, text.get(..cut).unwrap_or(&text)).is_err());
            prop_assert!(unwrap(&protection, &other).is_err());
        }
    }
}

/// Bytes of published blocks changed, cut and swapped at random, and random text in the alphabet of blocks: the
/// reader ends in a key or in an error, and a changed block never in a key.
#[test]
fn the_reader_is_total_and_takes_no_changed_block() {
    let block = "A0072K0TN00N0000F40D5672C6D0EC86F860BA88D44D00F0CA9A8CE8CD2F640287A9A9EB";
    let tdes = protection(Version::A, "EFE0853B256B583D868F251CE99EA1D9");
    let header = Header::new(Version::D, "P0", 'A', 'E', "00", 'E').unwrap();
    let header = header.with(OptionalBlock::new("KS", "00604B120F9292800000").unwrap()).unwrap();
    let aes = some_protection(Version::D, &[7; 32]);
    let second = wrap(&aes, &header, &ClearKey::new(&[9; 16]).unwrap(), &[3; 48]).unwrap();
    let mut state = 20_261_124u64;
    let mut next = move |below: usize| {
        // Xorshift: a seeded sequence and no more.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let alphabet = b"0123456789ABCDEFabcdefKPSTNZ\x00\x7f~ ";
    for round in 0..20_000 {
        let (text, key) = if round % 2 == 0 { (block, &tdes) } else { (second.as_str(), &aes) };
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(5) {
                0 => bytes[at] = alphabet[next(alphabet.len())],
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, alphabet[next(alphabet.len())]),
                3 => {
                    let other = next(bytes.len());
                    bytes.swap(at, other);
                }
                _ => bytes.extend_from_within(at..),
            }
        }
        let changed = String::from_utf8(bytes).unwrap();
        // Hexadecimal digits of either case are the same digits.
        let opened = unwrap(key, &changed);
        assert!(opened.is_err() || changed.eq_ignore_ascii_case(text), "{changed}");
    }
}
