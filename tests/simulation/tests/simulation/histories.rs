//! Some hundreds of histories, a different set where `SWITCHYARD_SEED` says so.

use simulation::{Counters, Options, play, report};

/// Enough for every counter to leave zero, with some to spare.
const HISTORIES: u64 = 600;

/// The seed to begin with: `SWITCHYARD_SEED`, or 1.
fn first_seed() -> u64 {
    std::env::var("SWITCHYARD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

#[test]
fn the_books_agree_after_every_history_and_every_fault_was_met() {
    let from = first_seed();
    let mut counters = Counters::default();
    for seed in from..from + HISTORIES {
        let outcome = play(seed, Options::default());
        assert!(outcome.objections.is_empty(), "replay with SWITCHYARD_SEED={seed}\n{}", report(seed, Options::default()));
        counters.absorb(&outcome.counters);
    }
    println!("{}", counters.table());
    let zero: Vec<_> = counters.zero().into_iter().map(|what| what.words()).collect();
    assert!(zero.is_empty(), "never happened: {zero:?}");
}

#[test]
fn a_seed_is_one_history() {
    for seed in [first_seed(), 77, 4711] {
        let (one, two) = (play(seed, Options::default()), play(seed, Options { story: true, ..Options::default() }));
        assert_eq!((one.hash, one.events, &one.counters), (two.hash, two.events, &two.counters));
        assert_ne!(one.hash, play(seed + 1, Options::default()).hash);
    }
}

#[test]
fn nothing_of_a_card_is_in_a_story() {
    let story = play(5, Options { story: true, ..Options::default() }).story.join("\n");
    assert!(story.len() > 1_000, "a story that says nothing proves nothing");
    for bin in ["5413330000", "4761730000"] {
        assert!(!story.contains(bin));
    }
}
