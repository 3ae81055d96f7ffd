//! The running server: a child that dies with us, watched by a thread of its own.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// A child process and the thread that spawned it.
///
/// The signal that a child gets when its parent dies follows the *thread* that spawned it, so that
/// thread does nothing but wait for the child, for as long as the child lives.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    /// Refers to this very process, also after its number went to another one.
    handle: OwnedFd,
    ended: Arc<Ended>,
}

#[derive(Debug, Default)]
struct Ended {
    status: Mutex<Option<ExitStatus>>,
    changed: Condvar,
}

impl Process {
    /// Runs `command`, which must ask for the parent-death signal itself (`setpriv --pdeathsig`).
    pub(crate) fn spawn(mut command: Command) -> std::io::Result<Self> {
        let ended = Arc::new(Ended::default());
        let shared = Arc::clone(&ended);
        let (report, reported) = mpsc::channel();
        std::thread::Builder::new().name("postgres-keeper".to_owned()).spawn(move || {
            let opened = command.spawn().and_then(|mut child| match open(&child) {
                Ok(handle) => Ok((child, handle)),
                Err(why) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    Err(why)
                }
            });
            match opened {
                Ok((child, handle)) => {
                    let _ = report.send(Ok((child.id(), handle)));
                    keep(child, &shared);
                }
                Err(why) => {
                    let _ = report.send(Err(why));
                }
            }
        })?;
        let (pid, handle) = reported.recv().map_err(|_| std::io::Error::other("the thread that spawns ended"))??;
        Ok(Self { pid, handle, ended })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&self) -> bool {
        self.ended.status.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Sends a signal; nothing happens when it has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Waits until it has ended, at most so long. Whether it has.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut status = self.ended.status.lock().unwrap_or_else(PoisonError::into_inner);
        while status.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            status = self.ended.changed.wait_timeout(status, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

fn open(child: &Child) -> std::io::Result<OwnedFd> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(|| std::io::Error::other("no process id"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

fn keep(mut child: Child, ended: &Ended) {
    // An error here means that there is no such child, which is an end as well.
    let status = child.wait().unwrap_or_default();
    *ended.status.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
    ended.changed.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_process_is_seen() {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "sleep", "600"]);
        let process = Process::spawn(command).unwrap();
        assert!(process.is_running());
        assert!(!process.wait(Duration::ZERO));
        process.signal(Signal::KILL);
        assert!(process.wait(Duration::from_secs(60)));
        assert!(!process.is_running());
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        assert!(Process::spawn(Command::new("/nowhere/at/all")).is_err());
    }
}
