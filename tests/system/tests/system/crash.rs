//! The crash drill, short: `./dev drill crash` runs all of it.

use switch::faults::Point;
use system::drill::{self, IN_FLIGHT, Options, Report};

fn run(options: &Options) -> Report {
    let tell = |round: &drill::Round| println!("{} {:?}: {} in flight", round.point, round.action, round.in_flight);
    drill::crash(options, tell).unwrap_or_else(|error| panic!("the drill: {error}"))
}

#[test]
fn kills_of_the_switch_the_store_and_both_lose_nothing_and_double_nothing() {
    let only = vec![Point::AfterA, Point::BeforeB, Point::ReversalSent];
    let report = run(&Options { rounds: 3, seed: 11, conversations: 300, only, ..Options::default() });
    assert_eq!(report.objections(), Vec::<String>::new());
    assert_eq!(report.hits.values().flat_map(|actions| actions.values()).sum::<u64>(), 3);
    assert!(report.rounds.iter().all(|round| round.in_flight >= IN_FLIGHT));
    assert!(report.whole.items() >= 600, "{:?}", report.whole.populations);
}

#[test]
fn an_approval_that_is_told_before_it_is_durable_is_found_by_the_judges() {
    let report = run(&Options { rounds: 1, seed: 5, conversations: 200, early_ack: true, ..Options::default() });
    let lost = report.findings().iter().filter(|finding| finding.what.starts_with("approved")).count();
    assert!(lost > 0, "nobody noticed: {:?}", report.whole.populations);
    assert!(report.good());
}
