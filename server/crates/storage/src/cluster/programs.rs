//! The machine's own `initdb` and `pg_ctl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::error::{ClusterError, OnPath};
use super::place::Place;
use super::{ClusterOptions, SUPERUSER};

/// Where Debian keeps one directory per major version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Seconds that a server may take to start (it may have to recover) or to stop.
const PATIENCE_S: &str = "60";
/// How much of a server's log an error quotes.
const QUOTED_LINES: usize = 12;

/// One installed Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    /// `None` leaves the search to PATH.
    directory: Option<PathBuf>,
    version: u32,
}

impl Programs {
    /// The Postgres that made the data (`made_by`), or for a new cluster the first of: PATH, Debian's newest, `pg_config`'s.
    pub(super) fn find(made_by: Option<u32>, place: &Place) -> Result<Self, ClusterError> {
        let found: Vec<Self> = candidates().into_iter().filter_map(Self::at).collect();
        let available = || found.iter().map(|programs| programs.version).collect();
        match made_by {
            None => found.first().cloned().ok_or(ClusterError::NoPrograms { install: how_to_install() }),
            Some(_) if found.is_empty() => Err(ClusterError::NoPrograms { install: how_to_install() }),
            Some(made_by) => {
                found.iter().find(|programs| programs.version == made_by).cloned().ok_or_else(|| {
                    ClusterError::OtherVersion { directory: place.data(), made_by, available: available() }
                })
            }
        }
    }

    fn at(directory: Option<PathBuf>) -> Option<Self> {
        let version = |program| {
            let output = Command::new(within(directory.as_deref(), program)).arg("--version").output().ok()?;
            major_version(&String::from_utf8_lossy(&output.stdout))
        };
        let (initdb, pg_ctl) = (version("initdb")?, version("pg_ctl")?);
        (initdb == pg_ctl).then_some(Self { directory, version: pg_ctl })
    }

    /// Makes the cluster beside its final place and moves it there, so that half a cluster never counts as one.
    pub(super) fn initialise(&self, place: &Place, options: ClusterOptions) -> Result<(), ClusterError> {
        place.draw_password()?;
        // C.UTF-8 sorts by code point and knows the case of letters; where it is missing (macOS, musl), C is everywhere.
        let mut result = Err(String::new());
        for locale in ["--locale=C.UTF-8", "--locale=C"] {
            let draft = place.base().join("data.new");
            if draft.exists() {
                fs::remove_dir_all(&draft).on_path("remove", &draft)?;
            }
            let mut initdb = place.command(within(self.directory.as_deref(), "initdb"));
            initdb.args(["--pgdata=data.new", "--pwfile=password", "--auth=scram-sha-256", "--encoding=UTF8", locale]);
            initdb.args(["--data-checksums", "--username", SUPERUSER]);
            if options.tests {
                initdb.arg("--no-sync");
            }
            result = succeed(&mut initdb);
            if result.is_ok() {
                break;
            }
        }
        result.map_err(|output| ClusterError::Program { action: "create the Postgres cluster (initdb)", output })?;
        place.include_settings("data.new")?;
        fs::rename(place.base().join("data.new"), place.data()).on_path("create", place.data())
    }

    /// Starts the server, detached from this process and its terminal, and waits until it takes connections.
    pub(super) fn start(&self, place: &Place) -> Result<(), ClusterError> {
        place.turn_log()?;
        let mut pg_ctl = place.command(within(self.directory.as_deref(), "pg_ctl"));
        pg_ctl.args(["start", "-D", "data", "-l", "log", "-w", "-s", "-t", PATIENCE_S]);
        succeed(&mut pg_ctl).map_err(|output| ClusterError::Program {
            action: "start the private Postgres",
            output: format!("{output}\n{}", last_lines(&place.log())),
        })
    }

    /// Ends open connections, stops the server cleanly and waits until it is gone.
    pub(super) fn stop(&self, place: &Place) -> Result<(), ClusterError> {
        let mut pg_ctl = place.command(within(self.directory.as_deref(), "pg_ctl"));
        pg_ctl.args(["stop", "-D", "data", "-m", "fast", "-w", "-s", "-t", PATIENCE_S]);
        succeed(&mut pg_ctl).map_err(|output| ClusterError::Program { action: "stop the private Postgres", output })
    }
}

fn candidates() -> Vec<Option<PathBuf>> {
    let mut by_version: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    by_version.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let debian = by_version.into_iter().map(|(_, directory)| Some(directory));
    let configured = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok().and_then(|output| {
        let directory = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| PathBuf::from(directory.trim()))
    });
    std::iter::once(None).chain(debian).chain(configured.map(Some)).collect()
}

fn within(directory: Option<&Path>, program: &str) -> PathBuf {
    directory.map_or_else(|| PathBuf::from(program), |directory| directory.join(program))
}

/// Of a line such as `pg_ctl (PostgreSQL) 15.18 (Debian 15.18-0)` or `initdb (PostgreSQL) 18beta1`.
fn major_version(line: &str) -> Option<u32> {
    let (_, version) = line.split_once("(PostgreSQL) ")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Runs to the end; what was printed is the reason for a failure.
fn succeed(command: &mut Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stdout, stderr, .. }) => {
            Err(format!("{}{}", String::from_utf8_lossy(&stderr), String::from_utf8_lossy(&stdout)).trim().to_owned())
        }
        Err(error) => Err(format!("{}: {error}", command.get_program().to_string_lossy())),
    }
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
}

fn how_to_install() -> &'static str {
    let known = [
        ("/etc/debian_version", "run `apt-get install postgresql`"),
        ("/etc/fedora-release", "run `dnf install postgresql-server`"),
        ("/etc/alpine-release", "run `apk add postgresql`"),
        ("/etc/arch-release", "run `pacman -S postgresql`"),
        ("/opt/homebrew", "run `brew install postgresql`"),
    ];
    let here = known.into_iter().find(|(mark, _)| Path::new(mark).exists());
    here.map_or("install PostgreSQL and put its programs on PATH", |(_, command)| command)
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn the_major_version_is_read_from_any_flavour_of_version_line() {
        assert_eq!(major_version("pg_ctl (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major_version("initdb (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_version("initdb: command not found"), None);
    }
}
