//! DE4 of a reversal: one of the amounts that its original may go by, or the reversal changes nothing.

use ledger::CaptureKind;
use payments::request::CardRequest;
use payments::{Amount, Currency, State};

use crate::tables::{DUAL_CARD, SINGLE_CARD};
use crate::talk::cents;
use crate::till::{SHARD, Till};

const ALARM: &str = "a reversal has another amount than its original";

/// A captured sale.
fn sold(minor: i64) -> (Till, CardRequest) {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, minor);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    (till, sale)
}

/// An open authorization on a single-message route.
fn set_aside(minor: i64) -> (Till, CardRequest) {
    let mut till = Till::open();
    let authorization = till.authorization(SINGLE_CARD, minor);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    (till, authorization)
}

/// Refused and raised, and nothing of the payment is another.
#[track_caller]
fn expect_refused(till: &mut Till, of: &CardRequest, amount: Amount) {
    let (before, alarms) = (till.payment(), till.alarms().len());
    for mti in ["0400", "0420"] {
        till.take_back(of, mti, amount);
        till.expect_reply("12");
    }
    till.expect_nothing_sent();
    assert_eq!(till.payment(), before);
    assert_eq!(till.alarms()[alarms..], [ALARM, ALARM]);
}

#[track_caller]
fn expect_taken(till: &mut Till, of: &CardRequest, amount: Amount) {
    till.take_back(of, "0400", amount);
    till.expect_reply("00");
    till.expect_send("0420");
    assert_eq!((till.state(), till.payment().standing.captured), (State::Reversing, 0));
}

#[test]
fn a_reversal_of_another_amount_changes_nothing_of_a_stored_payment() {
    let (mut till, sale) = sold(1_000);
    let dollars = Amount::new(1_000, Currency::USD).expect("not below zero");
    for other in [cents(999), cents(1_001), cents(0), dollars] {
        expect_refused(&mut till, &sale, other);
    }
    assert_eq!((till.state(), till.owed()), (State::Captured, 0));
    expect_taken(&mut till, &sale, cents(1_000));
    let kinds: Vec<CaptureKind> = till.store.captures(SHARD).iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [CaptureKind::Sale, CaptureKind::Void]);
}

#[test]
fn a_reversal_of_another_amount_changes_nothing_of_a_request_in_flight() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    expect_refused(&mut till, &sale, cents(900));
    till.network_approves(&request);
    till.expect_reply("00");
    assert_eq!((till.state(), till.owed()), (State::Captured, 0));
}

#[test]
fn a_reversal_of_the_amount_as_requested_is_taken_in_flight() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    till.expect_send("0100");
    till.take_back(&sale, "0400", cents(1_000));
    till.expect_reply("68");
    till.expect_reply("00");
    assert_eq!(till.state(), State::Reversing);
}

#[test]
fn a_partial_approval_is_reversed_by_what_was_asked_or_by_what_was_approved() {
    for (captured, amount) in [(true, 1_000), (true, 600), (false, 1_000), (false, 600)] {
        let mut till = Till::open();
        let asked = if captured { till.purchase(DUAL_CARD, 1_000) } else { till.authorization(DUAL_CARD, 1_000) };
        let request = till.expect_send("0100");
        till.network_approves_part(&request, 600);
        assert_eq!(till.expect_reply("10").amount, cents(600));
        expect_refused(&mut till, &asked, cents(400));
        expect_taken(&mut till, &asked, cents(amount));
    }
}

#[test]
fn a_completed_authorization_is_reversed_by_what_was_asked_or_by_what_was_completed() {
    for amount in [1_000, 800] {
        let (mut till, authorization) = set_aside(1_000);
        till.complete(&authorization, 800);
        till.expect_reply("00");
        let advice = till.expect_send("0220");
        till.network_says(&advice, "00");
        expect_refused(&mut till, &authorization, cents(200));
        expect_taken(&mut till, &authorization, cents(amount));
    }
}

#[test]
fn an_authorization_that_was_not_completed_is_not_reversed_by_nothing() {
    let (mut till, authorization) = set_aside(1_000);
    expect_refused(&mut till, &authorization, cents(0));
    expect_taken(&mut till, &authorization, cents(1_000));
}
