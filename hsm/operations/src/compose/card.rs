//! Card verification values, static and dynamic.

use crypto::cvv::{self, Cvv, Halves};
use crypto::mac::Padding;
use payments::Pan;

use super::cipher::{Pair, block, exclusive_or};
use super::mac::MOST_DATA;
use crate::keys::Use;
use crate::purpose::{Contactless, Track};
use crate::token::{Fault, Token, Way, require};
use crate::{HsmError, KeyName, KeyRole};

pub(crate) fn generate_cvv(token: &mut dyn Token, cvk: &KeyName, track: &Track) -> Result<Cvv, Fault> {
    static_value(token, cvk, Use::Forward, track)
}

pub(crate) fn verify_cvv(token: &mut dyn Token, cvk: &KeyName, track: &Track, shown: &Cvv) -> Result<bool, Fault> {
    Ok(counted(static_value(token, cvk, Use::Backward, track)? == *shown, "cvv"))
}

pub(crate) fn verify_dcvv(
    token: &mut dyn Token,
    key: &Contactless,
    track: &Track,
    counter: [u8; 4],
    shown: &Cvv,
) -> Result<bool, Fault> {
    let halves = track.data()?.halves_with_counter(&counter)?;
    let pair = card_key(token, key, track.pan())?;
    Ok(counted(value(token, &pair, &halves)? == *shown, "dcvv"))
}

/// Whether the last `digits` decimal digits of the CVC3 are those that the card shows.
pub(crate) fn verify_cvc3(
    token: &mut dyn Token,
    key: &Contactless,
    pan: &Pan,
    track: &[u8],
    unpredictable: [u8; 4],
    counter: [u8; 2],
    (shown, digits): (u32, u8),
) -> Result<bool, Fault> {
    if track.len() > MOST_DATA {
        return Err(HsmError::TooLong.into());
    }
    let pair = card_key(token, key, pan)?;
    let track = pair.retail_mac(token, track, Padding::OneThenZeros)?;
    let sealed = block(token, &pair.whole, Way::Encrypt, &cvv::cvc3_block(&track, unpredictable, counter))?;
    let [.., high, low] = *sealed;
    let made = u32::from(u16::from_be_bytes([high, low]));
    // No value has more than five digits.
    let same = (3..=5).contains(&digits) && made % 10u32.pow(u32::from(digits.min(5))) == shown;
    Ok(counted(same, "cvc3"))
}

fn counted(same: bool, kind: &'static str) -> bool {
    if !same {
        metrics::counter!("hsm_card_mismatches_total", "kind" => kind).increment(1);
    }
    same
}

fn static_value(token: &mut dyn Token, cvk: &KeyName, wanted: Use, track: &Track) -> Result<Cvv, Fault> {
    let info = require(token, cvk, &[KeyRole::Cvk], wanted)?;
    value(token, &Pair::held(&info), &track.data()?.halves()?)
}

fn value(token: &mut dyn Token, key: &Pair, halves: &Halves) -> Result<Cvv, Fault> {
    let [first, second] = &**halves;
    let first = block(token, &key.left, Way::Encrypt, first)?;
    let sealed = block(token, &key.whole, Way::Encrypt, &exclusive_or(*first, second))?;
    Ok(cvv::of_sealed(&sealed))
}

/// The card's own key for dynamic values.
fn card_key(token: &mut dyn Token, key: &Contactless, pan: &Pan) -> Result<Pair, Fault> {
    let info = require(token, &key.imk, &[KeyRole::ImkDn], Use::Derive)?;
    Pair::derived(token, &info.whole(), key.derivation.blocks(&key.card(pan)?))
}
