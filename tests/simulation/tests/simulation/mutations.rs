//! Promises broken on purpose: each must be noticed, and by the judge that is meant to.

use simulation::{Mutation, Options, play};

/// What the judges say in the history of one seed.
fn objections(mutation: Mutation, blind: bool, seed: u64) -> impl Iterator<Item = String> {
    play(seed, Options { mutation, blind, story: false }).objections.into_iter().map(|objection| objection.what)
}

/// Histories in which a broken promise has to be noticed: some need a rare moment.
const SEEDS: u64 = 600;

#[track_caller]
fn noticed(mutation: Mutation, blind: bool, words: &[&str]) {
    let mut unsaid = words.to_vec();
    for what in (1..=SEEDS).flat_map(|seed| objections(mutation, blind, seed)) {
        unsaid.retain(|words| !what.contains(words));
        if unsaid.is_empty() {
            return;
        }
    }
    panic!("{mutation:?}: nobody said {unsaid:?} in {SEEDS} histories");
}

#[test]
fn without_a_broken_promise_nobody_objects() {
    for (seed, blind) in (1..=60).flat_map(|seed| [(seed, false), (seed, true)]) {
        assert_eq!(objections(Mutation::None, blind, seed).collect::<Vec<_>>(), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_commit_acknowledged_before_it_is_durable_is_noticed_as_the_message_leaves() {
    noticed(Mutation::EarlyAck, false, &["left on a commit that is not durable"]);
}

#[test]
fn a_commit_acknowledged_before_it_is_durable_is_noticed_in_the_books_after_a_crash() {
    noticed(Mutation::EarlyAck, true, &["the terminal saw an approval, and", "which the record does not have"]);
}

#[test]
fn a_reversal_that_is_not_sent_leaves_the_network_open() {
    noticed(Mutation::DropReversals, false, &["the terminal has it undone, and a network has it open"]);
}

#[test]
fn a_request_that_lies_in_a_buffer_is_overtaken_by_its_reversal() {
    noticed(Mutation::HoldBack, false, &["overtook its original"]);
}

#[test]
fn a_request_forwarded_twice_is_open_twice() {
    noticed(Mutation::ForwardTwice, false, &["open at networks more than once"]);
}

#[test]
fn a_write_behind_its_deadline_is_noticed() {
    noticed(Mutation::WriteLate, false, &["written after their deadline"]);
}

#[test]
fn secrets_that_are_not_given_back_are_counted() {
    noticed(Mutation::LeakSecrets, false, &["secrets are still kept"]);
}

#[test]
fn a_capture_that_is_there_twice_is_noticed() {
    noticed(Mutation::DoubleCapture, false, &["its items"]);
}

#[test]
fn a_hold_that_never_ended_is_noticed() {
    noticed(Mutation::DropHold, false, &["still holds"]);
}

#[test]
fn a_capture_on_another_day_is_noticed() {
    noticed(Mutation::WrongDate, false, &["has no journal", "its items"]);
}

#[test]
fn a_store_that_forgets_what_it_acknowledged_is_noticed() {
    noticed(Mutation::StoreForgets, true, &["the terminal saw an approval, and"]);
}

#[test]
fn a_repeat_that_is_told_otherwise_is_noticed() {
    noticed(Mutation::ForgeRepeats, false, &["asked again, told otherwise"]);
}

#[test]
fn an_approval_that_nobody_gave_is_noticed() {
    noticed(Mutation::ApproveTimeouts, false, &["the terminal saw an approval, and no network has it open"]);
}

#[test]
fn a_stan_that_is_used_again_is_noticed() {
    noticed(Mutation::ReuseStans, false, &["was used again too soon"]);
}
