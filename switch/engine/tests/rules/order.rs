//! A reversal never overtakes its original (SEMANTICS 12): what comes early is answered early, and waits.

use ledger::CaptureKind;
use payments::State;
use payments::outgoing::Outgoing;
use payments::request::CardRequest;

use crate::tables::DUAL_CARD;
use crate::talk::cents;
use crate::till::{Left, SHARD, Till};

/// A sale in flight that its terminal takes back, told so at once.
fn taken_back_in_flight() -> (Till, Left, CardRequest) {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.seconds(3);
    till.take_back(&sale, "0400", cents(1_000));
    assert_eq!(till.expect_reply("68").head.mti.as_str(), "0200");
    assert_eq!(till.expect_reply("00").head.mti.as_str(), "0400");
    till.expect_nothing_sent();
    assert_eq!(till.state(), State::Reversing);
    (till, request, sale)
}

#[test]
fn an_early_reversal_is_sent_on_once_its_original_is_answered() {
    let (mut till, request, _) = taken_back_in_flight();
    till.seconds(4);
    till.network_approves(&request);
    let reversal = till.expect_send("0420");
    let (Outgoing::Card(sent), Outgoing::Reversal(out)) = (&request.message, &reversal.message) else { panic!() };
    assert_eq!((&out.original, out.reason.as_str()), (&sent.egress, "17"), "it names its original as sent");
    till.network_says(&reversal, "00");
    assert_eq!((till.state(), till.owed()), (State::Reversed, 1));
}

#[test]
fn an_early_reversal_is_sent_on_once_the_life_of_its_original_has_passed() {
    let (mut till, _, _) = taken_back_in_flight();
    till.seconds(56);
    till.expect_nothing_sent();
    till.expect_send_within(1, "0420");
}

#[test]
fn an_early_reversal_lets_go_of_an_original_that_is_answered_while_it_is_being_committed() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.hold_commits();
    till.take_back(&sale, "0400", cents(1_000));
    till.network_approves(&request);
    till.expect_nothing_told();
    till.expect_nothing_sent();
    till.commit_all();
    till.expect_reply("68");
    till.expect_reply("00");
    till.expect_send("0420");
}

#[test]
fn a_reversal_repeated_is_answered_and_sent_once() {
    let (mut till, request, sale) = taken_back_in_flight();
    till.take_back(&sale, "0400", cents(1_000));
    till.expect_reply("00");
    till.network_approves(&request);
    till.expect_send("0420");
    till.expect_nothing_sent();
    assert_eq!(till.owed(), 1);
}

#[test]
fn a_reversal_waits_while_its_original_is_not_durable_and_then_nothing_is_sent() {
    for (mti, told) in [("0400", "21"), ("0420", "00")] {
        let mut till = Till::open();
        till.hold_commits();
        let sale = till.purchase(DUAL_CARD, 1_000);
        till.take_back(&sale, mti, cents(1_000));
        till.expect_nothing_told();
        till.commit_all();
        till.expect_reply("91");
        till.expect_reply(told);
        till.expect_nothing_sent();
        assert_eq!((till.state(), till.owed()), (State::Abandoned, 0));
    }
}

#[test]
fn a_reversal_waits_while_the_outcome_of_its_original_is_being_committed() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.hold_commits();
    till.network_approves(&request);
    till.take_back(&sale, "0400", cents(1_000));
    till.expect_nothing_told();
    till.expect_nothing_sent();
    till.commit_all();
    assert_eq!(till.expect_reply("00").head.mti.as_str(), "0200");
    assert_eq!(till.expect_reply("00").head.mti.as_str(), "0400");
    till.expect_send("0420");
    let kinds: Vec<CaptureKind> = till.store.captures(SHARD).iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [CaptureKind::Sale, CaptureKind::Void]);
}
