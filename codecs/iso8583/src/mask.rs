//! What of a field may be shown.

use crate::emv;
use crate::field::{Field, Sensitivity};
use crate::message::Message;

/// Fields whose content `Debug` may show: short codes that no dialect keeps card data in.
pub(crate) fn visible_by_default(number: u8) -> bool {
    matches!(number, 3 | 11 | 39 | 49 | 70)
}

/// What may be shown of a field of this message: of a refused one nothing, for a wrong bitmap may
/// have shifted card data into any field.
pub(crate) fn sensitivity(field: &Field, message: &Message) -> Sensitivity {
    match field.sensitivity {
        Sensitivity::Clear | Sensitivity::Mask if message.is_doubtful() => Sensitivity::Hide,
        as_declared => as_declared,
    }
}

/// EMV data objects that the dictionary does not show in the clear (card data, PIN data), and those
/// it does not know.
pub(crate) fn is_card_data(tag: &[u8]) -> bool {
    emv::sensitivity(tag) != Sensitivity::Clear
}

/// Text as it may be shown; `None` where nothing may be.
pub(crate) fn text(sensitivity: Sensitivity, text: &str) -> Option<String> {
    match sensitivity {
        Sensitivity::Clear => Some(unmarked(text)),
        Sensitivity::Mask => Some(card_number(text)),
        Sensitivity::Hide => Some("*".repeat(text.chars().count())),
        Sensitivity::Drop => None,
    }
}

/// Which characters of a masked text stand in the clear.
pub(crate) fn shows(sensitivity: Sensitivity, length: usize, at: usize) -> bool {
    match sensitivity {
        Sensitivity::Clear => true,
        Sensitivity::Mask => length >= 13 && (at < 6 || at + 4 >= length),
        Sensitivity::Hide | Sensitivity::Drop => false,
    }
}

/// First six and last four of 13 or more digits, whatever the length of the issuer's BIN.
fn card_number(text: &str) -> String {
    let length = text.chars().count();
    text.chars().enumerate().map(|(at, digit)| if shows(Sensitivity::Mask, length, at) { digit } else { '*' }).collect()
}

/// Control characters would let a peer write into somebody's terminal.
fn unmarked(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_shows_six_and_four_digits_at_most() {
        assert_eq!(text(Sensitivity::Mask, "4761739001010119").as_deref(), Some("476173******0119"));
        assert_eq!(text(Sensitivity::Mask, "123456789012").as_deref(), Some("************"));
        assert_eq!(text(Sensitivity::Hide, "2712").as_deref(), Some("****"));
        assert_eq!(text(Sensitivity::Drop, "2712"), None);
        assert!(is_card_data(&[0x5F, 0x20]) && !is_card_data(&[0x9F, 0x26]));
    }
}
