//! DE7 of the repeats of a reversal, by the setting of its link (SEMANTICS 13).

use payments::TransmissionTime;
use payments::outgoing::Outgoing;

use crate::tables::{Bin, DUAL_CARD, SINGLE_CARD};
use crate::till::Till;

/// DE7 of three attempts at one reversal, the last one made by the next process.
fn attempts(bin: Bin, request: &'static str) -> [TransmissionTime; 3] {
    let attempt = |till: &mut Till, mti| {
        let left = till.expect_send(mti);
        let Outgoing::Reversal(out) = &left.message else { panic!("{left:?}") };
        out.transmission
    };
    let mut till = Till::open();
    till.purchase(bin, 1_000);
    till.expect_send(request);
    till.seconds(61);
    till.expect_reply("68");
    let first = attempt(&mut till, "0420");
    till.seconds(17);
    let second = attempt(&mut till, "0421");
    let mut till = till.restart();
    till.seconds(61);
    [first, second, attempt(&mut till, "0421")]
}

#[test]
fn a_repeat_says_when_it_is_made() {
    let [first, second, third] = attempts(DUAL_CARD, "0100");
    assert!(first < second && second < third, "{first:?} {second:?} {third:?}");
}

#[test]
fn a_repeat_says_what_the_first_attempt_said_where_the_link_wants_it() {
    let [first, second, third] = attempts(SINGLE_CARD, "0200");
    assert_eq!([second, third], [first; 2]);
}
