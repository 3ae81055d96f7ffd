//! A switch without the keys that its configuration names: it must not say that it is ready and then
//! refuse every message.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use switchyard::stack::{Stack, StackError};
use testkit::Laboratory;

/// What `run` says when it refuses to start: exit 78, bad configuration.
fn refusal(stack: &Stack) -> String {
    // One that does start ends at once: its standard input is closed.
    match stack.command(&["run", "--end-with-stdin"], None) {
        Err(StackError::Process(said)) if said.contains("exit status: 78") => said,
        other => panic!("it should refuse to start: {other:?}"),
    }
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("a file of the configuration");
    assert!(text.contains(from), "{from} stands in {}", file.display());
    std::fs::write(file, text.replace(from, to)).expect("it can be written");
}

#[test]
fn a_switch_without_the_keys_that_it_names_neither_starts_nor_reloads() {
    let mut laboratory = Laboratory::new("keys", |_| {}).expect("a laboratory");
    let dir = laboratory.dir().to_owned();
    let stack = laboratory.stack().expect("it is there");
    let registry = stack.config().with_file_name("registry.toml");
    for name in ["zpk-dual", "zak-dual"] {
        stack.command_with(&["hsm", "key", "destroy"], &[name]).expect("a key can be destroyed");
    }
    let said = refusal(stack);
    let line =
        std::fs::read_to_string(stack.config()).expect("the configuration").lines().position(|line| line.contains("zak-dual"));
    let place = format!("switchyard.toml:{}: link dual: mac_key \"zak-dual\" is not in the token", line.expect("a line") + 1);
    assert!(said.contains(&place) && said.contains("switchyard hsm key import"), "{said}");
    assert!(said.contains("(1 more like this: zpk-dual)"), "{said}");

    let keys = "zpk zpk-dual 0123456789ABCDEFFEDCBA9876543210\nzak zak-dual FEDCBA98765432100123456789ABCDEF\n";
    stack.command(&["hsm", "key", "import"], Some(keys)).expect("keys can be brought in");
    replace(&registry, "\"tpk-term0002\"", "\"tpk-term002\"");
    let said = refusal(stack);
    assert!(said.contains("registry.toml:") && said.contains("terminal TERM0002: pin_key \"tpk-term002\""), "{said}");

    replace(&registry, "\"tpk-term002\"", "\"tpk-term0002\"");
    stack.start_switch(&[]).expect("with all its keys it starts");
    replace(&registry, "\"tpk-term0002\"", "\"tpk-new\"");
    let pid = stack.switch.as_ref().map(|switch| switch.pid()).and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let pid = pid.expect("the switch runs");
    let log = dir.join("switch.log");
    let reload = |stack: &mut Stack, words: &str| {
        kill_process(pid, Signal::HUP).expect("it runs");
        let said = |_: &Stack| std::fs::read_to_string(&log).ok().filter(|log| log.contains(words)).map(drop);
        stack.wait(words, Duration::from_secs(30), said).expect("it says so");
    };
    reload(stack, "pin_key \\\"tpk-new\\\" is not in the token");
    let new = "tpk tpk-new 0123456789ABCDEFFEDCBA9876543210\n";
    stack.command(&["hsm", "key", "import"], Some(new)).expect("a key can be brought in while it runs");
    reload(stack, "configuration swapped");
    assert!(stack.stop_switch().expect("it ends").success());
}
