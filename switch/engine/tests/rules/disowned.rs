//! "Unable to locate the original" (25) as the answer to a reversal: good news only where the issuer never
//! approved, and only from when the original has arrived if it ever does (SEMANTICS 12 and 13).

use ledger::LaneEnd::{Acknowledged, Dead};
use payments::State;
use payments::outgoing::Outgoing;

use crate::tables::{ALL_OR_NOTHING, DUAL_CARD};
use crate::talk::{DE38, cents};
use crate::till::{Left, Till};

/// 25 to every attempt, until the lane ends: how many attempts left, and how many seconds it took.
fn disown(till: &mut Till, first: Left) -> (usize, u64) {
    let started = till.now().mono;
    till.network_says(&first, "25");
    let mut attempts = 1;
    while till.lane_end().is_none() {
        let again = till.expect_send_within(80, "0421");
        till.network_says(&again, "25");
        attempts += 1;
    }
    (attempts, till.now().mono.since(started).as_secs())
}

/// The lane was kept alive for the life of its original, then given to an operator.
#[track_caller]
fn expect_dead_after_a_life(till: &Till, (attempts, seconds): (usize, u64)) {
    assert!(attempts > 2 && (50..=130).contains(&seconds), "{attempts} attempts in {seconds} s");
    assert_eq!(till.lane_end(), Some((Dead, "25".into())));
    assert_eq!(till.dead_letters(), [till.payment().facts.id]);
    assert_eq!(till.state(), State::Reversing);
}

fn approval_of(left: &Left) -> Option<String> {
    match &left.message {
        Outgoing::Reversal(out) => out.approval.map(|code| code.to_string()),
        other => panic!("not a reversal: {other:?}"),
    }
}

#[test]
fn not_found_ends_the_reversal_of_a_request_that_was_never_answered_once_its_life_has_passed() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    till.expect_send("0100");
    till.seconds(10);
    till.expect_reply("68");
    till.seconds(49);
    till.expect_nothing_sent();
    let reversal = till.expect_send_within(1, "0420");
    till.network_says(&reversal, "25");
    assert_eq!(till.lane_end(), Some((Acknowledged, "25".into())));
    assert_eq!((till.state(), till.dead_letters()), (State::Reversed, vec![]));
}

#[test]
fn not_found_never_ends_the_reversal_of_a_payment_that_the_issuer_approved() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    till.take_back(&sale, "0400", cents(1_000));
    till.expect_reply("00");
    let first = till.expect_send("0420");
    assert_eq!(approval_of(&first).as_deref(), Some(DE38));
    let course = disown(&mut till, first);
    expect_dead_after_a_life(&till, course);
}

#[test]
fn not_found_never_ends_the_reversal_of_a_late_approval() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.seconds(10);
    till.expect_reply("68");
    till.expect_nothing_sent();
    till.network_approves(&request);
    let first = till.expect_send("0420");
    let course = disown(&mut till, first);
    expect_dead_after_a_life(&till, course);
}

#[test]
fn not_found_never_ends_the_reversal_of_an_approval_that_came_while_the_timeout_was_being_committed() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.hold_commits();
    till.seconds(10);
    till.network_approves(&request);
    till.expect_nothing_told();
    till.commit_all();
    till.expect_reply("68");
    let first = till.expect_send("0420");
    let course = disown(&mut till, first);
    expect_dead_after_a_life(&till, course);
}

#[test]
fn not_found_never_ends_the_reversal_of_a_partial_approval_that_the_terminal_cannot_take() {
    let mut till = Till::open();
    till.terminal = ALL_OR_NOTHING;
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves_part(&request, 600);
    till.expect_reply("05");
    let first = till.expect_send("0420");
    assert_eq!(approval_of(&first).as_deref(), Some(DE38));
    let course = disown(&mut till, first);
    expect_dead_after_a_life(&till, course);
}

#[test]
fn not_found_never_ends_the_reversal_of_an_approval_that_came_too_late_and_without_de38() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.seconds(9);
    till.hold_commits();
    till.network_says(&request, "00");
    till.seconds(3);
    till.commit_all();
    till.expect_reply("68");
    let first = till.expect_send("0420");
    assert_eq!(approval_of(&first), None);
    let course = disown(&mut till, first);
    expect_dead_after_a_life(&till, course);
}

#[test]
fn a_late_decline_lets_the_reversal_go_and_not_found_end_it_at_once() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.seconds(10);
    till.expect_reply("68");
    till.network_says(&request, "51");
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "25");
    assert_eq!(till.lane_end(), Some((Acknowledged, "25".into())));
    assert_eq!((till.state(), till.dead_letters()), (State::Reversed, vec![]));
}

#[test]
fn a_new_process_waits_for_a_whole_life_and_repeats_what_may_have_left() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    till.expect_send("0100");
    till.seconds(1);
    let mut till = till.restart();
    assert_eq!(till.state(), State::Reversing, "what was sent without outcome owes its reversal");
    till.seconds(30);
    let mut till = till.restart();
    till.seconds(59);
    till.expect_nothing_sent();
    let reversal = till.expect_send_within(1, "0421");
    till.network_says(&reversal, "25");
    assert_eq!(till.lane_end(), Some((Acknowledged, "25".into())));
}

#[test]
fn a_new_process_knows_by_de38_that_not_found_is_bad_news() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    till.take_back(&sale, "0400", cents(1_000));
    let mut till = till.restart();
    let first = till.expect_send_within(60, "0421");
    disown(&mut till, first);
    assert_eq!(till.lane_end(), Some((Dead, "25".into())));
}

#[test]
fn trouble_at_the_network_is_tried_again_and_silence_never_ends_a_reversal() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    till.expect_send("0100");
    let first = till.expect_send_within(60, "0420");
    till.network_says(&first, "91");
    for trouble in ["96", "06", "68"] {
        let again = till.expect_send_within(400, "0421");
        till.network_says(&again, trouble);
    }
    for _ in 0..20 {
        till.expect_send_within(400, "0421");
    }
    let last = till.expect_send_within(400, "0421");
    till.network_says(&last, "00");
    assert_eq!(till.lane_end(), Some((Acknowledged, "00".into())));
    assert_eq!((till.state(), till.dead_letters()), (State::Reversed, vec![]));
}

#[test]
fn a_refused_reversal_is_a_dead_letter_at_once() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    till.expect_send("0100");
    let reversal = till.expect_send_within(60, "0420");
    till.network_says(&reversal, "12");
    assert_eq!(till.lane_end(), Some((Dead, "12".into())));
    assert_eq!(till.dead_letters(), [till.payment().facts.id]);
}
