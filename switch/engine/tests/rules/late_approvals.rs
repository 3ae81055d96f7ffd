//! The issuer approves what was given up already: nobody is told, the reversal goes on, and that there was an
//! original is a fact of its own (SEMANTICS 12 and 13). "Original not found" is not believed any more,
//! whoever owes the reversal by then.

use ledger::LaneEnd::{Acknowledged, Dead};
use ledger::PaymentKind;
use payments::State;

use engine::{Event, Operator};

use crate::tables::DUAL_CARD;
use crate::till::{Left, Till};

/// Given up after ten seconds; the reversal is owed, and waits for the life of its original.
fn given_up() -> (Till, Left) {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.seconds(10);
    till.expect_reply("68");
    (till, request)
}

/// 25 to every attempt from this one on, for longer than any life.
fn disown(till: &mut Till, mut reversal: Left) {
    for _ in 0..20 {
        till.network_says(&reversal, "25");
        if till.last_lane_end().is_some() {
            return;
        }
        reversal = till.expect_send_within(400, "0421");
    }
    panic!("neither believed nor given to an operator");
}

#[test]
fn it_is_durable_before_the_reversal_leaves() {
    let (mut till, request) = given_up();
    till.hold_commits();
    till.network_approves(&request);
    till.expect_nothing_sent();
    till.commit_all();
    assert!(till.payment().standing.approved_late);
    till.expect_send("0420");
    assert_eq!((till.payment().facts.kind, till.state()), (PaymentKind::Purchase, State::Reversing));
    // The terminal was told before, and is told nothing more.
    till.expect_nothing_told();
}

#[test]
fn a_process_that_takes_over_gives_what_cannot_be_found_to_an_operator() {
    for with_code in [true, false] {
        let (mut till, request) = given_up();
        // An approval without DE38 is one all the same.
        if with_code {
            till.network_approves(&request)
        } else {
            till.network_says(&request, "00")
        }
        till.expect_send("0420");
        let mut till = till.restart();
        till.seconds(60);
        let reversal = till.expect_send("0421");
        disown(&mut till, reversal);
        assert_eq!(till.lane_end(), Some((Dead, "25".into())));
        assert_eq!(till.dead_letters(), [till.payment().facts.id]);
    }
    // Of the same request without an answer the same is believed.
    let mut till = given_up().0.restart();
    till.seconds(60);
    let reversal = till.expect_send("0421");
    disown(&mut till, reversal);
    assert_eq!((till.lane_end(), till.state()), (Some((Acknowledged, "25".into())), State::Reversed));
}

#[test]
fn it_is_kept_when_it_comes_while_another_change_is_being_committed() {
    let (mut till, request) = given_up();
    till.seconds(50);
    let reversal = till.expect_send("0420");
    till.hold_commits();
    till.network_says(&reversal, "12");
    till.network_approves(&request);
    till.commit_all();
    let standing = till.payment().standing;
    assert_eq!((standing.state, standing.approved_late), (State::Reversing, true));
    assert_eq!(till.lane_end(), Some((Dead, "12".into())));
    assert_eq!(till.in_flight(), 0);
}

#[test]
fn it_is_recorded_once_however_often_it_comes() {
    let (mut till, request) = given_up();
    till.network_approves(&request);
    let version = till.payment().standing.version;
    till.network_approves(&request);
    assert_eq!(till.payment().standing.version, version);
}

#[test]
fn a_late_decline_changes_nothing_but_the_time_of_the_reversal() {
    let (mut till, request) = given_up();
    let before = till.payment().standing;
    till.network_says(&request, "51");
    assert_eq!(till.payment().standing, before);
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "25");
    assert_eq!((till.lane_end(), till.state()), (Some((Acknowledged, "25".into())), State::Reversed));
}

#[test]
fn one_that_comes_while_the_end_of_its_reversal_is_committed_is_raised_unless_it_was_undone() {
    let raised = "an approval came when the reversal of its payment had ended already";
    for (code, alarms) in [("25", &[raised][..]), ("00", &[])] {
        let (mut till, request) = given_up();
        till.seconds(50);
        let reversal = till.expect_send("0420");
        till.hold_commits();
        till.network_says(&reversal, code);
        till.network_approves(&request);
        till.commit_all();
        assert_eq!((till.state(), till.payment().standing.approved_late), (State::Reversed, false));
        assert_eq!(till.alarms(), alarms);
        assert_eq!(till.in_flight(), 0);
    }
}

#[test]
fn what_is_tried_again_is_not_believed_lost_within_a_life_of_its_original() {
    let (mut till, _) = given_up();
    till.seconds(50);
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "12");
    // Dead within a second of its first attempt; an operator has it tried at once.
    let payment = till.payment().facts.id;
    let started = till.now().mono;
    till.step(Event::Operator(Operator::RetryLane { payment }));
    let again = till.expect_send("0421");
    disown(&mut till, again);
    assert_eq!(till.last_lane_end(), Some((Acknowledged, "25".into())));
    assert!(till.now().mono.since(started).as_secs() >= 60, "believed too early");
}

#[test]
fn it_is_heard_by_a_process_that_took_over() {
    let (till, request) = given_up();
    let mut till = till.restart();
    till.network_approves(&request);
    assert!(till.payment().standing.approved_late);
    let reversal = till.expect_send("0421");
    disown(&mut till, reversal);
    assert_eq!(till.last_lane_end(), Some((Dead, "25".into())));
    // One that was still waiting for its answer when the process died, too.
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    let mut till = till.restart();
    till.network_approves(&request);
    assert_eq!((till.state(), till.payment().standing.approved_late), (State::Reversing, true));
}

#[test]
fn it_is_heard_when_its_reversal_is_a_dead_letter() {
    let (mut till, request) = given_up();
    till.seconds(50);
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "12");
    till.network_approves(&request);
    assert!(till.payment().standing.approved_late);
    let payment = till.payment().facts.id;
    till.step(Event::Operator(Operator::RetryLane { payment }));
    let again = till.expect_send("0421");
    disown(&mut till, again);
    assert_eq!((till.last_lane_end(), till.state()), (Some((Dead, "25".into())), State::Reversing));
}

#[test]
fn one_that_comes_some_time_after_the_end_of_its_reversal_is_raised() {
    let (mut till, request) = given_up();
    till.seconds(50);
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "25");
    assert_eq!(till.state(), State::Reversed);
    till.seconds(5);
    till.network_approves(&request);
    assert_eq!(till.alarms(), ["an approval came when the reversal of its payment had ended already"]);
    assert_eq!(till.state(), State::Reversed);
    // Of one that was acknowledged nobody needs to hear.
    let (mut till, request) = given_up();
    till.seconds(50);
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "00");
    till.network_approves(&request);
    assert!(till.alarms().is_empty());
}

#[test]
fn it_is_heard_behind_a_late_decline() {
    let (mut till, request) = given_up();
    till.network_says(&request, "91");
    till.network_approves(&request);
    assert!(till.payment().standing.approved_late);
}
