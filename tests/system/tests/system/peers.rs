//! Programs by strangers judge us: a terminal, an issuer and a clearing reader in Python (`tests/peers`).

use std::path::PathBuf;
use std::process::Command;

/// The folder of the peers.
fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../peers")
}

/// The interpreter with the pinned requirements: `./dev test` makes it and says where it is.
fn python() -> PathBuf {
    let made = std::env::var_os("SWITCHYARD_PYTHON").map(PathBuf::from);
    let python = made.unwrap_or_else(|| folder().join("../../target/peers-venv/bin/python"));
    assert!(python.exists(), "{} is not there; run ./dev test once", python.display());
    python
}

#[test]
fn peers_agree_with_each_other_before_they_judge_us() {
    let output = Command::new(python()).arg("test_peers.py").current_dir(folder()).output().expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{said}");
    assert!(output.status.success());
    let ran = said.lines().find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse::<u32>().ok());
    assert!(ran.is_some_and(|tests| tests >= 12), "only {ran:?} tests ran");
}
