//! The account that PostgreSQL runs as. It refuses to run as root, so root gives it the account that
//! its package makes; anybody else runs it as himself.

use std::path::Path;
use std::process::Command;

use crate::Error;

/// The account made by the postgresql package.
const PACKAGED: &str = "postgres";

/// User and group that the server runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    /// User id.
    pub(crate) uid: u32,
    /// Group id.
    pub(crate) gid: u32,
    /// Whether we are root and step down to it.
    pub(crate) step_down: bool,
}

impl Account {
    /// The account to run as: `wanted` or that of the package when we are root, else our own.
    pub(crate) fn choose(wanted: Option<&str>) -> Result<Self, Error> {
        let uid = rustix::process::geteuid().as_raw();
        if uid != 0 {
            return Ok(Self { uid, gid: rustix::process::getegid().as_raw(), step_down: false });
        }
        let name = wanted.unwrap_or(PACKAGED);
        let passwd = Path::new("/etc/passwd");
        let text = std::fs::read_to_string(passwd).map_err(|why| Error::io("read", passwd, why))?;
        let (uid, gid) = find(&text, name).ok_or_else(|| Error::NoAccount { name: name.to_owned() })?;
        Ok(Self { uid, gid, step_down: true })
    }

    /// A command that runs `program` as this account and gets `signal` when the thread that spawned
    /// it ends. The environment of ours stays out, but for the paths that programs need.
    pub(crate) fn command(&self, program: &Path, signal: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", signal]);
        if self.step_down {
            command.args(["--reuid", &self.uid.to_string(), "--regid", &self.gid.to_string(), "--clear-groups"]);
        }
        // The working directory must be one that the account can enter, whatever ours is.
        command.arg(program).env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir("/");
        command
    }

    /// Whether this account may pass through a folder of that owner, group and mode.
    pub(crate) fn may_enter(&self, owner: u32, group: u32, mode: u32) -> bool {
        let bit = if owner == self.uid {
            0o100
        } else if group == self.gid {
            0o010
        } else {
            0o001
        };
        mode & bit != 0
    }
}

/// User and group id of `name` in the text of a passwd file.
fn find(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let uid = fields.nth(1)?.parse().ok()?;
        Some((uid, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:8::/:/bin/sh\npostgres:x:101:104:admin:/var/lib:/bin/sh\n";
        assert_eq!(find(passwd, "postgres"), Some((101, 104)));
        assert_eq!(find(passwd, "post"), None);
    }

    #[test]
    fn a_folder_that_only_its_owner_may_enter_is_closed_to_others() {
        let account = Account { uid: 101, gid: 104, step_down: true };
        assert!(account.may_enter(0, 0, 0o755));
        assert!(!account.may_enter(0, 0, 0o700));
        assert!(account.may_enter(0, 104, 0o750));
        assert!(!account.may_enter(101, 104, 0o077));
    }
}
