//! Processes of this machine, as `/proc` shows them: to see that nothing was left behind.

use std::collections::BTreeMap;
use std::path::Path;

/// A process: its number and when it began, since numbers are used again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its beginning, clock ticks since boot.
    pub began: u64,
    /// Its command line, for people.
    pub command: String,
}

struct Line {
    parent: u32,
    process: Process,
}

/// Everything below a process, children's children included, without itself.
pub fn below(pid: u32) -> Vec<Process> {
    let all = all();
    let mut found = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for line in all.values().filter(|line| line.parent == parent) {
            parents.push(line.process.pid);
            found.push(line.process.clone());
        }
    }
    found
}

/// Processes that name a path in their command line.
pub fn naming(path: &Path) -> Vec<Process> {
    let path = path.display().to_string();
    all().into_values().map(|line| line.process).filter(|process| process.command.contains(&path)).collect()
}

/// Those of them that still run. One that ended and was not collected yet does not run.
pub fn alive(processes: &[Process]) -> Vec<Process> {
    let all = all();
    let same = |process: &&Process| all.get(&process.pid).is_some_and(|line| line.process.began == process.began);
    processes.iter().filter(same).cloned().collect()
}

fn all() -> BTreeMap<u32, Line> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, read(pid)?))).collect()
}

/// `None` for one that has ended.
fn read(pid: u32) -> Option<Line> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may hold anything; what follows is proc(5), field 3 on.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return None;
    }
    let parent = fields.get(1)?.parse().ok()?;
    let began = fields.get(19)?.parse().ok()?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ").trim().to_owned();
    Some(Line { parent, process: Process { pid, began, command } })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_is_seen_below_its_parent_until_it_ends() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat starts");
        let own: Vec<Process> = below(std::process::id()).into_iter().filter(|one| one.pid == child.id()).collect();
        assert_eq!(own.len(), 1);
        assert_eq!(alive(&own), own);
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        assert_eq!(alive(&own), []);
    }
}
