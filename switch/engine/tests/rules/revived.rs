//! A dead letter that an operator has tried again (SEMANTICS 13): owed anew, as a repeat, in the record
//! before anything leaves.

use engine::{Event, Note, Operator, Order, OrderOutcome};
use ledger::LaneEnd::{Acknowledged, Dead};
use payments::{PaymentId, State};

use crate::tables::DUAL_CARD;
use crate::till::{SHARD, Till};

/// A sale that was taken back, and whose reversal the network refused for good.
fn with_dead_letter() -> (Till, PaymentId) {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    till.take_back(&sale, "0400", sale.amount);
    till.expect_reply("00");
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "12");
    let payment = till.payment().facts.id;
    assert_eq!((till.lane_end(), till.dead_letters()), (Some((Dead, "12".into())), vec![payment]));
    (till, payment)
}

const CHANGED: OrderOutcome = OrderOutcome::Unfit("it was changed meanwhile");

/// What the operator is told.
fn retry(till: &mut Till, payment: PaymentId) -> Vec<OrderOutcome> {
    till.notes.clear();
    till.step(Event::Operator(Operator::RetryLane { payment }));
    let told = |note: &Note| match note {
        Note::Ordered { order: Order::Retry(of), outcome } if *of == payment => Some(*outcome),
        _ => None,
    };
    till.notes.iter().filter_map(told).collect()
}

fn ends(till: &Till) -> Vec<Option<ledger::LaneEnd>> {
    till.store.lanes(SHARD).iter().map(|lane| lane.end.map(|(end, _)| end)).collect()
}

#[test]
fn it_goes_out_again_as_a_repeat_and_ends_with_its_acknowledgement() {
    let (mut till, payment) = with_dead_letter();
    assert_eq!(retry(&mut till, payment), [OrderOutcome::Durable]);
    let again = till.expect_send("0421");
    assert_eq!(ends(&till), [Some(Dead), None]);
    till.network_says(&again, "00");
    assert_eq!(ends(&till), [Some(Dead), Some(Acknowledged)]);
    assert_eq!(till.state(), State::Reversed);
    // There is nothing dead any more.
    assert_eq!(retry(&mut till, payment), [CHANGED]);
    till.expect_nothing_sent();
}

#[test]
fn nothing_leaves_before_it_is_owed_in_the_record() {
    let (mut till, payment) = with_dead_letter();
    till.hold_commits();
    assert!(retry(&mut till, payment).is_empty());
    till.expect_nothing_sent();
    // Twice in a row is once.
    assert_eq!(retry(&mut till, payment), [CHANGED]);
    till.commit_all();
    till.expect_send("0421");
    till.expect_nothing_sent();
}

#[test]
fn one_that_was_refused_again_is_dead_again_and_may_be_tried_again_after_a_restart() {
    let (mut till, payment) = with_dead_letter();
    retry(&mut till, payment);
    let again = till.expect_send("0421");
    till.network_says(&again, "12");
    assert_eq!((ends(&till), till.state()), (vec![Some(Dead), Some(Dead)], State::Reversing));
    let mut till = till.restart();
    till.seconds(300);
    till.expect_nothing_sent();
    assert_eq!(retry(&mut till, payment), [OrderOutcome::Durable]);
    let again = till.expect_send("0421");
    till.network_says(&again, "00");
    assert_eq!(till.state(), State::Reversed);
}

#[test]
fn what_waits_for_its_time_is_tried_at_once_and_what_never_was_is_refused() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    till.expect_send("0100");
    till.seconds(10);
    till.expect_reply("68");
    let first = till.expect_send_within(60, "0420");
    till.network_says(&first, "96");
    till.expect_nothing_sent();
    let payment = till.payment().facts.id;
    assert_eq!(retry(&mut till, payment), [OrderOutcome::TriedNow]);
    till.expect_send("0421");
    assert_eq!(retry(&mut till, PaymentId(uuid::Uuid::from_u128(9))), [CHANGED]);
}

#[test]
fn what_the_issuer_approved_too_late_is_not_written_off_by_trying_again() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.seconds(10);
    till.expect_reply("68");
    till.network_approves(&request);
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "12");
    let payment = till.payment().facts.id;
    let mut till = till.restart();
    retry(&mut till, payment);
    let mut again = till.expect_send("0421");
    // "Not found" is not believed within a life, and after it somebody has to look.
    for _ in 0..20 {
        till.network_says(&again, "25");
        if ends(&till).last() == Some(&Some(Dead)) {
            break;
        }
        again = till.expect_send_within(400, "0421");
    }
    assert_eq!((ends(&till), till.state()), (vec![Some(Dead), Some(Dead)], State::Reversing));
}
