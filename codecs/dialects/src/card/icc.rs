//! DE55, EMV data: what travels on and what is kept as evidence.

use iso8583::tlv::{self, Tlvs};
use payments::Text;
use payments::evidence::EMV_TAGS;

/// Tags that never leave here, whatever template they stand in: track 2 equivalent data, PAN, name,
/// track 1 data, PIN data, extended name, discretionary data of both tracks, contactless track 2
/// (EMV Book 3 annex A, EMV C-2).
pub const NEVER_FORWARDED: [&[u8]; 9] =
    [&[0x57], &[0x5A], &[0x5F, 0x20], &[0x56], &[0x99], &[0x9F, 0x0B], &[0x9F, 0x1F], &[0x9F, 0x20], &[0x9F, 0x6B]];

/// DE55 without card data, and how many objects were left out. A template that holds card data is
/// left out whole; so is everything behind a broken object.
pub(crate) fn without_card_data(icc: &[u8]) -> (Vec<u8>, usize) {
    let mut kept = Vec::with_capacity(icc.len());
    let mut left_out = 0;
    for object in Tlvs::new(icc) {
        let forwarded = match object {
            Ok(object) if object.is_or_contains(|tag| NEVER_FORWARDED.contains(&tag)) => false,
            Ok(object) => tlv::write(object.tag, object.value, &mut kept).is_ok(),
            Err(_) => false,
        };
        left_out += usize::from(!forwarded);
    }
    (kept, left_out)
}

/// The tags that presentment and disputes will ask for, in the order of [`EMV_TAGS`].
pub(crate) fn evidence(icc: &[u8]) -> Vec<(Text<4>, String)> {
    let kept = |name: &&str| {
        let tag = hex::decode(name).ok()?;
        Some((Text::new(name).ok()?, hex::encode_upper(tlv::find(icc, &tag)?)))
    };
    EMV_TAGS.iter().filter_map(kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_data_is_left_out_and_counted() {
        let icc = hex::decode("9F26021122570347617F5A03476173950500000080005F20014170099F270180570347617F82021C00").unwrap();
        let (kept, left_out) = without_card_data(&icc);
        assert_eq!(hex::encode_upper(&kept), "9F260211229505000000800082021C00");
        assert_eq!(left_out, 4);
    }

    #[test]
    fn evidence_comes_in_the_order_of_its_columns() {
        let icc = hex::decode("82021C009F26021122").unwrap();
        let evidence = evidence(&icc);
        assert_eq!(evidence, [(Text::literal("9F26"), "1122".to_owned()), (Text::literal("82"), "1C00".to_owned())]);
    }
}
