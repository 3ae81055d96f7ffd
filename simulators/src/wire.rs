//! The simulators' own view of the wire (`docs/wire.md`): names of the data elements, response MTIs,
//! original data elements and the MAC. Deliberately not shared with the switch's dialects.

use bytes::Bytes;
use crypto::TdesKey;
use crypto::mac::{Padding, retail_mac};
use iso8583::{Charset, DecodeError, Message, Spec};
use payments::Text;

use crate::Error;

/// Data elements by the names that the field uses.
pub mod de {
    #![allow(missing_docs)]
    pub const PAN: u8 = 2;
    pub const PROCESSING_CODE: u8 = 3;
    pub const AMOUNT: u8 = 4;
    pub const TRANSMISSION: u8 = 7;
    pub const STAN: u8 = 11;
    pub const LOCAL_TIME: u8 = 12;
    pub const LOCAL_DATE: u8 = 13;
    pub const EXPIRY: u8 = 14;
    pub const SETTLEMENT_DATE: u8 = 15;
    pub const CATEGORY: u8 = 18;
    pub const ENTRY_MODE: u8 = 22;
    pub const CARD_SEQUENCE: u8 = 23;
    pub const CONDITION: u8 = 25;
    pub const ACQUIRER: u8 = 32;
    pub const FORWARDER: u8 = 33;
    pub const TRACK2: u8 = 35;
    pub const RRN: u8 = 37;
    pub const APPROVAL: u8 = 38;
    pub const RESPONSE: u8 = 39;
    pub const TERMINAL: u8 = 41;
    pub const MERCHANT: u8 = 42;
    pub const ACCEPTOR: u8 = 43;
    pub const RESULTS: u8 = 44;
    pub const CURRENCY: u8 = 49;
    pub const PIN_BLOCK: u8 = 52;
    pub const BALANCES: u8 = 54;
    pub const CHIP: u8 = 55;
    pub const ECOMMERCE: u8 = 60;
    pub const POS_DATA: u8 = 61;
    pub const NETWORK_ID: u8 = 63;
    pub const MAC: u8 = 64;
    pub const FUNCTION: u8 = 70;
    pub const ORIGINAL: u8 = 90;
    pub const REPLACEMENT: u8 = 95;
    pub const MAC_SECOND: u8 = 128;
}

/// What an answer repeats from its request.
pub const ECHOED: [u8; 11] = [
    de::PROCESSING_CODE,
    de::AMOUNT,
    de::TRANSMISSION,
    de::STAN,
    de::LOCAL_TIME,
    de::LOCAL_DATE,
    de::ACQUIRER,
    de::RRN,
    de::TERMINAL,
    de::MERCHANT,
    de::CURRENCY,
];

/// How the 8 bytes of a MAC stand at the end of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MacForm {
    /// 16 upper-case hexadecimal characters.
    Hexadecimal,
    /// As they are.
    Raw,
}

impl MacForm {
    /// Bytes that it takes on the wire.
    fn length(self) -> usize {
        match self {
            Self::Hexadecimal => 16,
            Self::Raw => 8,
        }
    }
}

/// The dialect of a link: how its bytes are laid out.
#[derive(Clone)]
pub struct Wire {
    spec: std::sync::Arc<Spec>,
    mac: MacForm,
}

impl Wire {
    /// A dialect that the codec ships and whose MAC is hexadecimal characters or raw bytes:
    /// `iso87-ascii`, `iso87-binary`.
    pub fn shipped(name: &str) -> Result<Self, Error> {
        let unknown = || Error::Dialect { name: name.to_owned() };
        let spec = Spec::shipped(name).ok_or_else(unknown)?;
        let mac = match spec.field(de::MAC).map(iso8583::Field::charset) {
            Some(Charset::HexAscii) => MacForm::Hexadecimal,
            Some(Charset::Binary) => MacForm::Raw,
            _ => return Err(unknown()),
        };
        Ok(Self { spec, mac })
    }

    /// Bytes to message.
    pub fn decode(&self, raw: Bytes) -> Result<Message, DecodeError> {
        self.spec.decode(raw)
    }

    /// Message to bytes, without a MAC.
    pub fn encode(&self, message: &Message) -> Result<Vec<u8>, Error> {
        self.spec.encode(message).map_err(|fault| Error::Encode { mti: message.mti().to_owned(), reason: fault.to_string() })
    }

    /// Message to bytes with a MAC as the last field: DE128 where there is a secondary bitmap, else
    /// DE64.
    pub fn encode_with_mac(&self, message: &mut Message, key: &TdesKey) -> Result<Vec<u8>, Error> {
        message.remove(de::MAC);
        message.remove(de::MAC_SECOND);
        let second = message.fields().any(|(number, _)| number > 64);
        message.set(if second { de::MAC_SECOND } else { de::MAC }, [0; 8]);
        let mut raw = self.encode(message)?;
        raw.truncate(raw.len().saturating_sub(self.mac.length()));
        let mac = retail_mac(key, &raw, Padding::Zeros);
        match self.mac {
            MacForm::Hexadecimal => raw.extend_from_slice(hex::encode_upper(mac).as_bytes()),
            MacForm::Raw => raw.extend_from_slice(&mac),
        }
        Ok(raw)
    }

    /// Whether a message decoded by this dialect carries the right MAC. A message without one does not.
    pub fn mac_verifies(&self, message: &Message, key: &TdesKey) -> bool {
        let Some(carried) = message.get(de::MAC_SECOND).or_else(|| message.get(de::MAC)) else { return false };
        let frame = message.frame();
        let covered = frame.get(..frame.len().saturating_sub(self.mac.length())).unwrap_or_default();
        crypto::same(&retail_mac(key, covered, Padding::Zeros), carried)
    }

    /// Makes an encoded message one that nobody can read: nothing behind its MTI is a bitmap or field.
    pub fn garble(&self, raw: &mut [u8]) {
        let mti = if self.spec.mti_charset() == Charset::Ascii { 4 } else { 2 };
        raw.iter_mut().skip(mti).for_each(|byte| *byte = 0xFF);
    }
}

/// The MTI of the answer to a request or repeat: `0201` is answered by `0210`. `None` for what is no
/// request.
pub fn answer_mti(mti: &str) -> Option<&'static str> {
    Some(match mti {
        "0100" | "0101" => "0110",
        "0120" | "0121" => "0130",
        "0200" | "0201" => "0210",
        "0220" | "0221" => "0230",
        "0400" | "0401" => "0410",
        "0420" | "0421" => "0430",
        "0800" | "0801" => "0810",
        _ => return None,
    })
}

/// The MTI of the repeat of a request.
pub fn repeat_mti(mti: &str) -> Option<&'static str> {
    Some(match mti {
        "0100" => "0101",
        "0120" => "0121",
        "0200" => "0201",
        "0220" => "0221",
        "0400" => "0401",
        "0420" => "0421",
        "0800" => "0801",
        _ => return None,
    })
}

/// Whether an MTI says that the message is a repeat.
pub fn is_repeat(mti: &str) -> bool {
    matches!(mti.as_bytes().last(), Some(b'1' | b'3' | b'5'))
}

/// DE90: what a reversal says about its original, as sent on that link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginalData {
    /// Its MTI.
    pub mti: Text<4>,
    /// Its DE11.
    pub stan: Text<6>,
    /// Its DE7.
    pub transmission: Text<10>,
    /// Its DE32, without leading zeros.
    pub acquirer: Text<11>,
    /// Its DE33, without leading zeros.
    pub forwarder: Text<11>,
}

impl OriginalData {
    /// From the 42 digits.
    pub fn parse(raw: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(raw).ok().filter(|text| text.len() == 42 && text.bytes().all(|b| b.is_ascii_digit()))?;
        Some(Self {
            mti: Text::new(text.get(..4)?).ok()?,
            stan: Text::new(text.get(4..10)?).ok()?,
            transmission: Text::new(text.get(10..20)?).ok()?,
            acquirer: Text::new(text.get(20..31)?.trim_start_matches('0')).ok()?,
            forwarder: Text::new(text.get(31..42)?.trim_start_matches('0')).ok()?,
        })
    }

    /// What a reversal of `message` has to say.
    pub fn of(message: &Message) -> String {
        let text = |number: u8| message.str(number).unwrap_or_default();
        format!(
            "{}{:0>6}{:0>10}{:0>11}{:0>11}",
            message.mti(),
            text(de::STAN),
            text(de::TRANSMISSION),
            text(de::ACQUIRER),
            text(de::FORWARDER)
        )
    }
}

/// DE95 with the amount that shall finally stand, minor units.
pub fn replacement(final_minor: i64) -> String {
    format!("{final_minor:012}{:030}", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        let mut message = Message::new("0200");
        message.set(de::STAN, "000042").set(de::TRANSMISSION, "1121101112").set(de::ACQUIRER, "12345");
        message
    }

    #[test]
    fn original_data_is_zero_filled_and_reads_back() {
        let text = OriginalData::of(&message());
        assert_eq!(text, "020000004211211011120000001234500000000000");
        let read = OriginalData::parse(text.as_bytes()).unwrap();
        assert_eq!((read.mti.as_str(), read.stan.as_str(), read.acquirer.as_str()), ("0200", "000042", "12345"));
        assert_eq!(OriginalData::parse(b"0200"), None);
    }

    const FORMS: [&str; 2] = ["iso87-ascii", "iso87-binary"];

    #[test]
    fn a_mac_verifies_until_one_bit_changes() {
        let key = TdesKey::unchecked(&[0x31; 16]).unwrap();
        for (wire, second) in FORMS.iter().flat_map(|name| [false, true].map(|second| (Wire::shipped(name).unwrap(), second))) {
            let mut message = message();
            if second {
                message.set(de::FUNCTION, "301");
            }
            let raw = wire.encode_with_mac(&mut message, &key).unwrap();
            assert!(wire.mac_verifies(&wire.decode(raw.clone().into()).unwrap(), &key));
            for at in 0..raw.len() {
                let mut changed = raw.clone();
                changed[at] ^= 1;
                assert!(!wire.decode(changed.into()).is_ok_and(|message| wire.mac_verifies(&message, &key)), "byte {at}");
            }
            assert!(!wire.mac_verifies(&message, &key), "it was never on a wire");
        }
    }

    /// Byte for byte as `docs/wire.md` says; the MAC of "Now is the time for all " is that of ISO/IEC
    /// 9797-1:2011 annex B, so key and algorithm are not in question here, only where its bytes stand.
    #[test]
    fn the_mac_is_hexadecimal_characters_or_raw_bytes_at_the_end() {
        let key = TdesKey::unchecked(&hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap()).unwrap();
        let [ascii, binary] = FORMS.map(|name| Wire::shipped(name).unwrap().encode_with_mac(&mut message(), &key).unwrap());
        let mac = |covered: &[u8]| retail_mac(&key, covered, Padding::Zeros);
        assert_eq!(mac(b"Now is the time for all ").to_vec(), hex::decode("A1C72E74EA3FA9B6").unwrap());
        let (covered, carried) = ascii.split_at(ascii.len() - 16);
        assert_eq!(covered, b"0200022000010000000111211011120000420512345");
        assert_eq!(carried, hex::encode_upper(mac(covered)).as_bytes());
        let (covered, carried) = binary.split_at(binary.len() - 8);
        assert_eq!(hex::encode_upper(covered), "02000220000100000001112110111200004205123450");
        assert_eq!(carried, mac(covered));
    }

    #[test]
    fn what_is_garbled_cannot_be_read() {
        let key = TdesKey::unchecked(&[0x31; 16]).unwrap();
        for wire in FORMS.map(|name| Wire::shipped(name).unwrap()) {
            let mut raw = wire.encode_with_mac(&mut message(), &key).unwrap();
            wire.garble(&mut raw);
            assert!(wire.decode(raw.into()).is_err());
        }
    }

    #[test]
    fn repeats_are_answered_as_their_original() {
        for mti in ["0100", "0200", "0220", "0400", "0420", "0800"] {
            assert_eq!(answer_mti(repeat_mti(mti).unwrap()), answer_mti(mti));
        }
        assert_eq!(answer_mti("0210"), None);
    }
}
