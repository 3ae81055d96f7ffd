//! Where a cluster lives: the folder asked for, or one under `/var/tmp` where the server's account
//! could not reach that one.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, statfs};

use super::account::Account;
use crate::Error;

/// A socket's path must fit `sockaddr_un`, its closing zero included.
const LONGEST_SOCKET_PATH: usize = 107;

/// What the server appends to its socket folder.
const SOCKET_NAME: &str = "/.s.PGSQL.5432";

/// A log that is longer is put aside at the next start.
const LONGEST_LOG: u64 = 16 << 20;

/// `f_type` of a tmpfs (linux/magic.h).
const TMPFS: u64 = 0x0102_1994;

/// Folders that outlive a restart and that everybody may enter.
const FALLBACK: &str = "/var/tmp";

/// The folders of one cluster, locked for this process as long as this value lives.
#[derive(Debug)]
pub(crate) struct Place {
    /// Everything is in here.
    pub(crate) base: PathBuf,
    /// The server's own data directory.
    pub(crate) data: PathBuf,
    /// Its socket, for its account alone.
    pub(crate) socket: PathBuf,
    /// What it says.
    pub(crate) log: PathBuf,
    /// What the user should know: where a folder was replaced by another.
    pub(crate) notices: Vec<String>,
    /// Held for as long as we live; the kernel lets go of it however we end.
    _lock: File,
}

impl Place {
    /// Finds or makes the folders for `wanted` and locks them.
    pub(crate) fn take(wanted: &Path, account: &Account, may_be_in_memory: bool) -> Result<Self, Error> {
        let mut notices = Vec::new();
        std::fs::create_dir_all(wanted).map_err(|why| Error::io("create", wanted, why))?;
        let wanted = wanted.canonicalize().map_err(|why| Error::io("open", wanted, why))?;
        let base = if account.step_down && !reachable(&wanted, account)? {
            let other = fallback(&wanted, "");
            make_private(&other, None, 0o755)?;
            notices.push(format!(
                "the account that PostgreSQL runs as cannot enter {}; its data is in {}",
                wanted.display(),
                other.display()
            ));
            other
        } else {
            wanted.clone()
        };
        if !may_be_in_memory && on_tmpfs(&base)? {
            return Err(Error::InMemory { path: base });
        }
        let lock = lock(&base)?;
        let mut socket = base.join("socket");
        if socket.as_os_str().len() + SOCKET_NAME.len() > LONGEST_SOCKET_PATH {
            let other = fallback(&wanted, "-socket");
            notices.push(format!("{} is too long for a socket; it is in {}", socket.display(), other.display()));
            socket = other;
        }
        make_private(&socket, Some(account), 0o700)?;
        Ok(Self { data: base.join("data"), log: base.join("postgres.log"), socket, base, notices, _lock: lock })
    }

    /// The server's log, for appending. A long one becomes `postgres.log.old` first.
    pub(crate) fn open_log(&self) -> Result<File, Error> {
        if std::fs::metadata(&self.log).is_ok_and(|found| found.len() > LONGEST_LOG) {
            let old = self.base.join("postgres.log.old");
            std::fs::rename(&self.log, &old).map_err(|why| Error::io("rename", &self.log, why))?;
        }
        let options = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.log);
        options.map_err(|why| Error::io("open", &self.log, why))
    }

    /// The last lines of the server's log.
    pub(crate) fn end_of_log(&self) -> String {
        end_of(&std::fs::read(&self.log).unwrap_or_default())
    }
}

/// The last few lines of what a program said, on one line.
pub(crate) fn end_of(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().rev().take(8).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

/// Makes a folder for `owner` (or ourselves), or checks that one that is there is his alone. Under
/// `/var/tmp` anybody may have put something at a name that he could guess.
pub(crate) fn make_private(path: &Path, owner: Option<&Account>, mode: u32) -> Result<(), Error> {
    let not_ours = |why| Error::NotOurs { path: path.to_owned(), why };
    if let Err(why) = std::fs::create_dir(path) {
        if why.kind() != std::io::ErrorKind::AlreadyExists {
            return Err(Error::io("create", path, why));
        }
    } else {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|why| Error::io("protect", path, why))?;
        if let Some(account) = owner.filter(|account| account.step_down) {
            chown(path, Some(account.uid), Some(account.gid)).map_err(|why| Error::io("give away", path, why))?;
        }
    }
    let found = std::fs::symlink_metadata(path).map_err(|why| Error::io("look at", path, why))?;
    let wanted = owner.map_or(rustix::process::geteuid().as_raw(), |account| account.uid);
    match () {
        () if !found.is_dir() => Err(not_ours("not a folder")),
        () if found.uid() != wanted => Err(not_ours("it belongs to another account")),
        () if found.mode() & 0o022 != 0 => Err(not_ours("others may write to it")),
        () => Ok(()),
    }
}

/// Whether the account can come as far as into `path`.
fn reachable(path: &Path, account: &Account) -> Result<bool, Error> {
    for folder in path.ancestors() {
        let found = std::fs::metadata(folder).map_err(|why| Error::io("look at", folder, why))?;
        if !account.may_enter(found.uid(), found.gid(), found.mode()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The same folder under `/var/tmp` for the same path, always.
fn fallback(path: &Path, suffix: &str) -> PathBuf {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let hash = path.as_os_str().as_bytes().iter().fold(0xCBF2_9CE4_8422_2325, fold);
    Path::new(FALLBACK).join(format!("switchyard-{hash:016x}{suffix}"))
}

fn on_tmpfs(path: &Path) -> Result<bool, Error> {
    let found = statfs(path).map_err(|why| Error::io("look at", path, why))?;
    Ok(u64::try_from(found.f_type).is_ok_and(|kind| kind == TMPFS))
}

/// Takes the folder for this process, or says who has it.
fn lock(base: &Path) -> Result<File, Error> {
    let path = base.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o644).open(&path);
    let file = file.map_err(|why| Error::io("open", &path, why))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        let holder = std::fs::read_to_string(&path).unwrap_or_default();
        return Err(Error::InUse { path: base.to_owned(), by: format!("process {}", holder.trim()) });
    }
    file.set_len(0).map_err(|why| Error::io("write", &path, why))?;
    std::io::Write::write_all(&mut &file, format!("{}\n", std::process::id()).as_bytes())
        .map_err(|why| Error::io("write", &path, why))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_is_the_same_every_time_and_short() {
        let one = fallback(Path::new("/root/somewhere"), "-socket");
        assert_eq!(one, fallback(Path::new("/root/somewhere"), "-socket"));
        assert_ne!(one, fallback(Path::new("/root/elsewhere"), "-socket"));
        assert!(one.as_os_str().len() + SOCKET_NAME.len() <= LONGEST_SOCKET_PATH);
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let path = std::env::temp_dir().join(format!("switchyard-open-{}", std::process::id()));
        make_private(&path, None, 0o755).unwrap();
        make_private(&path, None, 0o755).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(make_private(&path, None, 0o755), Err(Error::NotOurs { path: path.clone(), why: "others may write to it" }));
        std::fs::remove_dir(&path).unwrap();
        std::os::unix::fs::symlink("/", &path).unwrap();
        assert_eq!(make_private(&path, None, 0o755), Err(Error::NotOurs { path: path.clone(), why: "not a folder" }));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn memory_is_not_a_disk() {
        assert_eq!(on_tmpfs(Path::new("/dev/shm")), Ok(true));
        assert_eq!(on_tmpfs(Path::new("/usr")), Ok(false));
    }
}
