//! Who runs Postgres when this process is root: Postgres refuses to, so an unprivileged account does.

use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{ClusterError, OnPath};

const PASSWD: &str = "/etc/passwd";

/// In order of preference: Debian's package makes `postgres`, every system has `nobody`.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// An account that root steps down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    gid: u32,
}

impl Account {
    /// The accounts that may run Postgres for root, best first.
    pub(super) fn unprivileged() -> Result<Vec<Self>, ClusterError> {
        let passwd = fs::read_to_string(PASSWD).on_path("read", PASSWD)?;
        Ok(UNPRIVILEGED.iter().filter_map(|name| Self::in_passwd(&passwd, name)).collect())
    }

    fn in_passwd(passwd: &str, name: &str) -> Option<Self> {
        let entry = passwd.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let mut numbers = entry.split(':').skip(1).map(|field| field.parse().ok());
        Some(Self { name: name.to_owned(), uid: numbers.next()??, gid: numbers.next()?? })
    }

    /// Makes `command` run as this account, without root's supplementary groups.
    pub(super) fn take_over(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    pub(super) fn give(&self, path: &Path) -> io::Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
    }

    /// Whether every directory down to `directory` lets the account pass. Asked of the system rather than worked out from
    /// permission bits, which know nothing of access control lists.
    pub(super) fn may_enter(&self, directory: &Path) -> bool {
        let mut test = Command::new("test");
        test.arg("-x").arg(directory).current_dir("/").stderr(Stdio::null());
        self.take_over(&mut test);
        test.status().is_ok_and(|status| status.success())
    }
}

/// Whether this process' effective user is root.
pub(super) fn running_as_root() -> bool {
    let id = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "root:x:0:0:root:/root:/bin/bash\n\
                          postgresql-exporter:x:120:130::/:/bin/false\n\
                          postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n";

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        let expected = Account { name: "postgres".into(), uid: 101, gid: 104 };
        assert_eq!(Account::in_passwd(SAMPLE, "postgres"), Some(expected));
        assert_eq!(Account::in_passwd(SAMPLE, "post"), None);
        assert_eq!(Account::in_passwd("postgres:x:many:104::", "postgres"), None);
    }
}
