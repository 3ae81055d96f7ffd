//! Network management: a network that signs off and on, and a switch that leaves.

use engine::{Event, Operator};
use payments::outgoing::{Incoming, NetworkResponse, Outgoing};
use payments::request::{NetworkFunction, NetworkRequest};
use payments::{LinkId, Stan, State};

use crate::tables::{DUAL, DUAL_CARD, SINGLE, SINGLE_CARD, SPARE};
use crate::till::Till;

/// The network's own 0800, and what it is told.
#[track_caller]
fn manages(till: &mut Till, link: LinkId, function: NetworkFunction) -> String {
    let stan = Stan::new(77).expect("a STAN");
    let request = NetworkRequest { stan, transmission: None, function };
    till.step(Event::Answer { link, answer: Incoming::Manage(request) });
    let left = till.left.pop_front().expect("an answer to an 0800");
    let Outgoing::Managed(NetworkResponse { stan: echoed, function: of, code, .. }) = left.message else { panic!("{left:?}") };
    assert_eq!((left.link, echoed, of), (link, stan, function));
    code.to_string()
}

#[test]
fn a_network_that_echoes_is_answered() {
    let mut till = Till::open();
    assert_eq!(manages(&mut till, DUAL, NetworkFunction::Echo), "00");
    till.purchase(DUAL_CARD, 1_000);
    till.expect_send("0100");
}

#[test]
fn a_network_that_signed_off_gets_nothing_new_and_is_still_heard() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    assert_eq!(manages(&mut till, DUAL, NetworkFunction::SignOff), "00");
    assert_eq!(manages(&mut till, SPARE, NetworkFunction::SignOff), "00");
    till.purchase(DUAL_CARD, 2_000);
    till.expect_reply("91");
    till.expect_nothing_sent();
    till.network_approves(&request);
    till.expect_reply("00");
    // Its socket lives, so it is asked whether it is alive, and not signed on against its will.
    till.managed.clear();
    till.seconds(31);
    assert!(till.managed.contains(&(DUAL, NetworkFunction::Echo)), "{:?}", till.managed);
    assert!(!till.managed.iter().any(|(_, function)| *function == NetworkFunction::SignOn));
    assert_eq!(manages(&mut till, DUAL, NetworkFunction::SignOn), "00");
    till.purchase(DUAL_CARD, 3_000);
    till.expect_send("0100");
}

#[test]
fn a_network_whose_sign_on_got_lost_is_asked_after_a_while() {
    let mut till = Till::open();
    manages(&mut till, DUAL, NetworkFunction::SignOff);
    till.managed.clear();
    till.seconds(290);
    assert!(!till.managed.contains(&(DUAL, NetworkFunction::SignOn)));
    till.seconds(20);
    assert!(till.managed.contains(&(DUAL, NetworkFunction::SignOn)));
    till.purchase(DUAL_CARD, 1_000);
    assert_eq!(till.expect_send("0100").link, DUAL);
}

#[test]
fn what_is_owed_waits_until_the_network_signs_on_again() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    manages(&mut till, DUAL, NetworkFunction::SignOff);
    till.take_back(&sale, "0400", sale.amount);
    till.expect_reply("00");
    till.seconds(120);
    till.expect_nothing_sent();
    manages(&mut till, DUAL, NetworkFunction::SignOn);
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "00");
    assert_eq!(till.state(), State::Reversed);
}

#[test]
fn what_an_operator_has_signed_off_stays_off_until_he_signs_it_on() {
    let mut till = Till::open();
    let sign = |on| Event::Operator(Operator::SignLink { link: SINGLE, on });
    till.managed.clear();
    till.step(sign(false));
    assert_eq!(till.managed, [(SINGLE, NetworkFunction::SignOff)]);
    till.purchase(SINGLE_CARD, 1_000);
    till.expect_reply("91");
    till.managed.clear();
    assert_eq!(manages(&mut till, SINGLE, NetworkFunction::SignOn), "91", "not even the network signs it on");
    till.purchase(SINGLE_CARD, 1_500);
    till.expect_reply("91");
    till.cut(SINGLE);
    till.connect(SINGLE);
    assert!(till.managed.is_empty(), "a new socket does not sign on either: {:?}", till.managed);
    till.step(sign(true));
    assert_eq!(till.managed, [(SINGLE, NetworkFunction::SignOn)]);
    till.purchase(SINGLE_CARD, 2_000);
    till.expect_send("0200");
}

#[test]
fn a_switch_that_leaves_signs_off_every_link_and_sends_nothing_more() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.step(Event::Operator(Operator::Drain));
    assert!(!till.has_left());
    till.network_approves(&request);
    till.expect_reply("00");
    till.managed.clear();
    till.step(Event::Operator(Operator::SignOff));
    let mut signed_off = std::mem::take(&mut till.managed);
    signed_off.sort();
    let mut every = [DUAL, SPARE, SINGLE].map(|link| (link, NetworkFunction::SignOff));
    every.sort();
    assert_eq!(signed_off, every, "a bank has no network management");
    assert!(till.has_left());
    // A reversal is taken on and durable, and left to whoever takes over.
    till.take_back(&sale, "0420", sale.amount);
    till.expect_reply("00");
    till.seconds(60);
    till.expect_nothing_sent();
    assert_eq!(manages(&mut till, DUAL, NetworkFunction::SignOn), "91");
    till.seconds(60);
    till.expect_nothing_sent();
    assert_eq!(till.state(), State::Reversing);
}

#[test]
fn a_terminal_that_signed_off_gets_nothing_new_and_hears_what_it_asked_before() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.signed_off = true;
    // Its repeat waits with the original.
    till.again(&sale, "0201");
    till.network_approves(&request);
    till.expect_reply("00");
    till.expect_reply("00");
    for mti in ["0201", "0200"] {
        till.again(&sale, mti);
        till.expect_reply("00");
    }
    let refused = till.purchase(DUAL_CARD, 2_000);
    till.expect_reply("91");
    till.expect_nothing_sent();
    // It left no claim behind.
    till.signed_off = false;
    till.again(&refused, "0200");
    till.expect_send("0100");
}
