//! An approval that nobody waits for any more is given back (SEMANTICS 19): COMMIT B has to be durable by
//! `reply_by`, 12 s after acceptance.

use std::time::Duration;

use ledger::Fault;
use payments::State;
use payments::outgoing::Outgoing;

use crate::tables::{DUAL_CARD, SINGLE_CARD};
use crate::talk::DE38;
use crate::till::{Left, SHARD, Till};

#[test]
fn silence_is_an_outcome_by_the_time_that_the_record_says() {
    let mut till = Till::open();
    till.purchase(SINGLE_CARD, 1_000);
    till.expect_send("0200");
    let facts = till.payment().facts;
    let within = facts.answer_by.0 - facts.send_by.0;
    assert_eq!(within, 10_000_000, "the time of the link, from the last moment of sending");
    let until = |till: &Till| Duration::from_micros(u64::try_from(facts.answer_by.0 - till.now().wall.0).unwrap_or_default());
    // It was written at once, so the time that is left is `send_by`'s.
    till.advance(until(&till) - Duration::from_secs(2) - Duration::from_micros(1));
    till.expect_nothing_told();
    till.advance(Duration::from_micros(1));
    till.expect_reply("68");
    assert!(till.now().wall <= facts.answer_by);
}

/// A purchase that the network answers after nine seconds.
fn asked_nine_seconds_ago() -> (Till, Left) {
    let mut till = Till::open();
    till.purchase(SINGLE_CARD, 1_000);
    let request = till.expect_send("0200");
    till.seconds(9);
    (till, request)
}

/// COMMIT R instead of B: the timeout code told, nothing captured, the reversal owed and sent at once, since
/// its original was answered.
#[track_caller]
fn expect_given_back(mut till: Till) {
    till.expect_reply("68");
    let standing = till.payment().standing;
    assert_eq!((standing.state, standing.approved, standing.captured), (State::Reversing, 0, 0));
    assert!(till.store.captures(SHARD).is_empty());
    let reversal = till.expect_send("0420");
    let Outgoing::Reversal(out) = &reversal.message else { panic!("{reversal:?}") };
    assert_eq!(out.approval.map(|code| code.to_string()).as_deref(), Some(DE38));
    till.network_says(&reversal, "00");
    assert_eq!(till.state(), State::Reversed);
    assert_eq!(till.in_flight(), 0);
}

#[test]
fn an_approval_that_is_not_handed_to_the_store_by_then_is_given_back() {
    let (mut till, request) = asked_nine_seconds_ago();
    till.hold_commits();
    till.network_approves(&request);
    till.seconds(3);
    till.expect_nothing_told();
    till.commit_all();
    expect_given_back(till);
}

#[test]
fn an_approval_that_was_lost_on_its_way_to_the_store_is_not_sent_again_after_that() {
    let (mut till, request) = asked_nine_seconds_ago();
    till.store.next_commit(SHARD, Fault::UnknownLost);
    till.outage = Duration::from_secs(3);
    till.network_approves(&request);
    expect_given_back(till);
}

#[test]
fn an_approval_that_was_lost_and_is_still_in_time_is_sent_again() {
    let (mut till, request) = asked_nine_seconds_ago();
    till.store.next_commit(SHARD, Fault::UnknownLost);
    till.outage = Duration::from_millis(2_999);
    till.network_approves(&request);
    till.expect_reply("00");
    assert_eq!(till.state(), State::Captured);
}

#[test]
fn an_approval_that_had_landed_stands_however_long_it_took_to_find_out() {
    let (mut till, request) = asked_nine_seconds_ago();
    till.store.next_commit(SHARD, Fault::UnknownLanded);
    till.outage = Duration::from_secs(20);
    till.network_approves(&request);
    till.expect_reply("00");
    assert_eq!(till.state(), State::Captured);
    assert_eq!(till.owed(), 0);
}

#[test]
fn an_approval_just_in_time_is_one() {
    let (mut till, request) = asked_nine_seconds_ago();
    till.hold_commits();
    till.network_approves(&request);
    till.advance(Duration::from_millis(2_999));
    till.commit_all();
    till.expect_reply("00");
    assert_eq!(till.state(), State::Captured);
}

#[test]
fn a_decline_has_no_deadline() {
    let (mut till, request) = asked_nine_seconds_ago();
    till.hold_commits();
    till.network_says(&request, "51");
    till.seconds(30);
    till.commit_all();
    till.expect_reply("51");
    assert_eq!((till.state(), till.owed()), (State::Declined, 0));
}

#[test]
fn a_request_whose_first_commit_took_too_long_is_never_sent() {
    let mut till = Till::open();
    till.hold_commits();
    till.purchase(DUAL_CARD, 1_000);
    till.seconds(2);
    till.commit_all();
    till.expect_nothing_sent();
    till.expect_reply("91");
    assert_eq!((till.state(), till.owed()), (State::Abandoned, 0));
}
