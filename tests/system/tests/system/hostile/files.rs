//! Bad configurations are refused at the start, with file, line and what to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::lab::binary;

#[test]
fn a_bad_configuration_is_refused_at_the_start_with_file_line_and_fix() {
    let dir = PathBuf::from(format!("/var/tmp/switchyard-files-{}", std::process::id()));
    let made = Command::new(binary()).arg("init").arg(&dir).output().expect("switchyard starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    // File, what is there, what is put in its place, and a word of the complaint.
    let cases = [
        ("switchyard.toml", "version = 1", "version = 99", "version"),
        ("switchyard.toml", "version = 1", "verzion = 1", "verzion"),
        ("switchyard.toml", "shards = ", "shards = -", "expected u16"),
        ("switchyard.toml", "acquirer = \"ACQ1\"", "acquirer = \"ACQ9\"", "ACQ9"),
        ("switchyard.toml", "protocol = \"iso87-ascii\"", "protocol = \"iso99\"", "iso99"),
        ("switchyard.toml", "[hsm]", "[hsm", "unclosed table"),
        ("registry.toml", "currency = 978", "currency = 1", "currenc"),
        ("registry.toml", "acquirer = \"ACQ1\"", "acquirer = \"ACQ9\"", "ACQ9"),
        ("routes.toml", "links = [\"dual\"]", "links = [\"nowhere\"]", "nowhere"),
        ("routes.toml", "bins = [\"4\"]", "bins = [\"4X\"]", "4X"),
        ("risk.toml", "kind = \"velocity\"", "kind = \"mood\"", "mood"),
    ];
    for (file, there, instead, word) in cases {
        let path = dir.join(file);
        let text = std::fs::read_to_string(&path).expect("init wrote it");
        assert!(text.contains(there), "{file} has no {there}");
        std::fs::write(&path, text.replacen(there, instead, 1)).expect("it can be written");
        let output = run(&dir);
        std::fs::write(&path, text).expect("it can be written");
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        println!("{said}");
        assert_eq!(output.status.code(), Some(78), "{file}, {instead}: {said}");
        let place = said.split_once(file).map(|(_, rest)| rest);
        let line = place.is_some_and(|rest| {
            rest.trim_start_matches([':', ' ']).starts_with(|c: char| c.is_ascii_digit()) || rest.contains("line")
        });
        assert!(line && said.contains(word), "{file}, {instead}: {said}");
    }
    std::fs::remove_file(dir.join("risk.toml")).expect("it was there");
    let output = run(&dir);
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("risk.toml"));
    std::fs::remove_dir_all(&dir).expect("it can be removed");
}

fn run(dir: &Path) -> Output {
    let mut command = Command::new(binary());
    command.args(["run", "--config"]).arg(dir.join("switchyard.toml")).arg("--end-with-stdin");
    command.stdin(std::process::Stdio::null()).output().expect("switchyard starts")
}
