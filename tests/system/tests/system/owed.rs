//! A link on which messages are owed cannot be configured away: they would never be sent.

use std::time::Duration;

use serde_json::Value;
use switchyard::stack::{Stack, StackError};
use testkit::Laboratory;

/// Messages owed, as the switch tells.
fn owed(stack: &Stack) -> Option<u64> {
    let status: Value = stack.status().ok()?;
    status["shards"].as_array()?.iter().map(|shard| shard["owed"].as_u64()).sum()
}

#[test]
fn a_link_on_which_reversals_are_owed_is_missed_at_the_next_start() {
    let mut laboratory = Laboratory::new("owed", |options| {
        // Nothing ever arrives there but sign-on and echo.
        options.single_rules = ["0200", "0420", "0421"].map(|mti| format!("{{ do = \"silent\", mti = [\"{mti}\"] }}")).to_vec();
    })
    .expect("a laboratory");
    let stack = laboratory.stack().expect("it is there");
    stack.start_switch(&[]).expect("it starts");
    let load = stack.start_load("load", &["rate=5".to_owned(), "seconds=1".to_owned(), "networks.single=1".to_owned()]);
    let (status, _) = load.and_then(|load| load.wait(Duration::from_secs(60))).expect("it ends");
    assert!(status.success());
    let before = stack.wait("reversals to be owed", Duration::from_secs(30), |stack| owed(stack).filter(|owed| *owed > 0));
    assert_eq!(before.expect("they are"), 5);
    assert!(stack.stop_switch().expect("it ends").success());

    let (node, routes) = (stack.config(), stack.config().with_file_name("routes.toml"));
    let whole = [&node, &routes].map(|file| std::fs::read_to_string(file).expect("a file of the configuration"));
    // Its section is left out, up to the next one or the end.
    let without = |text: &str, from: &str, next: &str| {
        let (before, section) = text.split_once(from).expect("it is there");
        format!("{before}{}", section.split_once(next).map_or(String::new(), |(_, rest)| format!("{next}{rest}")))
    };
    std::fs::write(&node, without(&whole[0], "[link.single]", "[link.bank]")).expect("it can be written");
    std::fs::write(&routes, without(&whole[1], "[[route]]\nname = \"single\"", "[[route]]")).expect("it can be written");
    stack.command(&["config", "check"], None).expect("nothing is wrong with the files themselves");
    match stack.command(&["run", "--end-with-stdin"], None) {
        Err(StackError::Process(said)) => {
            assert!(said.contains("exit status: 78"), "{said}");
            assert!(said.contains("messages are owed on the link single") && said.contains("put [link.single] back"), "{said}");
        }
        Ok(said) => panic!("it should refuse to start: {said}"),
        Err(other) => panic!("{other}"),
    }

    for (file, text) in [&node, &routes].into_iter().zip(&whole) {
        std::fs::write(file, text).expect("it can be written");
    }
    stack.start_switch(&[]).expect("with the link it starts");
    assert_eq!(owed(stack), Some(5), "what was owed is owed still");
}
