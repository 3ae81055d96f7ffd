//! Write before send (SEMANTICS 18 to 21). [`Till`] holds whatever leaves in any script against what is
//! durable by then; here stands what each message rests on, and that held commits hold everything back.

use engine::Proof;

use crate::tables::{DUAL, DUAL_CARD, FOREIGN_CARD, SINGLE_CARD, SPARE};
use crate::talk::cents;
use crate::till::Till;

#[derive(Debug, PartialEq, Eq)]
enum Ground {
    Commit,
    Record,
    Nothing,
}
use Ground::{Commit, Nothing, Record};

fn ground(proof: &Proof) -> Ground {
    match proof {
        Proof::Durable(_) => Commit,
        Proof::Stored(_) => Record,
        Proof::Unclaimed(_) => Nothing,
    }
}

#[test]
fn every_message_about_money_rests_on_a_commit_and_a_balance_enquiry_on_nothing() {
    let mut till = Till::open();
    let sent = |till: &mut Till, mti: &str, of: Ground| {
        let left = till.expect_send(mti);
        assert_eq!((left.mti(), ground(&left.proof)), (mti, of));
        left
    };
    let commands = till.commands();
    till.balance(DUAL_CARD);
    let enquiry = sent(&mut till, "0100", Nothing);
    till.network_says(&enquiry, "00");
    assert_eq!(ground(&till.expect_answer("00").0), Nothing);
    assert_eq!(till.commands(), commands, "a balance enquiry leaves no trace");

    let sale = till.purchase(SINGLE_CARD, 1_000);
    let request = sent(&mut till, "0200", Commit);
    till.network_approves(&request);
    assert_eq!(ground(&till.expect_answer("00").0), Commit);
    till.again(&sale, "0201");
    assert_eq!(ground(&till.expect_answer("00").0), Record);
    till.take_back(&sale, "0400", cents(1_000));
    assert_eq!(ground(&till.expect_answer("00").0), Commit);
    sent(&mut till, "0420", Commit);

    let authorization = till.authorization(SINGLE_CARD, 1_000);
    let request = sent(&mut till, "0100", Commit);
    till.network_approves(&request);
    till.expect_reply("00");
    till.complete(&authorization, 800);
    assert_eq!(ground(&till.expect_answer("00").0), Commit);
    sent(&mut till, "0220", Commit);

    till.deposit(1_000);
    till.transfer(1_000);
    sent(&mut till, "pacs.008", Commit);
    let enquiry = till.expect_send_within(11, "pacs.028");
    assert_eq!(ground(&enquiry.proof), Commit);
}

#[test]
fn a_message_owed_by_an_earlier_process_rests_on_the_record() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    till.expect_send("0100");
    till.seconds(10);
    let mut till = till.restart();
    let reversal = till.expect_send_within(60, "0421");
    assert_eq!(ground(&reversal.proof), Record);
}

#[test]
fn a_refusal_without_a_trace_is_told_without_one_and_our_own_decline_is_not() {
    let mut till = Till::open();
    till.purchase(FOREIGN_CARD, 1_000);
    assert_eq!(ground(&till.expect_answer("15").0), Commit);
    for link in [DUAL, SPARE] {
        till.cut(link);
    }
    let commands = till.commands();
    till.purchase(DUAL_CARD, 1_000);
    assert_eq!(ground(&till.expect_answer("91").0), Nothing);
    assert_eq!(till.commands(), commands);
}

#[test]
fn no_request_leaves_before_its_first_commit() {
    let mut till = Till::open();
    till.deposit(1_000);
    till.hold_commits();
    till.purchase(DUAL_CARD, 1_000);
    till.purchase(SINGLE_CARD, 1_000);
    till.authorization(SINGLE_CARD, 1_000);
    till.transfer(1_000);
    till.seconds(1);
    till.expect_nothing_sent();
    till.commit_all();
    for mti in ["0100", "0200", "0100", "pacs.008"] {
        till.expect_send(mti);
    }
}

#[test]
fn nothing_is_told_or_taken_back_before_its_last_commit() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.hold_commits();
    till.network_approves(&request);
    till.expect_nothing_told();
    till.commit_all();
    till.expect_reply("00");

    till.hold_commits();
    till.take_back(&sale, "0400", cents(1_000));
    till.seconds(300);
    till.expect_nothing_told();
    till.expect_nothing_sent();
    till.commit_all();
    till.expect_reply("00");
    let reversal = till.expect_send("0420");

    till.hold_commits();
    till.network_says(&reversal, "00");
    assert_eq!(till.lane_end(), None);
    till.commit_all();
    assert!(till.lane_end().is_some());
}

#[test]
fn silence_is_told_and_taken_back_only_once_that_is_durable() {
    let mut till = Till::open();
    till.purchase(DUAL_CARD, 1_000);
    till.expect_send("0100");
    till.hold_commits();
    till.seconds(300);
    till.expect_nothing_told();
    till.expect_nothing_sent();
    till.commit_all();
    till.expect_reply("68");
    till.expect_send_within(0, "0420");
}

#[test]
fn a_completion_is_told_and_advised_only_once_it_is_durable() {
    let mut till = Till::open();
    let authorization = till.authorization(SINGLE_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    till.hold_commits();
    till.complete(&authorization, 1_000);
    till.seconds(300);
    till.expect_nothing_told();
    till.expect_nothing_sent();
    till.commit_all();
    till.expect_reply("00");
    till.expect_send("0220");
}

#[test]
fn a_store_that_does_not_answer_lets_nothing_new_in() {
    let mut till = Till::open();
    till.stall();
    till.purchase(DUAL_CARD, 1_000);
    till.transfer(1_000);
    till.expect_reply("91");
    till.expect_status("RJCT", "AB08");
    till.expect_nothing_sent();
    assert_eq!(till.in_flight(), 0);
}

/// A connection that waits for answers which never come would read nothing any more.
#[test]
fn a_repeat_that_is_not_answered_is_said_to_be() {
    let mut till = Till::open();
    let sale = till.purchase(DUAL_CARD, 1_000);
    let request = till.expect_send("0100");
    till.network_approves(&request);
    till.expect_reply("00");
    till.stall();
    for _ in 0..3 {
        till.again(&sale, "0201");
    }
    till.take_back(&sale, "0401", cents(1_000));
    till.expect_nothing_told();
    assert_eq!(till.silenced.len(), 4);
    assert_eq!(till.in_flight(), 0);
}
