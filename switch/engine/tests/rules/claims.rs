//! One request, one effect (SEMANTICS 2, 3 and 14): repeats, conflicts, tombstones.

use engine::{Event, Operator, Proof};
use payments::request::CardRequest;
use payments::{State, Text};

use crate::tables::{DUAL_CARD, FOREIGN_CARD};
use crate::talk::{DE38, cents};
use crate::till::{SHARD, Till};

fn sold() -> (Till, CardRequest) {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    (till, sale)
}

#[test]
fn a_repeat_waits_for_its_original_in_flight_and_gets_the_same_answer() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.again(&sale, "0201");
    till.again(&sale, "0200");
    till.expect_nothing_told();
    till.network_approves(&request);
    let answers = ["0200", "0201", "0200"].map(|mti| {
        let response = till.expect_reply("00");
        assert_eq!(response.head.mti.as_str(), mti, "each in its own words");
        (response.answer, response.rrn, response.amount)
    });
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0.approval == Some(Text::literal(DE38))));
    till.expect_nothing_sent();
    assert_eq!(till.payment().standing.captured, 1_000);
}

#[test]
fn a_repeat_of_what_is_stored_gets_the_stored_answer_from_this_process_and_the_next() {
    let (mut till, sale) = sold();
    for _ in 0..2 {
        let commands = till.commands();
        for mti in ["0201", "0200"] {
            till.again(&sale, mti);
            let (proof, response) = till.expect_answer("00");
            assert!(matches!(proof, Proof::Stored(_)), "{proof:?}");
            assert_eq!(response.answer.approval, Some(Text::literal(DE38)));
            assert_eq!(response.rrn, Some(till.payment().facts.rrn));
        }
        till.expect_nothing_sent();
        assert_eq!(till.commands(), commands);
        till = till.restart();
    }
}

#[test]
fn another_body_under_a_claim_writes_nothing_and_is_told_94() {
    let (mut till, sale) = sold();
    let mut other = sale.clone();
    other.amount = cents(2_000);
    let mut another = sale.clone();
    another.card.token = [8; 16];
    let commands = till.commands();
    for body in [&other, &another] {
        for mti in ["0200", "0201"] {
            till.again(body, mti);
            till.expect_reply("94");
        }
    }
    till.expect_nothing_sent();
    assert_eq!((till.commands(), till.in_flight()), (commands, 0));
}

#[test]
fn another_body_under_a_claim_in_flight_writes_nothing_and_leaves_the_original_alone() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    let commands = till.commands();
    let mut other = sale.clone();
    other.amount = cents(2_000);
    till.again(&other, "0201");
    till.expect_reply("94");
    till.expect_nothing_sent();
    assert_eq!(till.commands(), commands);
    till.network_approves(&request);
    till.expect_reply("00");
    assert_eq!(till.payment().standing.captured, 1_000);
}

#[test]
fn the_reversal_of_something_never_seen_refuses_it_should_it_come_late() {
    for (mti, told) in [("0400", "25"), ("0420", "00")] {
        let mut till = Till::open();
        let lost = till.lost_purchase(DUAL_CARD, 1_000);
        till.take_back(&lost, mti, cents(1_000));
        till.expect_reply(told);
        for late in ["0200", "0201"] {
            till.again(&lost, late);
            till.expect_reply("21");
        }
        let mut till = till.restart();
        till.again(&lost, "0200");
        till.expect_reply("21");
        till.expect_nothing_sent();
        assert!(till.store.payments(SHARD).is_empty());
    }
}

#[test]
fn a_request_that_is_refused_before_anything_was_written_leaves_no_claim() {
    let mut till = Till::open();
    till.step(Event::Operator(Operator::Drain));
    till.purchase(DUAL_CARD, 1_000);
    till.expect_reply("91");
    assert!(till.store.payments(SHARD).is_empty());
}

#[test]
fn our_own_decline_holds_its_claim() {
    let mut till = Till::open();
    let sale = till.purchase(FOREIGN_CARD, 1_000);
    till.expect_reply("15");
    assert_eq!(till.state(), State::Declined);
    till.again(&sale, "0201");
    let (proof, _) = till.expect_answer("15");
    assert!(matches!(proof, Proof::Stored(_)), "{proof:?}");
}
