//! Seeded histories of the whole switch, judged by the three books; and that the judges can object.

use simulation::{Counters, Mutation, Options, play, report};

/// Ways that a few hundred histories may miss, being rare; the long run (`simulate --seeds 0..3000`)
/// looks for them.
const RARE: [&str; 2] = ["approvals that nobody waited for any more", "crashes between a commit and its report"];

#[test]
fn three_books_agree_after_every_history() {
    let (mut counters, mut events) = (Counters::default(), 0);
    for seed in 0..300 {
        let outcome = play(seed, Options::default());
        counters.absorb(&outcome.counters);
        events += outcome.events;
        assert!(outcome.objections.is_empty(), "{}", report(seed, Options::default()));
    }
    print!("{}", counters.table());
    println!("300 histories, {events} messages and commits");
    let never: Vec<&str> = counters.zero().into_iter().map(|count| count.words()).filter(|words| !RARE.contains(words)).collect();
    assert!(never.is_empty(), "never happened: {never:?}");
}

#[test]
fn one_seed_is_one_history() {
    let hash = |seed| play(seed, Options::default()).hash;
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7), hash(8));
}

#[test]
fn every_broken_promise_is_found() {
    let mutations = [
        Mutation::EarlyAck,
        Mutation::DropReversals,
        Mutation::ForwardTwice,
        Mutation::LeakSecrets,
        Mutation::DoubleCapture,
        Mutation::DropHold,
        Mutation::WrongDate,
    ];
    for mutation in mutations {
        let found = (0..60).any(|seed| !play(seed, Options { mutation, ..Options::default() }).objections.is_empty());
        assert!(found, "{mutation:?} was not found in 60 histories");
    }
}
