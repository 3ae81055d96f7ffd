//! A completion without its authorization (SEMANTICS 7: an advice is never refused on business grounds) is
//! kept with everything that came, told as accepted, and moves nothing.

use payments::request::{CardRequest, Completion, Head};
use payments::{Cause, Request, State};

use crate::tables::DUAL_CARD;
use crate::talk::cents;
use crate::till::Till;

const ALARM: &str = "a completion without its authorization is kept; `switchyard trace` shows it by its DE37";

/// A request that never reached the switch, and its completion, which does.
fn complete_by_voice(till: &mut Till) -> (CardRequest, Completion) {
    let request = till.lost_purchase(DUAL_CARD, 1_000);
    let completion = till.complete_unknown(&request, 1_200);
    till.expect_reply("00");
    (request, completion)
}

#[test]
fn it_is_kept_with_its_card_and_its_amount() {
    let mut till = Till::open();
    let (request, completion) = complete_by_voice(&mut till);
    let kept = till.payment();
    assert_eq!((kept.standing.state, kept.standing.captured, kept.standing.captures), (State::Unmatched, 0, 0));
    assert_eq!((kept.facts.amount, kept.facts.card.as_ref()), (cents(1_200), Some(&request.card)));
    assert_eq!((kept.facts.head, Some(kept.facts.rrn)), (Some(completion.head), completion.head.rrn));
    assert_eq!(till.alarms(), [ALARM]);
    assert!(till.store.accounts(crate::till::SHARD).is_empty(), "nobody knows whose money it would be");
    till.expect_nothing_sent();
}

#[test]
fn a_repeat_of_it_is_told_the_same_and_kept_once() {
    let mut till = Till::open();
    let (_, completion) = complete_by_voice(&mut till);
    for mti in ["0220", "0221"] {
        let head = Head { mti: payments::Text::literal(mti), ..completion.head };
        till.request(Request::Completion(Box::new(Completion { head, ..completion.clone() })));
        till.expect_reply("00");
    }
    assert_eq!(till.state(), State::Unmatched);
    assert_eq!(till.alarms(), [ALARM], "one for the first alone");
}

#[test]
fn a_reversal_of_it_leaves_nothing_to_look_for() {
    let mut till = Till::open();
    let (request, completion) = complete_by_voice(&mut till);
    let of = CardRequest { head: completion.head, ..request };
    till.take_back(&of, "0420", cents(1_200));
    till.expect_reply("00");
    assert_eq!(till.state(), State::Reversed);
    till.expect_nothing_sent();
}

#[test]
fn another_card_under_the_reference_of_an_authorization_does_not_complete_it() {
    let mut till = Till::open();
    let mut authorization = till.authorization(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    authorization.card.token = [8; 16];
    till.complete(&authorization, 1_000);
    till.expect_reply("00");
    let mut states: Vec<State> =
        till.store.payments(crate::till::SHARD).into_iter().map(|payment| payment.standing.state).collect();
    states.sort();
    assert_eq!(states, [State::Approved, State::Unmatched]);
    // The right one finds its authorization, and not what was kept under the same reference.
    authorization.card.token = [7; 16];
    till.complete(&authorization, 900);
    till.expect_reply("00");
    let captured = till.store.payments(crate::till::SHARD).into_iter().find(|payment| payment.standing.state == State::Captured);
    assert_eq!(captured.map(|payment| payment.standing.captured), Some(900));
    assert_eq!(State::step(None, Cause::Completion), Ok(State::Unmatched));
}

#[test]
fn one_that_overtakes_the_answer_to_its_authorization_is_repeated_until_it_is_there() {
    let mut till = Till::open();
    let authorization = till.authorization(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.complete(&authorization, 900);
    till.expect_reply("91");
    till.network_approves(&request);
    till.expect_reply("00");
    till.complete(&authorization, 900);
    till.expect_reply("00");
    let kept = till.payment();
    assert_eq!((kept.standing.state, kept.standing.captured), (State::Captured, 900));
}
