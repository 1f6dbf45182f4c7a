//! Whether a cluster's server runs, as told by the `postmaster.pid` that it keeps in its data directory.
//!
//! The file outlives a server that was killed. Postgres copes with that, unless the process number is still taken: by another
//! program, likely in a container that counts from 1 again at each start, or by the dead server itself where nobody reaps
//! orphans. Then the file has to be disowned, but never while a process of the old server lives: two servers on the same data
//! destroy it. Each of a server's processes works in its data directory, and that is what is looked for.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{ClusterError, OnPath};
use super::place::Place;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Postmaster {
    /// No server. A pid file whose process number is free counts as none: Postgres replaces it by itself.
    Absent,
    /// The pid file's process is certainly not the server, nor is any other process a remainder of it.
    Impostor { pid: u32 },
    /// Starting or stopping, or killed with some of its processes still ending.
    Settling,
    /// Takes connections.
    Ready { port: u16 },
}

impl Postmaster {
    /// Whether no process of the server is left.
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self, Self::Absent | Self::Impostor { .. })
    }

    pub(super) fn observe(place: &Place) -> Result<Self, ClusterError> {
        let path = place.data().join("postmaster.pid");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::Absent),
            other => other.on_path("read", path)?,
        };
        let Some(file) = PidFile::parse(&text) else {
            return Ok(Self::Settling);
        };
        let server = processes_of(place, file.pid).on_path("look for processes in", place.data())?;
        Ok(match file.port_if_ready {
            Some(port) if server.contains(&file.pid) => Self::Ready { port },
            _ if !server.is_empty() => Self::Settling,
            _ if is_taken(file.pid) => Self::Impostor { pid: file.pid },
            _ => Self::Absent,
        })
    }
}

/// Lines of `postmaster.pid` (`src/include/utils/pidfile.h` in Postgres): 1 process, 4 port, 8 status.
#[derive(Debug, PartialEq, Eq)]
struct PidFile {
    pid: u32,
    port_if_ready: Option<u16>,
}

impl PidFile {
    /// `None` while the file is being written.
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let ready = lines.get(7) == Some(&"ready");
        let port = lines.get(3).and_then(|line| line.parse().ok());
        Some(Self { pid: lines.first()?.parse().ok()?, port_if_ready: port.filter(|_| ready) })
    }
}

/// The processes that work in the data directory.
fn processes_of(place: &Place, leader: u32) -> io::Result<Vec<u32>> {
    if !Path::new("/proc/self/cwd").exists() {
        return Ok(if is_taken(leader) { vec![leader] } else { Vec::new() });
    }
    let data = place.data().canonicalize()?;
    let pids = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // Asked as the server's own account: in a container, even root may not see where other accounts' processes work.
    let listing = place.command("ls").arg("-ld").args(pids.map(working_directory)).stderr(Stdio::null()).output()?;
    let listing = String::from_utf8_lossy(&listing.stdout);
    let working_there = listing.lines().filter_map(|line| {
        let (link, directory) = line.split_once(" -> ")?;
        (Path::new(directory) == data).then(|| link.rsplit_once("/proc/")?.1.strip_suffix("/cwd")?.parse().ok())?
    });
    Ok(working_there.collect())
}

fn working_directory(pid: u32) -> String {
    format!("/proc/{pid}/cwd")
}

fn is_taken(pid: u32) -> bool {
    if Path::new("/proc/self").exists() {
        return Path::new(&format!("/proc/{pid}")).exists();
    }
    Command::new("ps")
        .args(["-p", &pid.to_string()])
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_tells_the_port_only_once_the_server_is_ready() {
        let file = |status: &str| format!("4711\n/home/data\n1700000000\n40123\n\n127.0.0.1\n  123 4\n{status}\n");
        assert_eq!(PidFile::parse(&file("ready   ")), Some(PidFile { pid: 4711, port_if_ready: Some(40123) }));
        assert_eq!(PidFile::parse(&file("stopping")), Some(PidFile { pid: 4711, port_if_ready: None }));
        assert_eq!(PidFile::parse("4711\n/home/data\n"), Some(PidFile { pid: 4711, port_if_ready: None }));
        assert_eq!(PidFile::parse(""), None);
    }
}
