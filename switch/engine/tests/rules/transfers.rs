//! A credit transfer is never sent twice and never reversed (SEMANTICS 16): silence is asked about, and "not
//! received" is believed only when neither the transfer nor the enquiry can still be on its way.

use ledger::postings;
use payments::State;
use payments::request::TransferFacts;

use crate::talk::{DEBTOR, cents};
use crate::till::{Left, SHARD, Till};

fn sent() -> (Till, Left, TransferFacts) {
    let mut till = Till::open();
    till.deposit(5_000);
    let facts = till.transfer(1_000);
    let request = till.expect_send("pacs.008");
    assert_eq!(on_hold(&till), 1_000);
    (till, request, facts)
}

/// The transfer was not answered; its first enquiry.
fn silent() -> (Till, Left, TransferFacts) {
    let (mut till, _, facts) = sent();
    till.seconds(10);
    till.expect_status("PDNG", "");
    let enquiry = till.expect_send("pacs.028");
    assert_eq!((till.state(), on_hold(&till)), (State::Enquiring, 1_000));
    (till, enquiry, facts)
}

fn debtor(till: &Till) -> ledger::AccountState {
    let account = postings::customer(&DEBTOR);
    till.store.accounts(SHARD).into_iter().find(|found| found.code == account).expect("the debtor has an account")
}

fn on_hold(till: &Till) -> i64 {
    debtor(till).balances.pending_debit
}

#[track_caller]
fn expect_executed(till: &mut Till) {
    till.expect_status("ACSC", "");
    assert_eq!((till.state(), on_hold(till)), (State::Executed, 0));
    assert_eq!(debtor(till).balances.net_credit(), 4_000);
    assert_eq!(till.in_flight(), 0);
}

#[track_caller]
fn expect_declined(till: &mut Till, reason: &str) {
    till.expect_status("RJCT", reason);
    assert_eq!((till.state(), on_hold(till)), (State::Declined, 0));
    assert_eq!(debtor(till).balances.net_credit(), 5_000);
    assert_eq!(till.in_flight(), 0);
}

#[test]
fn silence_is_asked_about_and_the_transfer_is_never_sent_again() {
    let (mut till, first, facts) = silent();
    till.seconds(3_600);
    assert!(till.left.len() > 5 && till.left.iter().all(|left| left.mti() == "pacs.028"), "{:?}", till.left);
    till.transfer_again(&facts);
    till.expect_status("PDNG", "");
    let mut till = till.restart();
    till.seconds(3_600);
    assert!(till.left.len() > 5 && till.left.iter().all(|left| left.mti() == "pacs.028"), "{:?}", till.left);
    till.transfer_again(&facts);
    till.expect_status("PDNG", "");
    till.bank_says(&first, "ACSC", "");
    till.expect_nothing_told();
    assert_eq!((till.state(), on_hold(&till)), (State::Executed, 0));
    till.transfer_again(&facts);
    till.expect_status("ACSC", "");
}

#[test]
fn the_answer_to_an_enquiry_is_told_to_whoever_asked_first() {
    let (mut till, enquiry, _) = silent();
    till.bank_says(&enquiry, "PDNG", "");
    till.expect_nothing_told();
    till.bank_says(&enquiry, "ACSC", "");
    expect_executed(&mut till);
    let (mut till, enquiry, _) = silent();
    till.bank_says(&enquiry, "RJCT", "AC04");
    expect_declined(&mut till, "AC04");
}

#[test]
fn not_received_is_no_outcome_for_two_lives_after_the_transfer_was_given_up() {
    let (mut till, enquiry, _) = silent();
    till.bank_says(&enquiry, "RJCT", "NOOR");
    till.seconds(119);
    till.bank_says(&enquiry, "RJCT", "NOOR");
    till.expect_nothing_told();
    assert_eq!((till.state(), on_hold(&till)), (State::Enquiring, 1_000));
    till.seconds(1);
    till.bank_says(&enquiry, "RJCT", "NOOR");
    expect_declined(&mut till, "NOOR");
}

#[test]
fn not_received_is_no_outcome_for_two_lives_of_a_new_process_either() {
    let (till, _, _) = silent();
    let mut till = till.restart();
    let enquiry = till.expect_send("pacs.028");
    till.seconds(119);
    till.bank_says(&enquiry, "RJCT", "NOOR");
    assert_eq!(till.state(), State::Enquiring);
    till.seconds(1);
    till.bank_says(&enquiry, "RJCT", "NOOR");
    assert_eq!((till.state(), on_hold(&till)), (State::Declined, 0));
}

#[test]
fn not_received_is_no_outcome_of_a_transfer_in_flight() {
    let (mut till, request, _) = sent();
    till.bank_says(&request, "RJCT", "NOOR");
    till.expect_nothing_told();
    till.bank_says(&request, "ACSC", "");
    expect_executed(&mut till);
}

#[test]
fn a_transfer_in_flight_when_the_process_died_is_asked_about() {
    let (till, ..) = sent();
    let mut till = till.restart();
    assert_eq!((till.state(), on_hold(&till)), (State::Enquiring, 1_000));
    till.expect_send("pacs.028");
    till.expect_nothing_sent();
}

#[test]
fn an_enquiry_about_something_never_seen_refuses_it_should_it_come_late() {
    let (mut till, _, mut facts) = sent();
    facts.uetr = payments::Text::literal("8a562c67-ca16-48ba-b074-65581be6f002");
    till.enquire(&facts);
    till.expect_status("RJCT", "NOOR");
    till.transfer_again(&facts);
    till.expect_status("RJCT", "AB05");
    till.expect_nothing_sent();
    assert_eq!(till.payment().facts.amount, cents(1_000), "only the first one is in the record");
}
