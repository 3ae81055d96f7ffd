//! A completion of zero gives the authorization back, in the way in which the issuer will hear of it.

use ledger::LaneKind;
use payments::State;
use payments::outgoing::Outgoing;
use payments::request::CardRequest;

use crate::tables::{Bin, DUAL_CARD, SINGLE_CARD};
use crate::talk::{DE38, cents};
use crate::till::{SHARD, Till};

fn set_aside(bin: Bin, minor: i64) -> (Till, CardRequest) {
    let mut till = Till::open();
    let authorization = till.authorization(bin, minor);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    assert_eq!(till.state(), State::Approved);
    (till, authorization)
}

#[track_caller]
fn expect_nothing_captured(till: &Till) {
    assert!(till.store.captures(SHARD).is_empty());
    assert!(till.store.accounts(SHARD).is_empty(), "no journal was posted");
    assert_eq!((till.payment().standing.captured, till.payment().standing.captures), (0, 0));
}

#[test]
fn a_completion_of_zero_is_a_reversal_where_only_a_presentment_would_have_told_the_issuer() {
    let (mut till, authorization) = set_aside(DUAL_CARD, 1_000);
    till.complete(&authorization, 0);
    assert_eq!(till.expect_reply("00").head.mti.as_str(), "0220");
    assert_eq!(till.state(), State::Reversing);
    expect_nothing_captured(&till);
    let reversal = till.expect_send("0420");
    let Outgoing::Reversal(out) = &reversal.message else { panic!("{reversal:?}") };
    assert_eq!((out.original.amount, out.final_amount), (cents(1_000), None), "all of it is taken back");
    assert_eq!(out.approval.map(|code| code.to_string()).as_deref(), Some(DE38));
    till.network_says(&reversal, "00");
    assert_eq!(till.state(), State::Reversed);
    expect_nothing_captured(&till);
}

#[test]
fn a_completion_of_zero_is_an_advice_of_zero_where_the_network_settles() {
    let (mut till, authorization) = set_aside(SINGLE_CARD, 1_000);
    till.complete(&authorization, 0);
    till.expect_reply("00");
    expect_nothing_captured(&till);
    let advice = till.expect_send("0220");
    let Outgoing::Advice(out) = &advice.message else { panic!("{advice:?}") };
    assert_eq!(out.egress.amount, cents(0));
    assert_eq!(out.approval.map(|code| code.to_string()).as_deref(), Some(DE38));
    till.network_says(&advice, "00");
    assert_eq!((till.state(), till.owed()), (State::Captured, 1));
    expect_nothing_captured(&till);
    assert_eq!(till.in_flight(), 0);
}

#[test]
fn a_completion_leaves_an_advice_only_where_the_network_settles() {
    for (bin, advised) in [(DUAL_CARD, false), (SINGLE_CARD, true)] {
        let (mut till, authorization) = set_aside(bin, 1_000);
        till.complete(&authorization, 800);
        till.expect_reply("00");
        assert_eq!(till.store.captures(SHARD).iter().map(|item| item.amount).collect::<Vec<_>>(), [cents(800)]);
        let owed: Vec<LaneKind> = till.store.lanes(SHARD).iter().map(|row| row.item.kind).collect();
        assert_eq!(owed, if advised { vec![LaneKind::Advice] } else { vec![] });
    }
}

#[test]
fn a_completion_above_its_authorization_is_taken_and_raised() {
    let (mut till, authorization) = set_aside(DUAL_CARD, 1_000);
    till.complete(&authorization, 1_200);
    till.expect_reply("00");
    assert_eq!((till.state(), till.payment().standing.captured), (State::Captured, 1_200));
    assert_eq!(till.alarms(), ["a completion is above its authorization"]);
}
