//! What an operator does about a completion without its authorization: match it, or withdraw it. Its money moves
//! once, whatever is broken off in between and whoever orders what twice.

use engine::{Event, Note, Operator, OrderOutcome};
use ledger::memory::MemoryStore;
use payments::request::{CardRequest, Completion};
use payments::{PaymentId, State};

use crate::tables::{DUAL_CARD, SINGLE_CARD};
use crate::talk::cents;
use crate::till::{SHARD, Till};

/// An open authorization, and a completion that should have named it and did not.
fn apart(bin: crate::tables::Bin) -> (Till, CardRequest, Completion) {
    let mut till = Till::open();
    let authorization = till.authorization(bin, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    let completion = lost(&mut till, bin, 900);
    (till, authorization, completion)
}

/// A completion of something that never came.
fn lost(till: &mut Till, bin: crate::tables::Bin, minor: i64) -> Completion {
    let never = till.lost_purchase(bin, 1_000);
    let completion = till.complete_unknown(&never, minor);
    till.expect_reply("00");
    completion
}

fn one(store: &MemoryStore, state: State) -> PaymentId {
    let found: Vec<PaymentId> = store
        .payments(SHARD)
        .into_iter()
        .filter(|payment| payment.standing.state == state)
        .map(|payment| payment.facts.id)
        .collect();
    let [one] = found.as_slice() else { panic!("{} payments are {state}", found.len()) };
    *one
}

fn order(till: &mut Till, operator: Operator) -> Vec<OrderOutcome> {
    till.notes.clear();
    till.step(Event::Operator(operator));
    outcomes(till)
}

fn outcomes(till: &Till) -> Vec<OrderOutcome> {
    let outcome = |note: &Note| match note {
        Note::Ordered { outcome, .. } => Some(*outcome),
        _ => None,
    };
    till.notes.iter().filter_map(outcome).collect()
}

fn states(till: &Till) -> Vec<(State, i64)> {
    let mut states: Vec<(State, i64)> =
        till.store.payments(SHARD).into_iter().map(|payment| (payment.standing.state, payment.standing.captured)).collect();
    states.sort();
    states
}

#[track_caller]
fn expect_unfit(outcomes: &[OrderOutcome]) {
    assert!(matches!(outcomes, [OrderOutcome::Unfit(_)]), "{outcomes:?}");
}

#[test]
fn it_is_captured_on_its_authorization_and_nobody_looks_for_it_any_more() {
    let (mut till, ..) = apart(DUAL_CARD);
    let (completion, authorization) = (one(&till.store, State::Unmatched), one(&till.store, State::Approved));
    let told = order(&mut till, Operator::MatchCompletion { completion, authorization });
    assert_eq!(told, [OrderOutcome::Durable]);
    assert_eq!(states(&till), [(State::Captured, 900), (State::Matched, 0)]);
    assert_eq!(till.store.captures(SHARD).len(), 1);
    // Once and for all: the same again does nothing, and nothing else is done.
    let told = order(&mut till, Operator::MatchCompletion { completion, authorization });
    assert_eq!(told, [OrderOutcome::Already]);
    expect_unfit(&order(&mut till, Operator::MatchCompletion { completion, authorization: completion }));
    expect_unfit(&order(&mut till, Operator::WithdrawCompletion { completion }));
    assert_eq!(till.store.captures(SHARD).len(), 1);
}

#[test]
fn on_a_single_message_route_the_network_is_advised() {
    let (mut till, ..) = apart(SINGLE_CARD);
    let (completion, authorization) = (one(&till.store, State::Unmatched), one(&till.store, State::Approved));
    assert_eq!(order(&mut till, Operator::MatchCompletion { completion, authorization }), [OrderOutcome::Durable]);
    let advice = till.expect_send("0220");
    till.network_says(&advice, "00");
    assert_eq!(states(&till), [(State::Captured, 900), (State::Matched, 0)]);
}

#[test]
fn a_match_that_was_broken_off_is_finished_by_the_same_order_and_by_no_other() {
    let (mut till, ..) = apart(DUAL_CARD);
    let (completion, authorization) = (one(&till.store, State::Unmatched), one(&till.store, State::Approved));
    till.hold_commits();
    till.step(Event::Operator(Operator::MatchCompletion { completion, authorization }));
    till.commit_one_batch();
    // The capture is durable, and the process dies before the completion is closed.
    let mut till = till.restart();
    assert_eq!(states(&till), [(State::Captured, 900), (State::Unmatched, 0)]);
    till.seconds(1);
    till.authorization(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    let elsewhere = one(&till.store, State::Approved);
    expect_unfit(&order(&mut till, Operator::MatchCompletion { completion, authorization: elsewhere }));
    expect_unfit(&order(&mut till, Operator::WithdrawCompletion { completion }));
    assert_eq!(order(&mut till, Operator::MatchCompletion { completion, authorization }), [OrderOutcome::Durable]);
    assert_eq!(states(&till), [(State::Approved, 0), (State::Captured, 900), (State::Matched, 0)]);
    assert_eq!(till.store.captures(SHARD).len(), 1);
}

#[test]
fn of_two_operators_one_matches_it() {
    let (mut till, ..) = apart(DUAL_CARD);
    let (completion, authorization) = (one(&till.store, State::Unmatched), one(&till.store, State::Approved));
    till.hold_commits();
    till.notes.clear();
    till.step(Event::Operator(Operator::MatchCompletion { completion, authorization }));
    till.step(Event::Operator(Operator::MatchCompletion { completion, authorization }));
    till.step(Event::Operator(Operator::WithdrawCompletion { completion }));
    till.commit_all();
    let told = outcomes(&till);
    assert_eq!(told.iter().filter(|outcome| **outcome == OrderOutcome::Durable).count(), 1, "{told:?}");
    assert_eq!(told.len(), 3);
    assert_eq!(states(&till), [(State::Captured, 900), (State::Matched, 0)]);
}

#[test]
fn what_does_not_belong_together_is_not_matched() {
    let mut till = Till::open();
    let mut of_another_card = till.authorization(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    of_another_card.card.token = [8; 16];
    let authorization = one(&till.store, State::Approved);
    let completion = till.complete_unknown(&of_another_card, 900);
    till.expect_reply("00");
    assert_eq!(completion.amount, cents(900));
    let completion = one(&till.store, State::Unmatched);
    expect_unfit(&order(&mut till, Operator::MatchCompletion { completion, authorization }));
    // Nor a payment to itself, to nothing, or the wrong way round.
    let nothing = PaymentId(uuid::Uuid::from_u128(9));
    for (completion, authorization) in
        [(completion, completion), (completion, nothing), (authorization, completion), (nothing, authorization)]
    {
        expect_unfit(&order(&mut till, Operator::MatchCompletion { completion, authorization }));
    }
    assert!(till.store.captures(SHARD).is_empty());
}

#[test]
fn one_that_belongs_to_nothing_is_withdrawn_and_moves_nothing() {
    let mut till = Till::open();
    lost(&mut till, DUAL_CARD, 900);
    let completion = one(&till.store, State::Unmatched);
    assert_eq!(order(&mut till, Operator::WithdrawCompletion { completion }), [OrderOutcome::Durable]);
    assert_eq!(states(&till), [(State::Reversed, 0)]);
    assert_eq!(order(&mut till, Operator::WithdrawCompletion { completion }), [OrderOutcome::Already]);
    till.expect_nothing_sent();
}

#[test]
fn a_reversal_of_a_matched_completion_takes_back_what_it_was_matched_to() {
    for broken_off in [false, true] {
        let (mut till, request, completion) = apart(DUAL_CARD);
        let (kept, authorization) = (one(&till.store, State::Unmatched), one(&till.store, State::Approved));
        till.hold_commits();
        till.step(Event::Operator(Operator::MatchCompletion { completion: kept, authorization }));
        till.commit_one_batch();
        let mut till = if broken_off {
            till.restart()
        } else {
            till.commit_all();
            till
        };
        let of = CardRequest { head: completion.head, ..request };
        till.take_back(&of, "0420", cents(900));
        till.expect_reply("00");
        let reversal = till.expect_send("0420");
        till.network_says(&reversal, "00");
        let states = states(&till);
        assert!(
            states.contains(&(State::Reversed, 0)) && !states.iter().any(|(state, _)| *state == State::Captured),
            "{states:?}"
        );
    }
}

#[test]
fn a_reversal_that_comes_while_it_is_being_matched_waits_and_undoes_the_match() {
    let (mut till, request, completion) = apart(DUAL_CARD);
    let (kept, authorization) = (one(&till.store, State::Unmatched), one(&till.store, State::Approved));
    till.hold_commits();
    till.step(Event::Operator(Operator::MatchCompletion { completion: kept, authorization }));
    let of = CardRequest { head: completion.head, ..request };
    till.take_back(&of, "0420", cents(900));
    // Nothing can be promised before it is known what became of the match.
    till.expect_nothing_told();
    till.commit_all();
    till.expect_reply("00");
    let reversal = till.expect_send("0420");
    till.network_says(&reversal, "00");
    assert_eq!(states(&till), [(State::Reversed, 0), (State::Matched, 0)]);
    assert_eq!(till.in_flight(), 0);
}

#[test]
fn a_match_that_read_before_a_withdrawal_captures_nothing() {
    // However far its look-ups were when the withdrawal, by an operator or by the terminal, became durable.
    for answered in 0..3 {
        for by_terminal in [false, true] {
            let (mut till, request, kept) = apart(DUAL_CARD);
            let (completion, authorization) = (one(&till.store, State::Unmatched), one(&till.store, State::Approved));
            till.hold_loads();
            till.step(Event::Operator(Operator::MatchCompletion { completion, authorization }));
            (0..answered).for_each(|_| till.answer_one_load());
            let late = till.take_unread();
            if by_terminal {
                till.take_back(&CardRequest { head: kept.head, ..request }, "0420", cents(900));
                till.expect_reply("00");
            } else {
                assert_eq!(order(&mut till, Operator::WithdrawCompletion { completion }), [OrderOutcome::Durable]);
            }
            till.notes.clear();
            late.into_iter().for_each(|loaded| till.step(loaded));
            let told = outcomes(&till);
            assert!(matches!(told.as_slice(), [OrderOutcome::Unfit(_) | OrderOutcome::Refused(_)]), "{answered} {told:?}");
            assert_eq!(states(&till), [(State::Approved, 0), (State::Reversed, 0)]);
            assert!(till.store.captures(SHARD).is_empty());
        }
    }
}

#[test]
fn a_withdrawal_that_read_before_a_match_withdraws_nothing() {
    for answered in 0..2 {
        let (mut till, ..) = apart(DUAL_CARD);
        let (completion, authorization) = (one(&till.store, State::Unmatched), one(&till.store, State::Approved));
        till.hold_loads();
        till.step(Event::Operator(Operator::WithdrawCompletion { completion }));
        (0..answered).for_each(|_| till.answer_one_load());
        let late = till.take_unread();
        assert_eq!(order(&mut till, Operator::MatchCompletion { completion, authorization }), [OrderOutcome::Durable]);
        till.notes.clear();
        late.into_iter().for_each(|loaded| till.step(loaded));
        let told = outcomes(&till);
        assert!(matches!(told.as_slice(), [OrderOutcome::Unfit(_) | OrderOutcome::Refused(_)]), "{answered} {told:?}");
        assert_eq!(states(&till), [(State::Captured, 900), (State::Matched, 0)]);
    }
}

#[test]
fn a_refund_advice_captures_no_sale_neither_by_itself_nor_by_hand() {
    let mut till = Till::open();
    let authorization = till.authorization(DUAL_CARD, 2_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    till.complete_as(&authorization, 2_000, "200000");
    till.expect_reply("00");
    let (completion, authorization) = (one(&till.store, State::Unmatched), one(&till.store, State::Approved));
    expect_unfit(&order(&mut till, Operator::MatchCompletion { completion, authorization }));
    assert!(till.store.captures(SHARD).is_empty());
}

#[test]
fn more_than_was_approved_is_not_captured_by_hand() {
    let (mut till, ..) = apart(DUAL_CARD);
    let authorization = one(&till.store, State::Approved);
    let fits = one(&till.store, State::Unmatched);
    assert_eq!(order(&mut till, Operator::WithdrawCompletion { completion: fits }), [OrderOutcome::Durable]);
    lost(&mut till, DUAL_CARD, 1_001);
    let completion = one(&till.store, State::Unmatched);
    expect_unfit(&order(&mut till, Operator::MatchCompletion { completion, authorization }));
    assert!(till.store.captures(SHARD).is_empty());
}
