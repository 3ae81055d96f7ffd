//! Whether a card request is approved, and what stands in the answer besides the code.

use crypto::pin::{ClearPinBlock, format0_decode};
use crypto::{TdesKey, pvv};
use payments::{ResponseCode, Text, Wall};

use super::book::Book;
use super::line::Kind;
use super::request::Request;
use crate::cards::{Card, PVKI, Population};

/// What became of the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinCheck {
    /// None was sent.
    Absent,
    /// It has the card's PVV.
    Right,
    /// It has another one: 55.
    Wrong,
    /// The block is not one of its format under this key: 81.
    Undecodable,
}

/// Blocked by its issuer; not among the codes that the vocabulary names.
fn restricted() -> ResponseCode {
    ResponseCode::new(b"62").unwrap_or(ResponseCode::DO_NOT_HONOUR)
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// DE39.
    pub code: ResponseCode,
    /// What became of the PIN.
    pub pin: PinCheck,
}

/// Decides on a purchase, authorization, refund or balance enquiry, in this order: 14 unknown, 62
/// blocked, 54 expired, 81 and 55 PIN, 13 amount, 61 limit, 51 balance.
pub fn decide(
    request: &Request,
    cards: &Population,
    book: &Book,
    zpk: &TdesKey,
    pvk: &TdesKey,
    limit_minor: i64,
    now: Wall,
) -> Decision {
    let known = request.pan.as_ref().and_then(|pan| cards.find(pan.reveal())).and_then(|index| cards.card(index).ok());
    let Some(card) = known else {
        return Decision { code: ResponseCode::INVALID_CARD, pin: PinCheck::Absent };
    };
    let mut pin = PinCheck::Absent;
    let code = 'decided: {
        if card.class == crate::cards::Class::Blocked {
            break 'decided restricted();
        }
        let wrong_expiry = request.expiry.is_some_and(|expiry| expiry != card.expiry);
        if wrong_expiry || card.expiry.reveal() < &year_month(now) {
            break 'decided ResponseCode::EXPIRED_CARD;
        }
        pin = check_pin(request, &card, zpk, pvk);
        match pin {
            PinCheck::Wrong => break 'decided ResponseCode::WRONG_PIN,
            PinCheck::Undecodable => break 'decided ResponseCode::PIN_CRYPTO_ERROR,
            PinCheck::Absent | PinCheck::Right => {}
        }
        if request.kind == Kind::Balance {
            break 'decided ResponseCode::APPROVED;
        }
        if request.amount <= 0 {
            break 'decided ResponseCode::INVALID_AMOUNT;
        }
        if request.amount > limit_minor {
            break 'decided ResponseCode::EXCEEDS_LIMIT;
        }
        if request.kind != Kind::Refund && request.amount > available(&card, book) {
            break 'decided ResponseCode::INSUFFICIENT_FUNDS;
        }
        ResponseCode::APPROVED
    };
    Decision { code, pin }
}

/// What is left on a card, minor units.
pub fn available(card: &Card, book: &Book) -> i64 {
    card.class.balance_minor().saturating_sub(book.spent(card.index))
}

/// DE54: ledger and available balance of a card account.
pub fn balances(minor: i64, currency: u16) -> String {
    let sign = if minor < 0 { 'D' } else { 'C' };
    let amount = minor.unsigned_abs();
    format!("3001{currency:03}{sign}{amount:012}3002{currency:03}{sign}{amount:012}")
}

/// DE44: address verification, card verification value, cardholder authentication. `U`: not checked.
pub fn results(request: &Request) -> Text<3> {
    Text::literal(if request.ecommerce { "YM2" } else { "UM" })
}

fn check_pin(request: &Request, card: &Card, zpk: &TdesKey, pvk: &TdesKey) -> PinCheck {
    let Some(block) = &request.pin_block else { return PinCheck::Absent };
    let pan = card.pan.reveal();
    let entered = ClearPinBlock::decrypt(zpk, block.reveal()).and_then(|clear| format0_decode(&clear, pan));
    match (entered, card.pvv(pvk)) {
        (Ok(entered), Ok(expected)) => match pvv::verify(pvk, PVKI, &entered, pan, &expected) {
            Ok(true) => PinCheck::Right,
            _ => PinCheck::Wrong,
        },
        _ => PinCheck::Undecodable,
    }
}

fn year_month(now: Wall) -> [u8; 4] {
    let (year, month, _) = now.date().parts();
    let mut text = *b"0000";
    text.iter_mut().zip(format!("{:02}{month:02}", year % 100).bytes()).for_each(|(room, byte)| *room = byte);
    text
}
