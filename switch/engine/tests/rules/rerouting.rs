//! Another route is tried only where provably nothing was written, and only once the record says so
//! (SEMANTICS 15).

use ledger::{Fault, Refusal};
use payments::outgoing::Outgoing;
use payments::{PaymentId, State};

use crate::tables::{DUAL, DUAL_CARD, SPARE};
use crate::till::{SHARD, Till};

const REFUSED: Fault = Fault::Refuse { item: 0, why: Refusal::Version(PaymentId::FIRST) };

#[test]
fn a_request_that_was_not_written_goes_out_on_the_next_link_under_a_header_that_is_durable() {
    let mut till = Till::open();
    till.mute.insert(DUAL);
    till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    let Outgoing::Card(out) = &request.message else { panic!("{request:?}") };
    assert_eq!((request.link, out.egress.attempt), (SPARE, 2));
    assert_eq!(till.payment().facts.egress.as_ref(), Some(&out.egress));
    let sent = out.egress.clone();
    let reversal = till.expect_send_within(61, "0420");
    let Outgoing::Reversal(out) = &reversal.message else { panic!("{reversal:?}") };
    assert_eq!((reversal.link, &out.original), (SPARE, &sent), "the reversal names what was sent");
}

#[test]
fn nothing_leaves_on_the_next_link_before_the_record_says_so() {
    let mut till = Till::open();
    till.hold_commits();
    till.mute.insert(DUAL);
    till.purchase(DUAL_CARD, 1_000);
    till.commit_one_batch();
    till.expect_nothing_sent();
    till.commit_all();
    assert_eq!(till.expect_send("0100").link, SPARE);
}

#[test]
fn a_payment_that_no_link_took_is_abandoned_durably() {
    let mut till = Till::open();
    till.mute.extend([DUAL, SPARE]);
    till.purchase(DUAL_CARD, 1_000);
    till.expect_reply("91");
    assert_eq!((till.state(), till.owed(), till.in_flight()), (State::Abandoned, 0, 0));
}

#[test]
fn a_payment_whose_second_route_the_record_refuses_is_abandoned_durably() {
    let mut till = Till::open();
    till.mute.insert(DUAL);
    till.store.next_commit(SHARD, Fault::None);
    till.store.next_commit(SHARD, REFUSED);
    till.purchase(DUAL_CARD, 1_000);
    till.expect_nothing_sent();
    till.expect_reply("91");
    assert_eq!((till.state(), till.owed(), till.in_flight()), (State::Abandoned, 0, 0));
    let mut till = till.restart();
    till.seconds(120);
    till.expect_nothing_sent();
}

#[test]
fn a_payment_whose_abandonment_the_record_refuses_is_left_to_the_next_process() {
    let mut till = Till::open();
    till.mute.extend([DUAL, SPARE]);
    for fault in [Fault::None, Fault::None, REFUSED] {
        till.store.next_commit(SHARD, fault);
    }
    till.purchase(DUAL_CARD, 1_000);
    till.expect_nothing_told();
    assert_eq!(till.alarms(), ["an outcome could not be recorded; nobody is told"]);
    assert_eq!((till.state(), till.in_flight()), (State::Sent, 0), "it is not in flight for ever");
    let till = till.restart();
    assert_eq!(till.state(), State::Reversing);
}
