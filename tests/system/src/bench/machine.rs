//! What this machine can do and is doing: file system, syncs a second, foreign load, processor time.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use testkit::{KitError, processes};

/// Bytes of a page of PostgreSQL's log: the least that a commit writes before it syncs.
const PAGE: usize = 8192;

/// The file system under a path, as the mount table names it.
///
/// # Errors
/// When the mount table cannot be read.
pub fn file_system(path: &Path) -> Result<String, KitError> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").map_err(KitError::io("reading the mount table"))?;
    let mut best = (0, "unknown".to_owned());
    for line in mounts.lines() {
        let mut words = line.split_ascii_whitespace().skip(1);
        if let (Some(point), Some(kind)) = (words.next(), words.next())
            && path.starts_with(point)
            && point.len() >= best.0
        {
            best = (point.len(), kind.to_owned());
        }
    }
    Ok(best.1)
}

/// Middle and 99th percentile of one page written and synced (`fdatasync`) in `dir`, alone.
///
/// # Errors
/// When a file cannot be written there.
pub fn sync_times(dir: &Path, within: Duration) -> Result<(Duration, Duration), KitError> {
    let path = dir.join("sync-probe");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).open(&path).map_err(KitError::io("sync probe"))?;
    let (page, began, mut times) = ([0x5A; PAGE], Instant::now(), Vec::new());
    // Allocated first, as log segments are: a sync of new blocks also syncs where they are.
    let room = vec![0; PAGE * 256];
    file.write_all(&room).and_then(|()| file.sync_all()).map_err(KitError::io("sync probe"))?;
    while began.elapsed() < within {
        if times.len().is_multiple_of(256) {
            file = File::options().write(true).open(&path).map_err(KitError::io("sync probe"))?;
        }
        let before = Instant::now();
        file.write_all(&page).and_then(|()| file.sync_data()).map_err(KitError::io("sync probe"))?;
        times.push(before.elapsed());
    }
    std::fs::remove_file(&path).map_err(KitError::io("sync probe"))?;
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).or(times.last()).copied().unwrap_or_default();
    Ok((at(50), at(99)))
}

/// Runnable processes on average over the last minute.
pub fn load_average() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or_default().to_owned()
}

/// Processor time so far, in ticks of 1/100 s: of everything on the machine, and of these processes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ticks {
    /// All processors, whatever they did but waiting.
    pub busy: u64,
    /// All processors, waiting included.
    pub all: u64,
    /// The processes.
    pub ours: u64,
}

impl Ticks {
    /// Now. `pids` with everything below them.
    pub fn now(pids: &[u32]) -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let line: Vec<u64> = stat
            .lines()
            .next()
            .unwrap_or_default()
            .split_ascii_whitespace()
            .filter_map(|word| word.parse().ok())
            .take(8)
            .collect();
        let all = line.iter().sum();
        let waiting: u64 = line.get(3..5).unwrap_or_default().iter().sum();
        let mut ours = 0;
        for pid in pids {
            ours += ticks_of(*pid) + processes::below(*pid).iter().map(|process| ticks_of(process.pid)).sum::<u64>();
        }
        Self { busy: all - waiting, all, ours }
    }

    /// What was used since `before`.
    pub fn since(self, before: Self) -> Self {
        let less = u64::saturating_sub;
        Self { busy: less(self.busy, before.busy), all: less(self.all, before.all), ours: less(self.ours, before.ours) }
    }
}

/// User and system time of children that have ended and were waited for, with theirs, in ticks.
pub fn ended_children() -> u64 {
    times("self", 13)
}

/// User and system time of a process, in ticks; 0 once it is gone.
pub fn ticks_of(pid: u32) -> u64 {
    times(&pid.to_string(), 11)
}

/// Two neighbouring times of proc(5), by how many fields stand before them behind the name and state.
fn times(who: &str, before: usize) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{who}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // Field 3 is the first behind the name: 14 and 15 are a process's own, 16 and 17 its children's.
    fields.split_ascii_whitespace().skip(before).take(2).filter_map(|word| word.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_of_the_process_table_is_named() {
        assert_eq!(file_system(Path::new("/proc/self/stat")).expect("a mount table"), "proc");
    }

    #[test]
    fn syncs_are_measured_and_leave_nothing() {
        let dir = Path::new("/var/tmp").join(format!("switchyard-sync-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("/var/tmp can be written to");
        let (middle, late) = sync_times(&dir, Duration::from_millis(5)).expect("a file can be synced");
        assert!(late >= middle);
        std::fs::remove_dir(&dir).expect("it is empty");
    }
}
