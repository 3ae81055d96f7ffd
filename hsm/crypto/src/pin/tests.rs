use proptest::prelude::*;

use super::*;

const FORMATS: [Format; 4] = [Format::Iso0, Format::Iso1, Format::Iso2, Format::Iso3];

fn pin(digits: &str) -> Pin {
    Pin::new(digits.as_bytes()).unwrap()
}

#[test]
fn format_0_agrees_with_published_blocks() {
    // X9.24-1:2009 A.4; the others were computed with psec 1.3.0.
    for (digits, pan, block) in [
        ("1234", "4012345678909", "041274EDCBA9876F"),
        ("84002", "6011686296234123", "058416A9D69DCBED"),
        ("05420685", "6232597626104677186", "0805342095B988E7"),
        ("602453064882", "3641262713269418", "0C603631777AEBBE"),
    ] {
        let made = format0_encode(&pin(digits), pan.as_bytes()).unwrap();
        assert_eq!(hex::encode_upper(made.reveal()), block);
        assert_eq!(format0_decode(&made, pan.as_bytes()).unwrap(), pin(digits));
    }
}

#[test]
fn a_pin_or_pan_of_the_wrong_length_or_kind_is_refused() {
    for digits in ["123", "2982827028813", "12A4", ""] {
        assert_eq!(Pin::new(digits.as_bytes()), Err(CryptoError::PinLengthOrDigits));
    }
    // 11 and 12 digits do not leave twelve without the check digit; 20 are no PAN.
    for pan in ["72247858051", "678443090864", "45123X7890123456", "29372057561988824635", ""] {
        assert_eq!(format0_encode(&pin("1234"), pan.as_bytes()).unwrap_err(), CryptoError::Pan);
    }
}

#[test]
fn every_defect_of_a_block_is_the_same_error() {
    // Blocks under a key: control nibble 5, PIN length 3, length 13, a letter in the PIN, a fill
    // that is not F, and a block under another key (constructed cases of the shared vectors).
    let source = TdesKey::from_hex("23CE07EA8A0D94D6FB37106E2A5EE0C8").unwrap();
    let target = TdesKey::unchecked(&hex::decode("57793480E5BCF1EFA21F4F2FCD325DDF").unwrap()).unwrap();
    for block in
        ["64C1572B662FB310", "8F49C97301D40F6D", "F6C280BD23B3F7E0", "67D9659184FC8733", "1DF2F0ECE6AE5696", "E86C6852D8D3454A"]
    {
        let block = hex::decode(block).unwrap();
        let refused = translate(&source, Format::Iso0, &target, Format::Iso0, b"5141509087308440", &block);
        assert_eq!(refused, Err(CryptoError::PinBlock));
    }
    assert_eq!(ClearPinBlock::decrypt(&source, &[0; 16]).unwrap_err(), CryptoError::PinBlock);
}

#[test]
fn other_formats_agree_with_psec() {
    // Computed with psec 1.3.0, format 1 by hand; the fill of format 3 is FDAECFFCDD from the third place.
    let block = |text: &str| ClearPinBlock::new(hex::decode(text).unwrap().try_into().unwrap());
    let two = encode(Format::Iso2, &pin("217812576095"), b"", &Fill::default()).unwrap();
    assert_eq!(hex::encode_upper(two.reveal()), "2C217812576095FF");
    assert_eq!(decode(Format::Iso2, &two, b"").unwrap(), pin("217812576095"));
    assert_eq!(decode(Format::Iso1, &block("169932917E433A7B"), b"").unwrap(), pin("993291"));
    let three = encode(Format::Iso3, &pin("9926"), b"6230032777974066", &[5, 3, 0, 4, 2, 5, 5, 2, 3, 3]).unwrap();
    assert_eq!(decode(Format::Iso3, &three, b"6230032777974066").unwrap(), pin("9926"));
    assert_eq!(reformat(&three, Format::Iso3, Format::Iso1, b"6230032777974066").unwrap_err(), CryptoError::Fill);
}

#[test]
fn pins_and_clear_blocks_never_show_in_debug() {
    let block = format0_encode(&pin("1234"), b"4012345678909").unwrap();
    assert_eq!(format!("{:?} {block:?}", pin("1234")), "Pin([redacted]) ClearPinBlock([redacted])");
}

proptest! {
    #[test]
    fn what_was_encoded_decodes_to_the_same_pin(digits in "[0-9]{4,12}", pan in "[0-9]{13,19}", fill: Fill) {
        for format in FORMATS {
            let made = encode(format, &pin(&digits), pan.as_bytes(), &fill).unwrap();
            prop_assert_eq!(decode(format, &made, pan.as_bytes()).unwrap(), pin(&digits));
            for other in FORMATS.into_iter().filter(|other| *other != format) {
                prop_assert_eq!(decode(other, &made, pan.as_bytes()), Err(CryptoError::PinBlock));
            }
        }
    }

    #[test]
    fn decoding_any_bytes_never_panics_and_what_decodes_encodes_back(raw: [u8; 8], pan in "[0-9]{0,21}") {
        let block = ClearPinBlock::new(raw);
        for format in FORMATS {
            if let Ok(pin) = decode(format, &block, pan.as_bytes()) {
                let fill = std::array::from_fn(|at| fill_nibble(format, &raw, pan.as_bytes(), at + pin.reveal().len()));
                let again = encode(format, &pin, pan.as_bytes(), &fill).unwrap();
                prop_assert_eq!(again.reveal(), &raw);
            }
        }
    }
}

/// What the fill of a decoded block was made of, at a place after control nibble and length.
fn fill_nibble(format: Format, raw: &[u8; 8], pan: &[u8], place: usize) -> u8 {
    let field = u64::from_be_bytes(*raw) ^ format.account(pan).unwrap_or(0);
    let shift = 52u32.checked_sub(4 * u32::try_from(place).unwrap());
    shift.map_or(0, |shift| u8::try_from(field >> shift & 0xF).unwrap() - format.least_fill())
}
