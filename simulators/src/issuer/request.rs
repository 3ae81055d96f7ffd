//! A request as the issuer understands it: every field that a decision needs, read once.

use iso8583::Message;
use payments::{Currency, Expiry, LocalDateTime, Pan, PinBlock, Stan, Text};

use super::book::Key;
use super::line::Kind;
use crate::chip;
use crate::wire::{OriginalData, de};

/// A field is missing or is not what the request needs: 30.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatFault(pub u8);

/// See the module.
pub struct Request {
    /// What makes it this request.
    pub key: Key,
    /// MTI as received.
    pub mti: Text<4>,
    /// What is asked.
    pub kind: Kind,
    /// DE4, minor units.
    pub amount: i64,
    /// DE49.
    pub currency: Currency,
    /// DE7.
    pub transmission: Text<10>,
    /// DE33.
    pub forwarder: Text<11>,
    /// DE37.
    pub rrn: Text<12>,
    /// DE38, of completions.
    pub approval: Text<6>,
    /// DE2.
    pub pan: Option<Pan>,
    /// DE14.
    pub expiry: Option<Expiry>,
    /// DE52.
    pub pin_block: Option<PinBlock>,
    /// DE90.
    pub original: Option<OriginalData>,
    /// DE95: what shall finally stand, minor units.
    pub final_amount: Option<i64>,
    /// Whether DE55 came.
    pub chip: bool,
    /// Whether DE60 names an electronic commerce indicator.
    pub ecommerce: bool,
    /// Whether something came that a switch must not send on.
    pub not_forwardable: bool,
}

impl Request {
    /// Reads a decoded financial request. The error names the field at fault.
    pub fn read(message: &Message) -> Result<Self, FormatFault> {
        let mti = message.mti();
        let processing = text::<6>(message, de::PROCESSING_CODE)?.ok_or(FormatFault(de::PROCESSING_CODE))?;
        let kind = match (Key::class(mti).as_str(), processing.as_str().get(..2).unwrap_or_default()) {
            ("0100" | "0200", "20") => Kind::Refund,
            ("0100" | "0200", "31") => Kind::Balance,
            ("0100", "00") => Kind::Authorization,
            ("0200", "00") => Kind::Purchase,
            ("0220", _) => Kind::Completion,
            ("0400" | "0420", _) => Kind::Reversal,
            _ => return Err(FormatFault(de::PROCESSING_CODE)),
        };
        let required = |number: u8| message.get(number).ok_or(FormatFault(number));
        let local = LocalDateTime::parse(required(de::LOCAL_TIME)?, required(de::LOCAL_DATE)?);
        let currency =
            message.str(de::CURRENCY).and_then(|digits| digits.parse().ok()).and_then(|n| Currency::from_numeric(n).ok());
        let request = Self {
            key: Key {
                acquirer: text(message, de::ACQUIRER)?.unwrap_or_default(),
                terminal: text(message, de::TERMINAL)?.ok_or(FormatFault(de::TERMINAL))?,
                merchant: text(message, de::MERCHANT)?.ok_or(FormatFault(de::MERCHANT))?,
                stan: Stan::parse(required(de::STAN)?).map_err(|_| FormatFault(de::STAN))?,
                local: local.map_err(|_| FormatFault(de::LOCAL_TIME))?,
                class: Key::class(mti),
            },
            mti: Text::new(mti).map_err(|_| FormatFault(0))?,
            kind,
            amount: amount(required(de::AMOUNT)?).ok_or(FormatFault(de::AMOUNT))?,
            currency: currency.ok_or(FormatFault(de::CURRENCY))?,
            transmission: text(message, de::TRANSMISSION)?.ok_or(FormatFault(de::TRANSMISSION))?,
            forwarder: text(message, de::FORWARDER)?.unwrap_or_default(),
            rrn: text(message, de::RRN)?.unwrap_or_default(),
            approval: text(message, de::APPROVAL)?.unwrap_or_default(),
            pan: message.get(de::PAN).map(Pan::new).transpose().map_err(|_| FormatFault(de::PAN))?,
            expiry: message.get(de::EXPIRY).map(Expiry::new).transpose().map_err(|_| FormatFault(de::EXPIRY))?,
            pin_block: message.get(de::PIN_BLOCK).map(PinBlock::new).transpose().map_err(|_| FormatFault(de::PIN_BLOCK))?,
            original: match message.get(de::ORIGINAL) {
                Some(raw) => Some(OriginalData::parse(raw).ok_or(FormatFault(de::ORIGINAL))?),
                None => None,
            },
            final_amount: match message.get(de::REPLACEMENT) {
                Some(raw) => Some(raw.get(..12).and_then(amount).ok_or(FormatFault(de::REPLACEMENT))?),
                None => None,
            },
            chip: message.has(de::CHIP),
            ecommerce: message.has(de::ECOMMERCE),
            not_forwardable: [de::TRACK2, 34, de::ACCEPTOR, 45, 48].into_iter().any(|number| message.has(number))
                || message.get(de::CHIP).is_some_and(chip::holds_card_data),
        };
        match kind {
            Kind::Completion if request.rrn.is_empty() => Err(FormatFault(de::RRN)),
            Kind::Reversal if request.original.is_none() => Err(FormatFault(de::ORIGINAL)),
            Kind::Completion | Kind::Reversal => Ok(request),
            _ if request.pan.is_none() => Err(FormatFault(de::PAN)),
            _ => Ok(request),
        }
    }
}

fn text<const N: usize>(message: &Message, number: u8) -> Result<Option<Text<N>>, FormatFault> {
    message.get(number).map(Text::from_bytes).transpose().map_err(|_| FormatFault(number))
}

fn amount(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}
