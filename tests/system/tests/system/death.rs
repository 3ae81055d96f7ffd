//! Everything ends with the program that started it, however that ends.

use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use testkit::processes::{self, Process};
use testkit::{Laboratory, Scratch, binary};

/// The bound is for a hang, not for a measurement.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks until it is so.
fn until<T>(what: &str, mut so: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = so() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not after two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn all_gone(those: &[Process]) {
    let began = Instant::now();
    loop {
        let left = processes::alive(those);
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "still there: {left:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn named<'a>(those: &'a [Process], part: &str) -> Option<&'a Process> {
    those.iter().find(|process| process.command.contains(part))
}

/// Whether a server listens at the socket of a node's private database.
fn database_answers(data: &Path) -> bool {
    let directory = std::fs::read_to_string(data.join("database-socket")).expect("a node that was ready wrote it");
    UnixStream::connect(Path::new(&directory).join(".s.PGSQL.5432")).is_ok()
}

#[test]
fn a_switch_that_is_killed_takes_its_database_with_it() {
    let mut laboratory = Laboratory::new("death", |_| ()).expect("a laboratory");
    let stack = laboratory.stack().expect("it runs");
    stack.start_switch(&[]).expect("the switch starts");
    let data = stack.data_dir();
    let mut switch = stack.switch.take().expect("it runs");
    let children = processes::below(switch.pid());
    assert!(named(&children, "postgres").is_some(), "{children:?}");
    assert!(database_answers(&data));
    switch.kill().expect("it can be killed");
    all_gone(&children);
    assert!(!database_answers(&data));
    // And it comes back over what is left.
    laboratory.stack().expect("it runs").start_switch(&[]).expect("the switch starts again");
}

#[test]
fn a_switch_that_is_interrupted_ends_well_and_leaves_nothing() {
    let mut laboratory = Laboratory::new("interrupt", |_| ()).expect("a laboratory");
    let stack = laboratory.stack().expect("it runs");
    stack.start_switch(&[]).expect("the switch starts");
    let data = stack.data_dir();
    let switch = stack.switch.take().expect("it runs");
    let children = processes::below(switch.pid());
    assert!(named(&children, "postgres").is_some(), "{children:?}");
    let pid = i32::try_from(switch.pid()).ok().and_then(Pid::from_raw).expect("a process number");
    rustix::process::kill_process(pid, Signal::INT).expect("it runs");
    let (status, _) = switch.wait(Duration::from_secs(60)).expect("it ends");
    assert!(status.success(), "{status}");
    all_gone(&children);
    assert!(!database_answers(&data));
}

/// `switchyard demo` in a process group of its own, once everything it starts runs.
fn demonstration(scratch: &Scratch) -> (Child, Vec<Process>) {
    let mut command = Command::new(binary().expect("it is built"));
    command.arg("demo").arg("--dir").arg(scratch.path()).args(["--conversations", "1000000"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut demo = command.spawn().expect("it starts");
    let started = until("the terminals of the demonstration", || {
        assert!(demo.try_wait().expect("a child can be asked").is_none(), "the demonstration ended");
        let children = processes::below(demo.id());
        named(&children, "sim pos").is_some().then_some(children)
    });
    for part in ["sim issuer", "sim bank", " run --config", "postgres"] {
        assert!(named(&started, part).is_some(), "no {part} in {started:#?}");
    }
    (demo, started)
}

#[test]
fn whoever_kills_the_demonstration_kills_everything() {
    let scratch = Scratch::new("death-of-demo");
    let (mut demo, children) = demonstration(&scratch);
    demo.kill().expect("it runs");
    demo.wait().expect("it ends");
    all_gone(&children);
    assert_eq!(processes::naming(scratch.path()), []);
}

#[test]
fn ctrl_c_ends_the_demonstration_and_everything() {
    let scratch = Scratch::new("interrupt-of-demo");
    let (mut demo, children) = demonstration(&scratch);
    // As a terminal does it: to the whole group.
    let group = i32::try_from(demo.id()).ok().and_then(Pid::from_raw).expect("a process number");
    kill_process_group(group, Signal::INT).expect("it runs");
    demo.wait().expect("it ends");
    all_gone(&children);
    assert_eq!(processes::naming(scratch.path()), []);
}
