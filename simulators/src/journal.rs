//! An append-only file of lines with group sync: lines that are appended while one sync runs share
//! the next one. A line counts only when it is durable, and then everything before it is too.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::Error;

/// Bytes that may wait to be written before writers are held back.
pub const MAX_BACKLOG: usize = 8 * 1024 * 1024;

/// Longest line that is read back.
pub const MAX_LINE: usize = 4096;

/// The place of a line in the file; see [`Journal::wait`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ticket(u64);

/// How a journal is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// A line is durable (fdatasync) before anybody is told.
    Durable,
    /// Lines are written without a sync, for load on small machines. They survive the end of the
    /// process, not that of the machine.
    Unsynced,
}

/// The file and the thread that writes it.
pub struct Journal {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    writer: Mutex<Option<JoinHandle<()>>>,
    sync: Sync,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    durable: u64,
    failed: Option<String>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Condvar,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    appended: u64,
    /// Bytes that the writer has taken and not yet finished.
    writing: usize,
    closed: bool,
}

impl Journal {
    /// Appends to `path`, which is made where it does not exist. `None` keeps nothing.
    pub fn open(path: Option<&Path>, sync: Sync) -> Result<Self, Error> {
        let file = path
            .map(|path| {
                File::options().append(true).create(true).open(path).map_err(Error::io(format!("book {}", path.display())))
            })
            .transpose()?;
        let shared = Arc::<Shared>::default();
        let (report, progress) = watch::channel(Progress::default());
        let writer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn({
                let shared = shared.clone();
                move || write_on(&shared, file, sync, &report)
            })
            .map_err(Error::io("starting the journal's thread"))?;
        Ok(Self { shared, progress, writer: Mutex::new(Some(writer)), sync })
    }

    /// Appends one line (without its end). Never blocks: call [`Journal::room`] before work that
    /// leads to lines.
    pub fn append(&self, line: &[u8]) -> Ticket {
        let mut pending = lock(&self.shared.pending);
        pending.bytes.extend_from_slice(line);
        pending.bytes.push(b'\n');
        pending.appended += 1;
        let ticket = Ticket(pending.appended);
        drop(pending);
        self.shared.wake.notify_one();
        ticket
    }

    /// Waits until the line is durable; at once where the journal is not synced.
    pub async fn wait(&self, ticket: Ticket) -> Result<(), Error> {
        let mut progress = self.progress.clone();
        let done = progress
            .wait_for(|now| now.failed.is_some() || self.sync == Sync::Unsynced || now.durable >= ticket.0)
            .await
            .map_err(|_| Error::Journal("its thread has ended".to_owned()))?;
        match &done.failed {
            Some(why) => Err(Error::Journal(why.clone())),
            None => Ok(()),
        }
    }

    /// Whether a wait for this line would return at once.
    pub fn is_durable(&self, ticket: Ticket) -> bool {
        let now = self.progress.borrow();
        now.failed.is_none() && (self.sync == Sync::Unsynced || now.durable >= ticket.0)
    }

    /// Waits until fewer than [`MAX_BACKLOG`] bytes wait.
    pub async fn room(&self) -> Result<(), Error> {
        loop {
            let (backlog, appended) = {
                let pending = lock(&self.shared.pending);
                (pending.bytes.len() + pending.writing, pending.appended)
            };
            if backlog < MAX_BACKLOG {
                return Ok(());
            }
            let mut progress = self.progress.clone();
            let now = progress
                .wait_for(|now| now.failed.is_some() || now.durable >= appended)
                .await
                .map_err(|_| Error::Journal("its thread has ended".to_owned()))?;
            if let Some(why) = &now.failed {
                return Err(Error::Journal(why.clone()));
            }
        }
    }

    /// Writes what is left, syncs it in either mode, and ends the thread. Nothing may be appended after
    /// that.
    pub fn close(&self) -> Result<(), Error> {
        self.end();
        match &self.progress.borrow().failed {
            Some(why) => Err(Error::Journal(why.clone())),
            None => Ok(()),
        }
    }

    fn end(&self) {
        lock(&self.shared.pending).closed = true;
        self.shared.wake.notify_one();
        let writer = lock(&self.writer).take();
        if let Some(writer) = writer {
            // A panic of the thread shows as a closed channel to everybody who waits.
            let _ = writer.join();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_on(shared: &Shared, mut file: Option<File>, sync: Sync, report: &watch::Sender<Progress>) {
    let mut taken = Vec::new();
    loop {
        let (upto, closed) = {
            let mut pending = lock(&shared.pending);
            pending.writing = 0;
            while pending.bytes.is_empty() && !pending.closed {
                pending = shared.wake.wait(pending).unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut taken, &mut pending.bytes);
            pending.writing = taken.len();
            (pending.appended, pending.closed)
        };
        let written = match &mut file {
            Some(file) => file.write_all(&taken).and_then(|()| match sync {
                Sync::Unsynced if !closed => Ok(()),
                _ => file.sync_data(),
            }),
            None => Ok(()),
        };
        taken.clear();
        match written {
            Ok(()) => report.send_modify(|progress| progress.durable = upto),
            Err(fault) => {
                // What the kernel dropped cannot be asked for again: fail-stop, no second sync.
                report.send_modify(|progress| progress.failed = Some(fault.to_string()));
                return;
            }
        }
        if closed && lock(&shared.pending).bytes.is_empty() {
            return;
        }
    }
}

/// Reads a book back, line by line, before it is continued. A torn last line was never durable, so
/// nobody was told of it: it is cut off. `each` says whether it understood the line.
pub fn read_back(path: &Path, mut each: impl FnMut(&[u8]) -> bool) -> Result<u64, Error> {
    let name = path.display().to_string();
    let bad = |line: usize| Error::BadBook { file: name.clone(), line };
    let mut file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(fault) => return Err(Error::io(format!("book {name}"))(fault)),
    };
    let mut buffer = Vec::with_capacity(64 * 1024);
    let (mut lines, mut whole) = (0usize, 0u64);
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut chunk).map_err(Error::io(format!("book {name}")))?;
        buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        let mut from = 0;
        while let Some(length) = buffer.get(from..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n')) {
            lines += 1;
            if !each(buffer.get(from..from + length).unwrap_or_default()) {
                return Err(bad(lines));
            }
            from += length + 1;
        }
        buffer.drain(..from);
        whole += u64::try_from(from).unwrap_or(0);
        if buffer.len() > MAX_LINE {
            return Err(bad(lines + 1));
        }
        if count == 0 {
            break;
        }
    }
    if !buffer.is_empty() {
        file.set_len(whole).map_err(Error::io(format!("cutting the torn end of {name}")))?;
        file.seek(SeekFrom::End(0)).and_then(|_| file.sync_all()).map_err(Error::io(format!("book {name}")))?;
    }
    Ok(u64::try_from(lines).unwrap_or(u64::MAX))
}

/// A directory for files of one test, removed when it goes.
#[cfg(test)]
pub(crate) struct Scratch(std::path::PathBuf);

#[cfg(test)]
impl Scratch {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("switchyard-sim-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.0.join(name)
    }
}

#[cfg(test)]
impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_waited_for_is_in_the_file_and_in_order() {
        let scratch = Scratch::new("journal-order");
        let path = scratch.file("book");
        let journal = Journal::open(Some(&path), Sync::Durable).unwrap();
        for n in 0..100 {
            journal.room().await.unwrap();
            let ticket = journal.append(format!("line {n}").as_bytes());
            if n % 10 == 9 {
                journal.wait(ticket).await.unwrap();
                let text = std::fs::read_to_string(&path).unwrap();
                assert_eq!(text.lines().count(), n + 1);
            }
        }
        journal.close().unwrap();
        let mut read = Vec::new();
        read_back(&path, |line| {
            read.push(String::from_utf8(line.to_vec()).unwrap());
            true
        })
        .unwrap();
        assert_eq!(read, (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_torn_last_line_is_cut_and_a_strange_one_is_refused() {
        let scratch = Scratch::new("journal-torn");
        let path = scratch.file("book");
        std::fs::write(&path, "one\ntwo\nthr").unwrap();
        assert_eq!(read_back(&path, |_| true).unwrap(), 2);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        let refused = read_back(&path, |line| line == b"one").unwrap_err();
        assert!(refused.to_string().contains("line 2"), "{refused}");
        assert_eq!(read_back(&scratch.file("absent"), |_| false).unwrap(), 0);
    }

    #[tokio::test]
    async fn a_failed_write_is_told_to_everybody_who_waits() {
        let journal = Journal::open(Some(Path::new("/dev/full")), Sync::Durable).unwrap();
        let ticket = journal.append(b"lost");
        assert!(matches!(journal.wait(ticket).await, Err(Error::Journal(_))));
        assert!(matches!(journal.close(), Err(Error::Journal(_))));
    }
}
